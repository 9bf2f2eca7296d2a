//! Wakes the feeds that wait for a log. The writer of this store wakes those of the logs that it has
//! appended to. Appends of other processes are noticed by a task that reads the sizes of all logs that
//! are waited for, as long as there are some.
//!
//! `NOTIFY` is not used: it takes a lock on the whole cluster when its transaction commits, in whatever
//! transaction it is.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use audit_core::backend::{WaitingFeed, WaitingFeeds};
use audit_core::{Log, Result, Sequence};

use crate::connection::{Connections, Statement, column, sequence, types};
use crate::log_row::log_of;

/// The interval of polling, and so the longest time until an append of another process is noticed.
const POLL_INTERVAL: Duration = Duration::from_millis(25);

/// Reads the sizes of logs.
pub(crate) const READ_SIZES: Statement = Statement {
    sql: "SELECT log, size FROM audit.log WHERE log = ANY($1)",
    types: types![BYTEA_ARRAY],
    context: "reading the heads of logs",
};

/// The waiting feeds, and the task that polls for them.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    feeds: WaitingFeeds,
    is_polled: Mutex<bool>,
}

impl Watch {
    fn is_polled(&self) -> MutexGuard<'_, bool> {
        self.is_polled.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes the feeds that wait for these logs.
    pub(crate) fn wake(&self, logs: impl Iterator<Item = Log>) {
        self.feeds.wake(logs);
    }

    /// Adds a feed that waits for `log`, and polls until the returned value is dropped. Must be called
    /// on the runtime of the store.
    pub(crate) fn wait(self: &Arc<Self>, log: Log, connections: &Connections) -> WaitingFeed {
        // With the lock, so that a task either sees the feed or is started for it.
        let mut is_polled = self.is_polled();
        let feed = self.feeds.add(log);
        if !std::mem::replace(&mut *is_polled, true) {
            tokio::spawn(poll(Arc::downgrade(self), connections.clone()));
        }
        feed
    }

    /// Returns the logs that are waited for. If there are none, the task that asks is to end.
    fn polled(&self) -> Vec<Log> {
        let mut is_polled = self.is_polled();
        let logs = self.feeds.logs();
        *is_polled = !logs.is_empty();
        logs
    }
}

/// Polls as long as feeds wait.
async fn poll(watch: Weak<Watch>, connections: Connections) {
    while let Some(watch) = watch.upgrade() {
        let logs = watch.polled();
        if logs.is_empty() {
            return;
        }
        // If the sizes cannot be read, every feed is woken to read the head itself.
        let sizes = sizes(&connections, &logs).await.ok();
        let size = |log: &Log| Some(sizes.as_ref()?.get(log).copied().unwrap_or_default());
        watch.feeds.wake_changed(logs.iter().map(|log| (*log, size(log))));
        drop(watch);
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

async fn sizes(connections: &Connections, logs: &[Log]) -> Result<HashMap<Log, Sequence>> {
    let keys: Vec<&[u8]> = logs.iter().map(Log::as_bytes).collect();
    let session = connections.take().await?;
    let rows = session.query(&READ_SIZES, &[&keys]).await?;
    rows.iter().map(|row| Ok((log_of(column(row, 0)?)?, sequence(row, 1)?))).collect()
}
