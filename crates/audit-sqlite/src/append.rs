//! The write transaction: the rows of an append, in the store's own transaction or the caller's.

use std::collections::HashMap;
use std::collections::hash_map::Entry::{Occupied, Vacant};

use audit_core::{
    LeafHash, Log, Receipt, Result, Sequence, Timestamp,
    backend::{Batch, LONGEST_SILENCE, RecordedTime, Refusal, SequencedEvent, StoredEvent},
    tree::{Frontier, Node},
};
use audit_index::{IndexEntry, IndexWriter, RemovedKeys, TermKey, is_damage};
use rusqlite::{Connection, OptionalExtension as _, params};

use crate::derived::Derived;
use crate::error::sqlite;
use crate::index::{Indexing, SqliteIndex};
use crate::read::{LogRow, log_end, log_row};
use crate::sealing::Key;
use crate::{schema, tree};

/// Writes the head of a log, with what an append needs next to it.
pub(crate) const END_LOG: &str =
    "UPDATE audit_log SET size = ?2, recorded_at = ?3, indexed = ?4, pruned = ?5, frontier = ?6,
         sealing_key = ?7
     WHERE id = ?1";

/// Finds the highest id of an event.
pub(crate) const LAST_ID: &str = "SELECT id FROM audit_event_id ORDER BY id DESC LIMIT 1";
/// Reads the times that the newest logs recorded last.
pub(crate) const LATEST_OF_NEWEST: &str =
    "SELECT recorded_at FROM audit_log WHERE size > 0 ORDER BY id DESC LIMIT 8";
/// Reads the last time that any log recorded.
pub(crate) const LATEST_OF_ALL: &str = "SELECT max(recorded_at) FROM audit_log WHERE size > 0";

fn latest_of(connection: &Connection, sql: &str) -> Result<Option<Timestamp>> {
    let query = || {
        let mut statement = connection.prepare_cached(sql)?;
        let times = statement.query_map([], |row| row.get(0))?;
        times.collect::<rusqlite::Result<Vec<Option<i64>>>>()
    };
    let times = query().map_err(sqlite("reading the last time recorded"))?;
    Ok(times.into_iter().flatten().max().map(Timestamp::from_nanos))
}

/// The work on the file after a transaction has been committed, before its callers are answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum After {
    #[default]
    Nothing,
    /// Removes what transactions have left of erased data.
    Scrub,
    /// Rewrites the file without its unused space.
    Compact,
}

/// A transaction under way. Events are written as they come; what many of them share (the ends of
/// the logs, the index) is written once, by [`WriteTransaction::finish`].
pub(crate) struct WriteTransaction<'c> {
    pub(crate) connection: &'c Connection,
    pub(crate) indexing: &'c Indexing,
    pub(crate) logs: HashMap<Log, LogEnd>,
    /// Set by every write: a job that fails before its first can fail alone.
    pub(crate) dirty: bool,
    /// The bytes of the highest id of an event in the file, once they are read; none if it has no
    /// event.
    last_id: Option<Vec<u8>>,
    /// The logs whose ends are written.
    appended: Vec<Log>,
    /// The number of events appended so far, including redelivered ones.
    pub(crate) events: usize,
    /// Their size in bytes.
    pub(crate) bytes: usize,
    /// The work to do after the commit.
    pub(crate) after: After,
    /// Whether the file has staged events, once that is known.
    pub(crate) staged: Option<bool>,
}

/// The outcome of an append.
pub(crate) struct Appended {
    pub(crate) receipts: Vec<Receipt>,
    /// The events of a staged batch that are refused, by their index.
    pub(crate) refused: Vec<(usize, Refusal)>,
}

/// A log to which this transaction has added events.
pub(crate) struct LogEnd {
    pub(crate) row: LogRow,
    frontier: Frontier,
    /// The key of the last event.
    key: Option<Key>,
    /// The nodes of the tree that the events complete.
    nodes: Vec<Node>,
    /// The events added, which are not in the index yet.
    entries: Vec<IndexEntry>,
}

impl LogEnd {
    /// Returns the first event added.
    fn first(&self) -> Result<Sequence> {
        Sequence::new(self.row.head.size.get() - self.entries.len() as u64 + 1)
    }

    /// Replaces the sealing key of the last event if `keys` has its new bytes.
    pub(crate) fn renew_key(&mut self, keys: &[Key]) {
        let is_it = |new: &&Key| self.key.is_some_and(|key| key.id == new.id);
        self.key = keys.iter().find(is_it).copied().or(self.key);
    }

    /// Removes keys of terms from events that are not in the index yet.
    pub(crate) fn remove_keys(&mut self, removed: &RemovedKeys) {
        let Ok(first) = self.first() else { return };
        for (sequence, entry) in (first.get()..).zip(&mut self.entries) {
            if let Some(keys) = Sequence::new(sequence).ok().and_then(|s| removed.get(&s)) {
                entry.keys.retain(|key| !keys.contains(key));
            }
        }
    }
}

