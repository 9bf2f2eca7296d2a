//! The derived data of a log, compared with its records and rebuilt from them: the index, and the
//! rows of the event ids. Its damage fails no append and no other log.

use audit_core::backend::{StoredEvent, Term};
use audit_core::{AuditEvent, Error, EventId, Result, Sequence};
use audit_index::{Compared, IndexEntry, IndexExtent};
use rusqlite::{Connection, params};

use crate::error::sqlite;
use crate::index::{Indexing, SqliteIndex};
use crate::read::{LogRow, event_at, id_row, sequence_by_id};
use crate::schema;
use crate::sealing::{Keys, SealedEvent};
use crate::tree::READ_ENTRIES;

const CONTEXT: &str = "rebuilding derived data";

/// Sets the last event that is in a segment of the index.
pub(crate) const SET_INDEXED: &str = "UPDATE audit_log SET indexed = ?2 WHERE id = ?1";
/// Lists the rows of event ids, of all logs.
pub(crate) const LIST_IDS: &str = "SELECT id, log, hex(id) FROM audit_event_id
     WHERE (id, log) > (?1, ?2) ORDER BY id, log LIMIT ?3";
/// Deletes the row of an event id.
pub(crate) const DELETE_ID_ROW: &str = "DELETE FROM audit_event_id WHERE id = ?1 AND log = ?2";

/// The rows of event ids that are read at once.
const ID_ROWS: i64 = 4_096;

/// The key of a row of event ids: the id and the log.
pub(crate) type IdRow = (Vec<u8>, i64);

/// The derived data of one log.
pub(crate) struct Derived<'c> {
    pub(crate) connection: &'c Connection,
    pub(crate) indexing: &'c Indexing,
    pub(crate) log: LogRow,
}

