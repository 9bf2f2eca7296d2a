//! The order of system calls: an event is on the disk before its append is acknowledged. A kill
//! does not tell, because the system keeps what a process has written; so this looks at the calls.
//!
//! Needs `strace`. Without it the check is left out, with a line that says so, unless the
//! environment variable `AUDIT_SQLITE_STRACE` is set.

#![cfg(target_os = "linux")]
// What a test cannot set up, it fails for.
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::HashSet;
use std::process::{Command, Stdio};

use audit_core::{Actor, AuditStoreExt, Log, NewEvent};
use audit_sqlite::SqliteStore;
use audit_sqlite::rusqlite::Connection;
use common::{begin, path, tell, this_program_under, told};
use futures_executor::block_on;

const EVENTS: usize = 30;

#[test]
fn an_acknowledgement_follows_the_sync() {
    let Some(early) = acknowledged_before_the_sync("durable") else { return };
    assert_eq!(early, 0, "acknowledged before the WAL was synced");
}

/// The check itself can fail.
#[test]
fn without_the_sync_the_check_fails() {
    let Some(early) = acknowledged_before_the_sync("careless") else { return };
    assert_eq!(early, EVENTS);
}

/// The other process: appends, one after the other.
#[test]
#[ignore = "the others run it, as a process of its own"]
fn durable() {
    let store = SqliteStore::open(path()).unwrap();
    begin();
    for _ in 0..EVENTS {
        let event = NewEvent::new("user.login", Actor::user("u_1"));
        tell(block_on(store.record(Log::Platform, event)).unwrap().sequence);
    }
}

/// The other process: rows that nobody syncs.
#[test]
#[ignore = "the others run it, as a process of its own"]
fn careless() {
    let connection = Connection::open(path()).unwrap();
    connection.pragma_update(None, "journal_mode", "wal").unwrap();
    connection.pragma_update(None, "synchronous", "off").unwrap();
    connection.execute("CREATE TABLE event (id INTEGER PRIMARY KEY)", []).unwrap();
    begin();
    for number in 0..EVENTS {
        connection.execute("INSERT INTO event VALUES (NULL)", []).unwrap();
        tell(number);
    }
}

/// How often the process told of an event while the WAL held what had not been synced; `None` if
/// it cannot be watched here.
fn acknowledged_before_the_sync(test: &str) -> Option<usize> {
    let probe = Command::new("strace").args(["-f", "true"]).stderr(Stdio::null()).status();
    if !probe.is_ok_and(|status| status.success()) {
        assert!(std::env::var_os("AUDIT_SQLITE_STRACE").is_none(), "strace does not work here");
        println!("strace does not work here: the order of system calls was NOT checked");
        return None;
    }
    let directory = tempfile::tempdir().unwrap();
    let trace = directory.path().join("trace");
    let mut strace = Command::new("strace");
    strace.args(["-f", "-y", "-e", "trace=write,pwrite64,fsync,fdatasync", "-o"]).arg(&trace);
    let mut child =
        this_program_under(strace, test, &directory.path().join("audit.db")).spawn().unwrap();
    let count = told(child.stdout.take().unwrap()).len();
    assert!(child.wait().unwrap().success());
    assert_eq!(count, EVENTS);
    Some(early(&std::fs::read_to_string(trace).unwrap()))
}

/// Reads a trace, each line of which is the process and a call, whole or in two pieces.
fn early(trace: &str) -> usize {
    let (mut early, mut acknowledged) = (0, 0);
    let mut is_dirty = false;
    let mut begun = HashSet::new();
    for line in trace.lines() {
        let (process, call) = line.split_once(' ').unwrap();
        let call = call.trim_start();
        let is_sync = call.starts_with("fsync(") || call.starts_with("fdatasync(");
        let of_wal = call.contains("-wal>");
        if call.starts_with("pwrite64(") && of_wal {
            is_dirty = true;
        } else if is_sync && of_wal && call.ends_with("<unfinished ...>") {
            begun.insert(process);
        } else if is_sync && of_wal && call.ends_with("= 0")
            || call.contains("sync resumed>") && begun.remove(process)
        {
            is_dirty = false;
        } else if call.starts_with("write(1<") && call.contains("\"acknowledged ") {
            acknowledged += 1;
            early += usize::from(is_dirty);
        }
    }
    assert_eq!(acknowledged, EVENTS, "of a trace of {} lines", trace.lines().count());
    early
}
