//! Several processes on one file: nothing is lost, whether they end by themselves or are killed.
//!
//! This program runs itself as the writers. The long runs, each of which prints a figure at its end:
//!
//! ```text
//! AUDIT_SQLITE_KILLS=200 cargo test --release -p audit-sqlite --test it killed -- --nocapture
//! AUDIT_SQLITE_APPENDS=100000 cargo test --release -p audit-sqlite --test it several -- --nocapture
//! ```

use std::collections::BTreeSet;
use std::env;
use std::thread;
use std::time::Duration;

use crate::common::{
    assert_dense, begin, kill_after, path, recorded, report, reported, this_program, times,
};
use audit_core::{Actor, AuditStoreExt, Log, NewEvent};
use audit_sqlite::SqliteStore;
use audit_sqlite::rusqlite::{Connection, TransactionBehavior};
use futures_executor::block_on;

const PROCESSES: usize = 4;
const TASKS: usize = 64;

/// The number of appends of all processes, unless the environment variable sets another.
const APPENDS: usize = 2_048;
const APPENDS_VARIABLE: &str = "AUDIT_SQLITE_APPENDS";
/// The number of kills, unless the environment variable sets another.
const KILLS: usize = 10;
const KILLS_VARIABLE: &str = "AUDIT_SQLITE_KILLS";

/// The environment variable with the number of events that each task of a writer records.
const EVENTS_VARIABLE: &str = "AUDIT_SQLITE_WRITER_EVENTS";

#[test]
fn several_processes_write_one_log() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("audit.db");
    let events = times(APPENDS_VARIABLE, APPENDS).div_ceil(PROCESSES * TASKS);
    let start = |_| {
        let mut command = this_program("processes::writer", &path);
        command.env(EVENTS_VARIABLE, events.to_string()).spawn().unwrap()
    };
    let writers: Vec<_> = (0..PROCESSES).map(start).collect();
    let mut given = BTreeSet::new();
    for mut writer in writers {
        let numbers = reported(writer.stdout.take().unwrap());
        given.extend(numbers.iter().map(|number| number.parse::<u64>().unwrap()));
        assert!(writer.wait().unwrap().success(), "a writer failed");
    }
    let all = (PROCESSES * TASKS * events) as u64;
    assert!(given.into_iter().eq(1..=all), "sequences of the receipts");
    let recorded = recorded(&SqliteStore::open(&path).unwrap(), Log::Platform);
    assert!(recorded.into_iter().eq(1..=all), "sequences in the log");
    println!("{PROCESSES} processes of {TASKS} tasks: {all} appends, 0 errors");
}

/// Runs in the other process: tasks that record one event at a time and report each sequence.
#[test]
#[ignore = "run by other tests, in its own process"]
fn writer() {
    let events: usize = env::var(EVENTS_VARIABLE).unwrap().parse().unwrap();
    let store = SqliteStore::open(path()).unwrap();
    begin();
    thread::scope(|scope| {
        for task in 0..TASKS {
            let store = &store;
            scope.spawn(move || {
                for _ in 0..events {
                    let event = NewEvent::new("task.step", Actor::user(format!("task_{task}")));
                    report(block_on(store.record(Log::Platform, event)).unwrap().sequence);
                }
            });
        }
    });
}

#[test]
fn a_killed_service_has_both_or_neither() {
    let kills = times(KILLS_VARIABLE, KILLS);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("service.db");
    drop(SqliteStore::open(&path).unwrap());
    let connection = Connection::open(&path).unwrap();
    connection.execute("CREATE TABLE invoice (id TEXT PRIMARY KEY)", []).unwrap();
    let mut acknowledged = 0;
    for kill in 0..kills {
        let delay = Duration::from_millis(20 + 3 * (kill as u64 % 20));
        acknowledged += kill_after(this_program("processes::service", &path), delay).len();
        let sql = "SELECT count(*) FROM invoice";
        let invoices: i64 = connection.query_row(sql, [], |row| row.get(0)).unwrap();
        let invoices = invoices.unsigned_abs();
        let store = SqliteStore::open(&path).unwrap();
        let recorded = recorded(&store, Log::Platform);
        assert_dense(&recorded);
        assert_eq!(recorded.len() as u64, invoices, "after {kill} kills");
        assert!(recorded.len() >= acknowledged, "after {kill} kills");
    }
    assert!(acknowledged > 0, "no service ran long enough to append");
    assert_intact(&path);
    println!("{kills} kills of a service, {acknowledged} acknowledged, both or neither each time");
}

/// Runs in the other process: writes invoices, each with its event in one transaction.
#[test]
#[ignore = "run by other tests, in its own process"]
fn service() {
    let store = SqliteStore::open(path()).unwrap();
    let mut connection = Connection::open(path()).unwrap();
    connection.busy_timeout(Duration::from_secs(30)).unwrap();
    begin();
    loop {
        let transaction =
            connection.transaction_with_behavior(TransactionBehavior::Immediate).unwrap();
        let event = NewEvent::new("invoice.paid", Actor::user("u_7"));
        let id = event.id.to_string();
        transaction.execute("INSERT INTO invoice VALUES (?1)", [&id]).unwrap();
        store.append_in(&transaction, Log::Platform, vec![event]).unwrap();
        transaction.commit().unwrap();
        report(id);
    }
}

fn assert_intact(path: &std::path::Path) {
    let connection = Connection::open(path).unwrap();
    let check: String =
        connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(check, "ok");
}
