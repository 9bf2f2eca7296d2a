//! The whole suite on the store in memory.

// What a test cannot set up, it fails for.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]

use std::sync::Arc;

use audit_conformance::Harness;
use audit_core::AuditStore;
use audit_memory::MemoryStore;

struct InMemory(MemoryStore);

impl InMemory {
    fn new() -> Self {
        Self(MemoryStore::new().expect("the system has randomness"))
    }
}

impl Harness for InMemory {
    fn open(&self) -> Arc<dyn AuditStore> {
        Arc::new(self.0.clone())
    }
}

audit_conformance::suite!(InMemory::new);
