//! What a store makes of the file it is given.

use std::fs;
use std::path::Path;

use audit_core::{Actor, AuditStore, AuditStoreExt, ErrorKind, Log, NewEvent, Query};
use audit_sqlite::SqliteStore;
use audit_sqlite::rusqlite::Connection;
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
fn a_directory_that_is_not_there_is_unavailable() {
    let error = SqliteStore::open(Path::new("/nowhere/at/all/audit.db")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
}

#[test]
fn a_damaged_event_is_corrupt_and_the_others_are_read() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("audit.db");
    let store = SqliteStore::open(&path).unwrap();
    block_on(store.append(Log::Platform, vec![login(), login()])).unwrap();
    let sql = "UPDATE audit_event SET record = x'7b' WHERE place & 0xff = 2";
    assert_eq!(Connection::open(&path).unwrap().execute(sql, []).unwrap(), 1);
    let query = Query::new(Log::Platform).limit(1);
    assert_eq!(block_on(store.page(&query)).unwrap_err().kind(), ErrorKind::Corrupt);
    let oldest = query.order(audit_core::Order::OldestFirst);
    assert_eq!(block_on(store.page(&oldest)).unwrap().events.len(), 1);
}

#[test]
fn tokens_of_a_longer_copy_are_behind_not_wrong() {
    let directory = tempfile::tempdir().unwrap();
    let (path, backup) = (directory.path().join("audit.db"), directory.path().join("backup.db"));
    let store = SqliteStore::open(&path).unwrap();
    block_on(store.append(Log::Platform, vec![login(), login()])).unwrap();
    Connection::open(&path).unwrap().execute("VACUUM INTO ?1", [backup.to_str().unwrap()]).unwrap();
    block_on(store.record(Log::Platform, login())).unwrap();
    let query = Query::new(Log::Platform).limit(1);
    let token = block_on(store.page(&query)).unwrap().next.unwrap();

    let restored = SqliteStore::open(&backup).unwrap();
    let error = block_on(restored.next_page(&query, &token)).unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Behind, true));
}

#[cfg(unix)]
#[test]
fn the_file_is_its_owners_alone() {
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
fn the_file_keeps_no_other_tables_from_the_service() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("audit.db");
    drop(SqliteStore::open(&path).unwrap());
    let connection = Connection::open(&path).unwrap();
    let sql = "SELECT count(*) FROM sqlite_schema WHERE name NOT LIKE '%audit\\_%' ESCAPE '\\'";
    let foreign: i64 = connection.query_row(sql, [], |row| row.get(0)).unwrap();
    assert_eq!(foreign, 0);
}
