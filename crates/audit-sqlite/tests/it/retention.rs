//! Pruned events are removed from the file in steps, and the others can still be proved.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use audit_core::{
    Actor, AuditContext, AuditStore, AuditStoreExt, EventQuery, Filter, Log, NewEvent, Retention,
    RetentionStore as _,
};
use audit_sqlite::SqliteStore;
use audit_sqlite::rusqlite::Connection;
use futures_executor::block_on;
use futures_util::FutureExt as _;

fn event(number: usize) -> NewEvent {
    let actor = Actor::user(format!("u_{}", number % 7)).email(format!("{}@x.example", number % 5));
    NewEvent::new("invoice.paid", actor).target("invoice", format!("inv_{number}"))
}

fn by() -> AuditContext {
    AuditContext::new(Actor::system())
}

fn append(store: &SqliteStore, count: usize) {
    for first in (0..count).step_by(1_000) {
        let events = (first..count.min(first + 1_000)).map(event).collect();
        block_on(store.append(Log::Platform, events)).unwrap();
    }
}

fn count(path: &Path, table: &str) -> i64 {
    let connection = Connection::open(path).unwrap();
    connection.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
}

#[test]
fn pruned_rows_are_deleted_and_the_file_is_intact() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("audit.db");
    let store = SqliteStore::open(&path).unwrap();
    append(&store, 9_000);
    let parts = count(&path, "audit_part");
    let retention = Retention::default().max_events(1_500);
    block_on(store.set_retention(Log::Platform, retention, by())).unwrap();
    let pruned = block_on(store.prune(Log::Platform, by().into())).unwrap();
    assert_eq!(pruned.floor.get(), 7_488); // 234 tiles of 32
    let left = 9_000 + 2 - 7_488; // two events record it
    assert_eq!(count(&path, "audit_event"), left);
    assert_eq!(count(&path, "audit_event_id"), left);
    assert!(count(&path, "audit_part") < parts);
    // The tiles left are those on the left that proofs need, and those of the remaining events.
    assert!(count(&path, "audit_tile") <= 3 + 1);
    let all = EventQuery::new(Log::Platform).with_total();
    assert_eq!(block_on(store.page(&all)).unwrap().total, Some(left.cast_unsigned()));
    let of_one = all.filter(Filter::new().actor_email("3@x.example"));
    let expected = (7_488..9_000).filter(|n| n % 5 == 3).count() as u64;
    assert_eq!(block_on(store.page(&of_one)).unwrap().total, Some(expected));
    drop(store);
    let connection = Connection::open(&path).unwrap();
    let check: String =
        connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(check, "ok");
}

#[test]
fn an_interrupted_prune_is_completed_by_the_next_call() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("audit.db");
    let store = SqliteStore::open(&path).unwrap();
    append(&store, 6_000);
    let retention = Retention::default().max_events(100);
    block_on(store.set_retention(Log::Platform, retention, by())).unwrap();
    // It is begun, and dropped when the events are invisible and hardly one is removed.
    let mut pruning = store.prune(Log::Platform, by().into());
    while block_on(store.head(Log::Platform)).unwrap().pruned.get() == 0 {
        assert!(block_on(async { (&mut pruning).now_or_never() }).is_none());
    }
    drop(pruning);
    drop(store);
    let store = SqliteStore::open(&path).unwrap();
    let head = block_on(store.head(Log::Platform)).unwrap();
    assert!(count(&path, "audit_event") > 1_000, "the pruning was interrupted too late");
    let all = EventQuery::new(Log::Platform).with_total();
    let visible = head.size.get() - head.pruned.get();
    assert_eq!(block_on(store.page(&all)).unwrap().total, Some(visible));
    // The next call deletes the rows that are left.
    block_on(store.prune(Log::Platform, by().into())).unwrap();
    let left = block_on(store.head(Log::Platform)).unwrap();
    assert_eq!(count(&path, "audit_event").cast_unsigned(), left.size.get() - left.pruned.get());
    assert_eq!(count(&path, "audit_event_id"), count(&path, "audit_event"));
}

#[test]
fn appends_go_on_while_events_are_removed() {
    let directory = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(directory.path().join("audit.db")).unwrap();
    append(&store, 20_000);
    let retention = Retention::default().max_events(1_000);
    block_on(store.set_retention(Log::Platform, retention, by())).unwrap();
    let done = AtomicBool::new(false);
    let appended = std::thread::scope(|scope| {
        let appending = scope.spawn(|| {
            let mut appended = 0;
            while !done.load(Ordering::Relaxed) {
                block_on(store.record(Log::Platform, event(appended))).unwrap();
                appended += 1;
            }
            appended
        });
        block_on(store.prune(Log::Platform, by().into())).unwrap();
        done.store(true, Ordering::Relaxed);
        appending.join().unwrap()
    });
    assert!(appended > 5, "only {appended} appends during some forty transactions");
    let head = block_on(store.head(Log::Platform)).unwrap();
    assert_eq!(head.size.get(), 20_002 + appended as u64);
}
