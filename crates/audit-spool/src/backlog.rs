//! The backlog: the events that wait, and the file that holds them.

use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use audit_core::{AuditStore as _, AuditStoreExt as _, Error, ErrorKind, Log, Result, Sequence};
use audit_sqlite::SqliteStore;
use futures_executor::block_on;

const SUFFIX: &str = "db";

/// The events that wait. Each file has a number of its own and is used until no event waits, so that what
/// SQLite left beside a deleted one is never taken for that of another.
#[derive(Debug)]
pub(crate) struct Backlog {
    directory: PathBuf,
    state: Mutex<State>,
    /// Held while the spool is open: one process has it.
    _lock: File,
}

#[derive(Debug, Default)]
struct State {
    /// The file, if events wait or are being written.
    file: Option<SqliteStore>,
    /// The number of the file, or of the last one.
    number: u64,
    /// For each log, the events that wait or are being written.
    waiting: BTreeMap<Log, Waiting>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Waiting {
    count: u64,
    /// The last event that is in the store.
    drained: Sequence,
}

impl Backlog {
    /// Opens the directory, and creates it if it does not exist.
    pub(crate) fn open(directory: &Path) -> Result<Self> {
        fs::create_dir_all(directory).map_err(failed)?;
        let lock = File::create(directory.join("lock")).map_err(failed)?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => {
                Error::new(ErrorKind::Busy).with_context("another process has the spool")
            }
            TryLockError::Error(error) => failed(error),
        })?;
        let (mut numbers, mut state) = (Vec::new(), State::default());
        for entry in fs::read_dir(directory).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name();
            let Some((number, rest)) = name.to_str().and_then(|name| name.split_once('.')) else {
                continue;
            };
            let Ok(number) = number.parse() else { continue };
            state.number = state.number.max(number); // also of what SQLite left beside it
            if rest == SUFFIX {
                numbers.push(number);
            }
        }
        match *numbers {
            [] => {}
            [number] => {
                let file = SqliteStore::open(path_of(directory, number))?;
                for log in block_on(file.all_logs())? {
                    let count = block_on(file.head(log))?.size.get();
                    state.waiting.insert(log, Waiting { count, drained: Sequence::ZERO });
                }
                state.file = Some(file);
            }
            // One is deleted before the next is created.
            _ => {
                let error = Error::new(ErrorKind::Corrupt);
                return Err(error.with_context("the spool has several files"));
            }
        }
        let backlog =
            Self { directory: directory.to_owned(), state: Mutex::new(state), _lock: lock };
        backlog.clear()?;
        Ok(backlog)
    }

    /// Returns whether events of `log` wait.
    pub(crate) fn has(&self, log: Log) -> bool {
        self.lock().waiting.get(&log).is_some_and(|waiting| waiting.count > 0)
    }

    /// Makes room for `count` events of `log`, and returns the file to which they may be written; `None`
    /// if more than `max` would wait. From here on, later events of the log wait behind them.
    pub(crate) fn reserve(&self, log: Log, count: u64, max: u64) -> Result<Option<SqliteStore>> {
        let mut state = self.lock();
        let all: u64 = state.waiting.values().map(|waiting| waiting.count).sum();
        if all.saturating_add(count) > max {
            return Ok(None);
        }
        let file = if let Some(file) = &state.file {
            file.clone()
        } else {
            let number = state.number + 1;
            let file = SqliteStore::open(path_of(&self.directory, number))?;
            state.number = number;
            state.file.insert(file).clone()
        };
        state.waiting.entry(log).or_default().count += count;
        Ok(Some(file))
    }

    /// Gives back the room of events that were not written, or were there before.
    pub(crate) fn release(&self, log: Log, count: u64) {
        let mut state = self.lock();
        if let Some(waiting) = state.waiting.get_mut(&log) {
            waiting.count = waiting.count.saturating_sub(count);
        }
    }

    /// Returns the file, and the logs of which events may wait, with the last event of each that is in
    /// the store.
    pub(crate) fn waiting(&self) -> Option<(SqliteStore, Vec<(Log, Sequence)>)> {
        let state = self.lock();
        let waiting = state.waiting.iter().filter(|(_, waiting)| waiting.count > 0);
        let logs = waiting.map(|(log, waiting)| (*log, waiting.drained)).collect();
        state.file.clone().map(|file| (file, logs))
    }

    /// Notes that `count` events of `log`, up to `last`, are in the store.
    pub(crate) fn drained(&self, log: Log, count: u64, last: Sequence) {
        let mut state = self.lock();
        if let Some(waiting) = state.waiting.get_mut(&log) {
            waiting.count = waiting.count.saturating_sub(count);
            waiting.drained = last;
        }
    }

    /// Deletes the file if no event waits, and returns whether that is so.
    pub(crate) fn clear(&self) -> Result<bool> {
        let mut state = self.lock();
        if state.waiting.values().any(|waiting| waiting.count > 0) {
            return Ok(false);
        }
        if state.file.take().is_some() {
            // Until it is gone, no other is created, and a new start would drain it again.
            let path = path_of(&self.directory, state.number);
            if let Err(error) = fs::remove_file(&path) {
                state.file = Some(SqliteStore::open(&path)?);
                return Err(failed(error));
            }
            for suffix in ["-wal", "-shm"] {
                let mut path = path.clone().into_os_string();
                path.push(suffix);
                let _ = fs::remove_file(path); // SQLite deletes them, too
            }
        }
        state.waiting.clear();
        Ok(true)
    }

    /// Returns the number of events that wait.
    pub(crate) fn count(&self) -> u64 {
        self.lock().waiting.values().map(|waiting| waiting.count).sum()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No code that can panic changes the state in part.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn path_of(directory: &Path, number: u64) -> PathBuf {
    directory.join(format!("{number}.{SUFFIX}"))
}

fn failed(error: io::Error) -> Error {
    Error::new(ErrorKind::Unavailable).with_context("using the spool").with_source(error)
}
