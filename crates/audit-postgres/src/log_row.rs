//! The row of a log: its head.

use audit_core::{Head, Log, Result, Sequence, Timestamp};
use tokio_postgres::Row;

use crate::connection::{Session, Statement, column, types};
use crate::error::{corrupt, damaged};

/// Reads the row of a log.
pub(crate) const READ_LOG: Statement = Statement {
    sql: "SELECT size, recorded_at, pruned, indexed FROM audit.log WHERE log = $1",
    types: types![BYTEA],
    context: "reading the head of a log",
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
        Self::of([
            column(row, at)?,
            column(row, at + 1)?,
            column(row, at + 2)?,
            column(row, at + 3)?,
        ])
    }

    /// Returns the row with these numbers: the size, the time of the last event, the events that are
    /// pruned and those that are in a segment.
    pub(crate) fn of([size, recorded_at, pruned, indexed]: [i64; 4]) -> Result<Self> {
        let sequence = |number| Sequence::try_from(number).map_err(damaged);
        let recorded_at = Timestamp::from_nanos(recorded_at);
        let head = Head::new(sequence(size)?, recorded_at).pruned(sequence(pruned)?);
        // A log can be locked before its first event.
        let head = if head.size == Sequence::ZERO { Head::default() } else { head };
        if head.pruned > head.size {
            return Err(corrupt("reading the head of a log"));
        }
        Ok(Self { head, indexed: sequence(indexed)? })
    }
}

/// Returns the row of `log`; `None` while the log has none.
pub(crate) async fn log_row(session: &Session, log: Log) -> Result<Option<LogRow>> {
    let row = session.query_opt(&READ_LOG, &[&log.as_bytes()]).await?;
    row.map(|row| LogRow::read(&row, 0)).transpose()
}

/// Returns the log with these bytes.
pub(crate) fn log_of(bytes: &[u8]) -> Result<Log> {
    Log::from_bytes(bytes).ok_or_else(|| corrupt("reading a log"))
}
