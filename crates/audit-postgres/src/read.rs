//! Reads of single rows, and the scan.

use std::collections::HashMap;
use std::sync::Arc;

use audit_core::backend::index::select;
use audit_core::tree::NodeHash;
use audit_core::{
    AuditEvent, Error, ErrorKind, EventId, Head, Log, Result, Scan, ScanResult, Sequence,
    Timestamp, Total,
};
use audit_index::LogIndex;
use tokio_postgres::Row;
use tokio_postgres::types::Type;

use crate::connection::{Parameter, Session, Statement, both, column, sequence};
use crate::core::Core;
use crate::error::{corrupt, damaged};
use crate::index::{Indexing, PostgresIndex};
use crate::keys::join_key;
use crate::readers::Readers;
use crate::sealing::{SealedEvent, event_columns};
use crate::staged::{IfStaged, is_any_staged, is_staged};

/// Reads the row of a log.
pub(crate) const READ_LOG: Statement = Statement {
    sql: "SELECT size, recorded_at, pruned, indexed FROM audit.log WHERE log = $1",
    types: &[Type::BYTEA],
    context: "reading the head of a log",
};
/// Reads the row of a log as [`READ_LOG`] does, and the last staged event of the log before it. Returns a
/// row also for a log that has none.
pub(crate) const READ_STATE: Statement = Statement {
    sql: "SELECT (SELECT s.n FROM audit.staged s WHERE s.log = $1 ORDER BY s.n DESC LIMIT 1),
             l.size, l.recorded_at, l.pruned, l.indexed
          FROM (VALUES (1)) AS one LEFT JOIN audit.log l ON l.log = $1",
    types: &[Type::BYTEA],
    context: "reading the head of a log",
};
/// Lists the logs from one on.
pub(crate) const LIST_LOGS: Statement = Statement {
    sql: "SELECT log FROM audit.log WHERE log >= $1 AND size > 0 ORDER BY log LIMIT $2",
    types: &[Type::BYTEA, Type::INT8],
    context: "listing the logs",
};
/// Finds an event by its id.
pub(crate) const FIND_EVENT: Statement = Statement {
    sql: concat!(
        "SELECT ",
        event_columns!(),
        " FROM audit.event e JOIN audit.log l ON l.log = e.log ",
        join_key!(),
        " WHERE e.id = $2 AND e.log = $1 AND e.sequence > l.pruned"
    ),
    types: &[Type::BYTEA, Type::UUID],
    context: "finding an event",
};
/// Reads events by their sequences.
pub(crate) const READ_EVENTS: Statement = Statement {
    sql: concat!(
        "SELECT ",
        event_columns!(),
        " FROM unnest($2) AS w (sequence)
          JOIN audit.event e ON e.log = $1 AND e.sequence = w.sequence ",
        join_key!()
    ),
    types: &[Type::BYTEA, Type::INT8_ARRAY],
    context: "reading events",
};

/// The row of a log.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct LogRow {
    pub(crate) head: Head,
    /// The last event in a segment of the index, as stored: it can be wrong.
    pub(crate) indexed: Sequence,
}

impl LogRow {
    /// Reads the row from its columns, the first of which is `at`.
    pub(crate) fn read(row: &Row, at: usize) -> Result<Self> {
        let recorded_at = Timestamp::from_nanos(column(row, at + 1)?);
        let head = Head::new(sequence(row, at)?, recorded_at).pruned(sequence(row, at + 2)?);
        // A log can be locked before its first event.
        let head = if head.size == Sequence::ZERO { Head::default() } else { head };
        if head.pruned > head.size {
            return Err(corrupt("reading the head of a log"));
        }
        Ok(Self { head, indexed: sequence(row, at + 3)? })
    }
}

/// What a read begins with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LogState {
    /// The row of the log, if it has one.
    pub(crate) row: Option<LogRow>,
    is_staged: bool,
}

impl LogState {
    /// Returns whether a read that does this has to stop.
    pub(crate) fn stops(&self, if_staged: IfStaged) -> bool {
        self.is_staged && if_staged == IfStaged::Stop
    }
}

/// Returns the row of `log`, and whether events of it are staged.
pub(crate) async fn log_state(session: &Session, log: Log) -> Result<LogState> {
    let row = session.query_opt(&READ_STATE, &[&log.as_bytes()]).await?;
    let row = row.ok_or_else(|| corrupt(READ_STATE.context))?;
    let is_staged = column::<Option<i64>>(&row, 0)?.is_some();
    let is_there = column::<Option<i64>>(&row, 1)?.is_some();
    Ok(LogState { row: is_there.then(|| LogRow::read(&row, 1)).transpose()?, is_staged })
}

/// Returns the row of `log`; `None` while the log has none.
pub(crate) async fn log_row(session: &Session, log: Log) -> Result<Option<LogRow>> {
    let row = session.query_opt(&READ_LOG, &[&log.as_bytes()]).await?;
    row.map(|row| LogRow::read(&row, 0)).transpose()
}

/// Returns the log with these bytes.
pub(crate) fn log_of(bytes: &[u8]) -> Result<Log> {
    if bytes.is_empty() {
        return Ok(Log::Platform);
    }
    let id = uuid::Uuid::from_slice(bytes);
    let id = id.map_err(|source| corrupt("reading a log").with_source(source))?;
    Ok(Log::organization(audit_core::OrganizationId::from_uuid(id)))
}

/// Returns the head of `log`.
pub(crate) async fn head(core: Arc<Core>, log: Log, if_staged: IfStaged) -> Result<Option<Head>> {
    let state = log_state(&core.readers.take(log).await?, log).await?;
    Ok((!state.stops(if_staged)).then(|| state.row.unwrap_or_default().head))
}

