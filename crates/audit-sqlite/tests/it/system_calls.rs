//! The order of system calls: an event is on the disk before its append is acknowledged. A kill
//! does not tell, because the system keeps what a process has written; so this looks at the calls,
//! and at what they write: each event bears a mark.
//!
//! Needs `strace`. Without it the check is left out, with a line that says so, unless the
//! environment variable `AUDIT_SQLITE_STRACE` is set.

use std::collections::HashMap;
use std::process::{Command, Stdio};

use crate::common::{begin, path, tell, this_program_under, told, unchecked};
use audit_core::{Actor, AuditStoreExt, Log, NewEvent};
use audit_sqlite::SqliteStore;
use audit_sqlite::rusqlite::Connection;
use futures_executor::block_on;

const EVENTS: usize = 30;

#[test]
fn an_acknowledgement_follows_the_sync() {
    let Some(early) = acknowledged_early("system_calls::durable") else { return };
    assert_eq!(early, 0, "acknowledged before they were written to the WAL and synced");
}

/// The check itself can fail.
#[test]
fn without_the_sync_the_check_fails() {
    let Some(early) = acknowledged_early("system_calls::careless") else { return };
    assert_eq!(early, EVENTS);
}

/// And where nothing waits for a sync, because nothing is written yet.
#[test]
fn before_the_write_the_check_fails() {
    let Some(early) = acknowledged_early("system_calls::hasty") else { return };
    assert_eq!(early, EVENTS);
}

/// By what an event is known in a page of the WAL.
fn mark(number: usize) -> String {
    format!("event_{number:04}")
}

/// The other process: appends, one after the other.
#[test]
#[ignore = "the others run it, as a process of its own"]
fn durable() {
    let store = SqliteStore::open(path()).unwrap();
    begin();
    for number in 0..EVENTS {
        // In the record: personal parts are sealed.
        let event = NewEvent::new("user.login", Actor::user("u_1")).target("mark", mark(number));
        block_on(store.record(Log::Platform, event)).unwrap();
        tell(number);
    }
}

/// The other process: rows that nobody syncs.
#[test]
#[ignore = "the others run it, as a process of its own"]
fn careless() {
    let connection = table("off");
    begin();
    for number in 0..EVENTS {
        insert(&connection, number);
        tell(number);
    }
}

/// The other process: rows that are synced, each acknowledged before it is written.
#[test]
#[ignore = "the others run it, as a process of its own"]
fn hasty() {
    let connection = table("full");
    begin();
    for number in 0..EVENTS {
        tell(number);
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

/// How many events the process told of too early; `None` if it cannot be watched here.
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
    // Whole pages: a mark can be anywhere in one.
    strace.args(["-f", "-y", "-s", "65536", "-e", "trace=write,pwrite64,fsync,fdatasync", "-o"]);
    strace.arg(&trace);
    let mut child =
        this_program_under(strace, test, &directory.path().join("audit.db")).spawn().unwrap();
    let told = told(child.stdout.take().unwrap());
    assert!(child.wait().unwrap().success());
    assert!(told.into_iter().eq((0..EVENTS).map(|number| number.to_string())));
    Some(early(&std::fs::read_to_string(trace).unwrap()))
}

/// Reads a trace, each line of which is the process and a call, whole or in two pieces. An
/// acknowledgement is early unless its event has been written to the WAL, and all that has been
/// written there is synced.
fn early(trace: &str) -> usize {
    let (mut early, mut acknowledged) = (0, 0);
    // How many writes there were, and how many of them are synced.
    let (mut writes, mut synced) = (0, 0);
    let mut is_written = false;
    // What a sync under way will have synced.
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
