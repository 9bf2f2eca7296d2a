//! The promises of every store, on SQLite.

use std::sync::Arc;

use audit_conformance::{Harness, Store};
use audit_sqlite::SqliteStore;
use tempfile::TempDir;

struct File(TempDir);

impl File {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary directory"))
    }

    fn store(&self) -> Arc<SqliteStore> {
        Arc::new(SqliteStore::open(self.0.path().join("audit.db")).expect("the store opens"))
    }
}

impl Harness for File {
    fn open(&self) -> Arc<dyn Store> {
        self.store()
    }

    fn open_api_keys(&self) -> Arc<dyn Store> {
        self.store()
    }
}

audit_conformance::suite!(File::new);
