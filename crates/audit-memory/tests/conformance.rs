//! The promises of every store, in memory.

// A test fails if it cannot be set up.
#![allow(clippy::expect_used)]

use std::sync::Arc;

use audit_conformance::{Harness, RetentionHarness, TenantHarness};
use audit_core::{AuditStore, RetentionStore, TenantStore};
use audit_memory::MemoryStore;

struct Memory(MemoryStore);

impl Memory {
    fn new() -> Self {
        Self(MemoryStore::new().expect("the store opens"))
    }
}

// A handle of the same state: there is nothing else to open again.
impl Harness for Memory {
    fn open(&self) -> Arc<dyn AuditStore> {
        Arc::new(self.0.clone())
    }
}

impl RetentionHarness for Memory {
    fn open_retention(&self) -> Arc<dyn RetentionStore> {
        Arc::new(self.0.clone())
    }
}

impl TenantHarness for Memory {
    fn open_tenants(&self) -> Arc<dyn TenantStore> {
        Arc::new(self.0.clone())
    }
}

audit_conformance::suite!(Memory::new);
