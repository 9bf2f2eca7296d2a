//! Backups taken during writes, and stores restored from them.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use crate::common::{assert_dense, recorded};
use audit_core::{
    Actor, AuditContext, AuditStore, AuditStoreExt, Erasure, ErrorKind, EventQuery, Filter, Log,
    NewEvent, RetentionStoreExt as _,
};
use audit_sqlite::rusqlite::Connection;
use audit_sqlite::{SqliteOptions, SqliteStore};
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

/// A WAL that a killed process left is beside a backup that was copied over its file by hand.
#[test]
fn a_wal_of_another_copy_is_refused_and_not_written_into_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    let store = SqliteStore::open(at("audit.db")).unwrap();
    block_on(store.record(Log::Platform, login())).unwrap();
    block_on(store.backup(at("backup.db"))).unwrap();
    block_on(store.record(Log::Platform, login())).unwrap();
    std::fs::copy(at("audit.db-wal"), at("left-wal")).unwrap();
    drop(store);
    std::fs::copy(at("backup.db"), at("audit.db")).unwrap();
    std::fs::rename(at("left-wal"), at("audit.db-wal")).unwrap();
    let before = std::fs::read(at("audit.db")).unwrap();
    let read_only = SqliteOptions::default().read_only();
    for options in [SqliteOptions::default(), read_only] {
        let error = SqliteStore::open_with(at("audit.db"), options).unwrap_err();
        assert_eq!((error.kind(), error.field()), (ErrorKind::Corrupt, Some("wal")));
        assert!(std::fs::read(at("audit.db")).unwrap() == before);
    }
    for end in ["-wal", "-shm"] {
        let _ = std::fs::remove_file(at(&format!("audit.db{end}")));
    }
    let restored = SqliteStore::open(at("audit.db")).unwrap();
    assert_eq!(recorded(&restored, Log::Platform), [1]);
}

/// The same with a copy of the closed file, after the WAL has begun from its start again.
#[test]
fn a_wal_that_began_again_does_not_continue_an_older_file() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    let open = || SqliteStore::open(at("audit.db")).unwrap();
    block_on(open().record(Log::Platform, login())).unwrap();
    std::fs::copy(at("audit.db"), at("copy.db")).unwrap();
    let store = open();
    // An erasure truncates the WAL.
    for _ in 0..2 {
        let event = block_on(store.record(Log::Platform, login().message("x"))).unwrap();
        let by = AuditContext::new(Actor::system());
        block_on(store.erase(Log::Platform, Erasure::event_id(event.id), by)).unwrap();
    }
    block_on(store.record(Log::Platform, login())).unwrap();
    std::fs::copy(at("audit.db-wal"), at("left-wal")).unwrap();
    drop(store);
    std::fs::rename(at("copy.db"), at("audit.db")).unwrap();
    std::fs::rename(at("left-wal"), at("audit.db-wal")).unwrap();
    let error = SqliteStore::open(at("audit.db")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
}

/// The same at the first commit of a WAL that was written back beside its readers, by the store itself
/// or by another program.
#[test]
fn the_first_commit_of_a_wal_shows_which_file_it_continues() {
    let by_other = |path: &Path| {
        let other = Connection::open(path).unwrap();
        other.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())).unwrap();
    };
    // So large that the store writes the WAL back itself.
    let large = || login().metadata("text", "x".repeat(900_000));
    for is_other in [true, false] {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        let open = || SqliteStore::open(at("audit.db")).unwrap();
        block_on(open().record(Log::Platform, login())).unwrap();
        std::fs::copy(at("audit.db"), at("copy.db")).unwrap();
        let store = open();
        block_on(store.record(Log::Platform, login())).unwrap();
        // The salts in its header change when a WAL begins again.
        let salts = || std::fs::read(at("audit.db-wal")).unwrap()[16..24].to_vec();
        let first = salts();
        while salts() == first {
            if is_other {
                by_other(&at("audit.db"));
            }
            let event = if is_other { login() } else { large() };
            block_on(store.record(Log::Platform, event)).unwrap();
        }
        for name in ["killed.db", "copy.db"] {
            std::fs::copy(at("audit.db-wal"), at(&format!("{name}-wal"))).unwrap();
        }
        std::fs::copy(at("audit.db"), at("killed.db")).unwrap();
        SqliteStore::open(at("killed.db")).unwrap();
        let error = SqliteStore::open(at("copy.db")).unwrap_err();
        assert_eq!((error.kind(), error.field()), (ErrorKind::Corrupt, Some("wal")));
        drop(store);
    }
}

/// A backup that is newer than the WAL.
#[test]
fn a_wal_does_not_continue_a_newer_file() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    let open = || SqliteStore::open(at("audit.db")).unwrap();
    let store = open();
    block_on(store.record(Log::Platform, login())).unwrap();
    std::fs::copy(at("audit.db-wal"), at("left-wal")).unwrap();
    drop(store);
    for _ in 0..4 {
        block_on(open().record(Log::Platform, login())).unwrap();
        std::fs::copy(at("audit.db"), at("copy.db")).unwrap();
        std::fs::copy(at("left-wal"), at("copy.db-wal")).unwrap();
        let error = SqliteStore::open(at("copy.db")).unwrap_err();
        assert_eq!((error.kind(), error.field()), (ErrorKind::Corrupt, Some("wal")));
    }
}

#[test]
fn a_wal_that_a_killed_process_left_continues_its_file() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    let store = SqliteStore::open(at("audit.db")).unwrap();
    for events in 1..4 {
        block_on(store.record(Log::Platform, login())).unwrap();
        // As a kill leaves them.
        std::fs::copy(at("audit.db"), at("killed.db")).unwrap();
        std::fs::copy(at("audit.db-wal"), at("killed.db-wal")).unwrap();
        let killed = SqliteStore::open(at("killed.db")).unwrap();
        assert_eq!(recorded(&killed, Log::Platform).len(), events);
        drop(killed);
        block_on(store.compact()).unwrap();
    }
}
