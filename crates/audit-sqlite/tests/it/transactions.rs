//! Recording in the caller's own transaction: both commit or neither does.

use std::future::Future as _;

use audit_core::{
    Actor, AuditStore, AuditStoreExt, ErrorKind, EventQuery, Log, NewEvent, Sequence,
};
use audit_sqlite::rusqlite::{Connection, TransactionBehavior};
use audit_sqlite::{SqliteStore, append_in};
use futures_executor::block_on;
use tempfile::TempDir;

struct Service {
    _directory: TempDir,
    store: SqliteStore,
    connection: Connection,
}

impl Service {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("service.db");
        let store = SqliteStore::open(&path).unwrap();
        let connection = Connection::open(&path).unwrap();
        connection.execute("CREATE TABLE invoice (id TEXT PRIMARY KEY)", []).unwrap();
        Self { _directory: directory, store, connection }
    }

    fn invoices(&self) -> i64 {
        self.connection.query_row("SELECT count(*) FROM invoice", [], |row| row.get(0)).unwrap()
    }

    fn events(&self) -> u64 {
        block_on(self.store.count(&EventQuery::new(Log::Platform))).unwrap()
    }
}

fn paid() -> NewEvent {
    NewEvent::new("invoice.paid", Actor::user("u_7")).target("invoice", "inv_9")
}

#[test]
fn both_or_neither() {
    let mut service = Service::new();
    for commits in [false, true] {
        let transaction =
            service.connection.transaction_with_behavior(TransactionBehavior::Immediate).unwrap();
        transaction.execute("INSERT INTO invoice VALUES ('inv_9')", []).unwrap();
        let receipts = append_in(&transaction, Log::Platform, vec![paid()]).unwrap();
        assert_eq!(receipts[0].sequence.get(), 1);
        if commits {
            transaction.commit().unwrap();
        } else {
            transaction.rollback().unwrap();
        }
        let expected = u64::from(commits);
        assert_eq!((service.invoices(), service.events()), (i64::from(commits), expected));
    }
    // The store's own numbering goes on behind it, and its caches did not go stale.
    let receipt = block_on(service.store.record(Log::Platform, paid())).unwrap();
    assert_eq!(receipt.sequence.get(), 2);
}

#[test]
fn a_refused_event_leaves_the_transaction_as_it_was() {
    let mut service = Service::new();
    let first = paid();
    block_on(service.store.record(Log::Platform, first.clone())).unwrap();
    let transaction =
        service.connection.transaction_with_behavior(TransactionBehavior::Immediate).unwrap();
    transaction.execute("INSERT INTO invoice VALUES ('inv_9')", []).unwrap();
    let other = NewEvent { action: "other".into(), ..first };
    let error = append_in(&transaction, Log::Platform, vec![paid(), other]).unwrap_err();
    assert_eq!((error.kind(), error.field()), (ErrorKind::Conflict, Some("events[1].id")));
    transaction.commit().unwrap();
    assert_eq!((service.invoices(), service.events()), (1, 1));
}

#[test]
fn a_feed_learns_of_it() {
    let mut service = Service::new();
    let store = service.store.clone();
    let waiter =
        std::thread::spawn(move || block_on(store.wait_for_append(Log::Platform, Sequence::ZERO)));
    let transaction =
        service.connection.transaction_with_behavior(TransactionBehavior::Immediate).unwrap();
    append_in(&transaction, Log::Platform, vec![paid()]).unwrap();
    transaction.commit().unwrap();
    assert_eq!(waiter.join().unwrap().unwrap().size.get(), 1);
}

#[test]
fn a_connection_that_is_not_durable_is_refused() {
    let mut service = Service::new();
    service.connection.pragma_update(None, "synchronous", "normal").unwrap();
    let transaction = service.connection.transaction().unwrap();
    let error = append_in(&transaction, Log::Platform, vec![paid()]).unwrap_err();
    assert_eq!((error.kind(), error.field()), (ErrorKind::Incompatible, Some("synchronous")));
}

#[test]
fn a_file_without_the_tables_is_refused() {
    let mut connection = Connection::open_in_memory().unwrap();
    let transaction = connection.transaction().unwrap();
    let error = append_in(&transaction, Log::Platform, vec![paid()]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Incompatible);
}

#[test]
fn a_caller_who_holds_the_lock_too_long_makes_appends_busy() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("service.db");
    let options = audit_sqlite::SqliteOptions::default()
        .with_busy_timeout(std::time::Duration::from_millis(20));
    let store = SqliteStore::open_with(&path, options).unwrap();
    let mut connection = Connection::open(&path).unwrap();
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).unwrap();
    let error = block_on(store.record(Log::Platform, paid())).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Busy);
    assert!(error.is_retryable());
    transaction.rollback().unwrap();
    assert_eq!(block_on(store.record(Log::Platform, paid())).unwrap().sequence.get(), 1);
}

#[test]
fn a_fault_that_ends_the_transaction_is_told() {
    let mut service = Service::new();
    service.connection.pragma_update(None, "max_page_count", 60).unwrap();
    let transaction =
        service.connection.transaction_with_behavior(TransactionBehavior::Immediate).unwrap();
    transaction.execute("INSERT INTO invoice VALUES ('inv_9')", []).unwrap();
    let batch = (0..1_000).map(|_| paid()).collect();
    let error = append_in(&transaction, Log::Platform, batch).unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::StorageFull, true));
    assert!(transaction.is_autocommit(), "SQLite has ended it");
    assert!(error.to_string().contains("undone the whole transaction"), "{error}");
    drop(transaction);
    assert_eq!((service.invoices(), service.events()), (0, 0));
}

#[test]
fn callers_who_wait_together_give_up_together() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("service.db");
    let options = audit_sqlite::SqliteOptions::default()
        .with_busy_timeout(std::time::Duration::from_millis(250));
    let store = SqliteStore::open_with(&path, options).unwrap();
    let mut connection = Connection::open(&path).unwrap();
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).unwrap();
    let begun = std::time::Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..64 {
            scope.spawn(|| {
                let error = block_on(store.record(Log::Platform, paid())).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Busy);
            });
        }
    });
    // One after the other, each waits for its whole time-out: 16 s at the least.
    assert!(begun.elapsed() < std::time::Duration::from_secs(16), "{:?}", begun.elapsed());
    drop(transaction);
}

#[test]
fn what_nobody_waits_for_is_not_begun() {
    let mut service = Service::new();
    let transaction =
        service.connection.transaction_with_behavior(TransactionBehavior::Immediate).unwrap();
    for _ in 0..10 {
        // Polled once, so that it is in the queue, then dropped.
        let mut append = Box::pin(service.store.record(Log::Platform, paid()));
        let waker = futures_util::task::noop_waker();
        let mut context = std::task::Context::from_waker(&waker);
        assert!(append.as_mut().poll(&mut context).is_pending());
    }
    transaction.rollback().unwrap();
    // One at most had been taken up when its caller went away.
    let receipt = block_on(service.store.record(Log::Platform, paid())).unwrap();
    assert!(receipt.sequence.get() <= 2, "{receipt:?}");
}
