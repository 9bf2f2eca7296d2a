//! Wakes waiting feeds. The writer of this store notifies them at once. Appends of other processes
//! are noticed by a thread that polls the file while a feed waits.

use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use audit_core::Result;
use event_listener::{Event, EventListener};

use crate::error::thread as thread_error;
use crate::file::OpenFiles;
use crate::schema::{self, Access};

/// The interval of polling, and so the longest time until an append of another process is noticed.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// The page cache of the thread, which reads one page.
const CACHE_KIB: i64 = 64;

#[derive(Debug)]
pub(crate) struct Watch {
    path: PathBuf,
    access: Access,
    files: Arc<OpenFiles>,
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug, Default)]
struct Shared {
    appended: Arc<Event>,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    waiting: usize,
    closed: bool,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watch {
    pub(crate) fn new(path: PathBuf, access: Access, files: Arc<OpenFiles>) -> Self {
        Self { path, access, files, shared: Arc::default(), thread: Mutex::default() }
    }

    /// Returns the event that is notified of every append, to any log.
    pub(crate) fn appended(&self) -> Arc<Event> {
        Arc::clone(&self.shared.appended)
    }

    /// Polls the file until the returned value is dropped.
    pub(crate) fn wait(&self) -> Result<Waiting> {
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        if thread.is_none() {
            let (path, files) = (self.path.clone(), Arc::clone(&self.files));
            let (access, shared) = (self.access, Arc::clone(&self.shared));
            let poll = move || poll(&path, access, &files, &shared);
            let started = thread::Builder::new().name("audit-watch".into()).spawn(poll);
            *thread = Some(started.map_err(thread_error)?);
        }
        self.shared.state().waiting += 1;
        self.shared.changed.notify_all();
        Ok(Waiting { shared: Arc::clone(&self.shared) })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.shared.state().closed = true;
        self.shared.changed.notify_all();
        let thread = self.thread.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(thread) = thread.take() {
            let _ = thread.join();
        }
    }
}

/// A waiting feed.
pub(crate) struct Waiting {
    shared: Arc<Shared>,
}

impl Waiting {
    pub(crate) fn listen(&self) -> EventListener {
        self.shared.appended.listen()
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.shared.state().waiting -= 1;
    }
}

fn poll(path: &std::path::Path, access: Access, files: &OpenFiles, shared: &Shared) {
    let mut connection = None;
    let mut seen = None;
    let mut state = shared.state();
    while !state.closed {
        if state.waiting == 0 {
            state = shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            continue;
        }
        drop(state);
        let are_there = files.check().is_ok();
        if connection.is_none() && are_there {
            connection = schema::open_reader(path, access, POLL_INTERVAL, CACHE_KIB).ok();
        }
        // SQLite changes this number with every commit of another connection. If it cannot be read,
        // or the file is gone, every feed is woken to read the head itself.
        let version: Option<i64> = connection
            .as_ref()
            .filter(|_| are_there)
            .and_then(|c| c.pragma_query_value(None, "data_version", |row| row.get(0)).ok());
        if version.is_none() || version != seen {
            seen = version;
            shared.appended.notify(usize::MAX);
        }
        state = shared.state();
        if !state.closed {
            let waited = shared.changed.wait_timeout(state, POLL_INTERVAL);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}
