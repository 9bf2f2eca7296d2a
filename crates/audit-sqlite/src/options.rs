//! The options of a store.

use std::num::NonZero;
use std::time::Duration;

use audit_core::TokenKeys;
use audit_index::{MERGE_SHARE, SEGMENT_EVENTS};

use crate::open::Tables;
use crate::readers::TURN;
use crate::watch::POLL_INTERVAL;

/// Options for [`SqliteStore::open_with`](crate::SqliteStore::open_with).
///
/// ```
/// use std::time::Duration;
/// use audit_sqlite::SqliteOptions;
///
/// let options = SqliteOptions::default().with_busy_timeout(Duration::from_secs(5));
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct SqliteOptions {
    pub(crate) busy_timeout: Duration,
    pub(crate) queue_bytes: usize,
    pub(crate) readers: usize,
    /// How long a read runs while others wait.
    pub(crate) turn: Duration,
    pub(crate) token_keys: Option<TokenKeys>,
    pub(crate) tables: Tables,
    pub(crate) is_read_only: bool,
    /// How often the file is looked at for staged events; `None` for never.
    pub(crate) staging_interval: Option<Duration>,
    /// See [`IndexWriter::segment_events`](audit_index::IndexWriter).
    pub(crate) segment_events: u64,
    /// See [`IndexWriter::merge_share`](audit_index::IndexWriter).
    pub(crate) merge_share: usize,
}

impl Default for SqliteOptions {
    /// Returns a time-out of 5 seconds, a queue of 128 MiB, two readers for each processor but 4 at
    /// least and 16 at most, the token key of the file, and a look for staged events every 20
    /// milliseconds.
    fn default() -> Self {
        Self {
            busy_timeout: Duration::from_secs(5),
            queue_bytes: 128 << 20,
            readers: default_readers(),
            turn: TURN,
            token_keys: None,
            tables: Tables::Create,
            is_read_only: false,
            staging_interval: Some(POLL_INTERVAL),
            segment_events: SEGMENT_EVENTS,
            merge_share: MERGE_SHARE,
        }
    }
}

/// Returns twice the number of processors, within bounds: the reads of one log can keep all busy.
fn default_readers() -> usize {
    let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
    (2 * processors).clamp(4, 16)
}

impl SqliteOptions {
    /// Sets how long a call waits for other connections to the file before it fails with
    /// [`Busy`](audit_core::ErrorKind::Busy).
    pub fn with_busy_timeout(mut self, timeout: Duration) -> Self {
        self.busy_timeout = timeout;
        self
    }

    /// Sets how many bytes of memory the appends may take that wait to be written, by a rough
    /// estimate. A further append fails at once with
    /// [`Overloaded`](audit_core::ErrorKind::Overloaded), unless no other waits. The appends to one log
    /// take at most as much as they leave free: half of it, if no other log is appended to.
    pub fn with_queue_bytes(mut self, bytes: usize) -> Self {
        self.queue_bytes = bytes;
        self
    }

    /// Sets how many reads run at once, without those that wait for their turn and without look-ups
    /// of single events, heads, keys and organizations: 1 to 64. A number outside is set to the
    /// nearest. Each takes up to 16 MiB of memory. The reads of one log are half of them at most, so
    /// that those of others need not wait. Up to four times as many threads can be started while reads
    /// of several logs wait for each other.
    pub fn with_readers(mut self, readers: usize) -> Self {
        self.readers = readers.clamp(1, 64);
        self
    }

    /// Opens only a file that is a store already. Another one is not changed and fails with
    /// [`NotFound`](audit_core::ErrorKind::NotFound), field `audit_store`; a missing one fails with
    /// [`Unavailable`](audit_core::ErrorKind::Unavailable). By default a file without the tables of a
    /// store gets them.
    pub fn existing(mut self) -> Self {
        self.tables = Tables::MustExist;
        self
    }

    /// Opens the store for reading: every call that writes fails with
    /// [`ReadOnly`](audit_core::ErrorKind::ReadOnly). The file must be a store already, as for
    /// [`existing`](Self::existing). It and its directory may be write-protected; then it must have no
    /// WAL, as after it was closed, or [`open_with`](crate::SqliteStore::open_with) fails with
    /// [`ReadOnly`](audit_core::ErrorKind::ReadOnly).
    pub fn read_only(mut self) -> Self {
        self.is_read_only = true;
        self
    }

    /// Sets how often a thread of the store looks for events that callers have [staged](crate::STAGE):
    /// the longest time until one is taken into its log. A look costs some microseconds. `None`, for
    /// services that stage nothing, starts no thread; staged events are then taken in by the next append
    /// to their log or read of it. By default every 20 milliseconds.
    pub fn with_staging_interval(mut self, interval: Option<Duration>) -> Self {
        self.staging_interval = interval;
        self
    }

    /// Signs tokens with these keys instead of the key of the file.
    pub fn with_token_keys(mut self, keys: TokenKeys) -> Self {
        self.token_keys = Some(keys);
        self
    }
}
