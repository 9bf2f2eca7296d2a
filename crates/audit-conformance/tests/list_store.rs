//! The whole suite on the sample store of the documentation, which shares no code with the backends.

// A test that cannot set itself up fails.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]

use std::sync::Arc;

use audit_conformance::{Harness, Restore, RetentionHarness, TenantHarness};
use audit_core::{AuditStore, RetentionStore, TenantStore};

use list_store::ListStore;

#[path = "../../audit-core/examples/list_store.rs"]
#[allow(dead_code)] // it has a `main` of its own
mod list_store;

audit_conformance::suite!(List::new);

struct List(ListStore);

impl List {
    fn new() -> Self {
        Self(ListStore::new().expect("the store opens"))
    }
}

impl Harness for List {
    fn open(&self) -> Arc<dyn AuditStore> {
        Arc::new(self.0.clone())
    }

    fn copy(&self) -> Option<Restore> {
        let (store, copy) = (self.0.clone(), self.0.state().clone());
        Some(Box::new(move || *store.state() = copy))
    }
}

impl RetentionHarness for List {
    fn open_retention(&self) -> Arc<dyn RetentionStore> {
        Arc::new(self.0.clone())
    }
}

impl TenantHarness for List {
    fn open_tenants(&self) -> Arc<dyn TenantStore> {
        Arc::new(self.0.clone())
    }
}
