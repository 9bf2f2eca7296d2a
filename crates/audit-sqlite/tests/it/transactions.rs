//! Appends in the caller's own transaction: both commit, or neither does.

use std::time::Instant;

use audit_core::{
    Actor, AuditStore, AuditStoreExt, ErrorKind, EventQuery, Log, NewEvent, Sequence,
};
use audit_sqlite::SqliteStore;
use audit_sqlite::rusqlite::{Connection, TransactionBehavior};
use futures_executor::block_on;
use tempfile::TempDir;

struct Service {
    directory: TempDir,
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
        Self { directory, store, connection }
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
        let receipts = service.store.append_in(&transaction, Log::Platform, vec![paid()]).unwrap();
        assert_eq!(receipts[0].sequence.get(), 1);
        if commits {
            transaction.commit().unwrap();
        } else {
            transaction.rollback().unwrap();
        }
        let expected = u64::from(commits);
        assert_eq!((service.invoices(), service.events()), (i64::from(commits), expected));
    }
    // The store continues after this event, so that its caches are not stale.
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
    let other = first.action("other");
    let error =
        service.store.append_in(&transaction, Log::Platform, vec![paid(), other]).unwrap_err();
    assert_eq!((error.kind(), error.field()), (ErrorKind::Conflict, Some("events[1].id")));
    transaction.commit().unwrap();
    assert_eq!((service.invoices(), service.events()), (1, 1));
}

#[test]
fn a_waiting_feed_wakes_on_the_commit() {
    let mut service = Service::new();
    let store = service.store.clone();
    let waiter =
        std::thread::spawn(move || block_on(store.wait_for_append(Log::Platform, Sequence::ZERO)));
    let transaction =
        service.connection.transaction_with_behavior(TransactionBehavior::Immediate).unwrap();
    service.store.append_in(&transaction, Log::Platform, vec![paid()]).unwrap();
    transaction.commit().unwrap();
    assert_eq!(waiter.join().unwrap().unwrap().size.get(), 1);
}

#[test]
fn any_kind_of_transaction_records_and_wakes_feeds_soon() {
    let service = Service::new();
    let mut latencies = Vec::new();
    for (number, begin) in ["BEGIN", "BEGIN IMMEDIATE", "SAVEPOINT payment"].into_iter().enumerate()
    {
        let store = service.store.clone();
        let before = Sequence::try_from(i64::try_from(number).unwrap()).unwrap();
        let waiter = std::thread::spawn(move || {
            block_on(store.wait_for_append(Log::Platform, before)).unwrap();
            Instant::now()
        });
        service.connection.execute_batch(begin).unwrap();
        service.store.append_in(&service.connection, Log::Platform, vec![paid()]).unwrap();
        let end = if begin.starts_with("SAVE") { "RELEASE payment" } else { "COMMIT" };
        service.connection.execute_batch(end).unwrap();
        let committed = Instant::now();
        latencies.push(waiter.join().unwrap().saturating_duration_since(committed));
    }
    assert_eq!(service.events(), 3);
    println!("a waiting feed wakes {latencies:?} after the commits");
}

#[test]
fn a_connection_outside_a_transaction_is_refused() {
    let service = Service::new();
    let refused = service.store.append_in(&service.connection, Log::Platform, vec![paid()]);
    let error = refused.unwrap_err();
    assert_eq!((error.kind(), error.field()), (ErrorKind::Invalid, Some("connection")));
    assert!(error.to_string().ends_with("must be in a transaction"), "{error}");
    assert_eq!(service.events(), 0);
}

#[test]
fn a_connection_that_is_not_durable_is_refused() {
    let mut service = Service::new();
    service.connection.pragma_update(None, "synchronous", "normal").unwrap();
    let transaction = service.connection.transaction().unwrap();
    let refused = service.store.append_in(&transaction, Log::Platform, vec![paid()]);
    let error = refused.unwrap_err();
    assert_eq!((error.kind(), error.field()), (ErrorKind::Incompatible, Some("synchronous")));
}