impl<'c> WriteTransaction<'c> {
    pub(crate) fn new(connection: &'c Connection, indexing: &'c Indexing) -> Self {
        Self {
            connection,
            indexing,
            logs: HashMap::new(),
            dirty: false,
            last_id: None,
            appended: Vec::new(),
            events: 0,
            bytes: 0,
            after: After::Nothing,
            staged: None,
        }
    }

    /// Returns the row of `log`, with the changes of this transaction.
    pub(crate) fn log_row(&self, log: Log) -> Result<Option<LogRow>> {
        match self.logs.get(&log) {
            Some(end) => Ok(Some(end.row)),
            None => log_row(self.connection, log),
        }
    }

    /// Runs `work` on the index of `log`. If the index is damaged, rebuilds it and runs it again.
    pub(crate) fn with_index<T>(
        &mut self,
        log: Log,
        work: impl Fn(&IndexWriter<'_, SqliteIndex<'_>>, LogRow) -> Result<T>,
    ) -> Result<Option<T>> {
        let run = |transaction: &Self| {
            let Some(row) = transaction.log_row(log)? else { return Ok(None) };
            let index = SqliteIndex { connection: transaction.connection, log: row.id };
            work(&index.writer(transaction.indexing), row).map(Some)
        };
        match run(self) {
            Err(error) if is_damage(&error) => self.heal(log).and_then(|()| run(self)),
            result => result,
        }
    }

    /// Writes the events of a batch. All checks come before the first write.
    pub(crate) fn append(&mut self, batch: Batch<TermKey>) -> Result<Appended> {
        let log = batch.log();
        self.events += batch.len();
        self.bytes += batch.size();
        let (row, frontier) = match self.logs.get(&log) {
            Some(end) => (Some(end.row), end.frontier.clone()),
            None => match log_end(self.connection, log)? {
                Some((row, frontier)) => (Some(row), frontier),
                None => (None, Frontier::new()),
            },
        };
        let head = row.map(|row| row.head).unwrap_or_default();
        let mut last_id = self.last_id()?;
        let (connection, indexing) = (self.connection, self.indexing);
        let now = Timestamp::now();
        let time = RecordedTime::after(head, now, || self.latest(now))?;
        let sequenced = batch.sequence(head, frontier, time, |event| {
            let Some(row) = row else { return Ok(None) };
            // Ids rise with time, so that most are higher than all before.
            if event.as_bytes()[..] > last_id[..] {
                return Ok(None);
            }
            Derived { connection, indexing, log: row }.event_by_id(event)
        })?;
        let appended = Appended { receipts: sequenced.receipts, refused: sequenced.refused };
        if sequenced.new.is_empty() {
            return Ok(appended);
        }
        let id = row.map(|row| row.id);
        schema::event_key(id.unwrap_or_default(), sequenced.head.size)?; // the last one fits, so all do
        self.dirty = true;
        let id = match id {
            Some(id) => id,
            None => self.insert_log(log)?,
        };
        let mut key = match (self.logs.get(&log), row.and_then(|row| row.key)) {
            (Some(end), _) => end.key,
            (None, Some(key)) => Key::read(self.connection, key)?,
            (None, None) => None,
        };
        let mut entries = Vec::with_capacity(sequenced.new.len());
        for event in sequenced.new {
            if event.id.as_bytes()[..] > last_id[..] {
                last_id = event.id.as_bytes().to_vec();
            }
            entries.push(self.insert(id, event, &mut key)?);
        }
        self.last_id = Some(last_id);
        let indexed = row.map_or(Sequence::ZERO, |row| row.indexed);
        let row = LogRow { id, head: sequenced.head, indexed, key: key.map(|key| key.id) };
        let (frontier, nodes) = (sequenced.frontier, sequenced.nodes);
        match self.logs.entry(log) {
            Occupied(end) => {
                let end = end.into_mut();
                (end.row, end.frontier, end.key) = (row, frontier, key);
                end.nodes.extend(nodes);
                end.entries.extend(entries);
            }
            Vacant(none) => {
                none.insert(LogEnd { row, frontier, key, nodes, entries });
            }
        }
        Ok(appended)
    }

    /// Writes the events of a batch that the store itself has made.
    pub(crate) fn append_own(&mut self, batch: Batch) -> Result<()> {
        self.append(self.indexing.hasher.keyed(batch)).map(drop)
    }

