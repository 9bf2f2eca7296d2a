//! The promises of every store, through one that allows all actions.

use std::sync::{Arc, Mutex};

use audit_catalogue::{Catalogue, Strict};
use audit_conformance::{Harness, Restore};
use audit_core::AuditStore;
use audit_memory::MemoryStore;

struct InFront(Arc<Mutex<MemoryStore>>);

impl InFront {
    fn new() -> Self {
        Self(Arc::new(Mutex::new(MemoryStore::new().unwrap())))
    }
}

impl Harness for InFront {
    fn open(&self) -> Arc<dyn AuditStore> {
        let store: Arc<dyn AuditStore> = Arc::new(self.0.lock().unwrap().clone());
        Arc::new(Strict::refusing(store, Catalogue::new().allowing("*")))
    }

    fn copy(&self) -> Option<Restore> {
        let (store, copy) = (Arc::clone(&self.0), self.0.lock().unwrap().fork());
        Some(Box::new(move || *store.lock().unwrap() = copy))
    }
}

audit_conformance::suite!(store: InFront::new);
