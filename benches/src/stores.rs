//! Our stores, and the sides of a comparison.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use audit_core::{AuditStore, AuditStoreExt as _, EventQuery, Log, NewEvent};
use audit_memory::MemoryStore;
use audit_sqlite::SqliteStore;
use futures_executor::block_on;
use tempfile::TempDir;

use crate::Result;
use crate::events;
use crate::rows::{Bar, Row};
use crate::sql::{Indexes, SqlLog};

/// Our stores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Backend {
    Sqlite,
    Memory,
}

/// Our store and the limits, all with events of the same logs.
#[derive(Debug)]
pub(crate) struct Sides {
    backend: Backend,
    pub(crate) logs: Vec<Log>,
    pub(crate) ours: Ours,
    /// Without an index for any filter.
    pub(crate) plain: SqlLog,
    /// With an index for each filter.
    pub(crate) indexed: SqlLog,
    /// The number of the next event, which no side has yet.
    next: u64,
    /// Deleted with all its files on drop.
    _directory: TempDir,
}

impl Sides {
    /// Creates empty sides, in files below `directory`.
    pub(crate) fn create(backend: Backend, directory: &Path, logs: u64) -> Result<Self> {
        let directory = tempfile::tempdir_in(directory)?;
        let path = |side: &str| directory.path().join(format!("{side}.db"));
        Ok(Self {
            backend,
            logs: (0..logs).map(events::log).collect(),
            ours: Ours::create(backend, path("ours"))?,
            plain: SqlLog::create(path("plain"), Indexes::None)?,
            indexed: SqlLog::create(path("indexed"), Indexes::PerFilter)?,
            next: 0,
            _directory: directory,
        })
    }

    /// Returns the numbers of the next `count` events, which no side has yet.
    pub(crate) fn take(&mut self, count: u64) -> Range<u64> {
        let first = self.next;
        self.next += count;
        first..self.next
    }

    /// Returns the numbers of events in our store, the plain table and the indexed table.
    pub(crate) fn lens(&self) -> Result<[u64; 3]> {
        Ok([self.ours.len(&self.logs)?, self.plain.len()?, self.indexed.len()?])
    }

    /// Fails unless the sides have these numbers of events.
    pub(crate) fn check(&self, expected: [u64; 3]) -> Result<()> {
        let found = self.lens()?;
        if found == expected {
            return Ok(());
        }
        Err(format!("the sides have {found:?} events, expected {expected:?}").into())
    }

    pub(crate) fn row(&self, work: &str, unit: &'static str, ours: f64) -> Row {
        let store = match self.backend {
            Backend::Sqlite => "sqlite",
            Backend::Memory => "memory",
        };
        Row::new(format!("{store}: {work}"), unit, ours)
    }

    /// Returns the bar for the durable store; the other one has none, because it writes to no disk.
    pub(crate) fn bar(&self, bar: Bar) -> Option<Bar> {
        (self.backend == Backend::Sqlite).then_some(bar)
    }
}

/// One of our stores.
#[derive(Debug)]
pub(crate) struct Ours {
    pub(crate) store: Arc<dyn AuditStore>,
    /// The file, if the store has one.
    pub(crate) file: Option<PathBuf>,
}

impl Ours {
    pub(crate) fn create(backend: Backend, path: PathBuf) -> Result<Self> {
        Ok(match backend {
            Backend::Sqlite => {
                Self { store: Arc::new(SqliteStore::open(&path)?), file: Some(path) }
            }
            Backend::Memory => Self { store: Arc::new(MemoryStore::new()?), file: None },
        })
    }

    /// Appends events and returns when they are durable.
    pub(crate) fn append(&self, log: Log, events: Vec<NewEvent>) -> Result<()> {
        block_on(self.store.append(log, events))?;
        Ok(())
    }

    /// Returns the number of events in these logs.
    pub(crate) fn len(&self, logs: &[Log]) -> Result<u64> {
        let count = |log: &Log| block_on(self.store.count(&EventQuery::new(*log)));
        Ok(logs.iter().map(count).sum::<audit_core::Result<u64>>()?)
    }
}
