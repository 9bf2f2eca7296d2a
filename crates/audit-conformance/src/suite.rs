//! The macro that a backend calls.

/// Makes one test for each case, against the stores that the harness `$new()` opens.
///
/// `$new` is a function without arguments. `suite!($new)` tests the first three of these. A store
/// that implements only some of the traits names what it has, one call for each:
///
/// | call | tests | `$new` returns a |
/// |---|---|---|
/// | `suite!(store: $new)` | [`AuditStore`](audit_core::AuditStore) | [`Harness`](crate::Harness) |
/// | `suite!(retention: $new)` | [`RetentionStore`](audit_core::RetentionStore) | [`RetentionHarness`](crate::RetentionHarness) |
/// | `suite!(tenants: $new)` | [`TenantStore`](audit_core::TenantStore) | [`TenantHarness`](crate::TenantHarness) |
/// | `suite!(staged: $new)` | [`StagingStore`](audit_core::StagingStore) | [`StagingHarness`](crate::StagingHarness) |
/// | `suite!(followers: $new)` | [`FollowerStore`](audit_core::FollowerStore) | [`FollowerHarness`](crate::FollowerHarness) |
/// | `suite!(damaged: $new)` | a store with an index | [`DamageHarness`](crate::DamageHarness) |
///
/// `suite!(durable: $new, $open)` tests that acknowledged events survive a kill of the process.
/// `$new` returns a [`DurableHarness`](crate::DurableHarness). `$open` takes its
/// [place](crate::DurableHarness::place) and returns a [`Harness`](crate::Harness) of the same store
/// in another process.
///
/// Call the macro at the top of a module. The tests are named `group::case`.
#[macro_export]
macro_rules! suite {
    (store: $new:expr) => {
        fn new_store_harness() -> ::std::boxed::Box<dyn $crate::Harness> {
            ::std::boxed::Box::new($new())
        }

        $crate::for_each_case!(store, suite_tests new_store_harness);
    };
    (retention: $new:expr) => {
        fn new_retention_harness() -> ::std::boxed::Box<dyn $crate::RetentionHarness> {
            ::std::boxed::Box::new($new())
        }

        $crate::for_each_case!(retention, suite_tests new_retention_harness);
    };
    (staged: $new:expr) => {
        fn new_staging_harness() -> ::std::boxed::Box<dyn $crate::StagingHarness> {
            ::std::boxed::Box::new($new())
        }

        $crate::for_each_case!(staged, suite_tests new_staging_harness);
    };
    (followers: $new:expr) => {
        fn new_follower_harness() -> ::std::boxed::Box<dyn $crate::FollowerHarness> {
            ::std::boxed::Box::new($new())
        }

        $crate::for_each_case!(followers, suite_tests new_follower_harness);
    };
    (damaged: $new:expr) => {
        fn new_damage_harness() -> ::std::boxed::Box<dyn $crate::DamageHarness> {
            ::std::boxed::Box::new($new())
        }

        $crate::for_each_case!(damaged, suite_tests new_damage_harness);
    };
    (tenants: $new:expr) => {
        fn new_tenant_harness() -> ::std::boxed::Box<dyn $crate::TenantHarness> {
            ::std::boxed::Box::new($new())
        }

        $crate::for_each_case!(tenants, suite_tests new_tenant_harness);
    };
    (durable: $new:expr, $open:expr) => {
        fn new_durable_harness() -> ::std::boxed::Box<dyn $crate::DurableHarness> {
            ::std::boxed::Box::new($new())
        }

        fn open_durable(place: &::std::ffi::OsStr) -> ::std::boxed::Box<dyn $crate::Harness> {
            ::std::boxed::Box::new($open(place))
        }

        mod durability {
            #[test]
            fn acknowledged_appends_survive_kills() {
                let child = ::std::concat!(::std::module_path!(), "::append_until_killed");
                let new = super::new_durable_harness;
                $crate::durability::acknowledged_appends_survive_kills(&new, child);
            }

            #[test]
            #[ignore = "run by the other test, in a process of its own"]
            fn append_until_killed() {
                $crate::durability::append_until_killed(&super::open_durable);
            }
        }
    };
    ($new:expr) => {
        $crate::suite!(store: $new);
        $crate::suite!(retention: $new);
        $crate::suite!(tenants: $new);
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! suite_tests {
    (($new:ident) $($group:ident { $($case:ident,)* })*) => {
        $(mod $group {
            $(#[test]
            fn $case() {
                $crate::run(stringify!($group), stringify!($case), &super::$new);
            })*
        })*
    };
}
