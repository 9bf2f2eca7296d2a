//! What the tasks of a store share.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use audit_core::{Log, Result, Timestamp};
use audit_index::is_damage;

use crate::append::{Begin, Grown};
use crate::build;
use crate::connection::Connections;
use crate::index::Indexing;
use crate::options::PostgresOptions;
use crate::readers::Readers;
use crate::reindex::Heal;
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
    /// The logs whose indexes a task of this process builds.
    building: Mutex<BTreeSet<Log>>,
}

impl Core {
    pub(crate) fn new(
        readers: Readers,
        writers: Connections,
        replica: Option<Replica>,
        indexing: Indexing,
        options: &PostgresOptions,
    ) -> Self {
        let PostgresOptions { locks_each_log, timeout, is_read_only, .. } = *options;
        let (watch, latest) = (Arc::default(), AtomicI64::new(i64::MIN));
        let building = Mutex::default();
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
            building,
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

    /// Wakes the feeds of logs that have new events, and builds the indexes whose tails are long
    /// enough or whose segments may have to be merged.
    pub(crate) fn appended(self: &Arc<Self>, logs: &[Grown]) {
        let latest = logs.iter().map(|grown| grown.row.head.recorded_at.as_nanos()).max();
        self.latest.fetch_max(latest.unwrap_or(i64::MIN), Ordering::Relaxed);
        self.watch.wake(logs.iter().map(|grown| grown.log));
        for Grown { log, row, merges } in logs {
            let tail = row.head.size.get().saturating_sub(row.indexed.get());
            let is_due = *merges || tail >= self.indexing.segment_events;
            if is_due && self.begins_building(*log) {
                let (core, log) = (Arc::clone(self), *log);
                tokio::spawn(async move {
                    // A later append tries again.
                    let _ = core.build_or_heal(log, build::Wait::No).await;
                    core.ends_building(log);
                });
            }
        }
    }

    /// Builds the index of a log now, whoever else does.
    pub(crate) async fn build(self: &Arc<Self>, log: Log) {
        // The append goes on without it, with a longer tail.
        let _ = self.build_or_heal(log, build::Wait::Yes).await;
    }

    /// Builds the index of a log. If it is damaged, rebuilds it first.
    async fn build_or_heal(self: &Arc<Self>, log: Log, wait: build::Wait) -> Result<()> {
        match build::build(self, log, wait).await {
            Err(error) if is_damage(&error) => {
                Arc::clone(self).change(Heal(log)).await?;
                build::build(self, log, wait).await
            }
            result => result,
        }
    }

    fn begins_building(&self, log: Log) -> bool {
        self.building.lock().unwrap_or_else(PoisonError::into_inner).insert(log)
    }

    fn ends_building(&self, log: Log) {
        self.building.lock().unwrap_or_else(PoisonError::into_inner).remove(&log);
    }
}
