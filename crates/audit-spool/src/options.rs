//! The options of a spool.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use audit_core::{Error, Log};

/// The options of a spool: its bound, and the callback for notices.
///
/// ```
/// use audit_spool::{SpoolNotice, SpoolOptions};
///
/// let options = SpoolOptions::default().with_max_events(10_000).on_notice(|notice| {
///     if let SpoolNotice::Full { error, .. } = notice {
///         eprintln!("the spool is full: {error}"); // page somebody
///     }
/// });
/// ```
#[derive(Clone)]
pub struct SpoolOptions {
    pub(crate) max_events: u64,
    pub(crate) retry_interval: Duration,
    notice: Option<Arc<OnNotice>>,
}

type OnNotice = dyn Fn(&SpoolNotice<'_>) + Send + Sync;

/// A notice of a spool. Each is also a `tracing` event.
#[derive(Debug)]
#[non_exhaustive]
pub enum SpoolNotice<'a> {
    /// The store failed with `error`, and `count` events of `log` wait now.
    Spooled {
        /// The log of the events.
        log: Log,
        /// The number of events.
        count: usize,
        /// Why the store did not take them; `None` if earlier events of the log wait.
        error: Option<&'a Error>,
    },
    /// The store failed with `error`, and the spool is full, so `count` events of `log` were refused.
    Full {
        /// The log of the events.
        log: Log,
        /// The number of events.
        count: usize,
        /// The error that the caller gets.
        error: &'a Error,
    },
    /// `count` events of `log` that waited are in the store.
    Drained {
        /// The log of the events.
        log: Log,
        /// The number of events.
        count: usize,
    },
    /// Events that wait could not be brought to the store. It is tried again.
    Away {
        /// Why.
        error: &'a Error,
    },
}

impl Default for SpoolOptions {
    /// At most 100,000 events wait; the store is tried every second.
    fn default() -> Self {
        Self { max_events: 100_000, retry_interval: Duration::from_secs(1), notice: None }
    }
}

impl SpoolOptions {
    /// Sets how many events may wait. Default: 100,000. One event has at most
    /// [`MAX_EVENT_BYTES`](audit_core::limits::MAX_EVENT_BYTES).
    #[must_use]
    pub fn with_max_events(mut self, events: u64) -> Self {
        self.max_events = events;
        self
    }

    /// Sets how long to wait before the store is tried again. Default: a second.
    #[must_use]
    pub fn with_retry_interval(mut self, interval: Duration) -> Self {
        self.retry_interval = interval;
        self
    }

    /// Calls `notice` for whatever happens. It must not block.
    #[must_use]
    pub fn on_notice(mut self, notice: impl Fn(&SpoolNotice<'_>) + Send + Sync + 'static) -> Self {
        self.notice = Some(Arc::new(notice));
        self
    }

    pub(crate) fn notify(&self, notice: &SpoolNotice<'_>) {
        match notice {
            SpoolNotice::Spooled { log, count, error: Some(error) } => {
                tracing::warn!(%log, count, %error, "the store is unavailable, and events are spooled");
                counted("spooled", *count);
            }
            SpoolNotice::Spooled { count, .. } => counted("spooled", *count),
            SpoolNotice::Full { log, count, error } => {
                tracing::error!(%log, count, %error, "the store is unavailable, and events are refused");
                counted("refused", *count);
            }
            SpoolNotice::Drained { log, count } => {
                tracing::info!(%log, count, "spooled events are recorded");
                counted("drained", *count);
            }
            SpoolNotice::Away { error } => tracing::debug!(%error, "the store is unavailable"),
        }
        if let Some(call) = &self.notice {
            call(notice);
        }
    }
}

#[cfg(feature = "metrics")]
fn counted(what: &'static str, count: usize) {
    metrics::counter!("audit_spool_events_total", "result" => what).increment(count as u64);
}

#[cfg(not(feature = "metrics"))]
fn counted(_: &'static str, _: usize) {}

impl fmt::Debug for SpoolOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SpoolOptions")
            .field("max_events", &self.max_events)
            .field("retry_interval", &self.retry_interval)
            .finish_non_exhaustive()
    }
}
