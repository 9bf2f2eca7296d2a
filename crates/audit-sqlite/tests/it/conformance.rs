//! The promises of every store, on SQLite.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use audit_conformance::{
    DurableHarness, Harness, Restore, RetentionHarness, StagingHarness, StagingTransaction,
    TenantHarness,
};
use audit_core::{AuditStore, EventId, Log, RetentionStore, StagingStore, TenantStore};
use audit_sqlite::rusqlite::Connection;
use audit_sqlite::{STAGE, SqliteStore};
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

impl StagingHarness for File {
    fn open_staging(&self) -> Arc<dyn StagingStore> {
        self.store()
    }

    fn begin(&self) -> Box<dyn StagingTransaction> {
        let client = Connection::open(self.0.path().join("audit.db")).expect("the file opens");
        client.busy_timeout(Duration::from_secs(60)).expect("a time-out is set");
        client.execute_batch("BEGIN IMMEDIATE").expect("a transaction begins");
        Box::new(Client(client))
    }
}

/// A client in a transaction, which knows nothing of the store.
struct Client(Connection);

impl StagingTransaction for Client {
    fn stage_row(&mut self, log: Log, id: EventId, body: &str) {
        let values = (log.as_bytes(), id.as_bytes(), body);
        self.0.execute(STAGE, values).expect("an event is staged");
    }

    fn commit(self: Box<Self>) {
        self.0.execute_batch("COMMIT").expect("a transaction commits");
    }

    fn roll_back(self: Box<Self>) {
        self.0.execute_batch("ROLLBACK").expect("a transaction is rolled back");
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
audit_conformance::suite!(staged: File::new);
audit_conformance::suite!(durable: File::new, Place::of);
