//! The case of kills can fail: it passes on a store with a sound journal, and on no other.

// A test that cannot set itself up fails.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]

#[path = "../../audit-core/examples/list_store.rs"]
#[allow(dead_code)] // it has a `main` of its own
mod list_store;

use std::ffi::{OsStr, OsString};
use std::fs::{File, OpenOptions};
use std::future::pending;
use std::io::{BufRead as _, Write as _};
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use async_trait::async_trait;
use audit_conformance::{DurableHarness, Harness};
use audit_core::backend::{PersonalData, StoredEvent, delegate};
use audit_core::{Actor, AuditEvent, AuditStore, Head, LeafHash, Log, NewEvent, Receipt, Result};
use futures_executor::block_on;
use list_store::ListStore;
use tempfile::TempDir;

audit_conformance::suite!(durable: Journal::sound, Journal::at);

#[test]
fn a_broken_journal_is_noticed() {
    for broken in ["buffered", "in parts", "late", "twice"] {
        let new = || -> Box<dyn DurableHarness> { Box::new(Journal::new(broken)) };
        let child = "durable_store::durability::append_until_killed";
        let run = || audit_conformance::durability::acknowledged_appends_survive_kills(&new, child);
        assert!(panic::catch_unwind(AssertUnwindSafe(run)).is_err(), "{broken} was not noticed");
    }
}

#[test]
fn a_line_that_was_cut_is_removed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("journal");
    let append = |number: u32| {
        let store = JournalStore::open("sound", &path, false);
        let event = NewEvent::new(format!("task.step{number}"), Actor::system());
        block_on(store.append(Log::Platform, vec![event])).unwrap()[0].sequence.get()
    };
    assert_eq!(append(1), 1);
    let whole = std::fs::read(&path).unwrap();
    let cut = [&whole[..], &whole[..whole.len() / 2]].concat();
    std::fs::write(&path, cut).unwrap();
    assert_eq!((append(2), append(3)), (2, 3));
}

/// Opens a store whose journal is in a file. The place is the way of writing, a `/`, and the path.
struct Journal {
    place: OsString,
    /// Removed with the harness that made it; `None` in the process that is killed.
    directory: Option<TempDir>,
}

impl Journal {
    fn sound() -> Self {
        Self::new("sound")
    }

    fn new(way: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("journal");
        let place = format!("{way}{}", path.display()).into();
        Self { place, directory: Some(directory) }
    }

    fn at(place: &OsStr) -> Self {
        Self { place: place.to_owned(), directory: None }
    }
}

impl DurableHarness for Journal {
    fn place(&self) -> OsString {
        self.place.clone()
    }
}

impl Harness for Journal {
    fn open(&self) -> Arc<dyn AuditStore> {
        let place = self.place.to_str().unwrap();
        let (way, path) = place.split_at(place.find('/').unwrap());
        Arc::new(JournalStore::open(way, Path::new(path), self.directory.is_none()))
    }
}

/// A list in memory, of which every append is in a line of a file.
#[derive(Debug)]
struct JournalStore {
    list: ListStore,
    way: String,
    file: Arc<Mutex<File>>,
    buffer: Mutex<Vec<String>>,
    /// Whether the process is going to be killed, and no batch was written in part yet.
    is_to_cut: AtomicBool,
}

/// An event in a line: its record, salt and personal data.
type Line = (Log, Vec<(String, [u8; 16], String)>);

impl JournalStore {
    fn open(way: &str, path: &Path, is_killed: bool) -> Self {
        let list = ListStore::new().unwrap();
        let file = OpenOptions::new().create(true).append(true).read(true).open(path).unwrap();
        let bytes = std::fs::read(path).unwrap();
        // A line that a kill has cut was not acknowledged. The next one must not continue it.
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        file.set_len(whole as u64).unwrap();
        for line in bytes[..whole].lines() {
            let (log, events) = serde_json::from_str::<Line>(&line.unwrap()).unwrap();
            let mut state = list.state();
            let log = state.logs.entry(log).or_default();
            for (record, salt, bytes) in events {
                let personal = PersonalData::new(salt, bytes.into_bytes());
                let stored = StoredEvent::new(record.into_bytes(), Some(personal));
                let event = stored.decode().unwrap();
                let leaf = LeafHash::of(&stored.record);
                log.head = Head::new(event.sequence, event.recorded_at);
                log.frontier.append(leaf).unwrap();
                log.leaves.push(leaf);
                log.events.push((stored, event));
            }
        }
        Self {
            list,
            way: way.to_owned(),
            file: Arc::new(Mutex::new(file)),
            buffer: Mutex::default(),
            is_to_cut: AtomicBool::new(is_killed),
        }
    }

    /// Returns `false` if the write never ends.
    fn write(&self, log: Log, events: &[(StoredEvent, AuditEvent)]) -> bool {
        let events = events.iter().map(|(stored, _)| {
            let personal = stored.personal.as_ref().unwrap();
            let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
            (text(&stored.record), personal.salt, text(&personal.bytes))
        });
        let line = |events: Vec<_>| serde_json::to_string::<Line>(&(log, events)).unwrap() + "\n";
        let write = |line: &str| self.file.lock().unwrap().write_all(line.as_bytes()).unwrap();
        match self.way.as_str() {
            "twice" => (0..2).for_each(|_| write(&line(events.clone().collect()))),
            // The rest of the first batch of several events is never written: whenever the kill
            // comes, it comes in the middle of that batch.
            "in parts" if events.len() > 1 && self.is_to_cut.swap(false, Ordering::Relaxed) => {
                write(&line(events.take(1).collect()));
                return false;
            }
            "sound" | "in parts" => write(&line(events.collect())),
            "buffered" => {
                let mut buffer = self.buffer.lock().unwrap();
                buffer.push(line(events.collect()));
                if buffer.len() == 5 {
                    write(&buffer.drain(..).collect::<String>());
                }
            }
            _ => {
                let (line, file) = (line(events.collect()), Arc::clone(&self.file));
                thread::spawn(move || {
                    thread::sleep(Duration::from_millis(50));
                    file.lock().unwrap().write_all(line.as_bytes()).unwrap();
                });
            }
        }
        true
    }
}

#[async_trait]
impl AuditStore for JournalStore {
    delegate!(list: token_keys, get, head, logs, scan, wait_for_append, frontier, nodes, entries);

    async fn append(&self, log: Log, events: Vec<NewEvent>) -> Result<Vec<Receipt>> {
        // One append at a time, so that the journal has the order of the list.
        static ORDER: Mutex<()> = Mutex::new(());
        let batch = audit_core::backend::Batch::new(log, events)?;
        let order = ORDER.lock().unwrap();
        let before = self.list.state().logs.get(&log).map_or(0, |log| log.events.len());
        let receipts = self.list.state().append(batch)?;
        let new = self.list.state().logs.get(&log).map(|log| log.events[before..].to_vec());
        let is_written = self.write(log, &new.unwrap_or_default());
        drop(order);
        if is_written { Ok(receipts) } else { pending().await }
    }
}