    /// Returns the last time that any log of the store recorded; `None` if none did. Looks at all
    /// logs only if the newest ones do not confirm that it is `now`.
    fn latest(&self, now: Timestamp) -> Result<Option<Timestamp>> {
        let of_ends = self.logs.values().map(|end| end.row.head.recorded_at).max();
        let newest = latest_of(self.connection, LATEST_OF_NEWEST)?.max(of_ends);
        match newest {
            Some(time) if now.duration_since(time) <= LONGEST_SILENCE => Ok(newest),
            _ => Ok(newest.max(latest_of(self.connection, LATEST_OF_ALL)?)),
        }
    }

    /// Writes the batches of one change.
    pub(crate) fn append_all(&mut self, batches: [Batch; 2]) -> Result<()> {
        batches.into_iter().try_for_each(|batch| self.append_own(batch))
    }

    /// Returns the bytes of the highest id of an event; no bytes, which are lower than any id, if
    /// there is no event.
    fn last_id(&mut self) -> Result<Vec<u8>> {
        if let Some(last) = self.last_id.take() {
            return Ok(last);
        }
        let query =
            || self.connection.prepare_cached(LAST_ID)?.query_row([], |row| row.get(0)).optional();
        let last: Option<Vec<u8>> = query().map_err(sqlite("finding an event"))?;
        Ok(last.unwrap_or_default())
    }

    /// Writes what the appends share. Must be called last. Returns the logs to which it has
    /// appended.
    pub(crate) fn finish(&mut self) -> Result<Vec<Log>> {
        self.flush()?;
        Ok(std::mem::take(&mut self.appended))
    }

    /// Writes what the appends so far share.
    pub(crate) fn flush(&mut self) -> Result<()> {
        for (log, end) in std::mem::take(&mut self.logs) {
            self.appended.push(log);
            let first = end.first()?;
            let LogEnd { row, frontier, nodes, entries, .. } = end;
            let LogRow { id, head, indexed, key } = row;
            tree::write_nodes(self.connection, id, &nodes)?;
            let index = SqliteIndex { connection: self.connection, log: id };
            let writer = index.writer(self.indexing);
            let indexed = match writer.append(indexed, head.pruned, first, entries) {
                Err(error) if is_damage(&error) => {
                    Derived { connection: self.connection, indexing: self.indexing, log: row }
                        .heal()?
                }
                indexed => indexed?,
            };
            let update = || {
                self.connection.prepare_cached(END_LOG)?.execute(params![
                    id,
                    head.size.as_i64(),
                    head.recorded_at.as_nanos(),
                    indexed.as_i64(),
                    head.pruned.as_i64(),
                    frontier.to_bytes(),
                    key
                ])
            };
            update().map_err(sqlite("writing the head of a log"))?;
        }
        Ok(())
    }

    fn insert_log(&self, log: Log) -> Result<i64> {
        let insert = || {
            self.connection
                .prepare_cached(
                    "INSERT INTO audit_log (name, size, recorded_at, indexed)
                     VALUES (?1, 0, 0, 0)",
                )?
                .insert([log.as_bytes()])
        };
        insert().map_err(sqlite("creating a log"))
    }

    /// Writes an event and returns its index entry.
    fn insert(
        &mut self,
        log: i64,
        event: SequencedEvent<TermKey>,
        key: &mut Option<Key>,
    ) -> Result<IndexEntry> {
        let SequencedEvent { id, sequence, occurred_at, leaf, stored, terms, .. } = event;
        let event_key = schema::event_key(log, sequence)?;
        let key = match key.filter(|_| Key::is_shared_by(sequence)) {
            Some(key) => key,
            None => *key.insert(Key::create(self.connection)?),
        };
        insert_event(self.connection, key, event_key, leaf, &stored)?;
        let insert = || {
            // The id can be that of a pruned event whose row has not been removed yet.
            self.connection
                .prepare_cached(
                    "INSERT INTO audit_event_id (id, log, sequence) VALUES (?1, ?2, ?3)
                     ON CONFLICT (id, log) DO UPDATE SET sequence = excluded.sequence",
                )?
                .execute(params![id.as_bytes(), log, sequence.as_i64()])
        };
        insert().map_err(sqlite("writing an event"))?;
        Ok(IndexEntry { occurred_at, keys: terms })
    }
}

/// Writes an event with its leaf hash. Seals its personal data.
pub(crate) fn insert_event(
    connection: &Connection,
    key: Key,
    event_key: i64,
    leaf: LeafHash,
    event: &StoredEvent,
) -> Result<()> {
    let sealed = event.personal.as_ref().map(|data| (key.id, key.seal(event_key, data)));
    let (key, personal) = sealed.unzip();
    let insert = || {
        connection
            .prepare_cached(
                "INSERT INTO audit_event (event_key, leaf, record, sealing_key, personal)
                 VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![event_key, leaf.as_bytes(), event.record, key, personal])
    };
    insert().map_err(sqlite("writing an event"))?;
    Ok(())
}
