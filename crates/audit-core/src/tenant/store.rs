//! The store of tenants: organizations and their API keys.

use async_trait::async_trait;

use crate::{
    ApiKey, ApiKeyId, ApiKeySecret, AuditContext, AuditStore, NewApiKey, NewOrganization,
    Organization, OrganizationId, OrganizationUpdate, Result,
};

/// A store that also keeps organizations and their API keys. A service with its own table of
/// tenants and its own login needs only [`AuditStore`].
///
/// Every change is recorded in the log of the organization and in the platform's log, in the
/// transaction that makes the change. Errors that describe the engine are those of [`AuditStore`].
#[async_trait]
pub trait TenantStore: AuditStore {
    /// Creates an organization.
    ///
    /// # Behavior
    /// - MUST create it, and append the event of its creation to its log and to the platform's, all
    ///   or nothing.
    /// - MUST fail with [`Conflict`](crate::ErrorKind::Conflict) if the id is taken, even by a
    ///   deleted organization.
    /// - MUST fail with [`Invalid`](crate::ErrorKind::Invalid) if a field exceeds a limit.
    async fn create_organization(
        &self,
        new: NewOrganization,
        by: AuditContext,
    ) -> Result<Organization>;

    /// Returns the organization `id`.
    ///
    /// # Behavior
    /// - MUST fail with [`NotFound`](crate::ErrorKind::NotFound) if it does not exist or was deleted.
    async fn organization(&self, id: OrganizationId) -> Result<Organization>;

    /// Returns organizations by ascending id, after `after`, at most `limit`.
    ///
    /// # Behavior
    /// - MUST leave out deleted organizations.
    /// - MUST fail with [`Invalid`](crate::ErrorKind::Invalid) for a limit outside 1 to
    ///   [`MAX_ORGANIZATIONS_PAGE`](crate::limits::MAX_ORGANIZATIONS_PAGE).
    async fn organizations(
        &self,
        after: Option<OrganizationId>,
        limit: usize,
    ) -> Result<Vec<Organization>>;

    /// Changes an organization and returns its new state.
    ///
    /// # Behavior
    /// - MUST apply the update to the organization as it is, remove endpoints before it adds any,
    ///   and append the event of the change to its log and to the platform's, all or nothing; of
    ///   two updates at once, neither is lost.
    /// - MUST append no event, and leave `updated_at`, if nothing changes.
    /// - MUST fail with [`NotFound`](crate::ErrorKind::NotFound) if it does not exist or was deleted, and
    ///   with [`Invalid`](crate::ErrorKind::Invalid) if a field exceeds a limit.
    async fn update_organization(
        &self,
        id: OrganizationId,
        update: OrganizationUpdate,
        by: AuditContext,
    ) -> Result<Organization>;

    /// Deletes an organization. Its events stay.
    ///
    /// # Behavior
    /// - MUST delete it, and append the event of its deletion to its log and to the platform's, all
    ///   or nothing.
    /// - MUST fail with [`NotFound`](crate::ErrorKind::NotFound) if it does not exist or was deleted.
    async fn delete_organization(&self, id: OrganizationId, by: AuditContext) -> Result<()>;

    /// Creates a key and returns it with its secret, which the store does not keep.
    ///
    /// # Behavior
    /// - MUST create it, and append the event of its creation to the log of its organization and
    ///   to the platform's, all or nothing.
    /// - MUST fail with [`NotFound`](crate::ErrorKind::NotFound) if the organization does not
    ///   exist or was deleted, and with [`Invalid`](crate::ErrorKind::Invalid) if a field exceeds a
    ///   limit.
    async fn create_api_key(
        &self,
        new: NewApiKey,
        by: AuditContext,
    ) -> Result<(ApiKey, ApiKeySecret)>;

    /// Returns the key `id`, revoked or not.
    ///
    /// # Behavior
    /// - MUST fail with [`NotFound`](crate::ErrorKind::NotFound) if it does not exist.
    /// - MUST find it also when its organization was deleted.
    /// - MUST see every revocation that returned before the call, by whichever handle or process.
    async fn api_key(&self, id: ApiKeyId) -> Result<ApiKey>;

    /// Returns the keys of an organization, including revoked ones, by ascending id, after `after`,
    /// at most `limit`.
    ///
    /// # Behavior
    /// - MUST fail with [`Invalid`](crate::ErrorKind::Invalid) for a limit outside 1 to
    ///   [`MAX_API_KEYS_PAGE`](crate::limits::MAX_API_KEYS_PAGE).
    async fn api_keys(
        &self,
        organization: OrganizationId,
        after: Option<ApiKeyId>,
        limit: usize,
    ) -> Result<Vec<ApiKey>>;

    /// Revokes a key and returns its new state.
    ///
    /// # Behavior
    /// - MUST revoke it, and append the event of it to the log of its organization and to the
    ///   platform's, all or nothing.
    /// - MUST append no event, and leave `revoked_at`, if it was revoked before.
    /// - MUST fail with [`NotFound`](crate::ErrorKind::NotFound) if it does not exist.
    async fn revoke_api_key(&self, id: ApiKeyId, by: AuditContext) -> Result<ApiKey>;

    /// Removes the e-mail address of the holder from a revoked key, and returns the key's new state.
    ///
    /// Events that name the holder are left; [`HolderErasure`](crate::HolderErasure) erases these
    /// too.
    ///
    /// # Behavior
    /// - MUST remove it, and append the event of that to the log of its organization and to the
    ///   platform's, all or nothing.
    /// - MUST, when it returns, keep the address neither in the key nor in free space, and fail with
    ///   [`Pending`](crate::ErrorKind::Pending) as
    ///   [`erase_events`](crate::RetentionStore::erase_events) does. Copies in unused bytes of a page may
    ///   remain until the store is compacted.
    /// - MUST append no event if it was removed before.
    /// - MUST fail with [`Invalid`](crate::ErrorKind::Invalid) if the key is not revoked, and with
    ///   [`NotFound`](crate::ErrorKind::NotFound) if it does not exist.
    async fn forget_api_key_holder(&self, id: ApiKeyId, by: AuditContext) -> Result<ApiKey>;
}
