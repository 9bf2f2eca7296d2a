//! Several processes on one file: they lose nothing, whether they live or are killed.
//!
//! This program runs itself as the writers.

// What a test cannot set up, it fails for.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use std::{env, thread};

use audit_core::{Actor, AuditStoreExt, Log, NewEvent, Order, Query};
use audit_sqlite::SqliteStore;
use futures_executor::block_on;
use futures_util::TryStreamExt;

const PROCESSES: usize = 4;
const TASKS: usize = 8;
const EVENTS: usize = 25;

/// How often a writer is killed, unless the environment variable says otherwise.
const KILLS: usize = 10;
const KILLS_VARIABLE: &str = "AUDIT_SQLITE_KILLS";

/// Where a writer writes and how many events each of its tasks records.
const PATH_VARIABLE: &str = "AUDIT_SQLITE_WRITER_PATH";
const EVENTS_VARIABLE: &str = "AUDIT_SQLITE_WRITER_EVENTS";

#[test]
fn several_processes_write_one_log() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("audit.db");
    let writers: Vec<_> = (0..PROCESSES).map(|_| start(&path, EVENTS)).collect();
    let mut given = BTreeSet::new();
    for mut writer in writers {
        given.extend(receive(&mut writer));
        assert!(writer.wait().unwrap().success(), "a writer failed");
    }
    let all = (PROCESSES * TASKS * EVENTS) as u64;
    assert_eq!(given, (1..=all).collect(), "sequences of the receipts");
    assert_eq!(recorded(&path), (1..=all).collect::<Vec<_>>(), "sequences in the log");
}

#[test]
fn killed_writers_lose_nothing_acknowledged() {
    let kills = env::var(KILLS_VARIABLE).map_or(KILLS, |text| text.parse().unwrap());
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("audit.db");
    let mut given = BTreeSet::new();
    for kill in 0..kills {
        let mut writer = start(&path, usize::MAX);
        let output = writer.stdout.take().unwrap();
        let reader = thread::spawn(move || acknowledged(output));
        thread::sleep(Duration::from_millis(30 + 7 * (kill as u64 % 10)));
        writer.kill().unwrap();
        writer.wait().unwrap();
        for sequence in reader.join().unwrap() {
            assert!(given.insert(sequence), "{sequence} was given twice");
        }
    }
    let recorded = recorded(&path);
    assert_eq!(recorded, (1..=recorded.len() as u64).collect::<Vec<_>>(), "dense");
    let lost: Vec<_> = given.iter().filter(|n| **n > recorded.len() as u64).collect();
    assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");
    assert!(!given.is_empty(), "no writer lived long enough");
    let (count, all) = (given.len(), recorded.len());
    println!("{kills} kills, {count} acknowledged of {all} recorded");
}

/// The numbers of the log's events as a walk returns them.
fn recorded(path: &Path) -> Vec<u64> {
    let store = SqliteStore::open(path).unwrap();
    let query = Query::new(Log::Platform).order(Order::Sequence).limit(1_000);
    let events: Vec<_> = block_on(store.walk(query).try_collect()).unwrap();
    events.iter().map(|event| event.sequence.get()).collect()
}

/// Starts this program again, to do no more than [`writer`].
fn start(path: &Path, events: usize) -> Child {
    Command::new(env::current_exe().unwrap())
        .args(["--exact", "writer", "--ignored", "--nocapture"])
        .env(PATH_VARIABLE, path)
        .env(EVENTS_VARIABLE, events.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

fn receive(writer: &mut Child) -> Vec<u64> {
    acknowledged(writer.stdout.take().unwrap())
}

/// The numbers in whole lines; the last may have been cut by the kill.
fn acknowledged(output: impl std::io::Read) -> Vec<u64> {
    let mut reader = BufReader::new(output);
    let mut numbers = Vec::new();
    let mut line = String::new();
    while reader.read_line(&mut line).unwrap() > 0 {
        let number = line.strip_prefix(ACKNOWLEDGED).and_then(|rest| rest.strip_suffix('\n'));
        numbers.extend(number.map(|number| number.parse::<u64>().unwrap()));
        line.clear();
    }
    numbers
}

/// How a line begins that tells of an acknowledged event; others are the test runner's.
const ACKNOWLEDGED: &str = "acknowledged ";

/// The other process: tasks that record one event at a time and print each number they are given.
#[test]
#[ignore = "the others run it, as a process of its own"]
fn writer() {
    let path = env::var_os(PATH_VARIABLE).unwrap();
    let events: usize = env::var(EVENTS_VARIABLE).unwrap().parse().unwrap();
    let store = SqliteStore::open(path).unwrap();
    println!(); // ends the line that the test runner has begun
    thread::scope(|scope| {
        for task in 0..TASKS {
            let store = &store;
            scope.spawn(move || {
                for _ in 0..events {
                    let event = NewEvent::new("task.step", Actor::user(format!("task_{task}")));
                    let receipt = block_on(store.record(Log::Platform, event)).unwrap();
                    // One write for one line, so that a kill cuts at most the last.
                    let line = format!("{ACKNOWLEDGED}{}\n", receipt.sequence);
                    std::io::stdout().lock().write_all(line.as_bytes()).unwrap();
                }
            });
        }
    });
}
