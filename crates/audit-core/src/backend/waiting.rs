//! The callers of [`wait_for_append`](crate::AuditStore::wait_for_append), by the log for which they
//! wait.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use event_listener::{Event, EventListener};

use crate::{Head, Log, Result, Sequence};

/// The feeds that wait for appends. A store wakes those of a log after each append to it. A store whose
/// logs are appended to by other processes as well also polls the sizes of [the logs](Self::logs), and
/// [wakes the feeds](Self::wake_changed) of those that have changed.
///
/// A woken feed reads the head of its log, so that it does no harm to wake too many. Clones are handles
/// of the same feeds.
#[derive(Clone, Debug, Default)]
pub struct WaitingFeeds(Arc<Mutex<HashMap<Log, Waiters>>>);

/// The feeds that wait for one log.
#[derive(Debug, Default)]
struct Waiters {
    appended: Arc<Event>,
    count: usize,
    /// The size of the log when it was last polled.
    size: Option<Sequence>,
}

impl WaitingFeeds {
    fn waiters(&self) -> MutexGuard<'_, HashMap<Log, Waiters>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a feed that waits for `log` until the returned value is dropped.
    pub fn add(&self, log: Log) -> WaitingFeed {
        let mut waiters = self.waiters();
        let of_log = waiters.entry(log).or_default();
        of_log.count += 1;
        let appended = Arc::clone(&of_log.appended);
        WaitingFeed { feeds: self.clone(), log, appended }
    }

    /// Returns `true` if no feed waits.
    pub fn is_empty(&self) -> bool {
        self.waiters().is_empty()
    }

    /// Returns the logs for which feeds wait, in no order.
    pub fn logs(&self) -> Vec<Log> {
        self.waiters().keys().copied().collect()
    }

    /// Wakes the feeds that wait for these logs.
    pub fn wake(&self, logs: impl IntoIterator<Item = Log>) {
        let waiters = self.waiters();
        for of_log in logs.into_iter().filter_map(|log| waiters.get(&log)) {
            of_log.appended.notify(usize::MAX);
        }
    }

    /// Wakes all feeds.
    pub fn wake_all(&self) {
        for of_log in self.waiters().values() {
            of_log.appended.notify(usize::MAX);
        }
    }

    /// Wakes the feeds of the logs whose size is another than when this was last called with it, and
    /// those of logs whose size could not be read (`None`), which then get the error themselves.
    pub fn wake_changed(&self, sizes: impl IntoIterator<Item = (Log, Option<Sequence>)>) {
        let mut waiters = self.waiters();
        for (log, size) in sizes {
            let Some(of_log) = waiters.get_mut(&log) else { continue };
            if size.is_none() || of_log.size != size {
                of_log.size = size;
                of_log.appended.notify(usize::MAX);
            }
        }
    }
}

/// A feed that waits for appends to one log. It stops waiting when it is dropped.
pub struct WaitingFeed {
    feeds: WaitingFeeds,
    log: Log,
    appended: Arc<Event>,
}

impl WaitingFeed {
    fn listen(&self) -> EventListener {
        self.appended.listen()
    }

    /// Reads the head of the log each time that the feed is woken, until the log has an event after
    /// `sequence`. Returns that head, or the error of the read.
    pub async fn wait_for_append<F>(&self, sequence: Sequence, head: impl Fn() -> F) -> Result<Head>
    where
        F: Future<Output = Result<Head>>,
    {
        loop {
            // Before reading the head, so that an append in between is not missed.
            let appended = self.listen();
            let head = head().await?;
            if head.size > sequence {
                return Ok(head);
            }
            appended.await;
        }
    }
}

impl fmt::Debug for WaitingFeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WaitingFeed").field("log", &self.log).finish_non_exhaustive()
    }
}

impl Drop for WaitingFeed {
    fn drop(&mut self) {
        let mut waiters = self.feeds.waiters();
        if let Some(of_log) = waiters.get_mut(&self.log) {
            of_log.count -= 1;
            if of_log.count == 0 {
                waiters.remove(&self.log);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;
    use crate::OrganizationId;

    fn woken<const N: usize>(listeners: [EventListener; N]) -> [bool; N] {
        listeners.map(|listener| listener.now_or_never().is_some())
    }

    #[test]
    fn only_feeds_of_the_log_are_woken() {
        let feeds = WaitingFeeds::default();
        let [one, other] = [OrganizationId::new(), OrganizationId::new()].map(Log::from);
        let waiting = [feeds.add(one), feeds.add(one), feeds.add(other)];
        let listeners = waiting.each_ref().map(WaitingFeed::listen);
        feeds.wake([one, Log::Platform]);
        assert_eq!(woken(listeners), [true, true, false]);
        let listeners = waiting.each_ref().map(WaitingFeed::listen);
        feeds.wake_all();
        assert_eq!(woken(listeners), [true; 3]);
        let [first, second, third] = waiting;
        drop([second, third]);
        assert_eq!(feeds.logs(), [one]);
        drop(first);
        assert!(feeds.is_empty());
    }

    #[test]
    fn polling_wakes_the_feeds_of_logs_that_have_changed_or_cannot_be_read() {
        let feeds = WaitingFeeds::default();
        let feed = feeds.add(Log::Platform);
        let size = |size| Sequence::new(size).ok();
        let mut polled = |size| {
            let listener = feed.listen();
            feeds.wake_changed([(Log::Platform, size), (OrganizationId::new().into(), size)]);
            woken([listener]) == [true]
        };
        let sizes = [size(3), size(3), size(4), None, None, size(4), size(4)];
        let expected = [true, false, true, true, true, true, false];
        assert_eq!(sizes.map(&mut polled), expected);
    }
}
