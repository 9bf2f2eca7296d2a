//! Files that a store opens: damaged ones, later versions, links, permissions.

use std::fs;

use audit_core::{
    Actor, AuditStore, AuditStoreExt, ErrorKind, EventQuery, Filter, Log, NewEvent, OrganizationId,
};
use audit_sqlite::rusqlite::Connection;
use audit_sqlite::{SqliteOptions, SqliteStore};
use futures_executor::block_on;

fn login() -> NewEvent {
    NewEvent::new("user.login", Actor::user("u_1"))
}

#[test]
fn a_file_that_is_no_database_is_corrupt() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("audit.db");
    fs::write(&path, "this is not a database, it is a text of some length".repeat(40)).unwrap();
    assert_eq!(SqliteStore::open(&path).unwrap_err().kind(), ErrorKind::Corrupt);
}

#[test]
fn a_missing_directory_is_unavailable() {
    let error = SqliteStore::open("/nowhere/at/all/audit.db").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
}

#[test]
fn a_damaged_event_is_corrupt_and_the_others_are_read() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("audit.db");
    let store = SqliteStore::open(&path).unwrap();
    block_on(store.append(Log::Platform, vec![login(), login()])).unwrap();
    let sql = "UPDATE audit_event SET record = x'7b' WHERE event_key & 0xff = 2";
    assert_eq!(Connection::open(&path).unwrap().execute(sql, []).unwrap(), 1);
    let query = EventQuery::new(Log::Platform).limit(1);
    assert_eq!(block_on(store.page(&query)).unwrap_err().kind(), ErrorKind::Corrupt);
    let oldest = query.order(audit_core::Order::OldestFirst);
    assert_eq!(block_on(store.page(&oldest)).unwrap().events.len(), 1);
}

#[test]
fn tokens_of_a_longer_copy_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let (path, backup) = (directory.path().join("audit.db"), directory.path().join("backup.db"));
    let store = SqliteStore::open(&path).unwrap();
    block_on(store.append(Log::Platform, vec![login(), login()])).unwrap();
    Connection::open(&path).unwrap().execute("VACUUM INTO ?1", [backup.to_str().unwrap()]).unwrap();
    block_on(store.record(Log::Platform, login())).unwrap();
    let query = EventQuery::new(Log::Platform).limit(1);
    let token = block_on(store.page(&query)).unwrap().next.unwrap();

    let restored = SqliteStore::open(&backup).unwrap();
    let error = block_on(restored.next_page(&query, &token)).unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::HistoryChanged, false));
}

#[cfg(unix)]
#[test]
fn the_file_is_readable_by_its_owner_only() {
    use std::os::unix::fs::PermissionsExt;

    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("audit.db");
    let store = SqliteStore::open(&path).unwrap();
    block_on(store.record(Log::Platform, login())).unwrap();
    for file in fs::read_dir(directory.path()).unwrap() {
        assert_eq!(file.unwrap().metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn the_tables_of_the_store_have_a_prefix() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("audit.db");
    drop(SqliteStore::open(&path).unwrap());
    let connection = Connection::open(&path).unwrap();
    let sql = "SELECT count(*) FROM sqlite_schema WHERE name NOT LIKE '%audit\\_%' ESCAPE '\\'";
    let foreign: i64 = connection.query_row(sql, [], |row| row.get(0)).unwrap();
    assert_eq!(foreign, 0);
}

#[test]
fn damaged_rows_are_corrupt_and_reads_end() {
    for sql in [
        "UPDATE audit_log SET size = -1",
        "UPDATE audit_log SET frontier = x'00'",
        "DELETE FROM audit_event",
    ] {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("audit.db");
        let store = SqliteStore::open(&path).unwrap();
        let first = login();
        block_on(store.append(Log::Platform, vec![first.clone(), login()])).unwrap();
        Connection::open(&path).unwrap().execute(sql, []).unwrap();
        // No call may hang, panic, or return an error that blames the caller. Some read no damaged row.
        let query = EventQuery::new(Log::Platform);
        let errors = [
            block_on(store.get(Log::Platform, first.id)).err(),
            block_on(store.page(&query)).err(),
            block_on(store.count(&query)).err(),
            block_on(store.page(&query.clone().offset(i64::MAX as u64))).err(),
            block_on(store.record(Log::Platform, first)).err(),
        ];
        let noticed: Vec<_> = errors.iter().flatten().map(audit_core::Error::kind).collect();
        assert!(!noticed.is_empty(), "{sql}");
        assert!(noticed.iter().all(|kind| *kind == ErrorKind::Corrupt), "{sql}: {noticed:?}");
    }
}

#[test]
fn damaged_derived_rows_are_rebuilt_by_any_call_that_meets_them() {
    for sql in [
        "UPDATE audit_event_id SET sequence = 9223372036854775807",
        "UPDATE audit_event_id SET sequence = -1",
        "UPDATE audit_event_id SET sequence = 3 - sequence",
        "UPDATE audit_log SET indexed = 9",
        "UPDATE audit_log SET indexed = 1",
        "UPDATE audit_tail SET data = x'00'",
        "UPDATE audit_tail SET event_key = event_key + 1",
        "DELETE FROM audit_tail",
        "INSERT INTO audit_segment VALUES (7, 1, 1, 900, 5, 4, 99, 0, 0, 0)",
    ] {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("audit.db");
        let store = SqliteStore::open(&path).unwrap();
        let first = login();
        block_on(store.append(Log::Platform, vec![first.clone(), login()])).unwrap();
        Connection::open(&path).unwrap().execute(sql, []).unwrap();
        assert!(!block_on(store.check_derived(Log::Platform)).unwrap().is_empty(), "{sql}");
        let query = EventQuery::new(Log::Platform).filter(Filter::new().actor_id("u_1"));
        assert_eq!(block_on(store.count(&query)).unwrap(), 2, "{sql}");
        assert_eq!(block_on(store.page(&query)).unwrap().events.len(), 2, "{sql}");
        let found = block_on(store.get(Log::Platform, first.id)).unwrap();
        assert_eq!(found.sequence.get(), 1, "{sql}");
        let again = block_on(store.record(Log::Platform, first)).unwrap();
        assert_eq!((again.sequence.get(), again.redelivered), (1, true), "{sql}");
        assert_eq!(block_on(store.check_derived(Log::Platform)).unwrap(), [], "{sql}");
    }
}

#[test]
fn a_missing_table_is_incompatible() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("audit.db");
    let store = SqliteStore::open(&path).unwrap();
    Connection::open(&path).unwrap().execute("DROP TABLE audit_event", []).unwrap();
    let error = block_on(store.record(Log::Platform, login())).unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Incompatible, false));
}

