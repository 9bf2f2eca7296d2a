//! Locks of logs: the heads that a transaction locks, and what it reads with them.
//!
//! The row of a log is its lock. Statements that depend on it are sent with it, but are statements of
//! their own: one that waits for a lock keeps the snapshot from before.

use std::collections::BTreeSet;
use std::time::Instant;

use audit_core::backend::Batch;
use audit_core::{EventId, Log, Result, Timestamp};
use futures_util::future::join5;
use tokio_postgres::Row;
use uuid::Uuid;

use crate::connection::{Session, Statement, both, types};
use crate::index::LOCK_INDEX;
use crate::keys::{self, join_key};
use crate::sealing::event_columns;
use crate::settings::set_timeouts;

/// Creates the rows of logs.
pub(crate) const CREATE_LOGS: Statement = Statement {
    sql:
        "WITH b AS (INSERT INTO audit.builder (log) SELECT * FROM unnest($1) ON CONFLICT DO NOTHING)
          INSERT INTO audit.log (log) SELECT * FROM unnest($1) ON CONFLICT DO NOTHING",
    types: types![BYTEA_ARRAY],
    context: "creating a log",
};
/// The columns of a log whose head is locked, in the order in which [`LogEnd::read`](crate::log_end::LogEnd) reads them. The last
/// is the last staged event, before the wait for the lock.
macro_rules! head_columns {
    () => {
        "l.log, l.size, l.recorded_at, l.pruned, l.indexed, l.frontier,
         (SELECT s.n FROM audit.staged s WHERE s.log = l.log ORDER BY s.n DESC LIMIT 1)"
    };
}

/// Locks and reads the heads of logs, always in the same order.
pub(crate) const LOCK_HEADS: Statement = Statement {
    sql: concat!(
        "SELECT ",
        head_columns!(),
        " FROM audit.log l WHERE l.log = ANY($1) ORDER BY l.log FOR UPDATE OF l"
    ),
    types: types![BYTEA_ARRAY],
    context: "locking the head of a log",
};
/// Does the same for those that nobody has locked.
pub(crate) const LOCK_FREE_HEADS: Statement = Statement {
    sql: concat!(
        "SELECT ",
        head_columns!(),
        " FROM audit.log l WHERE l.log = ANY($1) ORDER BY l.log FOR UPDATE OF l SKIP LOCKED"
    ),
    types: types![BYTEA_ARRAY],
    context: "locking the head of a log",
};
/// Locks and reads the head of a log.
pub(crate) const LOCK_HEAD: Statement = Statement {
    sql: concat!("SELECT ", head_columns!(), " FROM audit.log l WHERE l.log = $1 FOR UPDATE OF l"),
    types: types![BYTEA],
    context: "locking the head of a log",
};
/// Does the same if nobody has locked it.
pub(crate) const LOCK_FREE_HEAD: Statement = Statement {
    sql: concat!(
        "SELECT ",
        head_columns!(),
        " FROM audit.log l WHERE l.log = $1 FOR UPDATE OF l SKIP LOCKED"
    ),
    types: types![BYTEA],
    context: "locking the head of a log",
};
/// Finds the events that logs have under ids.
pub(crate) const FIND_IDS: Statement = Statement {
    sql: concat!(
        "SELECT e.log, e.id, ",
        event_columns!(),
        " FROM unnest($1, $2) AS w (log, id) JOIN audit.event e ON e.id = w.id AND e.log = w.log ",
        join_key!()
    ),
    types: types![BYTEA_ARRAY, UUID_ARRAY],
    context: "finding events",
};

/// How a transaction begins.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Begin {
    /// When the wait for the locks of others ends.
    pub(crate) deadline: Instant,
    /// Whether each head is locked by a statement of its own.
    pub(crate) locks_each_log: bool,
    /// The last time that this process knows to be recorded in any log.
    pub(crate) latest: Option<Timestamp>,
    /// How many events of a log are written as a segment of its index.
    pub(crate) segment_events: u64,
    /// The events of a tail that can become a part of that segment.
    pub(crate) longest_tail: u64,
}

