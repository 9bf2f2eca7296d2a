//! The write transaction: locks the heads of its logs, numbers their new events, and writes them in one
//! statement.

use std::collections::{BTreeMap, HashMap};

use audit_core::backend::{Batch, RecordedTime, Refusal, SequencedBatch};
use audit_core::{EventId, Log, Receipt, Result, Sequence, Timestamp};
use audit_index::{TermKey, may_merge};
use audit_sealing::Group;
use futures_util::future::join3;
use tokio_postgres::Row;
use uuid::Uuid;

use crate::connection::{Session, Statement, both, column, types};
use crate::error::corrupt;
use crate::lock::{Begin, CREATE_LOGS, LOCK_HEADS, Lock, Wanted, find_ids, lock};
use crate::log_end::{Grown, LogEnd};
use crate::log_row::log_of;
use crate::rows::NewRows;
use crate::sealing::SealedEvent;
use crate::segments::take_tail;
use crate::staged::TakenIn;

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
    types: types![BYTEA_ARRAY, INT8_ARRAY],
    context: "writing events",
};

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

/// The outcome of an append.
#[derive(Debug)]
pub(crate) struct Appended {
    pub(crate) receipts: Vec<Receipt>,
    /// The events of a staged batch that are refused, by their index.
    pub(crate) refused: Vec<(usize, Refusal)>,
}

impl WriteTransaction {
    /// Begins a transaction and locks the heads of the logs. Creates the rows of logs that have none.
    pub(crate) async fn begin(session: Session, wanted: &Wanted, begin: Begin) -> Result<Self> {
        let keys = wanted.keys();
        let mut locked = lock(&session, wanted, begin).await?;
        if wanted.lock == Lock::Wait && locked.heads.len() < keys.len() {
            // In a transaction of their own, so that none waits for another with a lock in hand.
            session.rollback().await?;
            session.execute(&CREATE_LOGS, &[&keys]).await?;
            locked = lock(&session, wanted, begin).await?;
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
        let SequencedBatch { receipts, refused, .. } = sequenced;
        Ok(Appended { receipts, refused })
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
