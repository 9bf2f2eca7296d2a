//! Wakes the feeds that wait for a log. The writer of this store wakes those of the logs that it has
//! appended to. Appends of other processes are noticed by a task that reads the sizes of all logs that
//! are waited for, as long as there are some.
//!
//! `NOTIFY` is not used: it takes a lock on the whole cluster when its transaction commits, in whatever
//! transaction it is.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use audit_core::{Log, Result, Sequence};
use event_listener::{Event, EventListener};
use tokio_postgres::types::Type;

use crate::connection::{Connections, Statement, column, sequence};
use crate::read::log_of;

/// The interval of polling, and so the longest time until an append of another process is noticed.
const POLL_INTERVAL: Duration = Duration::from_millis(25);

/// Reads the sizes of logs.
pub(crate) const READ_SIZES: Statement = Statement {
    sql: "SELECT log, size FROM audit.log WHERE log = ANY($1)",
    types: &[Type::BYTEA_ARRAY],
    context: "reading the heads of logs",
};

/// The waiting feeds, by the log that they wait for.
#[derive(Debug, Default)]
pub(crate) struct Feeds(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    waiting: HashMap<Log, Waiters>,
    /// Whether a task polls.
    is_polled: bool,
}

/// The feeds that wait for one log.
#[derive(Debug, Default)]
struct Waiters {
    appended: Arc<Event>,
    count: usize,
    /// The size of the log when the task last read it.
    size: Option<Sequence>,
}

impl Feeds {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes the feeds that wait for these logs.
    pub(crate) fn wake(&self, logs: impl Iterator<Item = Log>) {
        let state = self.state();
        for waiters in logs.filter_map(|log| state.waiting.get(&log)) {
            waiters.appended.notify(usize::MAX);
        }
    }

    /// Adds a feed that waits for `log`, and polls until the returned value is dropped. Must be called
    /// on the runtime of the store.
    pub(crate) fn wait(self: &Arc<Self>, log: Log, connections: &Connections) -> Waiting {
        let mut state = self.state();
        let waiters = state.waiting.entry(log).or_default();
        waiters.count += 1;
        let appended = Arc::clone(&waiters.appended);
        if !std::mem::replace(&mut state.is_polled, true) {
            tokio::spawn(poll(Arc::downgrade(self), connections.clone()));
        }
        Waiting { feeds: Arc::clone(self), log, appended }
    }

    /// Returns the logs that are waited for. If there are none, the task that asks is to end.
    fn polled(&self) -> Vec<Log> {
        let mut state = self.state();
        state.is_polled = !state.waiting.is_empty();
        state.waiting.keys().copied().collect()
    }

    /// Wakes the feeds of the logs whose size has changed since it was last read here, or all if the
    /// sizes cannot be read: these then read the head themselves.
    fn wake_changed(&self, sizes: Option<&HashMap<Log, Sequence>>) {
        let mut state = self.state();
        for (log, waiters) in &mut state.waiting {
            let size = sizes.map(|sizes| sizes.get(log).copied().unwrap_or_default());
            if size.is_none() || waiters.size != size {
                waiters.size = size;
                waiters.appended.notify(usize::MAX);
            }
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

/// Polls as long as feeds wait.
async fn poll(feeds: Weak<Feeds>, connections: Connections) {
    while let Some(feeds) = feeds.upgrade() {
        let logs = feeds.polled();
        if logs.is_empty() {
            return;
        }
        let sizes = sizes(&connections, &logs).await;
        feeds.wake_changed(sizes.as_ref().ok());
        drop(feeds);
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

async fn sizes(connections: &Connections, logs: &[Log]) -> Result<HashMap<Log, Sequence>> {
    let keys: Vec<&[u8]> = logs.iter().map(Log::as_bytes).collect();
    let session = connections.take().await?;
    let rows = session.query(&READ_SIZES, &[&keys]).await?;
    rows.iter().map(|row| Ok((log_of(column(row, 0)?)?, sequence(row, 1)?))).collect()
}