/// Returns the logs that have events, in ascending order, after `after`, at most `limit`.
pub(crate) async fn logs(
    core: Arc<Core>,
    after: Option<Log>,
    limit: usize,
    if_staged: IfStaged,
) -> Result<Option<Vec<Log>>> {
    let session = core.readers.take(Log::Platform).await?;
    let from = after.as_ref().map_or(&[][..], Log::as_bytes);
    // One more, because the first one can be `after` itself.
    let more = i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1);
    let parameters: [Parameter<'_>; 2] = [&from, &more];
    let list = session.query(&LIST_LOGS, &parameters);
    let (is_staged, rows) = both(is_any_staged(&session, from, if_staged), list).await?;
    if is_staged {
        return Ok(None);
    }
    let logs = rows.iter().map(|row| log_of(column(row, 0)?));
    let following = logs.filter(|log| log.as_ref().is_err() || log.as_ref().ok() != after.as_ref());
    following.take(limit).collect::<Result<_>>().map(Some)
}

/// Returns the event that has this id.
pub(crate) async fn event(
    core: Arc<Core>,
    log: Log,
    id: EventId,
    if_staged: IfStaged,
) -> Result<Option<SealedEvent>> {
    let session = core.readers.take(log).await?;
    let key = log.as_bytes();
    let parameters: [Parameter<'_>; 2] = [&key, id.as_uuid()];
    let find = session.query_opt(&FIND_EVENT, &parameters);
    // Sent first: what somebody else takes in between is found.
    let (is_staged, row) = both(is_staged(&session, log, if_staged), find).await?;
    if is_staged {
        return Ok(None);
    }
    SealedEvent::read(&row.ok_or_else(|| Error::not_found("event"))?, 0).map(Some)
}

/// Reads events, in the order of `sequences`. Leaves out those that are missing.
pub(crate) async fn read_events(
    session: &Session,
    log: Log,
    sequences: &[Sequence],
) -> Result<Vec<SealedEvent>> {
    if sequences.is_empty() {
        return Ok(Vec::new());
    }
    let numbers: Vec<i64> = sequences.iter().map(|sequence| sequence.as_i64()).collect();
    let rows = session.query(&READ_EVENTS, &[&log.as_bytes(), &numbers]).await?;
    let mut events = HashMap::with_capacity(rows.len());
    for row in &rows {
        let event = SealedEvent::read(row, 0)?;
        events.insert(event.sequence, event);
    }
    Ok(sequences.iter().filter_map(|sequence| events.remove(sequence)).collect())
}

/// Decodes the event that was found under an id.
pub(crate) fn decode_event(event: SealedEvent, id: EventId) -> Result<AuditEvent> {
    let event = event.unseal_whole()?.decode()?;
    // A damaged row must not make the store return another event.
    if event.id != id {
        return Err(damaged(corrupt("finding an event").with_field("id")));
    }
    Ok(event)
}

/// The result of a scan in its stored form. The caller decodes it, after the connection is free.
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
        let decoded = events.into_iter().map(|event| event.unseal_whole()?.decode());
        let events = decoded.collect::<Result<_>>()?;
        Ok(ScanResult::new(events, more, bound, end).total(total))
    }
}

/// Reads a part of a log from one snapshot.
///
/// # Errors
/// [`Behind`](ErrorKind::Behind) if the log is shorter than `least`, or than the scan's bound.
pub(crate) async fn scan(
    readers: Readers,
    indexing: Indexing,
    scan: Scan,
    least: Sequence,
    if_staged: IfStaged,
) -> Result<Option<SealedResult>> {
    let session = readers.take(scan.log).await?;
    let hasher = &indexing.hasher;
    let Some(index) = PostgresIndex::of_snapshot(session, &scan, hasher, if_staged).await? else {
        return Ok(None);
    };
    if index.row().head.size < least {
        index.into_session().release();
        return Err(Error::new(ErrorKind::Behind));
    }
    let read = move || {
        let result = scan_index(&index, &indexing, &scan);
        index.into_session().release();
        result.map(Some)
    };
    tokio::task::spawn_blocking(read).await.map_err(crate::error::task)?
}

fn scan_index(index: &PostgresIndex, indexing: &Indexing, scan: &Scan) -> Result<SealedResult> {
    let LogRow { head, indexed } = index.row();
    let bound = scan.bound_within(head)?;
    if head.size == Sequence::ZERO {
        let total = (scan.total == Total::Exact).then_some(0);
        return Ok(SealedResult { events: Vec::new(), more: false, total, bound, end: None });
    }
    let hasher = &indexing.hasher;
    let log_index = LogIndex { storage: index, hasher, size: head.size, indexed };
    let selection = select(&log_index, scan, bound, head.pruned)?;
    let mut waiting = selection.sequences.chunks(EVENTS_AHEAD);
    let (events, end) = index.events_and_end(waiting.next().unwrap_or_default(), bound)?;
    let mut ahead = events.into_iter();
    let read = |sequence| {
        if ahead.len() == 0 {
            ahead = index.events(waiting.next().unwrap_or_default())?.into_iter();
        }
        ahead.next().filter(|event| event.sequence == sequence).ok_or_else(missing)
    };
    let (events, more) = selection.read(scan, read, SealedEvent::size)?;
    Ok(SealedResult { events, more, total: selection.total, bound, end })
}

/// The events that are read in one round trip: those of a page. It bounds the memory, since an event
/// can have a MiB.
const EVENTS_AHEAD: usize = 64;

fn missing() -> Error {
    corrupt("an event is missing")
}
