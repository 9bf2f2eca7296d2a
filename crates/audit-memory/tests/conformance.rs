//! The promises of every store, in memory.

// A test fails if it cannot be set up.
#![allow(clippy::expect_used)]

use std::sync::{Arc, Mutex};

use audit_conformance::{FollowerHarness, Harness, Restore, RetentionHarness, TenantHarness};
use audit_core::{AuditStore, FollowerStore, RetentionStore, TenantStore};
use audit_memory::MemoryStore;

struct Memory(Arc<Mutex<MemoryStore>>);

impl Memory {
    fn new() -> Self {
        Self(Arc::new(Mutex::new(MemoryStore::new().expect("the store opens"))))
    }

    fn store(&self) -> Arc<MemoryStore> {
        Arc::new(self.0.lock().expect("no test panics here").clone())
    }
}

// A handle of the same state: there is nothing else to open again.
impl Harness for Memory {
    fn open(&self) -> Arc<dyn AuditStore> {
        self.store()
    }

    fn copy(&self) -> Option<Restore> {
        let (store, copy) = (Arc::clone(&self.0), self.store().fork());
        Some(Box::new(move || *store.lock().expect("no test panics here") = copy))
    }
}

impl RetentionHarness for Memory {
    fn open_retention(&self) -> Arc<dyn RetentionStore> {
        self.store()
    }
}

impl FollowerHarness for Memory {
    fn open_followers(&self) -> Arc<dyn FollowerStore> {
        self.store()
    }
}

impl TenantHarness for Memory {
    fn open_tenants(&self) -> Arc<dyn TenantStore> {
        self.store()
    }
}

audit_conformance::suite!(Memory::new);
audit_conformance::suite!(followers: Memory::new);