#[test]
fn a_connection_to_another_file_is_refused() {
    let service = Service::new();
    let at = |name: &str| service.directory.path().join(name);
    block_on(service.store.backup(at("copy.db"))).unwrap();
    drop(SqliteStore::open(at("other.db")).unwrap());
    // Also if the file of the store is attached: the tables of the main file come first.
    let attached = Connection::open(at("copy.db")).unwrap();
    attached.execute("ATTACH ?1 AS store", [at("service.db").to_str().unwrap()]).unwrap();
    let others = [
        attached,
        Connection::open(at("copy.db")).unwrap(),
        Connection::open(at("other.db")).unwrap(),
        Connection::open(at("without.db")).unwrap(),
        Connection::open_in_memory().unwrap(),
        Connection::open("").unwrap(),
    ];
    for other in others {
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        let refused = service.store.append_in(&other, Log::Platform, vec![paid()]);
        let error = refused.unwrap_err();
        assert_eq!((error.kind(), error.field()), (ErrorKind::Invalid, Some("connection")));
        assert!(error.to_string().ends_with("must be to the file of the store"), "{error}");
        assert!(!other.is_autocommit(), "the transaction is still open");
    }
    assert_eq!(service.events(), 0);
}

#[cfg(unix)]
#[test]
fn every_path_to_the_file_is_accepted() {
    let service = Service::new();
    let at = |name: &str| service.directory.path().join(name);
    std::os::unix::fs::symlink(at("service.db"), at("link.db")).unwrap();
    let linked = Connection::open(at("link.db")).unwrap();
    linked.execute_batch("BEGIN IMMEDIATE").unwrap();
    service.store.append_in(&linked, Log::Platform, vec![paid()]).unwrap();
    linked.execute_batch("COMMIT").unwrap();
    assert_eq!(service.events(), 1);
}

#[test]
fn a_transaction_that_holds_the_lock_too_long_makes_appends_busy() {
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
    assert!(error.to_string().contains("`append_in`"), "{error}");
    transaction.rollback().unwrap();
    assert_eq!(block_on(store.record(Log::Platform, paid())).unwrap().sequence.get(), 1);
}

#[test]
fn a_storage_error_rolls_the_transaction_back() {
    let mut service = Service::new();
    service.connection.pragma_update(None, "max_page_count", 60).unwrap();
    let transaction =
        service.connection.transaction_with_behavior(TransactionBehavior::Immediate).unwrap();
    transaction.execute("INSERT INTO invoice VALUES ('inv_9')", []).unwrap();
    let batch = (0..1_000).map(|_| paid()).collect();
    let error = service.store.append_in(&transaction, Log::Platform, batch).unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::StorageFull, true));
    assert!(transaction.is_autocommit(), "SQLite has rolled it back");
    assert!(error.to_string().contains("the transaction is rolled back"), "{error}");
    drop(transaction);
    assert_eq!((service.invoices(), service.events()), (0, 0));
}

#[test]
fn waiting_callers_time_out_together() {
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
    // If each waited for its own time-out in turn, this would take at least 16 s.
    assert!(begun.elapsed() < std::time::Duration::from_secs(16), "{:?}", begun.elapsed());
    drop(transaction);
}

