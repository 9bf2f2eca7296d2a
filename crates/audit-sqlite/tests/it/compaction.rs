//! Compaction makes a file small and leaves it intact, whatever other connections do meanwhile.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::common::{assert_dense, recorded};
use audit_core::{
    Actor, AuditContext, AuditStore, AuditStoreExt, ErrorKind, EventQuery, Log, NewEvent,
    Retention, RetentionStore as _,
};
use audit_sqlite::SqliteStore;
use audit_sqlite::rusqlite::Connection;
use futures_executor::block_on;

fn events(count: usize) -> Vec<NewEvent> {
    let event = |n| NewEvent::new("invoice.paid", Actor::user(format!("u_{}", n % 7)));
    (0..count).map(event).collect()
}

/// Ends the work of a thread on drop, also if the test fails.
struct Ending<'a>(&'a AtomicBool);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn space_is_returned_while_others_append() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("audit.db");
    let store = SqliteStore::open(&path).unwrap();
    for _ in 0..8 {
        block_on(store.append(Log::Platform, events(1_000))).unwrap();
    }
    let by = || AuditContext::new(Actor::system());
    let retention = Retention::default().max_events(500);
    block_on(store.set_retention(Log::Platform, retention, by())).unwrap();
    let pruned = block_on(store.prune(Log::Platform, by().into())).unwrap().floor.get();
    let pages = || {
        let connection = Connection::open(&path).unwrap();
        connection.query_row("PRAGMA page_count", [], |row| row.get::<_, i64>(0)).unwrap()
    };
    let before = pages();

    let (ends, another) = (AtomicBool::new(false), SqliteStore::open(&path).unwrap());
    let appended = thread::scope(|scope| {
        let _ending = Ending(&ends);
        // On its own connections, like another process.
        let writer = scope.spawn(|| {
            let mut appended = 0;
            while !ends.load(Ordering::Relaxed) {
                block_on(another.append(Log::Platform, events(1))).unwrap();
                appended += 1;
                let page =
                    block_on(another.page(&EventQuery::new(Log::Platform).limit(50))).unwrap();
                assert_eq!(page.events.len(), 50);
            }
            appended
        });
        for _ in 0..5 {
            block_on(store.compact()).unwrap();
        }
        ends.store(true, Ordering::Relaxed);
        writer.join().unwrap()
    });
    block_on(store.compact()).unwrap();
    assert!(pages() < before / 4, "{} of {before}", pages());
    let left = recorded(&store, Log::Platform);
    assert_eq!(left.first(), Some(&(pruned + 1)));
    assert_eq!(left.len() as u64, 8_000 + 2 - pruned + appended); // two events record the pruning
    assert!(left.windows(2).all(|pair| pair[1] == pair[0] + 1));
    drop((store, another));
    let connection = Connection::open(&path).unwrap();
    let check = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0));
    assert_eq!(check, Ok("ok".to_owned()));
}

#[test]
fn an_open_snapshot_leaves_compaction_pending_and_nothing_is_lost() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("audit.db");
    let store = SqliteStore::open(&path).unwrap();
    block_on(store.append(Log::Platform, events(300))).unwrap();
    let mut reader = Connection::open(&path).unwrap();
    let snapshot = reader.transaction().unwrap();
    let count = || snapshot.query_row("SELECT count(*) FROM audit_event", [], |row| row.get(0));
    assert_eq!(count(), Ok(300));
    let error = block_on(store.compact()).unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Pending, true));
    block_on(store.append(Log::Platform, events(1))).unwrap();
    assert_eq!(count(), Ok(300));
    drop(snapshot);
    block_on(store.compact()).unwrap();
    assert_dense(&recorded(&store, Log::Platform));
}

#[test]
fn compaction_waits_for_another_checkpoint() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("audit.db");
    let store = SqliteStore::open(&path).unwrap();
    for _ in 0..4 {
        let long = |event: NewEvent| event.message("x".repeat(4_000));
        let events = events(1_000).into_iter().map(long).collect();
        block_on(store.append(Log::Platform, events)).unwrap();
    }
    let ends = AtomicBool::new(false);
    thread::scope(|scope| {
        let _ending = Ending(&ends);
        scope.spawn(|| {
            // During a checkpoint SQLite refuses others at once as busy.
            let other = Connection::open(&path).unwrap();
            while !ends.load(Ordering::Relaxed) {
                let passive = "PRAGMA wal_checkpoint(PASSIVE)";
                other.query_row(passive, [], |_| Ok(())).unwrap();
                thread::sleep(Duration::from_millis(1));
            }
        });
        for _ in 0..5 {
            block_on(store.compact()).unwrap();
        }
    });
    assert_dense(&recorded(&store, Log::Platform));
}
