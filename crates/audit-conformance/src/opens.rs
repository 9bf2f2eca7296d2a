//! The trait of the store that each harness opens.

use std::sync::Arc;

use audit_core::{AuditStore, FollowerStore, RetentionStore, StagingStore, TenantStore};

use crate::harness::{
    DamageHarness, DurableHarness, FollowerHarness, Harness, RetentionHarness, StagingHarness,
    TenantHarness,
};

/// A harness, and the trait object that it opens.
pub(crate) trait Opens: Harness {
    type Store: AuditStore + ?Sized;

    fn open_store(&self) -> Arc<Self::Store>;
}

macro_rules! opens {
    ($($harness:ident: $open:ident -> $store:ident,)+) => { $(
        impl Opens for dyn $harness {
            type Store = dyn $store;

            fn open_store(&self) -> Arc<dyn $store> {
                self.$open()
            }
        }
    )+ };
}

opens! {
    Harness: open -> AuditStore,
    DamageHarness: open -> AuditStore,
    DurableHarness: open -> AuditStore,
    RetentionHarness: open_retention -> RetentionStore,
    StagingHarness: open_staging -> StagingStore,
    FollowerHarness: open_followers -> FollowerStore,
    TenantHarness: open_tenants -> TenantStore,
}
