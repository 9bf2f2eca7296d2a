//! Retention: the settings of a log, and the removal of pruned events in small transactions.

use audit_core::{
    AuditContext, Error, ErrorKind, Log, Pruned, Pruning, Result, Retention, Sequence, Timestamp,
    backend::{Batch, StoredEvent},
};
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use crate::append::WriteTransaction;
use crate::error::sqlite;
use crate::read::{READ_EVENT, Snapshot, log_row};
use crate::schema;
use crate::sealing::destroy;
use crate::tree::last_event_of_tile;

const CONTEXT: &str = "removing events";

/// The number of events, or other rows, that one transaction removes.
const STEP: usize = 512;

/// Reads the retention of a log.
pub(crate) const READ_RETENTION: &str = "SELECT retention FROM audit_log WHERE id = ?1";
/// Sets the retention of a log.
pub(crate) const SET_RETENTION: &str = "UPDATE audit_log SET retention = ?2 WHERE id = ?1";
/// Reads the first events of a log.
pub(crate) const FIRST_EVENTS: &str = "SELECT event_key, record FROM audit_event
     WHERE event_key BETWEEN ?1 AND ?2 ORDER BY event_key LIMIT ?3";
/// Deletes events.
pub(crate) const DELETE_EVENTS: &str = "DELETE FROM audit_event WHERE event_key BETWEEN ?1 AND ?2";
/// Deletes the id of an event.
pub(crate) const DELETE_ID: &str =
    "DELETE FROM audit_event_id WHERE id = ?1 AND log = ?2 AND sequence = ?3";
/// Lists the first tiles of a log.
pub(crate) const FIRST_TILES: &str =
    "SELECT event_key FROM audit_tile WHERE event_key BETWEEN ?1 AND ?2 ORDER BY event_key";
/// Deletes a tile.
pub(crate) const DELETE_TILE: &str = "DELETE FROM audit_tile WHERE event_key = ?1";

pub(crate) fn retention(connection: &Connection, log: i64) -> Result<Retention> {
    let query = || connection.prepare_cached(READ_RETENTION)?.query_row([log], |row| row.get(0));
    let kept: Option<Vec<u8>> = query().map_err(sqlite("reading the retention"))?;
    kept.map_or(Ok(Retention::default()), |kept| {
        serde_json::from_slice(&kept).map_err(|source| {
            let error = Error::new(ErrorKind::Corrupt).with_context("reading the retention");
            error.with_source(source)
        })
    })
}

impl Snapshot<'_> {
    pub(crate) fn retention(&self, log: Log) -> Result<Retention> {
        match log_row(self.connection, log)? {
            Some(row) => retention(self.connection, row.id),
            None => Ok(Retention::default()),
        }
    }
}