/// What a transaction does if a log is locked by another one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Lock {
    /// It waits.
    #[default]
    Wait,
    /// It leaves the log out.
    SkipLocked,
}

/// The logs and ids of the events that a transaction is going to append.
#[derive(Debug, Default)]
pub(crate) struct Wanted {
    logs: BTreeSet<Log>,
    ids: Vec<(Log, EventId)>,
    /// Whether the indexes are locked, too.
    index: bool,
    pub(crate) lock: Lock,
}

impl Wanted {
    /// Adds a log.
    pub(crate) fn log(mut self, log: Log) -> Self {
        self.logs.insert(log);
        self
    }

    /// Sets what the transaction does if a log is locked by another one. One that leaves logs out creates
    /// none.
    pub(crate) fn lock(mut self, lock: Lock) -> Self {
        self.lock = lock;
        self
    }

    /// Returns the logs.
    pub(crate) fn logs(&self) -> impl Iterator<Item = Log> {
        self.logs.iter().copied()
    }

    /// Returns the keys of the logs, in the order in which they are locked.
    pub(crate) fn keys(&self) -> Vec<&[u8]> {
        self.logs.iter().map(Log::as_bytes).collect()
    }

    /// Locks the indexes of the logs, too, so that nobody builds them meanwhile.
    pub(crate) fn index(mut self) -> Self {
        self.index = true;
        self
    }

    /// Looks events up.
    pub(crate) fn events(mut self, events: impl IntoIterator<Item = (Log, EventId)>) -> Self {
        self.ids.extend(events);
        self
    }

    /// Adds the log and the ids of a batch.
    pub(crate) fn batch<K>(mut self, batch: &Batch<K>) -> Self {
        self.logs.insert(batch.log());
        self.ids.extend(batch.ids().map(|id| (batch.log(), id)));
        self
    }
}

/// Reads the events that logs have under ids.
pub(crate) async fn find_ids(session: &Session, ids: &[(Log, EventId)]) -> Result<Vec<Row>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let (logs, ids): (Vec<&[u8]>, Vec<&Uuid>) =
        ids.iter().map(|(log, id)| (log.as_bytes(), id.as_uuid())).unzip();
    session.query(&FIND_IDS, &[&logs, &ids]).await
}

/// What is read when the heads are locked.
pub(crate) struct Locked {
    pub(crate) heads: Vec<Row>,
    pub(crate) ids: Vec<Row>,
    pub(crate) keys: Vec<Row>,
}

/// Begins a transaction and locks the heads of the logs.
pub(crate) async fn lock(session: &Session, wanted: &Wanted, begin: Begin) -> Result<Locked> {
    let keys = wanted.keys();
    let left = begin.deadline.saturating_duration_since(Instant::now());
    let find_ids = find_ids(session, &wanted.ids);
    let (lock_heads, lock_head) = match wanted.lock {
        Lock::Wait => (&LOCK_HEADS, &LOCK_HEAD),
        Lock::SkipLocked => (&LOCK_FREE_HEADS, &LOCK_FREE_HEAD),
    };
    let begun = session.begin_writing();
    let settings = set_timeouts(session, left);
    let read_keys = async { session.query(&keys::READ_LAST, &[&keys]).await };
    let (heads, ids, keys) = if begin.locks_each_log || wanted.index {
        both(begun, settings).await?;
        // First, as those who build an index do.
        if wanted.index {
            for key in &keys {
                session.query(&LOCK_INDEX, &[key]).await?;
            }
        }
        let mut heads = Vec::with_capacity(keys.len());
        for key in &keys {
            heads.extend(session.query(lock_head, &[key]).await?);
        }
        let (ids, keys) = both(find_ids, read_keys).await?;
        (heads, ids, keys)
    } else {
        let lock_heads = async { session.query(lock_heads, &[&keys]).await };
        let (begun, settings, heads, ids, keys) =
            join5(begun, settings, lock_heads, find_ids, read_keys).await;
        begun?;
        settings?;
        (heads?, ids?, keys?)
    };
    Ok(Locked { heads, ids, keys })
}
