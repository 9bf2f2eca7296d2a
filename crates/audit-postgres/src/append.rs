//! The write transaction: locks the heads of its logs, numbers their new events, and writes them in one
//! statement.
//!
//! The row of a log is its lock. Statements that depend on it are sent with it, but are statements of
//! their own: one that waits for a lock keeps the snapshot from before.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::{Duration, Instant};

use audit_core::backend::{Batch, RecordedTime, Refusal, SequencedBatch, SequencedEvent};
use audit_core::tree::{Frontier, Node};
use audit_core::{EventId, Log, NewEvent, Receipt, Result, Sequence, Timestamp};
use audit_index::{IndexEntry, TermKey, may_merge};
use audit_sealing::Group;
use futures_util::future::{join3, join5};
use tokio_postgres::Row;
use tokio_postgres::types::Type;
use uuid::Uuid;

use crate::build;
use crate::connection::{Session, Statement, both, column};
use crate::error::corrupt;
use crate::keys::{self, join_key};
use crate::read::{LogRow, log_of};
use crate::rows::NewRows;
use crate::schema::check_commit;
use crate::sealing::{GroupKeys, SealedEvent, event_columns};
use crate::segments::take_tail;
use crate::staged::TakenIn;

/// Sets the time-outs of a transaction, and reads what its durability depends on.
pub(crate) const SET_TIMEOUTS: Statement = Statement {
    sql: "SELECT current_setting('synchronous_commit'), set_config('lock_timeout', $1, true),
             set_config('idle_in_transaction_session_timeout', $2, true)",
    types: &[Type::TEXT, Type::TEXT],
    context: "setting the time-outs of a transaction",
};
/// Creates the rows of logs.
pub(crate) const CREATE_LOGS: Statement = Statement {
    sql:
        "WITH b AS (INSERT INTO audit.builder (log) SELECT * FROM unnest($1) ON CONFLICT DO NOTHING)
          INSERT INTO audit.log (log) SELECT * FROM unnest($1) ON CONFLICT DO NOTHING",
    types: &[Type::BYTEA_ARRAY],
    context: "creating a log",
};
/// The columns of a log whose head is locked, in the order in which [`LogEnd::read`] reads them. The last
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
    types: &[Type::BYTEA_ARRAY],
    context: "locking the head of a log",
};
/// Does the same for those that nobody has locked.
pub(crate) const LOCK_FREE_HEADS: Statement = Statement {
    sql: concat!(
        "SELECT ",
        head_columns!(),
        " FROM audit.log l WHERE l.log = ANY($1) ORDER BY l.log FOR UPDATE OF l SKIP LOCKED"
    ),
    types: &[Type::BYTEA_ARRAY],
    context: "locking the head of a log",
};
/// Locks and reads the head of a log.
pub(crate) const LOCK_HEAD: Statement = Statement {
    sql: concat!("SELECT ", head_columns!(), " FROM audit.log l WHERE l.log = $1 FOR UPDATE OF l"),
    types: &[Type::BYTEA],
    context: "locking the head of a log",
};
/// Does the same if nobody has locked it.
pub(crate) const LOCK_FREE_HEAD: Statement = Statement {
    sql: concat!(
        "SELECT ",
        head_columns!(),
        " FROM audit.log l WHERE l.log = $1 FOR UPDATE OF l SKIP LOCKED"
    ),
    types: &[Type::BYTEA],
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
    types: &[Type::BYTEA_ARRAY, Type::UUID_ARRAY],
    context: "finding events",
};
/// Reads the last time that any log recorded. Reads all logs.
pub(crate) const LATEST: Statement = Statement {
    sql: "SELECT max(recorded_at) FROM audit.log WHERE size > 0",
    types: &[],
    context: "reading the last time recorded",
};
/// Makes the ids of pruned events free that are used again.
pub(crate) const FREE_IDS: Statement = Statement {
    sql: "UPDATE audit.event e SET id = NULL FROM unnest($1, $2) AS w (log, sequence)
          WHERE e.log = w.log AND e.sequence = w.sequence",
    types: &[Type::BYTEA_ARRAY, Type::INT8_ARRAY],
    context: "writing events",
};

