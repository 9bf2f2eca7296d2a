//! Reads, each from one snapshot of the file.

use audit_core::backend::index::select;
use audit_core::{
    Error, ErrorKind, EventId, Head, Log, Result, Scan, ScanResult, Sequence, Timestamp, Total,
    backend::StoredEvent,
    tree::{Frontier, NodeHash},
};
use audit_index::LogIndex;
use rusqlite::{Connection, OptionalExtension as _, Row, ToSql, params};

use crate::error::{damaged, sqlite};
use crate::index::{Indexing, SqliteIndex};
use crate::pace::Pace;
use crate::paced_index::PacedIndex;
use crate::schema;
use crate::sealing::{Keys, SealedEvent};

/// The file as it is at one moment.
pub(crate) struct Snapshot<'c> {
    pub(crate) connection: &'c Connection,
    pace: &'c Pace<'c>,
}

impl Drop for Snapshot<'_> {
    /// Ends the transaction, which has written nothing.
    fn drop(&mut self) {
        let end = || self.connection.prepare_cached("COMMIT")?.execute([]);
        if end().is_err() {
            // The next read fails if this does, too.
            let _ = self.connection.execute_batch("ROLLBACK");
        }
    }
}

impl<'c> Snapshot<'c> {
    pub(crate) fn take(connection: &'c Connection, pace: &'c Pace<'c>) -> Result<Self> {
        // Prepared once: to parse it takes as long as to read a few rows.
        let begin = || connection.prepare_cached("BEGIN")?.execute([]);
        begin().map_err(sqlite("beginning to read"))?;
        Ok(Self { connection, pace })
    }

    /// Lets others read if the turn of this read is over; see [`Pace::pause`].
    pub(crate) fn pause(&self) -> Result<()> {
        self.pace.pause()
    }

    pub(crate) fn head(&self, log: Log) -> Result<Head> {
        Ok(log_row(self.connection, log)?.map(|row| row.head).unwrap_or_default())
    }

    /// Returns the event that the table of ids has under this id.
    pub(crate) fn event(&self, log: Log, id: EventId) -> Result<StoredEvent> {
        let not_found = || Error::not_found("event");
        let row = log_row(self.connection, log)?.ok_or_else(not_found)?;
        let sequence = sequence_by_id(self.connection, &row, id)?.ok_or_else(not_found)?;
        event_at(self.connection, row.id, sequence)
    }

    pub(crate) fn scan(&self, indexing: &Indexing, scan: &Scan) -> Result<SealedResult> {
        let Some(row) = log_row(self.connection, scan.log)? else {
            let bound = scan.bound_within(Head::default())?;
            let total = (scan.total == Total::Exact).then_some(0);
            return Ok(SealedResult { events: Vec::new(), more: false, total, bound, end: None });
        };
        let LogRow { id: log, head, indexed, .. } = row;
        let bound = scan.bound_within(head)?;
        let connection = self.connection;
        let storage = PacedIndex { index: SqliteIndex { connection, log }, pace: self.pace };
        let (storage, hasher) = (&storage, &indexing.hasher);
        let index = LogIndex { storage, hasher, size: head.size, indexed };
        let selection = select(&index, scan, bound, head.pruned)?;
        let mut keys = Keys::new(connection);
        let read = |sequence| {
            self.pause()?;
            sealed_at(&mut keys, log, sequence)
        };
        let (events, more) = selection.read(scan, read, SealedEvent::size)?;
        let end = if scan.limit == 0 { None } else { self.end(&row, bound)? };
        Ok(SealedResult { events, more, total: selection.total, bound, end })
    }
}

/// The result of a scan in its stored form. The caller decodes it, after the snapshot has ended and
/// the thread is free.
pub(crate) struct SealedResult {
    events: Vec<SealedEvent>,
    more: bool,
    total: Option<u64>,
    bound: Sequence,
    end: Option<NodeHash>,
}

impl SealedResult {
    pub(crate) fn decode(self) -> Result<ScanResult> {
        let Self { events, more, total, bound, end } = self;
        let decoded = events.into_iter().map(|event| event.unseal().decode());
        let events = decoded.collect::<Result<_>>()?;
        Ok(ScanResult::new(events, more, bound, end).total(total))
    }
}

/// Reads the row of a log.
pub(crate) const READ_LOG: &str =
    "SELECT id, size, recorded_at, indexed, pruned, sealing_key FROM audit_log WHERE name = ?1";
/// Reads the row of a log with its frontier.
pub(crate) const READ_END: &str =
    "SELECT id, size, recorded_at, indexed, pruned, sealing_key, frontier FROM audit_log
     WHERE name = ?1";
/// Lists the logs.
pub(crate) const LIST_LOGS: &str =
    "SELECT hex(name) FROM audit_log WHERE name > ?1 ORDER BY name LIMIT ?2";
/// Finds the sequence of an event by its id.
pub(crate) const FIND_EVENT: &str =
    "SELECT sequence FROM audit_event_id WHERE log = ?1 AND id = ?2";
