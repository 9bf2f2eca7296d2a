//! The thread that takes in staged events while nobody reads or appends.

use std::future::Future;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, JoinHandle, Thread};
use std::time::Duration;

use audit_core::Result;
use rusqlite::Connection;

use crate::error::thread as thread_error;
use crate::file::OpenFiles;
use crate::open::{Access, data_version, open_reader};
use crate::staged::{Intake, is_any_staged, take_in};
use crate::writer::Writer;

/// The longest pause after a failure, for example while the disk is full.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// The page cache of the thread, which reads a few pages.
const CACHE_KIB: i64 = 64;

/// Looks for staged events each time the file has changed, until it is dropped.
#[derive(Debug)]
pub(crate) struct Sequencer {
    end: Arc<End>,
    writer: Arc<Writer>,
    thread: Option<JoinHandle<()>>,
}

/// Whether the thread has to end.
#[derive(Debug, Default)]
struct End {
    is_due: Mutex<bool>,
    changed: Condvar,
}

impl End {
    fn is_due(&self) -> MutexGuard<'_, bool> {
        self.is_due.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for so long, or until the thread has to end. Returns whether it has to.
    fn wait(&self, pause: Duration) -> bool {
        let due = self.is_due();
        let waited = self.changed.wait_timeout_while(due, pause, |is_due| !*is_due);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

impl Sequencer {
    /// Starts the thread. It looks at the file once in `interval`.
    pub(crate) fn start(
        path: PathBuf,
        files: Arc<OpenFiles>,
        writer: Arc<Writer>,
        interval: Duration,
    ) -> Result<Self> {
        let end = Arc::new(End::default());
        let mut state = State { path, files, writer: Arc::clone(&writer), connection: None };
        let run = {
            let end = Arc::clone(&end);
            move || {
                let (mut seen, mut pause) = (None, interval);
                loop {
                    // A failure is no reason to end: reads and appends get the same error.
                    (seen, pause) = match state.look(seen) {
                        Ok(version) => (Some(version), interval),
                        Err(_) => (None, (pause * 2).min(LONGEST_PAUSE.max(interval))),
                    };
                    if end.wait(pause) {
                        break;
                    }
                }
            }
        };
        let thread = thread::Builder::new().name("audit-sequence".into()).spawn(run);
        Ok(Self { end, writer, thread: Some(thread.map_err(thread_error)?) })
    }
}

impl Drop for Sequencer {
    fn drop(&mut self) {
        *self.end.is_due() = true;
        self.end.changed.notify_all();
        // The thread may wait for the writer.
        let is_writer = self.writer.is_current_thread();
        if let Some(thread) = self.thread.take().filter(|_| !is_writer) {
            let _ = thread.join();
        }
    }
}

/// The state of the thread.
struct State {
    path: PathBuf,
    files: Arc<OpenFiles>,
    writer: Arc<Writer>,
    connection: Option<Connection>,
}

impl State {
    /// Takes in what is staged if the file has changed since `seen`. Returns what it has seen, a number
    /// that SQLite changes with every commit of another connection.
    fn look(&mut self, seen: Option<i64>) -> Result<i64> {
        self.files.check()?;
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => open_reader(&self.path, Access::Shared, Duration::ZERO, CACHE_KIB)?,
        };
        let connection = self.connection.insert(connection);
        let version = data_version(connection)?;
        if seen != Some(version) && is_any_staged(connection)? {
            block_on(take_in(&self.writer, Intake::default()))?;
        }
        Ok(version)
    }
}

/// Wakes a thread that waits for a future.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Runs a future of the writer, which needs no runtime, to its end.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}
