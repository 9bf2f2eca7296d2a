//! Delegation: a store in front of another one, and pointers to stores.

use std::sync::Arc;

use crate::{AuditStore, FollowerStore, RetentionStore, StagingStore, TenantStore};

/// Implements methods of the store traits by calling the store in a field.
///
/// A store in front of another one names the field and the methods that it does not change, and writes out
/// the others. A method that a trait gains is in no list: each such store fails to compile until it decides
/// about it. No future is boxed twice.
///
/// ```
/// use async_trait::async_trait;
/// use audit_core::backend::delegate;
/// use audit_core::{AuditStore, Error, ErrorKind, Log, NewEvent, Receipt, Result};
///
/// /// A store to which nothing can be appended.
/// #[derive(Debug)]
/// struct Closed<S> {
///     store: S,
/// }
///
/// #[async_trait]
/// impl<S: AuditStore> AuditStore for Closed<S> {
///     delegate!(store: token_keys, get, head, logs, scan, wait_for_append, frontier, nodes, entries);
///
///     async fn append(&self, _: Log, _: Vec<NewEvent>) -> Result<Vec<Receipt>> {
///         Err(Error::new(ErrorKind::ReadOnly))
///     }
/// }
/// ```
#[doc(inline)]
pub use crate::__delegate as delegate;

