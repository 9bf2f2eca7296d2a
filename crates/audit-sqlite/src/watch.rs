//! Wakes the feeds that wait for a log. The writer of this store wakes those of the logs that it has
//! appended to. Appends of other processes, and in transactions of callers, are noticed by a thread
//! that polls the file while a feed waits.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use audit_core::{Log, Result, Sequence};
use event_listener::{Event, EventListener};
use rusqlite::Connection;

use crate::error::thread as thread_error;
use crate::file::OpenFiles;
use crate::read::log_row;
use crate::schema::{self, Access};

/// The interval of polling, and so the longest time until an append of another process is noticed.
pub(crate) const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// The page cache of the thread, which reads one page.
const CACHE_KIB: i64 = 64;

#[derive(Debug)]
pub(crate) struct Watch {
    path: PathBuf,
    access: Access,
    files: Arc<OpenFiles>,
    feeds: Arc<Feeds>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// The waiting feeds, by the log that they wait for.
#[derive(Debug, Default)]
pub(crate) struct Feeds {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    waiting: HashMap<Log, Waiters>,
    closed: bool,
}

/// The feeds that wait for one log.
#[derive(Debug, Default)]
struct Waiters {
    appended: Arc<Event>,
    count: usize,
    /// The size of the log when the polling thread last read it.
    size: Option<Sequence>,
}

impl Feeds {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes the feeds that wait for these logs.
    pub(crate) fn wake(&self, logs: &[Log]) {
        let state = self.state();
        for waiters in logs.iter().filter_map(|log| state.waiting.get(log)) {
            waiters.appended.notify(usize::MAX);
        }
    }

    /// Adds a feed that waits for `log`.
    fn add(self: &Arc<Self>, log: Log) -> Waiting {
        let mut state = self.state();
        let waiters = state.waiting.entry(log).or_default();
        waiters.count += 1;
        self.changed.notify_all();
        Waiting { feeds: Arc::clone(self), log, appended: Arc::clone(&waiters.appended) }
    }

    /// Wakes the feeds of the logs whose size has changed since it was last read here, and those of
    /// logs whose size cannot be read.
    fn wake_changed(&self, connection: &Connection) {
        let waiting: Vec<Log> = self.state().waiting.keys().copied().collect();
        // The lock is not held while the file is read: the writer needs it after each commit.
        let size = |log| log_row(connection, log).map(|row| row.map(|row| row.head.size));
        let sizes: Vec<_> = waiting.into_iter().map(|log| (log, size(log))).collect();
        let mut state = self.state();
        for (log, size) in sizes {
            let Some(waiters) = state.waiting.get_mut(&log) else { continue };
            let size = size.map(Option::unwrap_or_default).ok();
            if size.is_none() || waiters.size != size {
                waiters.size = size;
                waiters.appended.notify(usize::MAX);
            }
        }
    }

    fn wake_all(&self) {
        let state = self.state();
        for waiters in state.waiting.values() {
            waiters.appended.notify(usize::MAX);
        }
    }
}

impl Watch {
    pub(crate) fn new(path: PathBuf, access: Access, files: Arc<OpenFiles>) -> Self {
        Self { path, access, files, feeds: Arc::default(), thread: Mutex::default() }
    }

    /// Returns the waiting feeds, for the writer to wake.
    pub(crate) fn feeds(&self) -> Arc<Feeds> {
        Arc::clone(&self.feeds)
    }

    /// Waits for appends to `log`, and polls the file, until the returned value is dropped.
    pub(crate) fn wait(&self, log: Log) -> Result<Waiting> {
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        if thread.is_none() {
            let (path, access) = (self.path.clone(), self.access);
            let (files, feeds) = (Arc::clone(&self.files), Arc::clone(&self.feeds));
            let poll = move || poll(&path, access, &files, &feeds);
            let started = thread::Builder::new().name("audit-watch".into()).spawn(poll);
            *thread = Some(started.map_err(thread_error)?);
        }
        Ok(self.feeds.add(log))
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.feeds.state().closed = true;
        self.feeds.changed.notify_all();
        let thread = self.thread.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(thread) = thread.take() {
            let _ = thread.join();
        }
    }
}

/// A waiting feed.
pub(crate) struct Waiting {
    feeds: Arc<Feeds>,
    log: Log,
    appended: Arc<Event>,
}

impl Waiting {
    /// Returns a future that completes after the next append.
    pub(crate) fn listen(&self) -> EventListener {
        self.appended.listen()
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let mut state = self.feeds.state();
        if let Some(waiters) = state.waiting.get_mut(&self.log) {
            waiters.count -= 1;
            if waiters.count == 0 {
                state.waiting.remove(&self.log);
            }
        }
    }
}

fn poll(path: &Path, access: Access, files: &OpenFiles, feeds: &Feeds) {
    let mut connection = None;
    let mut seen = None;
    let mut state = feeds.state();
    while !state.closed {
        if state.waiting.is_empty() {
            state = feeds.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            continue;
        }
        drop(state);
        let are_there = files.check().is_ok();
        if connection.is_none() && are_there {
            connection = schema::open_reader(path, access, POLL_INTERVAL, CACHE_KIB).ok();
        }
        // If it cannot be read, or the file is gone, every feed is woken to read the head itself.
        let readable = connection.as_ref().filter(|_| are_there);
        let version = readable.and_then(|connection| schema::data_version(connection).ok());
        match &connection {
            Some(connection) if version.is_some() => {
                if version != seen {
                    feeds.wake_changed(connection);
                }
            }
            _ => feeds.wake_all(),
        }
        seen = version;
        state = feeds.state();
        if !state.closed {
            let waited = feeds.changed.wait_timeout(state, POLL_INTERVAL);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use audit_core::OrganizationId;
    use event_listener::Listener as _;

    use super::*;

    #[test]
    fn only_feeds_of_the_log_are_woken() {
        let feeds = Arc::new(Feeds::default());
        let [one, other] = [OrganizationId::new(), OrganizationId::new()].map(Log::from);
        let waiting = [feeds.add(one), feeds.add(one), feeds.add(other)];
        let listeners = waiting.each_ref().map(Waiting::listen);
        feeds.wake(&[one, Log::Platform]);
        let woken = listeners.map(|listener| listener.wait_timeout(Duration::ZERO).is_some());
        assert_eq!(woken, [true, true, false]);
        drop(waiting);
        assert!(feeds.state().waiting.is_empty());
    }
}
