//! Files that are moved, removed, replaced or migrated while a store has them open. Nothing is
//! acknowledged that is not in a file at the path.
#![cfg(unix)]

use std::fs;
use std::path::PathBuf;

use audit_core::{Actor, AuditStore, AuditStoreExt, ErrorKind, EventQuery, Log, NewEvent};
use audit_sqlite::SqliteStore;
use audit_sqlite::rusqlite::{Connection, TransactionBehavior};
use futures_executor::block_on;

fn login() -> NewEvent {
    NewEvent::new("user.login", Actor::user("u_1"))
}

/// An open store of one event, alone in its directory.
struct Moved {
    directory: tempfile::TempDir,
    store: SqliteStore,
}

impl Moved {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("data")).unwrap();
        let store = SqliteStore::open(directory.path().join("data/audit.db")).unwrap();
        block_on(store.record(Log::Platform, login())).unwrap();
        Self { directory, store }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.directory.path().join("data").join(name)
    }

    /// Fails unless every call is refused as unavailable.
    #[track_caller]
    fn is_refused(&self) {
        let append = block_on(self.store.record(Log::Platform, login())).unwrap_err();
        assert_eq!((append.kind(), append.is_retryable()), (ErrorKind::Unavailable, true));
        let head = block_on(self.store.head(Log::Platform)).unwrap_err();
        assert_eq!(head.kind(), ErrorKind::Unavailable);
        let count = block_on(self.store.count(&EventQuery::new(Log::Platform))).unwrap_err();
        assert_eq!(count.kind(), ErrorKind::Unavailable);
    }
}

#[test]
fn a_file_that_was_moved_is_refused_until_it_is_moved_back() {
    let moved = Moved::new();
    fs::rename(moved.at("audit.db"), moved.at("elsewhere.db")).unwrap();
    moved.is_refused();
    fs::rename(moved.at("elsewhere.db"), moved.at("audit.db")).unwrap();
    // The refused appends wrote nothing.
    assert_eq!(block_on(moved.store.record(Log::Platform, login())).unwrap().sequence.get(), 2);
}

#[test]
fn a_missing_file_or_directory_is_refused() {
    for name in ["audit.db", "audit.db-wal", "audit.db-shm"] {
        let moved = Moved::new();
        fs::remove_file(moved.at(name)).unwrap();
        moved.is_refused();
    }
    let moved = Moved::new();
    fs::rename(moved.at(""), moved.directory.path().join("old")).unwrap();
    moved.is_refused();
    fs::create_dir(moved.at("")).unwrap();
    moved.is_refused();
}

#[test]
fn another_file_at_the_path_is_refused_and_not_written() {
    for name in ["audit.db", "audit.db-wal", "audit.db-shm"] {
        let moved = Moved::new();
        block_on(moved.store.backup(moved.at("copy"))).unwrap();
        let copy = fs::read(moved.at("copy")).unwrap();
        fs::rename(moved.at("copy"), moved.at(name)).unwrap();
        moved.is_refused();
        assert!(fs::read(moved.at(name)).unwrap() == copy, "{name}");
    }
}

#[test]
fn a_link_at_the_path_or_to_the_file_is_refused() {
    let moved = Moved::new();
    fs::rename(moved.at("audit.db"), moved.at("elsewhere.db")).unwrap();
    // Who opens the link uses the WAL beside the file that it leads to.
    std::os::unix::fs::symlink(moved.at("elsewhere.db"), moved.at("audit.db")).unwrap();
    moved.is_refused();

    let moved = Moved::new();
    fs::hard_link(moved.at("audit.db"), moved.at("second.db")).unwrap();
    moved.is_refused();
    let error = SqliteStore::open(moved.at("second.db")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains("hard link"), "{error}");
    fs::remove_file(moved.at("second.db")).unwrap();
    block_on(moved.store.record(Log::Platform, login())).unwrap();
}

#[test]
fn a_transaction_of_the_caller_is_refused_too() {
    let moved = Moved::new();
    let mut connection = Connection::open(moved.at("audit.db")).unwrap();
    let behavior = TransactionBehavior::Immediate;
    let transaction = connection.transaction_with_behavior(behavior).unwrap();
    fs::rename(moved.at("audit.db"), moved.at("elsewhere.db")).unwrap();
    let error = moved.store.append_in(&transaction, Log::Platform, vec![login()]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
}

#[test]
fn a_feed_that_waits_gets_the_error() {
    let moved = Moved::new();
    let size = block_on(moved.store.head(Log::Platform)).unwrap().size;
    let wait = moved.store.wait_for_append(Log::Platform, size);
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| block_on(wait));
        fs::rename(moved.at("audit.db"), moved.at("elsewhere.db")).unwrap();
        assert_eq!(waiting.join().unwrap().unwrap_err().kind(), ErrorKind::Unavailable);
    });
}

#[test]
fn a_file_that_a_later_version_migrated_is_not_written() {
    let moved = Moved::new();
    let path = moved.at("audit.db");
    let sql = "UPDATE audit_store SET value = value + 1 WHERE name = 'schema_version'";
    let mut connection = Connection::open(&path).unwrap();
    assert_eq!(connection.execute(sql, []).unwrap(), 1);
    let error = block_on(moved.store.record(Log::Platform, login())).unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Incompatible, false));
    let behavior = TransactionBehavior::Immediate;
    let transaction = connection.transaction_with_behavior(behavior).unwrap();
    let error = moved.store.append_in(&transaction, Log::Platform, vec![login()]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Incompatible);
    drop(transaction);
    let sql = "SELECT size FROM audit_log";
    let size: i64 = connection.query_row(sql, [], |row| row.get(0)).unwrap();
    assert_eq!(size, 1);
}