#[test]
fn an_append_inside_the_callers_own_transaction_fails_at_once() {
    let mut service = Service::new();
    for commits in [true, false] {
        let transaction =
            service.connection.transaction_with_behavior(TransactionBehavior::Immediate).unwrap();
        service.store.append_in(&transaction, Log::Platform, vec![paid()]).unwrap();
        let begun = Instant::now();
        let error = block_on(service.store.record(Log::Platform, paid())).unwrap_err();
        assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Busy, true));
        // The time-out is 5 s.
        assert!(begun.elapsed() < std::time::Duration::from_secs(3), "{:?}", begun.elapsed());
        if commits {
            transaction.commit().unwrap();
        } else {
            transaction.rollback().unwrap();
        }
        // An append still waits for another writer, and longer than for its own caller.
        let path = service.directory.path().join("service.db");
        let (locked, is_locked) = std::sync::mpsc::channel();
        let other = std::thread::spawn(move || {
            let connection = Connection::open(path).unwrap();
            connection.execute_batch("BEGIN IMMEDIATE").unwrap();
            locked.send(()).unwrap();
            std::thread::sleep(std::time::Duration::from_millis(200));
            connection.execute_batch("COMMIT").unwrap();
        });
        if !commits {
            // The store remembers that the transaction ended, once the lock was free.
            other.join().unwrap();
            block_on(service.store.record(Log::Platform, paid())).unwrap();
            continue;
        }
        is_locked.recv().unwrap();
        block_on(service.store.record(Log::Platform, paid())).unwrap();
        other.join().unwrap();
    }
    assert_eq!(service.events(), 3);
}

/// Polls an append once, so that it is in the queue, and drops it.
fn poll_and_drop(store: &SqliteStore) {
    let append = std::pin::pin!(store.record(Log::Platform, paid()));
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(append.poll(&mut context).is_pending());
}

#[test]
fn dropped_appends_stay_in_the_queue() {
    let mut service = Service::new();
    let transaction =
        service.connection.transaction_with_behavior(TransactionBehavior::Immediate).unwrap();
    for _ in 0..5 {
        poll_and_drop(&service.store);
        drop(service.store.submit(Log::Platform, vec![paid()]));
    }
    transaction.rollback().unwrap();
    let receipt = block_on(service.store.record(Log::Platform, paid())).unwrap();
    assert_eq!(receipt.sequence.get(), 11);
}

#[test]
fn closing_the_store_completes_the_queued_appends() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("service.db");
    let store = SqliteStore::open(&path).unwrap();
    for _ in 0..10 {
        drop(store.submit(Log::Platform, vec![paid()]));
    }
    drop(store);
    let store = SqliteStore::open(&path).unwrap();
    assert_eq!(block_on(store.head(Log::Platform)).unwrap().size.get(), 10);
}

#[test]
fn a_full_queue_is_an_error_at_once() {
    const LIMIT: usize = 20 << 10;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("service.db");
    let options = audit_sqlite::SqliteOptions::default().with_queue_bytes(LIMIT);
    let store = SqliteStore::open_with(&path, options).unwrap();
    let mut connection = Connection::open(&path).unwrap();
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).unwrap();
    let mut accepted = 0;
    let refused = loop {
        let mut submitted = std::pin::pin!(store.submit(Log::Platform, vec![paid()]));
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        match submitted.as_mut().poll(&mut context) {
            std::task::Poll::Ready(outcome) => break outcome.unwrap_err(),
            std::task::Poll::Pending => accepted += 1,
        }
        assert!(accepted < 100, "the queue has no limit");
    };
    assert_eq!((refused.kind(), refused.is_retryable()), (ErrorKind::Overloaded, true));
    let limit = match refused.violation() {
        Some(audit_core::Violation::TooLong { limit, actual }) if actual > limit => *limit,
        other => panic!("{other:?}"),
    };
    // One log leaves half to others.
    assert_eq!(limit, LIMIT / 2);
    transaction.rollback().unwrap();
    // The accepted appends are recorded. Then the queue has room again, even for one large append.
    let large = NewEvent::new("invoice.paid", Actor::user("u_7")).message("x".repeat(30_000));
    let mut retried = store.submit(Log::Platform, vec![large.clone()]);
    let receipts = loop {
        match block_on(&mut retried) {
            Err(error) if error.kind() == ErrorKind::Overloaded => {
                retried = store.submit(Log::Platform, vec![large.clone()]);
            }
            outcome => break outcome.unwrap(),
        }
    };
    assert_eq!(receipts[0].sequence.get(), accepted + 1);
}
