//! What the tasks of a store share.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use audit_core::Timestamp;

use crate::builds::{Builds, DeadRows};
use crate::connection::Connections;
use crate::indexing::Indexing;
use crate::lock::Begin;
use crate::log_end::Grown;
use crate::options::PostgresOptions;
use crate::readers::Readers;
use crate::replica::Replica;
use crate::watch::Watch;

/// The parts of an open store that its tasks use.
#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) readers: Readers,
    pub(crate) writers: Connections,
    pub(crate) replica: Option<Replica>,
    pub(crate) indexing: Indexing,
    pub(crate) watch: Arc<Watch>,
    pub(crate) locks_each_log: bool,
    /// Whether staged events are taken in: unless the store was opened for reading.
    pub(crate) takes_in: bool,
    /// How long a call waits for the locks of others.
    pub(crate) timeout: Duration,
    /// The last time that this store has recorded, in nanoseconds; the least number if none.
    latest: AtomicI64,
    /// The builds of indexes that are asked for.
    pub(crate) builds: Builds,
    pub(crate) dead_rows: DeadRows,
}

impl Core {
    pub(crate) fn new(
        readers: Readers,
        writers: Connections,
        replica: Option<Replica>,
        indexing: Indexing,
        builds: Builds,
        options: &PostgresOptions,
    ) -> Self {
        let PostgresOptions { locks_each_log, timeout, is_read_only, .. } = *options;
        let (watch, latest) = (Arc::default(), AtomicI64::new(i64::MIN));
        Self {
            readers,
            writers,
            replica,
            indexing,
            watch,
            locks_each_log,
            takes_in: !is_read_only,
            timeout,
            latest,
            builds,
            dead_rows: DeadRows::default(),
        }
    }

    /// Returns how a transaction begins that waits until `deadline`.
    pub(crate) fn begin(&self, deadline: Instant) -> Begin {
        let latest = self.latest.load(Ordering::Relaxed);
        let latest = (latest > i64::MIN).then(|| Timestamp::from_nanos(latest));
        let Indexing { segment_events, longest_tail, .. } = self.indexing;
        let locks_each_log = self.locks_each_log;
        Begin { deadline, locks_each_log, latest, segment_events, longest_tail }
    }

    /// Wakes the feeds of logs that have new events, and has the indexes built whose tails are long
    /// enough or whose segments may have to be merged.
    pub(crate) fn appended(&self, logs: &[Grown]) {
        let latest = logs.iter().map(|grown| grown.row.head.recorded_at.as_nanos()).max();
        self.latest.fetch_max(latest.unwrap_or(i64::MIN), Ordering::Relaxed);
        self.watch.wake(logs.iter().map(|grown| grown.log));
        for Grown { log, row, merges } in logs {
            let tail = row.head.size.get().saturating_sub(row.indexed.get());
            if *merges || tail >= self.indexing.segment_events {
                self.builds.ask(*log);
            }
        }
    }
}
