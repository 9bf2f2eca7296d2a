//! Checks the order of system calls: an event is on the disk before its append is acknowledged.
//! Killing the process does not show this, because the system still has what a process has written.
//! So this test reads the calls and what they write: each event has a mark.
//!
//! Needs `strace`. Without it the check is left out and a line reports that, unless the environment
//! variable `AUDIT_SQLITE_STRACE` is set: then the test fails.

use std::collections::HashMap;
use std::process::{Command, Stdio};

use crate::common::{begin, path, report, reported, this_program_under, unchecked};
use audit_core::{Actor, AuditStoreExt, Log, NewEvent};
use audit_sqlite::SqliteStore;
use audit_sqlite::rusqlite::Connection;
use futures_executor::block_on;

const EVENTS: usize = 30;

#[test]
fn an_acknowledgement_follows_the_sync() {
    let Some(early) = acknowledged_early("system_calls::durable") else { return };
    assert_eq!(early, 0, "events acknowledged before they were written to the WAL and synced");
}

/// Shows that the check can fail.
#[test]
fn without_the_sync_the_check_fails() {
    let Some(early) = acknowledged_early("system_calls::careless") else { return };
    assert_eq!(early, EVENTS);
}

/// Shows that it can also fail if nothing has been written that waits for a sync.
#[test]
fn before_the_write_the_check_fails() {
    let Some(early) = acknowledged_early("system_calls::hasty") else { return };
    assert_eq!(early, EVENTS);
}

/// Returns the mark by which an event is recognised in a page of the WAL.
fn mark(number: usize) -> String {
    format!("event_{number:04}")
}

/// Runs in the other process: appends one event after the other.
#[test]
#[ignore = "run by other tests, in its own process"]
fn durable() {
    let store = SqliteStore::open(path()).unwrap();
    begin();
    for number in 0..EVENTS {
        // In the record, because personal data is sealed.
        let event = NewEvent::new("user.login", Actor::user("u_1")).target("mark", mark(number));
        block_on(store.record(Log::Platform, event)).unwrap();
        report(number);
    }
}

/// Runs in the other process: writes rows without syncing them.
#[test]
#[ignore = "run by other tests, in its own process"]
fn careless() {
    let connection = table("off");
    begin();
    for number in 0..EVENTS {
        insert(&connection, number);
        report(number);
    }
}

/// Runs in the other process: acknowledges each row before it writes and syncs it.
#[test]
#[ignore = "run by other tests, in its own process"]
fn hasty() {
    let connection = table("full");
    begin();
    for number in 0..EVENTS {
        report(number);
        insert(&connection, number);
    }
}

fn table(synchronous: &str) -> Connection {
    let connection = Connection::open(path()).unwrap();
    connection.pragma_update(None, "journal_mode", "wal").unwrap();
    connection.pragma_update(None, "synchronous", synchronous).unwrap();
    connection.execute("CREATE TABLE event (mark TEXT)", []).unwrap();
    connection
}

fn insert(connection: &Connection, number: usize) {
    connection.execute("INSERT INTO event VALUES (?1)", [mark(number)]).unwrap();
}

/// Returns how many events the process acknowledged too early; `None` if it cannot be traced here.
fn acknowledged_early(test: &str) -> Option<usize> {
    let probe = Command::new("strace").args(["-f", "true"]).stderr(Stdio::null()).status();
    if !probe.is_ok_and(|status| status.success()) {
        assert!(std::env::var_os("AUDIT_SQLITE_STRACE").is_none(), "strace does not work here");
        unchecked("the order of system calls", "strace does not work here");
        return None;
    }
    let directory = tempfile::tempdir().unwrap();
    let trace = directory.path().join("trace");
    let mut strace = Command::new("strace");
    // Traces whole pages, because a mark can be anywhere in one.
    strace.args(["-f", "-y", "-s", "65536", "-e", "trace=write,pwrite64,fsync,fdatasync", "-o"]);
    strace.arg(&trace);
    let mut child =
        this_program_under(strace, test, &directory.path().join("audit.db")).spawn().unwrap();
    let reported = reported(child.stdout.take().unwrap());
    assert!(child.wait().unwrap().success());
    assert!(reported.into_iter().eq((0..EVENTS).map(|number| number.to_string())));
    Some(early(&std::fs::read_to_string(trace).unwrap()))
}

/// Counts the early acknowledgements in a trace. Each line has the process and a call, whole or in two
/// pieces. An acknowledgement is early unless its event has been written to the WAL and all writes to
/// the WAL have been synced.
fn early(trace: &str) -> usize {
    let (mut early, mut acknowledged) = (0, 0);
    // The number of writes, and how many of them are synced.
    let (mut writes, mut synced) = (0, 0);
    let mut is_written = false;
    // The number of writes that a sync in progress covers.
    let mut begun = HashMap::new();
    for line in trace.lines() {
        let (process, call) = line.split_once(' ').unwrap();
        let call = call.trim_start();
        let of_wal = call.contains("-wal>");
        if of_wal && (call.starts_with("pwrite64(") || call.starts_with("write(")) {
            writes += 1;
            is_written |= call.contains(&mark(acknowledged));
        } else if of_wal && (call.starts_with("fsync(") || call.starts_with("fdatasync(")) {
            if call.ends_with("<unfinished ...>") {
                begun.insert(process, writes);
            } else if call.ends_with("= 0") {
                synced = writes;
            }
        } else if call.contains("sync resumed>") {
            let will_have = begun.remove(process).filter(|_| call.ends_with("= 0"));
            synced = synced.max(will_have.unwrap_or_default());
        } else if call.starts_with("write(1<") && call.contains("\"acknowledged ") {
            early += usize::from(!is_written || synced < writes);
            acknowledged += 1;
            is_written = false;
        }
    }
    assert_eq!(acknowledged, EVENTS, "of a trace of {} lines", trace.lines().count());
    early
}