/// See [`backend::delegate`](crate::backend::delegate).
#[doc(hidden)]
#[macro_export]
macro_rules! __delegate {
    // `$to` is a field, or `*` for what `self` points to.
    ($to:tt: $($method:ident),+ $(,)?) => { $($crate::__delegate!(@$method $to);)+ };

    (@token_keys $to:tt) => {
        fn token_keys(&self) -> &$crate::TokenKeys {
            $crate::AuditStore::token_keys($crate::__delegate!(@target self $to))
        }
    };
    (@append $to:tt) => { $crate::__delegate! { @method $to
        AuditStore::append[](log: $crate::Log, events: Vec<$crate::NewEvent>) -> Vec<$crate::Receipt>
    } };
    (@get $to:tt) => { $crate::__delegate! { @method $to
        AuditStore::get[](log: $crate::Log, id: $crate::EventId) -> $crate::AuditEvent
    } };
    (@head $to:tt) => { $crate::__delegate! { @method $to
        AuditStore::head[](log: $crate::Log) -> $crate::Head
    } };
    (@logs $to:tt) => { $crate::__delegate! { @method $to
        AuditStore::logs[](after: Option<$crate::Log>, limit: usize) -> Vec<$crate::Log>
    } };
    (@scan $to:tt) => { $crate::__delegate! { @method $to
        AuditStore::scan[](scan: $crate::Scan) -> $crate::ScanResult
    } };
    (@wait_for_append $to:tt) => { $crate::__delegate! { @method $to
        AuditStore::wait_for_append[](log: $crate::Log, sequence: $crate::Sequence) -> $crate::Head
    } };
    (@frontier $to:tt) => { $crate::__delegate! { @method $to
        AuditStore::frontier[](log: $crate::Log) -> $crate::tree::Frontier
    } };
    (@nodes $to:tt) => { $crate::__delegate! { @method $to
        AuditStore::nodes[](log: $crate::Log, nodes: Vec<$crate::tree::NodeId>)
            -> Vec<Option<$crate::tree::NodeHash>>
    } };
    (@entries $to:tt) => { $crate::__delegate! { @method $to
        AuditStore::entries[](log: $crate::Log, request: $crate::EntriesRequest)
            -> Vec<$crate::tree::LogEntry>
    } };

    (@erase_events $to:tt) => { $crate::__delegate! { @method $to
        RetentionStore::erase_events[](
            log: $crate::Log, sequences: Vec<$crate::Sequence>, by: $crate::AuditContext
        ) -> u64
    } };
    (@retention $to:tt) => { $crate::__delegate! { @method $to
        RetentionStore::retention[](log: $crate::Log) -> $crate::Retention
    } };
    (@set_retention $to:tt) => { $crate::__delegate! { @method $to
        RetentionStore::set_retention[](
            log: $crate::Log, retention: $crate::Retention, by: $crate::AuditContext
        ) -> ()
    } };
    (@prune $to:tt) => { $crate::__delegate! { @method $to
        RetentionStore::prune[](log: $crate::Log, pruning: $crate::Pruning) -> $crate::Pruned
    } };

    (@create_organization $to:tt) => { $crate::__delegate! { @method $to
        TenantStore::create_organization[](new: $crate::NewOrganization, by: $crate::AuditContext)
            -> $crate::Organization
    } };
    (@organization $to:tt) => { $crate::__delegate! { @method $to
        TenantStore::organization[](id: $crate::OrganizationId) -> $crate::Organization
    } };
    (@organizations $to:tt) => { $crate::__delegate! { @method $to
        TenantStore::organizations[](after: Option<$crate::OrganizationId>, limit: usize)
            -> Vec<$crate::Organization>
    } };
    (@update_organization $to:tt) => { $crate::__delegate! { @method $to
        TenantStore::update_organization[](
            id: $crate::OrganizationId, update: $crate::OrganizationUpdate, by: $crate::AuditContext
        ) -> $crate::Organization
    } };
    (@delete_organization $to:tt) => { $crate::__delegate! { @method $to
        TenantStore::delete_organization[](id: $crate::OrganizationId, by: $crate::AuditContext) -> ()
    } };
    (@create_api_key $to:tt) => { $crate::__delegate! { @method $to
        TenantStore::create_api_key[](new: $crate::NewApiKey, by: $crate::AuditContext)
            -> ($crate::ApiKey, $crate::ApiKeySecret)
    } };
    (@api_key $to:tt) => { $crate::__delegate! { @method $to
        TenantStore::api_key[](id: $crate::ApiKeyId) -> $crate::ApiKey
    } };
    (@api_keys $to:tt) => { $crate::__delegate! { @method $to
        TenantStore::api_keys[](
            organization: $crate::OrganizationId, after: Option<$crate::ApiKeyId>, limit: usize
        ) -> Vec<$crate::ApiKey>
    } };
    (@revoke_api_key $to:tt) => { $crate::__delegate! { @method $to
        TenantStore::revoke_api_key[](id: $crate::ApiKeyId, by: $crate::AuditContext) -> $crate::ApiKey
    } };
    (@forget_api_key_holder $to:tt) => { $crate::__delegate! { @method $to
        TenantStore::forget_api_key_holder[](id: $crate::ApiKeyId, by: $crate::AuditContext)
            -> $crate::ApiKey
    } };

    (@take_in $to:tt) => { $crate::__delegate! { @method $to
        StagingStore::take_in[]() -> ()
    } };
    (@staged_counts $to:tt) => { $crate::__delegate! { @method $to
        StagingStore::staged_counts[]() -> $crate::StagedCounts
    } };
    (@refused $to:tt) => { $crate::__delegate! { @method $to
        StagingStore::refused[](after: u64, limit: usize) -> Vec<$crate::RefusedEvent>
    } };
    (@restage $to:tt) => { $crate::__delegate! { @method $to
        StagingStore::restage[](number: u64) -> ()
    } };
    (@drop_refused $to:tt) => { $crate::__delegate! { @method $to
        StagingStore::drop_refused[](number: u64, by: $crate::AuditContext) -> ()
    } };

    (@follower_state $to:tt) => { $crate::__delegate! { @method $to
        FollowerStore::follower_state['life1 follower](log: $crate::Log) -> Option<String>
    } };
    (@follower_states $to:tt) => { $crate::__delegate! { @method $to
        FollowerStore::follower_states['life1 follower](after: Option<$crate::Log>, limit: usize)
            -> Vec<($crate::Log, String)>
    } };
    (@replace_follower_state $to:tt) => { $crate::__delegate! { @method $to
        FollowerStore::replace_follower_state['life1 follower](
            log: $crate::Log, before: Option<String>, after: Option<String>
        ) -> ()
    } };

    // The signature that `async_trait` gives a method. A name in brackets is that of a first argument of
    // type `&str`.
    (@method $to:tt $trait:ident::$method:ident[$($lifetime:lifetime $text:ident)?](
        $($argument:ident: $type:ty),*
    ) -> $output:ty) => {
        fn $method<'life0, $($lifetime,)? 'async_trait>(
            &'life0 self,
            $($text: &$lifetime str,)?
            $($argument: $type,)*
        ) -> ::std::pin::Pin<
            Box<dyn ::std::future::Future<Output = $crate::Result<$output>> + Send + 'async_trait>,
        >
        where
            'life0: 'async_trait,
            $($lifetime: 'async_trait,)?
            Self: 'async_trait,
        {
            $crate::$trait::$method(
                $crate::__delegate!(@target self $to),
                $($text,)?
                $($argument,)*
            )
        }
    };

    (@target $self:ident *) => { &**$self };
    (@target $self:ident $field:tt) => { &$self.$field };
}

macro_rules! pointers {
    ($($pointer:ident),+) => { $(
        impl<S: AuditStore + ?Sized> AuditStore for $pointer<S> {
            delegate!(*: token_keys, append, get, head, logs, scan, wait_for_append, frontier, nodes, entries);
        }

        impl<S: RetentionStore + ?Sized> RetentionStore for $pointer<S> {
            delegate!(*: erase_events, retention, set_retention, prune);
        }

        impl<S: TenantStore + ?Sized> TenantStore for $pointer<S> {
            delegate!(*: create_organization, organization, organizations, update_organization, delete_organization);
            delegate!(*: create_api_key, api_key, api_keys, revoke_api_key, forget_api_key_holder);
        }

        impl<S: StagingStore + ?Sized> StagingStore for $pointer<S> {
            delegate!(*: take_in, staged_counts, refused, restage, drop_refused);
        }

        impl<S: FollowerStore + ?Sized> FollowerStore for $pointer<S> {
            delegate!(*: follower_state, follower_states, replace_follower_state);
        }
    )+ };
}

pointers!(Arc, Box);