impl<'c> Derived<'c> {
    fn index(&self) -> SqliteIndex<'c> {
        SqliteIndex { connection: self.connection, log: self.log.id }
    }

    /// Rebuilds those parts of the index that cannot be read. Returns the last event in a segment.
    pub(crate) fn heal(&self) -> Result<Sequence> {
        let index = self.index();
        index.writer(self.indexing).heal(self.extent(), |first, last| self.entries(first, last))
    }

    /// Compares the part of the index that has the event after `after` with the records. With
    /// `repair`, replaces it if it is wrong.
    pub(crate) fn compare(&self, after: Sequence, repair: bool) -> Result<Compared> {
        let index = self.index();
        let writer = index.writer(self.indexing);
        let read = |first, last| self.entries(first, last);
        if repair {
            writer.repair(self.extent(), after, read)
        } else {
            writer.compare(self.extent(), after, read)
        }
    }

    fn extent(&self) -> IndexExtent {
        let LogRow { head, indexed, .. } = self.log;
        IndexExtent { pruned: head.pruned, indexed, size: head.size }
    }

    /// Returns the entries that the index must have of the events from `first` to `last`; `None` for
    /// events that cannot be read.
    fn entries(&self, first: Sequence, last: Sequence) -> Result<Vec<Option<IndexEntry>>> {
        let count = (last.get() + 1).saturating_sub(first.get());
        let mut entries = vec![None; usize::try_from(count).unwrap_or(0)];
        self.for_each_event(first, last, |sequence, event| {
            let at = usize::try_from(sequence.get() - first.get()).unwrap_or(usize::MAX);
            let entry = event.map(|event| IndexEntry {
                occurred_at: event.occurred_at,
                keys: self.indexing.hasher.keys(&Term::of_stored(&event)),
            });
            if let Some(place) = entries.get_mut(at) {
                *place = entry;
            }
            Ok(())
        })?;
        Ok(entries)
    }

    /// Calls `visit` with each stored event from `first` to `last`; with `None` for one whose record
    /// is damaged. Of one whose personal data is damaged it reads the record.
    fn for_each_event(
        &self,
        first: Sequence,
        last: Sequence,
        mut visit: impl FnMut(Sequence, Option<AuditEvent>) -> Result<()>,
    ) -> Result<()> {
        let log = self.log.id;
        let event_keys = [schema::event_key(log, first)?, schema::event_key(log, last)?];
        let mut keys = Keys::new(self.connection);
        let mut statement = self.connection.prepare(READ_ENTRIES).map_err(sqlite(CONTEXT))?;
        let mut rows = statement.query(event_keys).map_err(sqlite(CONTEXT))?;
        while let Some(row) = rows.next().map_err(sqlite(CONTEXT))? {
            let columns = || Ok((row.get(0)?, row.get(2)?, row.get(3)?, row.get(4)?));
            let (event_key, record, key, personal) = columns().map_err(sqlite(CONTEXT))?;
            let event = SealedEvent::read(&mut keys, event_key, record, key, personal)?.unseal();
            let decoded = event.decode().or_else(|_| StoredEvent::new(event.record, None).decode());
            visit(schema::sequence_of(event_key)?, decoded.ok())?;
        }
        Ok(())
    }

    /// Returns the event with this id. Rebuilds the rows of the log's ids if that of this id leads
    /// elsewhere.
    pub(crate) fn event_by_id(&self, id: EventId) -> Result<Option<StoredEvent>> {
        match self.led_to(id) {
            Lead::Event(event) => return Ok(event),
            Lead::Failed(error) => return Err(error),
            Lead::Elsewhere => {}
        }
        self.rebuild_ids(Sequence::ZERO, self.log.head.size)?;
        match self.led_to(id) {
            Lead::Event(event) => Ok(event),
            Lead::Failed(error) => Err(error),
            // No event of the log has this id.
            Lead::Elsewhere => self.delete_id(id).map(|()| None),
        }
    }

    fn led_to(&self, id: EventId) -> Lead {
        let sequence = match id_row(self.connection, self.log.id, id) {
            Ok(None) => return Lead::Event(None),
            Ok(Some(number)) => Sequence::try_from(number).unwrap_or(Sequence::ZERO),
            Err(error) => return Lead::Failed(error),
        };
        if sequence == Sequence::ZERO || sequence > self.log.head.size {
            return Lead::Elsewhere;
        }
        let found = event_at(self.connection, self.log.id, sequence).and_then(|event| {
            let found = StoredEvent::new(event.record.clone(), None).decode()?;
            Ok((event, found.id))
        });
        match found {
            // Pruned, and not yet removed.
            Ok((_, found)) if found == id && sequence <= self.log.head.pruned => Lead::Event(None),
            Ok((event, found)) if found == id => Lead::Event(Some(event)),
            Ok(_) => Lead::Elsewhere,
            Err(_) if sequence <= self.log.head.pruned => Lead::Elsewhere,
            Err(error) => Lead::Failed(error),
        }
    }

    /// Writes the missing and the wrong rows of the ids of the events after `after` up to `last`.
    /// Returns how many these were.
    pub(crate) fn rebuild_ids(&self, after: Sequence, last: Sequence) -> Result<u64> {
        let first = after.max(self.log.head.pruned).next();
        let mut put = self
            .connection
            .prepare_cached(
                "INSERT INTO audit_event_id (id, log, sequence) VALUES (?1, ?2, ?3)
                 ON CONFLICT (id, log) DO UPDATE SET sequence = excluded.sequence
                 WHERE sequence <> excluded.sequence",
            )
            .map_err(sqlite(CONTEXT))?;
        let mut written = 0;
        if first > last {
            return Ok(written);
        }
        self.for_each_event(first, last, |sequence, event| {
            if let Some(event) = event {
                let row = params![event.id.as_bytes(), self.log.id, sequence.as_i64()];
                written += put.execute(row).map_err(sqlite(CONTEXT))? as u64;
            }
            Ok(())
        })?;
        Ok(written)
    }

    /// Returns the events after `after` up to `last` whose ids lead elsewhere, or nowhere.
    pub(crate) fn wrong_ids(&self, after: Sequence, last: Sequence) -> Result<Vec<Sequence>> {
        let first = after.max(self.log.head.pruned).next();
        let mut wrong = Vec::new();
        if first > last {
            return Ok(wrong);
        }
        self.for_each_event(first, last, |sequence, event| {
            if let Some(event) = event
                && !matches!(sequence_by_id(self.connection, &self.log, event.id),
                    Ok(Some(found)) if found == sequence)
            {
                wrong.push(sequence);
            }
            Ok(())
        })?;
        Ok(wrong)
    }

    /// Reads a page of the rows of event ids of all logs after `after`. Returns those of this log
    /// that lead to no event of that id, and the last row of the page.
    pub(crate) fn stale_ids(&self, after: &IdRow) -> Result<(Vec<EventId>, Option<IdRow>)> {
        let query = || {
            let mut statement = self.connection.prepare_cached(LIST_IDS)?;
            let rows = statement.query_map(params![after.0, after.1, ID_ROWS], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })?;
            rows.collect::<rusqlite::Result<Vec<(Vec<u8>, i64, String)>>>()
        };
        let rows = query().map_err(sqlite(CONTEXT))?;
        let last = rows.last().map(|(id, log, ..)| (id.clone(), *log));
        let mut stale = Vec::new();
        for (.., id) in rows.into_iter().filter(|(_, log, ..)| *log == self.log.id) {
            let Ok(id) = id.parse() else { continue };
            if matches!(self.led_to(id), Lead::Elsewhere) {
                stale.push(id);
            }
        }
        Ok((stale, last))
    }

    pub(crate) fn delete_id(&self, id: EventId) -> Result<()> {
        let row = params![id.as_bytes(), self.log.id];
        let delete = || self.connection.prepare_cached(DELETE_ID_ROW)?.execute(row);
        delete().map(drop).map_err(sqlite(CONTEXT))
    }
}

/// Where the row of an event id leads.
enum Lead {
    /// To the event, or to none.
    Event(Option<StoredEvent>),
    /// To another event, or to none that the log has.
    Elsewhere,
    Failed(Error),
}
