//! The options of a sink.

use std::time::Duration;

use audit_core::limits::MAX_PAGE_EVENTS;
use audit_core::{Error, Filter, Log, Result, Violation};

use crate::backoff::Backoff;

/// Maximum bytes of the name of a sink.
const MAX_SINK_NAME_BYTES: usize = 64;

/// Where a sink begins in the logs that are there when it is first served.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Start {
    /// With the first event that the store has.
    #[default]
    Beginning,
    /// After the last one. Logs that appear later are delivered from their first event on.
    Now,
}

/// The options of a sink: its events, its batches, and its retries.
///
/// ```
/// use audit_core::{Filter, Log};
/// use audit_forward::SinkOptions;
///
/// let options = SinkOptions::new("siem")?
///     .with_logs([Log::Platform])
///     .with_filter(Filter::new().action("user.*"))
///     .with_batch_events(50)?;
/// # Ok::<(), audit_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct SinkOptions {
    pub(crate) name: String,
    pub(crate) logs: Option<Vec<Log>>,
    pub(crate) start: Start,
    pub(crate) filter: Filter,
    pub(crate) batch_events: usize,
    pub(crate) batch_bytes: usize,
    pub(crate) parallel: usize,
    pub(crate) attempts: u32,
    pub(crate) backoff: Backoff,
    pub(crate) beat: Duration,
}

impl SinkOptions {
    /// Creates the options of the sink `name`: every event of every log, from the beginning.
    ///
    /// The store keeps the position of the sink under this name: under another name, a sink begins again.
    ///
    /// # Errors
    /// [`Invalid`](audit_core::ErrorKind::Invalid), field `name`, unless it has 1 to 64 small letters,
    /// digits, `-` and `_`.
    pub fn new(name: impl Into<String>) -> Result<Self> {
        let name = name.into();
        if name.is_empty() {
            return Err(Error::invalid("name", Violation::Empty));
        }
        if name.len() > MAX_SINK_NAME_BYTES {
            let violation = Violation::TooLong { limit: MAX_SINK_NAME_BYTES, actual: name.len() };
            return Err(Error::invalid("name", violation));
        }
        let is_allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_".contains(&b);
        if !name.bytes().all(is_allowed) {
            return Err(Error::malformed("name", "small letters, digits, - and _"));
        }
        Ok(Self {
            name,
            logs: None,
            start: Start::default(),
            filter: Filter::new(),
            batch_events: 100,
            batch_bytes: 1 << 20,
            parallel: 8,
            attempts: 5,
            backoff: Backoff { first: Duration::from_secs(1), longest: Duration::from_secs(60) },
            beat: Duration::from_secs(5),
        })
    }

    /// Returns the name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Follows these logs only. By default all logs are followed, also those that appear later.
    #[must_use]
    pub fn with_logs(mut self, logs: impl IntoIterator<Item = Log>) -> Self {
        self.logs = Some(logs.into_iter().collect());
        self
    }

    /// Sets where the sink begins. Has no effect on a sink that was served before.
    #[must_use]
    pub fn with_start(mut self, start: Start) -> Self {
        self.start = start;
        self
    }

    /// Delivers only events that match. A changed filter holds for the events after those delivered.
    #[must_use]
    pub fn with_filter(mut self, filter: Filter) -> Self {
        self.filter = filter;
        self
    }

    /// Sets the highest number of events of a batch: 1 to 1,000, by default 100.
    ///
    /// # Errors
    /// [`Invalid`](audit_core::ErrorKind::Invalid), field `batch`, for another number.
    pub fn with_batch_events(mut self, events: usize) -> Result<Self> {
        if !(1..=MAX_PAGE_EVENTS).contains(&events) {
            let violation = Violation::OutOfRange { min: 1, max: 1_000 };
            return Err(Error::invalid("batch", violation));
        }
        self.batch_events = events;
        Ok(self)
    }

    /// Ends a batch once its events have about this many bytes, but not before its first event. 1 MiB by
    /// default.
    #[must_use]
    pub fn with_batch_bytes(mut self, bytes: usize) -> Self {
        self.batch_bytes = bytes;
        self
    }

    /// Sets how many logs are delivered at once, by default 8; at least one. Each log is delivered in
    /// order whatever this is.
    #[must_use]
    pub fn with_parallel(mut self, logs: usize) -> Self {
        self.parallel = logs.max(1);
        self
    }

    /// Sets how often an event is tried before it can be set aside, by default 5; at least once.
    #[must_use]
    pub fn with_attempts(mut self, attempts: u32) -> Self {
        self.attempts = attempts.max(1);
        self
    }

    /// Sets the pauses between attempts: about `first` after the first, twice as long after each further
    /// one, at most `longest`. By default a second and a minute. Each is made up to a half shorter by
    /// chance, so that many do not come at once.
    #[must_use]
    pub fn with_pauses(mut self, first: Duration, longest: Duration) -> Self {
        self.backoff = Backoff { first, longest };
        self
    }

    /// Sets how often this process shows that it still serves the sink, by default every 5 seconds. Another
    /// one takes over after three times as long without a sign.
    #[must_use]
    pub fn with_beat(mut self, beat: Duration) -> Self {
        self.beat = beat;
        self
    }
}
