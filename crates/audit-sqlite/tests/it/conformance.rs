//! The promises of every store, on SQLite.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::sync::Arc;

use audit_conformance::{DurableHarness, Harness, Restore, RetentionHarness, TenantHarness};
use audit_core::{AuditStore, RetentionStore, TenantStore};
use audit_sqlite::SqliteStore;
use futures_executor::block_on;
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
    fn open(&self) -> Arc<dyn AuditStore> {
        self.store()
    }

    fn copy(&self) -> Option<Restore> {
        let (file, copy) = (self.0.path().join("audit.db"), self.0.path().join("copy.db"));
        block_on(self.store().backup(&copy)).expect("the store is copied");
        // The last handle has closed the store, so that its file is all there is.
        Some(Box::new(move || std::fs::rename(copy, file).expect("the copy is put back")))
    }
}

impl RetentionHarness for File {
    fn open_retention(&self) -> Arc<dyn RetentionStore> {
        self.store()
    }
}

impl TenantHarness for File {
    fn open_tenants(&self) -> Arc<dyn TenantStore> {
        self.store()
    }
}

impl DurableHarness for File {
    fn place(&self) -> OsString {
        self.0.path().join("audit.db").into()
    }
}

/// Opens the file of another process.
struct Place(PathBuf);

impl Place {
    fn of(place: &OsStr) -> Self {
        Self(place.into())
    }
}

impl Harness for Place {
    fn open(&self) -> Arc<dyn AuditStore> {
        Arc::new(SqliteStore::open(&self.0).expect("the store opens"))
    }
}

audit_conformance::suite!(File::new);
audit_conformance::suite!(durable: File::new, Place::of);