/// How long a transaction may be idle before the server undoes it: its process may be gone.
const LONGEST_IDLE: Duration = Duration::from_secs(10);

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

/// A transaction under way. Nothing of what is appended is written before [`WriteTransaction::commit`].
pub(crate) struct WriteTransaction {
    pub(crate) session: Session,
    pub(crate) ends: BTreeMap<Log, LogEnd>,
    /// The events that the logs have under the ids that were looked up.
    known: HashMap<(Log, EventId), SealedEvent>,
    latest: Option<Timestamp>,
    begin: Begin,
    /// The staged events that it takes in.
    pub(crate) taken_in: TakenIn,
}

/// A log to which a transaction has appended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Grown {
    pub(crate) log: Log,
    /// Its row after the transaction.
    pub(crate) row: LogRow,
    /// Whether a segment was added to its index with which segments may have to be merged.
    pub(crate) merges: bool,
}

/// A log whose head is locked, with the events added to it.
pub(crate) struct LogEnd {
    /// The row as it was locked, with the head as it is after the events.
    pub(crate) row: LogRow,
    /// The size when the head was locked.
    pub(crate) before: Sequence,
    /// The last event in a segment of the index when the head was locked.
    pub(crate) indexed_before: Sequence,
    /// The entries of the tail, if it becomes a segment with the events added.
    pub(crate) taken_tail: Option<Vec<IndexEntry>>,
    /// The last staged event when the head was locked.
    pub(crate) staged: Option<i64>,
    pub(crate) frontier: Frontier,
    pub(crate) keys: GroupKeys,
    /// The nodes of the tree that the events complete.
    pub(crate) nodes: Vec<Node>,
    pub(crate) events: Vec<SequencedEvent<TermKey>>,
    ids: HashMap<EventId, usize>,
    /// The pruned events whose ids are used again.
    freed: Vec<Sequence>,
}

/// The outcome of an append.
#[derive(Debug)]
pub(crate) struct Appended {
    pub(crate) receipts: Vec<Receipt>,
    /// What the caller gave, for the caller's thread to drop.
    pub(crate) contents: Vec<NewEvent>,
    /// The events of a staged batch that are refused, by their index.
    pub(crate) refused: Vec<(usize, Refusal)>,
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
    lock: Lock,
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

impl WriteTransaction {
    /// Begins a transaction and locks the heads of the logs. Creates the rows of logs that have none.
    pub(crate) async fn begin(session: Session, wanted: &Wanted, begin: Begin) -> Result<Self> {
        let keys: Vec<&[u8]> = wanted.logs.iter().map(Log::as_bytes).collect();
        let mut locked = lock(&session, wanted, &keys, begin).await?;
        if wanted.lock == Lock::Wait && locked.heads.len() < keys.len() {
            // In a transaction of their own, so that none waits for another with a lock in hand.
            session.rollback().await?;
            session.execute(&CREATE_LOGS, &[&keys]).await?;
            locked = lock(&session, wanted, &keys, begin).await?;
        }
        let mut ends = BTreeMap::new();
        for row in &locked.heads {
            let log = log_of(column(row, 0)?)?;
            ends.insert(log, LogEnd::read(row)?);
        }
        for row in &locked.keys {
            if let Some(end) = ends.get_mut(&log_of(column(row, 0)?)?) {
                end.keys.insert(Group::of(end.before), column(row, 1)?);
            }
        }
        let known = HashMap::with_capacity(locked.ids.len());
        let (latest, taken_in) = (begin.latest, TakenIn::default());
        let mut transaction = Self { session, ends, known, latest, begin, taken_in };
        transaction.know(&locked.ids)?;
        transaction.ask_latest().await?;
        Ok(transaction)
    }