impl WriteTransaction<'_> {
    pub(crate) fn retention(&self, log: i64) -> Result<Retention> {
        retention(self.connection, log)
    }

    pub(crate) fn set_retention(
        &mut self,
        log: Log,
        to: Retention,
        by: AuditContext,
    ) -> Result<()> {
        to.validate()?;
        let before = match self.log_row(log)? {
            Some(row) => self.retention(row.id)?,
            None => Retention::default(),
        };
        if before == to {
            return Ok(());
        }
        let kept = serde_json::to_vec(&to)
            .map_err(|source| Error::new(ErrorKind::Invalid).with_source(source))?;
        self.append_own(Batch::reserved(log, to.event(&before, by)?)?)?;
        let Some(row) = self.log_row(log)? else { return Ok(()) };
        let set = || self.connection.prepare_cached(SET_RETENTION)?.execute(params![row.id, kept]);
        set().map_err(sqlite("setting the retention"))?;
        Ok(())
    }

    /// Raises the floor of the log to what its retention keeps at the current time, and records an
    /// event about it. Events up to the floor are not visible from then on.
    pub(crate) fn prune(&mut self, log: Log, pruning: Pruning) -> Result<Pruned> {
        let Some(row) = self.log_row(log)? else {
            return Ok(Pruned::new(audit_core::Head::default(), Sequence::ZERO));
        };
        let recorded_at = |sequence| recorded_at(self.connection, row.id, sequence);
        let retention = self.retention(row.id)?;
        let floor = retention.floor(row.head, &pruning, Timestamp::now(), recorded_at)?;
        let pruned = Pruned::new(row.head, floor);
        if pruned.events > 0 {
            self.append_own(Batch::reserved(log, pruned.event(pruning.by)?)?)?;
            if let Some(end) = self.logs.get_mut(&log) {
                end.row.head.pruned = floor;
            }
        }
        Ok(pruned)
    }

    /// Deletes some of the rows of pruned events. Returns `true` if there may be more.
    pub(crate) fn remove_pruned(&mut self, log: Log) -> Result<bool> {
        let Some(row) = self.log_row(log)? else { return Ok(false) };
        let floor = row.head.pruned;
        if floor == Sequence::ZERO {
            return Ok(false);
        }
        self.dirty = true;
        Ok(self.remove_events(row.id, floor)?
            || self.with_index(log, |writer, _| writer.remove_through(floor, STEP))? == Some(true)
            || self.remove_tiles(row.id, floor)?)
    }

    fn remove_events(&self, log: i64, floor: Sequence) -> Result<bool> {
        let (low, high) = (schema::event_key(log, Sequence::ZERO)?, schema::event_key(log, floor)?);
        let query = || {
            let mut statement = self.connection.prepare_cached(FIRST_EVENTS)?;
            let kept = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?));
            let rows = statement.query_map(params![low, high, STEP.cast_signed() as i64], kept)?;
            rows.collect::<rusqlite::Result<Vec<(i64, Vec<u8>)>>>()
        };
        let events = query().map_err(sqlite(CONTEXT))?;
        let is_last = events.len() < STEP;
        let mut sequences = Vec::with_capacity(events.len());
        for (event_key, record) in events {
            let sequence = schema::sequence_of(event_key)?;
            sequences.push(sequence);
            // A damaged record is deleted too. Its id is unknown, so that the row of its id
            // remains.
            let Ok(event) = StoredEvent::new(record, None).decode() else { continue };
            let delete = params![event.id.as_bytes(), log, sequence.as_i64()];
            let forget = || self.connection.prepare_cached(DELETE_ID)?.execute(delete);
            forget().map_err(sqlite(CONTEXT))?;
        }
        let Some(last) = sequences.last() else { return Ok(false) };
        // Their keys seal no other events: pruning removes whole groups.
        destroy(self.connection, log, &sequences)?;
        let last = schema::event_key(log, *last)?;
        let delete = || self.connection.prepare_cached(DELETE_EVENTS)?.execute([low, last]);
        delete().map_err(sqlite(CONTEXT))?;
        Ok(!is_last)
    }

    /// Deletes the tiles that no proof needs.
    fn remove_tiles(&self, log: i64, floor: Sequence) -> Result<bool> {
        let (low, high) = (schema::event_key(log, Sequence::ZERO)?, schema::event_key(log, floor)?);
        let query = || {
            let mut statement = self.connection.prepare_cached(FIRST_TILES)?;
            let mut event_keys = Vec::new();
            let mut rows = statement.query([low, high])?;
            while event_keys.len() < STEP {
                let Some(row) = rows.next()? else { break };
                let event_key: i64 = row.get(0)?;
                // A tile that reaches above the floor has nodes that proofs still need.
                let is_below = schema::sequence_of(event_key)
                    .is_ok_and(|at| last_event_of_tile(at.get()) <= floor.get());
                event_keys.extend(is_below.then_some(event_key));
            }
            drop(rows);
            drop(statement);
            let mut delete = self.connection.prepare_cached(DELETE_TILE)?;
            for event_key in &event_keys {
                delete.execute([event_key])?;
            }
            Ok(event_keys.len() == STEP)
        };
        query().map_err(sqlite(CONTEXT))
    }
}

/// Returns the time at which an event was recorded.
fn recorded_at(connection: &Connection, log: i64, sequence: Sequence) -> Result<Timestamp> {
    let event_key = schema::event_key(log, sequence)?;
    let query = || {
        let mut statement = connection.prepare_cached(READ_EVENT)?;
        statement.query_row([event_key], |row| row.get(0)).optional()
    };
    let record: Option<Vec<u8>> = query().map_err(sqlite(CONTEXT))?;
    let record = record.ok_or_else(|| Error::new(ErrorKind::Corrupt).with_context(CONTEXT))?;
    Ok(StoredEvent::new(record, None).decode()?.recorded_at)
}