#[test]
fn options_out_of_range_are_set_to_the_nearest() {
    let directory = tempfile::tempdir().unwrap();
    let options = SqliteOptions::default()
        .with_busy_timeout(std::time::Duration::MAX)
        .with_readers(usize::MAX);
    let store = SqliteStore::open_with(directory.path().join("audit.db"), options).unwrap();
    block_on(store.record(Log::Platform, login())).unwrap();
    assert_eq!(block_on(store.count(&EventQuery::new(Log::Platform))).unwrap(), 1);
}

#[test]
fn a_path_has_no_special_meaning() {
    let directory = tempfile::tempdir().unwrap();
    for name in [":memory:", "file:audit.db?mode=memory", "a b%20c.db"] {
        let path = directory.path().join(name);
        block_on(SqliteStore::open(&path).unwrap().record(Log::Platform, login())).unwrap();
        let store = SqliteStore::open(&path).unwrap();
        assert_eq!(block_on(store.count(&EventQuery::new(Log::Platform))).unwrap(), 1, "{name}");
    }
}

#[cfg(unix)]
#[test]
fn an_open_store_keeps_its_file_when_a_link_moves() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    drop(SqliteStore::open(at("other.db")).unwrap());
    std::os::unix::fs::symlink(at("audit.db"), at("link.db")).unwrap();
    let store = SqliteStore::open(at("link.db")).unwrap();
    block_on(store.record(Log::Platform, login())).unwrap();
    fs::remove_file(at("link.db")).unwrap();
    std::os::unix::fs::symlink(at("other.db"), at("link.db")).unwrap();
    // The readers open the file only now.
    assert_eq!(block_on(store.count(&EventQuery::new(Log::Platform))).unwrap(), 1);
}

#[test]
fn a_closed_store_is_one_whole_file() {
    for _ in 0..20 {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("audit.db");
        let store = SqliteStore::open(&path).unwrap();
        block_on(store.record(Log::Platform, login())).unwrap();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| block_on(store.count(&EventQuery::new(Log::Platform))).unwrap());
            }
        });
        drop(store);
        let files: Vec<_> = fs::read_dir(&directory).unwrap().map(|f| f.unwrap().path()).collect();
        assert_eq!(files, [path]);
    }
}

#[test]
fn the_wal_stays_short_while_others_read() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("audit.db");
    let store = SqliteStore::open(&path).unwrap();
    let done = std::sync::atomic::AtomicBool::new(false);
    let longest = std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !done.load(std::sync::atomic::Ordering::Relaxed) {
                    let query = EventQuery::new(Log::Platform).limit(1_000);
                    block_on(store.page(&query)).unwrap();
                }
            });
        }
        let mut longest = 0;
        for _ in 0..80 {
            let batch = (0..100).map(|_| login().message("x".repeat(10_000))).collect();
            block_on(store.append(Log::Platform, batch)).unwrap();
            let wal = fs::metadata(directory.path().join("audit.db-wal")).unwrap();
            longest = longest.max(wal.len());
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        longest
    });
    // 80 MB were written through the WAL.
    assert!(longest < 60 << 20, "{longest}");
}

#[test]
fn a_file_of_a_later_version_is_refused_and_not_touched() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("audit.db");
    drop(SqliteStore::open(&path).unwrap());
    let sql = "UPDATE audit_store SET value = value + 1 WHERE name = 'schema_version'";
    Connection::open(&path).unwrap().execute(sql, []).unwrap();
    let before = fs::read(&path).unwrap();
    let error = SqliteStore::open(&path).unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Incompatible, false));
    assert!(error.to_string().contains("later version"), "{error}");
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn the_logs_of_a_file_are_all_that_have_events() {
    let directory = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(directory.path().join("audit.db")).unwrap();
    assert_eq!(block_on(store.all_logs()).unwrap(), []);
    let mut logs: Vec<Log> = (0..3).map(|_| OrganizationId::new().into()).collect();
    logs.push(Log::Platform);
    for log in &logs {
        block_on(store.append(*log, vec![login()])).unwrap();
    }
    logs.sort_unstable();
    assert_eq!(block_on(store.all_logs()).unwrap(), logs);
}