    fn know(&mut self, found: &[Row]) -> Result<()> {
        for row in found {
            let key = (log_of(column(row, 0)?)?, EventId::from_uuid(column::<Uuid>(row, 1)?));
            self.known.insert(key, SealedEvent::read(row, 2)?);
        }
        Ok(())
    }

    /// Looks up the events that the logs have under further ids.
    pub(crate) async fn find_ids(&mut self, ids: &[(Log, EventId)]) -> Result<()> {
        let found = find_ids(&self.session, ids).await?;
        self.know(&found)
    }

    /// Reads the last time that any log recorded, if what this process knows does not confirm the
    /// clock of a log that needs it.
    async fn ask_latest(&mut self) -> Result<()> {
        let now = Timestamp::now();
        let is_doubted = |end: &LogEnd| {
            let mut is_asked = false;
            let latest = || {
                is_asked = true;
                Ok(self.latest)
            };
            let time = RecordedTime::after(end.row.head, now, latest);
            is_asked && (self.latest.is_none() || !time.is_ok_and(|time| time == now.into()))
        };
        if self.ends.values().any(is_doubted) {
            let row = self.session.query_opt(&LATEST, &[]).await?;
            let latest: Option<i64> = row.map_or(Ok(None), |row| column(&row, 0))?;
            self.latest = self.latest.max(latest.map(Timestamp::from_nanos));
        }
        Ok(())
    }

    /// Returns the events that were added.
    pub(crate) fn events(&self) -> Vec<(Log, EventId)> {
        let of_log = |(log, end): (&Log, &LogEnd)| {
            let log = *log;
            end.events.iter().map(move |event| (log, event.id)).collect::<Vec<_>>()
        };
        self.ends.iter().flat_map(of_log).collect()
    }

    /// Returns `true` if one of these events, which were looked up, is in its log.
    pub(crate) fn knows(&self, events: &[(Log, EventId)]) -> bool {
        events.iter().any(|event| self.known.contains_key(event))
    }

    /// Returns a log whose head is locked.
    pub(crate) fn end(&mut self, log: Log) -> Result<&mut LogEnd> {
        self.ends.get_mut(&log).ok_or_else(|| corrupt(LOCK_HEADS.context))
    }

    /// Adds the events of a batch, whose log and ids were given at the beginning. After an error the
    /// transaction is as before.
    pub(crate) fn append(&mut self, batch: Batch<TermKey>) -> Result<Appended> {
        let log = batch.log();
        let latest = self.ends.values().filter(|end| end.row.head.size > Sequence::ZERO);
        let latest = latest.map(|end| end.row.head.recorded_at).max().max(self.latest);
        let Some(end) = self.ends.get_mut(&log) else {
            return Err(corrupt("locking the head of a log"));
        };
        let now = Timestamp::now();
        let time = RecordedTime::after(end.row.head, now, || Ok(latest))?;
        let (head, frontier) = (end.row.head, end.frontier.clone());
        let mut freed = Vec::new();
        let mut sequenced = batch.sequence(head, frontier, time, |id| {
            if let Some(at) = end.ids.get(&id) {
                return Ok(end.events.get(*at).map(|event| event.stored.clone()));
            }
            match self.known.get(&(log, id)) {
                Some(event) if event.sequence <= head.pruned => {
                    freed.push(event.sequence);
                    Ok(None)
                }
                Some(event) => event.clone().unseal_whole().map(Some),
                None => Ok(None),
            }
        })?;
        for event in std::mem::take(&mut sequenced.new) {
            end.ids.insert(event.id, end.events.len());
            end.events.push(event);
        }
        end.row.head = sequenced.head;
        end.frontier = sequenced.frontier;
        end.nodes.extend(sequenced.nodes);
        end.freed.extend(freed);
        let SequencedBatch { receipts, contents, refused, .. } = sequenced;
        Ok(Appended { receipts, contents, refused })
    }

