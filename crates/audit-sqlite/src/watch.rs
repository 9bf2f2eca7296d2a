//! Wakes the feeds that wait for a log. The writer of this store wakes those of the logs that it has
//! appended to. Appends of other processes, and in transactions of callers, are noticed by a thread
//! that polls the file while a feed waits.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use audit_core::backend::{WaitingFeed, WaitingFeeds};
use audit_core::{Log, Result};
use rusqlite::Connection;

use crate::error::thread as thread_error;
use crate::file::OpenFiles;
use crate::open::{Access, data_version, open_reader};
use crate::read::log_row;

/// The interval of polling, and so the longest time until an append of another process is noticed.
pub(crate) const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// The page cache of the thread, which reads one page.
const CACHE_KIB: i64 = 64;

#[derive(Debug)]
pub(crate) struct Watch {
    path: PathBuf,
    access: Access,
    files: Arc<OpenFiles>,
    feeds: WaitingFeeds,
    signal: Arc<Signal>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// Wakes the polling thread when a feed begins to wait, and when the store is closed.
#[derive(Debug, Default)]
struct Signal {
    is_closed: Mutex<bool>,
    changed: Condvar,
}

impl Signal {
    fn is_closed(&self) -> MutexGuard<'_, bool> {
        self.is_closed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watch {
    pub(crate) fn new(path: PathBuf, access: Access, files: Arc<OpenFiles>) -> Self {
        let (feeds, signal, thread) = Default::default();
        Self { path, access, files, feeds, signal, thread }
    }

    /// Returns the waiting feeds, for the writer to wake.
    pub(crate) fn feeds(&self) -> WaitingFeeds {
        self.feeds.clone()
    }

    /// Waits for appends to `log`, and polls the file, until the returned value is dropped.
    pub(crate) fn wait(&self, log: Log) -> Result<WaitingFeed> {
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        if thread.is_none() {
            let (path, access, feeds) = (self.path.clone(), self.access, self.feeds.clone());
            let (files, signal) = (Arc::clone(&self.files), Arc::clone(&self.signal));
            let poll = move || poll(&path, access, &files, &feeds, &signal);
            let started = thread::Builder::new().name("audit-watch".into()).spawn(poll);
            *thread = Some(started.map_err(thread_error)?);
        }
        let feed = self.feeds.add(log);
        // With the lock, so that the thread either sees the feed or waits already.
        let _is_closed = self.signal.is_closed();
        self.signal.changed.notify_all();
        Ok(feed)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        *self.signal.is_closed() = true;
        self.signal.changed.notify_all();
        let thread = self.thread.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(thread) = thread.take() {
            let _ = thread.join();
        }
    }
}

/// Wakes the feeds of the logs whose size has changed, and those of logs whose size cannot be read.
fn wake_changed(feeds: &WaitingFeeds, connection: &Connection) {
    // One snapshot: each read on its own would lock the file again.
    let _snapshot = connection.unchecked_transaction();
    let size = |log| {
        let row = log_row(connection, log);
        (log, row.map(|row| row.map(|row| row.head.size).unwrap_or_default()).ok())
    };
    // Read before the feeds are locked: the writer needs them after each commit.
    let sizes: Vec<_> = feeds.logs().into_iter().map(size).collect();
    feeds.wake_changed(sizes);
}

fn poll(path: &Path, access: Access, files: &OpenFiles, feeds: &WaitingFeeds, signal: &Signal) {
    let mut connection = None;
    let mut seen = None;
    let mut is_closed = signal.is_closed();
    while !*is_closed {
        if feeds.is_empty() {
            is_closed = signal.changed.wait(is_closed).unwrap_or_else(PoisonError::into_inner);
            continue;
        }
        drop(is_closed);
        let are_there = files.check().is_ok();
        if connection.is_none() && are_there {
            connection = open_reader(path, access, POLL_INTERVAL, CACHE_KIB).ok();
        }
        // If it cannot be read, or the file is gone, every feed is woken to read the head itself.
        let readable = connection.as_ref().filter(|_| are_there);
        let version = readable.and_then(|connection| data_version(connection).ok());
        match &connection {
            Some(connection) if version.is_some() => {
                if version != seen {
                    wake_changed(feeds, connection);
                }
            }
            _ => feeds.wake_all(),
        }
        seen = version;
        is_closed = signal.is_closed();
        if !*is_closed {
            let waited = signal.changed.wait_timeout(is_closed, POLL_INTERVAL);
            is_closed = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}
