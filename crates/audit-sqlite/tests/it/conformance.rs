//! The promises of every store, on SQLite.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use audit_conformance::{
    DamageHarness, DurableHarness, FollowerHarness, Harness, Restore, RetentionHarness,
    StagingHarness, StagingTransaction, TenantHarness,
};
use audit_core::{
    AuditStore, EventId, FollowerStore, Log, RetentionStore, StagingStore, TenantStore,
};
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

/// Kinds of damage, and statements that do them to the log whose row is `?1`.
const DAMAGES: [(&str, &str); 10] = [
    ("the tail is lost", "DELETE FROM audit_tail WHERE event_key >> 40 = ?1"),
    ("the tail is empty", "UPDATE audit_tail SET data = x'' WHERE event_key >> 40 = ?1"),
    (
        "the tail is zeros",
        "UPDATE audit_tail SET data = zeroblob(length(data)) WHERE event_key >> 40 = ?1",
    ),
    (
        "the segments are zeros",
        "UPDATE audit_part SET data = zeroblob(length(data))
         WHERE id >> 24 IN (SELECT id FROM audit_segment WHERE log = ?1)",
    ),
    (
        "the segments are cut",
        "UPDATE audit_part SET data = substr(data, 1, length(data) / 2)
         WHERE id >> 24 IN (SELECT id FROM audit_segment WHERE log = ?1)",
    ),
    (
        "the segments have no content",
        "DELETE FROM audit_part WHERE id >> 24 IN (SELECT id FROM audit_segment WHERE log = ?1)",
    ),
    ("the segments end early", "UPDATE audit_segment SET latest = earliest WHERE log = ?1"),
    ("the segments are lost", "DELETE FROM audit_segment WHERE log = ?1"),
    ("less is indexed than stated", "UPDATE audit_log SET indexed = indexed + 7 WHERE id = ?1"),
    ("the ids lead elsewhere", "UPDATE audit_event_id SET sequence = sequence + 1 WHERE log = ?1"),
];

impl DamageHarness for File {
    fn damages(&self) -> Vec<&'static str> {
        DAMAGES.iter().map(|(damage, _)| *damage).collect()
    }

    fn damage(&self, log: Log, damage: &str) {
        let file = Connection::open(self.0.path().join("audit.db")).expect("the file opens");
        let row = "SELECT id FROM audit_log WHERE name = ?1";
        let row: i64 = file.query_row(row, [log.as_bytes()], |row| row.get(0)).expect("a log");
        let (_, sql) = DAMAGES.iter().find(|(name, _)| *name == damage).expect("a known damage");
        assert!(file.execute(sql, [row]).expect("data can be damaged") > 0, "{damage}");
    }
}

impl FollowerHarness for File {
    fn open_followers(&self) -> Arc<dyn FollowerStore> {
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
audit_conformance::suite!(staged: File::new);
audit_conformance::suite!(followers: File::new);
audit_conformance::suite!(damaged: File::new);
audit_conformance::suite!(durable: File::new, Place::of);