    /// Writes what was appended, and commits. Returns the logs to which it has appended, with their
    /// rows.
    ///
    /// # Errors
    /// After a lost connection it is not known whether the transaction was committed.
    pub(crate) async fn commit(self) -> Result<(Vec<Grown>, Session)> {
        let Self { session, mut ends, begin, taken_in, .. } = self;
        let freed: Vec<_> = ends
            .iter()
            .flat_map(|(log, end)| end.freed.iter().map(|at| (log.as_bytes(), at.as_i64())))
            .collect();
        if !freed.is_empty() {
            let (logs, sequences): (Vec<&[u8]>, Vec<i64>) = freed.into_iter().unzip();
            session.execute(&FREE_IDS, &[&logs, &sequences]).await?;
        }
        for (log, end) in &mut ends {
            if end.events.len() as u64 >= begin.segment_events {
                end.taken_tail = take_tail(&session, *log, end, begin.longest_tail).await?;
            }
        }
        let rows = NewRows::of(&mut ends)?;
        let deleted = taken_in.delete(&session);
        if rows.is_empty() {
            both(deleted, session.commit()).await?;
        } else {
            let (deleted, written, committed) =
                join3(deleted, rows.write(&session), session.commit()).await;
            deleted.and(written).and(committed)?;
        }
        let appended = ends.into_iter().filter(|(_, end)| end.row.head.size > end.before);
        let grown = appended.map(|(log, LogEnd { row, indexed_before, .. })| Grown {
            log,
            row,
            merges: may_merge(indexed_before, row.indexed, begin.segment_events),
        });
        Ok((grown.collect(), session))
    }
}

impl LogEnd {
    fn read(row: &Row) -> Result<Self> {
        let columns = LogRow::read(row, 1)?;
        Ok(Self {
            row: columns,
            before: columns.head.size,
            staged: column(row, 6)?,
            indexed_before: columns.indexed,
            taken_tail: None,
            frontier: Frontier::from_bytes(column(row, 5)?)?,
            keys: GroupKeys::default(),
            nodes: Vec::new(),
            events: Vec::new(),
            ids: HashMap::new(),
            freed: Vec::new(),
        })
    }

    /// Returns how many events are in no segment of the index.
    pub(crate) fn tail(&self) -> u64 {
        self.row.head.size.get().saturating_sub(self.row.indexed.max(self.row.head.pruned).get())
    }
}

/// Sets how long the statements of a transaction wait for locks, and checks that its commit will be
/// durable.
pub(crate) async fn set_timeouts(session: &Session, for_locks: Duration) -> Result<()> {
    // Zero would mean without end.
    let for_locks = for_locks.as_millis().max(1).to_string();
    let idle = LONGEST_IDLE.as_millis().to_string();
    let settings = session.query_opt(&SET_TIMEOUTS, &[&for_locks, &idle]).await?;
    check_commit(column(&settings.ok_or_else(|| corrupt(SET_TIMEOUTS.context))?, 0)?)
}

async fn find_ids(session: &Session, ids: &[(Log, EventId)]) -> Result<Vec<Row>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let (logs, ids): (Vec<&[u8]>, Vec<&Uuid>) =
        ids.iter().map(|(log, id)| (log.as_bytes(), id.as_uuid())).unzip();
    session.query(&FIND_IDS, &[&logs, &ids]).await
}

/// What is read when the heads are locked.
struct Locked {
    heads: Vec<Row>,
    ids: Vec<Row>,
    keys: Vec<Row>,
}

async fn lock(session: &Session, wanted: &Wanted, keys: &[&[u8]], begin: Begin) -> Result<Locked> {
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
            for key in keys {
                session.query(&build::LOCK, &[key]).await?;
            }
        }
        let mut heads = Vec::with_capacity(keys.len());
        for key in keys {
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
