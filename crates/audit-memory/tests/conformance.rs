//! The promises of every store, in memory.

// What a test cannot set up, it fails for.
#![allow(clippy::expect_used)]

use std::sync::Arc;

use audit_conformance::{Harness, Store};
use audit_memory::MemoryStore;

struct Memory(MemoryStore);

impl Memory {
    fn new() -> Self {
        Self(MemoryStore::new().expect("the store opens"))
    }
}

impl Harness for Memory {
    /// Another handle of the same state: there is nothing else to open again.
    fn open(&self) -> Arc<dyn Store> {
        Arc::new(self.0.clone())
    }

    fn open_api_keys(&self) -> Arc<dyn Store> {
        Arc::new(self.0.clone())
    }
}

audit_conformance::suite!(Memory::new);
