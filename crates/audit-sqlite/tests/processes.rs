//! Several processes on one file: they lose nothing, whether they live or are killed.
//!
//! This program runs itself as the writers.

// What a test cannot set up, it fails for.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
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
const KILLS: usize = 10;

fn main() {
    let mut args = env::args().skip(1);
    if args.next().as_deref() == Some("write") {
        let path = PathBuf::from(args.next().unwrap());
        return write(&path, args.next().unwrap().parse().unwrap());
    }
    several_processes_write_one_log();
    killed_writers_lose_nothing_acknowledged();
    println!("test result: ok. 2 passed; 0 failed");
}

fn several_processes_write_one_log() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("audit.db");
    let writers: Vec<_> = (0..PROCESSES).map(|_| start(&path, EVENTS)).collect();
    let mut acknowledged = BTreeSet::new();
    for mut writer in writers {
        acknowledged.extend(receive(&mut writer));
        assert!(writer.wait().unwrap().success(), "a writer failed");
    }
    let all = (PROCESSES * TASKS * EVENTS) as u64;
    assert_eq!(acknowledged, (1..=all).collect(), "sequences of the receipts");
    assert_eq!(recorded(&path), (1..=all).collect::<Vec<_>>(), "sequences in the log");
    println!("several_processes_write_one_log: {PROCESSES} × {TASKS} tasks, {all} events ... ok");
}

fn killed_writers_lose_nothing_acknowledged() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("audit.db");
    let mut acknowledged = BTreeSet::new();
    for kill in 0..KILLS {
        let mut writer = start(&path, usize::MAX);
        let output = writer.stdout.take().unwrap();
        let reader = thread::spawn(move || lines(output));
        thread::sleep(Duration::from_millis(30 + 7 * kill as u64));
        writer.kill().unwrap();
        writer.wait().unwrap();
        for sequence in reader.join().unwrap() {
            assert!(acknowledged.insert(sequence), "{sequence} was given twice");
        }
    }
    let recorded = recorded(&path);
    assert_eq!(recorded, (1..=recorded.len() as u64).collect::<Vec<_>>(), "dense");
    let lost: Vec<_> = acknowledged.iter().filter(|n| **n > recorded.len() as u64).collect();
    assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");
    assert!(!acknowledged.is_empty(), "no writer lived long enough");
    let (count, all) = (acknowledged.len(), recorded.len());
    println!("killed_writers: {KILLS} kills, {count} acknowledged of {all} recorded ... ok");
}

/// The numbers of the log's events as a walk returns them.
fn recorded(path: &Path) -> Vec<u64> {
    let store = SqliteStore::open(path).unwrap();
    let query = Query::new(Log::Platform).order(Order::Sequence).limit(1_000);
    let events: Vec<_> = block_on(store.walk(query).try_collect()).unwrap();
    events.iter().map(|event| event.sequence.get()).collect()
}

fn start(path: &Path, events: usize) -> Child {
    Command::new(env::current_exe().unwrap())
        .arg("write")
        .arg(path)
        .arg(events.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

fn receive(writer: &mut Child) -> Vec<u64> {
    lines(writer.stdout.take().unwrap())
}

/// The numbers in whole lines; the last may have been cut by the kill.
fn lines(output: impl std::io::Read) -> Vec<u64> {
    let mut reader = BufReader::new(output);
    let mut numbers = Vec::new();
    let mut line = String::new();
    while reader.read_line(&mut line).unwrap() > 0 {
        if let Some(number) = line.strip_suffix('\n') {
            numbers.push(number.parse().unwrap());
        }
        line.clear();
    }
    numbers
}

/// The other process: tasks that record one event at a time and print each number they are given.
fn write(path: &Path, events: usize) {
    let store = SqliteStore::open(path).unwrap();
    thread::scope(|scope| {
        for task in 0..TASKS {
            let store = &store;
            scope.spawn(move || {
                for _ in 0..events {
                    let event = NewEvent::new("task.step", Actor::user(format!("task_{task}")));
                    let receipt = block_on(store.record(Log::Platform, event)).unwrap();
                    // One write for one line, so that a kill cuts at most the last.
                    let line = format!("{}\n", receipt.sequence);
                    std::io::stdout().lock().write_all(line.as_bytes()).unwrap();
                }
            });
        }
    });
}