/// Reads an event by its key.
pub(crate) const READ_EVENT: &str =
    "SELECT record, sealing_key, personal FROM audit_event WHERE event_key = ?1";

/// The row of a log.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LogRow {
    /// The log's number.
    pub(crate) id: i64,
    pub(crate) head: Head,
    /// The last event in a segment of the index, as stored: it can be wrong.
    pub(crate) indexed: Sequence,
    /// The number of the sealing key of the last event.
    pub(crate) key: Option<i64>,
}

/// Returns the logs that have events, in ascending order, after `after`, at most `limit`.
pub(crate) fn logs(connection: &Connection, after: Option<Log>, limit: usize) -> Result<Vec<Log>> {
    let query = || -> rusqlite::Result<Vec<String>> {
        // Every name is a blob, which is greater than any text.
        let after: &dyn ToSql = match &after {
            None => &"",
            Some(after) => &after.as_bytes(),
        };
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut statement = connection.prepare_cached(LIST_LOGS)?;
        statement.query_map(params![after, limit], |row| row.get(0))?.collect()
    };
    let log = |name: String| match name.as_str() {
        "" => Ok(Log::Platform),
        id => id.parse().map(Log::Organization).map_err(damaged),
    };
    query().map_err(sqlite("listing the logs"))?.into_iter().map(log).collect()
}

/// Returns the row of `log`; `None` while the log has no events.
pub(crate) fn log_row(connection: &Connection, log: Log) -> Result<Option<LogRow>> {
    let query = || {
        let mut statement = connection.prepare_cached(READ_LOG)?;
        statement.query_row([log.as_bytes()], LogColumns::read).optional()
    };
    let columns = query().map_err(sqlite("reading the head of a log"))?;
    columns.map(LogColumns::check).transpose()
}

/// Returns the row of `log` with its frontier; `None` while the log has no events.
pub(crate) fn log_end(connection: &Connection, log: Log) -> Result<Option<(LogRow, Frontier)>> {
    let query = || {
        let mut statement = connection.prepare_cached(READ_END)?;
        let end = |row: &Row<'_>| Ok((LogColumns::read(row)?, row.get::<_, Vec<u8>>(6)?));
        statement.query_row([log.as_bytes()], end).optional()
    };
    let end = query().map_err(sqlite("reading the head of a log"))?;
    end.map(|(columns, frontier)| Ok((columns.check()?, Frontier::from_bytes(&frontier)?)))
        .transpose()
}

/// The columns of a row of `audit_log`, as they are stored.
struct LogColumns(i64, i64, i64, i64, i64, Option<i64>);

impl LogColumns {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self(row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?))
    }

    fn check(self) -> Result<LogRow> {
        let Self(id, size, recorded_at, indexed, pruned, key) = self;
        let size = Sequence::try_from(size).map_err(damaged)?;
        let pruned = Sequence::try_from(pruned).map_err(damaged)?;
        let head = Head::new(size, Timestamp::from_nanos(recorded_at)).pruned(pruned);
        let indexed = Sequence::try_from(indexed).map_err(damaged)?;
        if head.pruned > head.size {
            return Err(damaged(Error::new(ErrorKind::Corrupt)));
        }
        Ok(LogRow { id, head, indexed, key })
    }
}

/// Returns the sequence of the event with this id; `None` if it was pruned or never recorded.
pub(crate) fn sequence_by_id(
    connection: &Connection,
    log: &LogRow,
    id: EventId,
) -> Result<Option<Sequence>> {
    let found = id_row(connection, log.id, id)?;
    let sequence = found.map(Sequence::try_from).transpose().map_err(damaged)?;
    Ok(sequence.filter(|sequence| *sequence > log.head.pruned))
}

/// Returns the number in the row of an event id, whatever it is.
pub(crate) fn id_row(connection: &Connection, log: i64, id: EventId) -> Result<Option<i64>> {
    let query = || {
        connection
            .prepare_cached(FIND_EVENT)?
            .query_row(params![log, id.as_bytes()], |row| row.get(0))
            .optional()
    };
    query().map_err(sqlite("finding an event"))
}

/// Returns the event of that sequence, which the log must hold.
pub(crate) fn event_at(
    connection: &Connection,
    log: i64,
    sequence: Sequence,
) -> Result<StoredEvent> {
    Ok(sealed_at(&mut Keys::new(connection), log, sequence)?.unseal())
}

fn sealed_at(keys: &mut Keys<'_>, log: i64, sequence: Sequence) -> Result<SealedEvent> {
    let event_key = schema::event_key(log, sequence).map_err(damaged)?;
    let query = || {
        keys.connection
            .prepare_cached(READ_EVENT)?
            .query_row([event_key], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
    };
    let row: (_, _, Option<Vec<u8>>) = query().map_err(sqlite("reading an event"))?;
    let (record, key, personal) = row;
    let has_personal = personal.is_some();
    let event = SealedEvent::read(keys, event_key, record, key, personal)?;
    if has_personal != event.has_personal() {
        return Err(damaged(Error::new(ErrorKind::Corrupt))); // not erased, but its key is missing
    }
    Ok(event)
}
