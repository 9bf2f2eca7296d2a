//! Backups taken during writes, and stores restored from them.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use crate::common::{assert_dense, recorded};
use audit_core::{Actor, AuditStore, AuditStoreExt, ErrorKind, EventQuery, Filter, Log, NewEvent};
use audit_sqlite::SqliteStore;
use audit_sqlite::rusqlite::Connection;
use futures_executor::block_on;

fn login() -> NewEvent {
    NewEvent::new("user.login", Actor::user("u_1"))
}

#[test]
fn a_copy_holds_all_events_acknowledged_before_it() {
    let directory = tempfile::tempdir().unwrap();
    let store = &SqliteStore::open(directory.path().join("audit.db")).unwrap();
    let done = &AtomicBool::new(false);
    let acknowledged = &AtomicU64::new(0);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    let batch = (0..20).map(|_| login()).collect();
                    let receipts = block_on(store.append(Log::Platform, batch)).unwrap();
                    acknowledged.fetch_max(receipts[19].sequence.get(), Ordering::SeqCst);
                }
            });
        }
        for copy in 0..10 {
            let path = directory.path().join(format!("copy_{copy}.db"));
            let before = acknowledged.load(Ordering::SeqCst);
            block_on(store.backup(&path)).unwrap();
            let restored = SqliteStore::open(&path).unwrap();
            let numbers = recorded(&restored, Log::Platform);
            assert_dense(&numbers);
            let size = numbers.len() as u64;
            assert!(size >= before && size.is_multiple_of(20), "{size}, {before} before");
            let query = EventQuery::new(Log::Platform).filter(Filter::new().actor_id("u_1"));
            assert_eq!(block_on(restored.count(&query)).unwrap(), size);
            let receipt = block_on(restored.record(Log::Platform, login())).unwrap();
            assert_eq!(receipt.sequence.get(), size + 1);
            let check: String = Connection::open(&path)
                .unwrap()
                .query_row("PRAGMA integrity_check", [], |row| row.get(0))
                .unwrap();
            assert_eq!(check, "ok");
        }
        done.store(true, Ordering::Relaxed);
    });
    assert!(acknowledged.load(Ordering::SeqCst) > 0);
}

#[test]
fn tokens_of_the_original_work_on_the_copy_as_far_as_it_goes() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    let store = SqliteStore::open(at("audit.db")).unwrap();
    let query = EventQuery::new(Log::Platform).limit(1);
    let token = |store: &SqliteStore| block_on(store.page(&query)).unwrap().next.unwrap();
    block_on(store.append(Log::Platform, vec![login(), login()])).unwrap();
    let old = token(&store);
    block_on(store.backup(at("copy.db"))).unwrap();
    block_on(store.record(Log::Platform, login())).unwrap();
    let restored = SqliteStore::open(at("copy.db")).unwrap();
    assert_eq!(block_on(restored.next_page(&query, &old)).unwrap().events.len(), 1);
    let error = block_on(restored.next_page(&query, &token(&store))).unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::HistoryChanged, false));
}

#[test]
fn a_file_is_never_replaced() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    let store = SqliteStore::open(at("audit.db")).unwrap();
    std::fs::write(at("mine.txt"), "mine").unwrap();
    for name in ["mine.txt", "audit.db"] {
        let error = block_on(store.backup(at(name))).unwrap_err();
        assert_eq!((error.kind(), error.field()), (ErrorKind::Conflict, Some("to")));
    }
    assert_eq!(std::fs::read(at("mine.txt")).unwrap(), b"mine");
    let error = block_on(store.backup(at("nowhere/copy.db"))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(std::fs::read_dir(&directory).unwrap().count() <= 4, "no temporary file is left");
}

#[cfg(unix)]
#[test]
fn a_copy_is_readable_by_its_owner_only() {
    use std::os::unix::fs::PermissionsExt;

    let directory = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(directory.path().join("audit.db")).unwrap();
    block_on(store.backup(directory.path().join("copy.db"))).unwrap();
    let mode = directory.path().join("copy.db").metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}
