//! The staged events: reads some of them, deletes them, counts them.

use std::collections::BTreeMap;

use audit_core::backend::{STAGED_STEP_BYTES, STAGED_STEP_ROWS, StagedRow};
use audit_core::limits::MAX_STAGED_BYTES;
use audit_core::{EventId, Log, Result, StagedCounts};
use tokio_postgres::Row;
use uuid::Uuid;

use crate::connection::{Session, Statement, column, types};
use crate::error::corrupt;
use crate::log_row::log_of;
use crate::readers::Readers;

/// The fewest rows of a log that one transaction takes in; fewer only if the log has fewer.
const LEAST_ROWS: usize = 16;

/// Reads the first staged events of logs, some of each, without bodies that are too long; no more after
/// some bytes.
pub(crate) const NEXT: Statement = Statement {
    sql: "SELECT log, n, id, bytes, CASE WHEN bytes <= $5 THEN body END FROM (
              SELECT s.*, sum(s.bytes) OVER (ORDER BY w.at, s.n) AS until
              FROM unnest($1, $2) WITH ORDINALITY AS w (log, through, at)
              CROSS JOIN LATERAL (
                  SELECT log, n, id, body, octet_length(body)::bigint AS bytes FROM audit.staged
                  WHERE log = w.log AND n <= w.through ORDER BY n LIMIT $3) s) t
          WHERE until - bytes <= $4 ORDER BY until, n",
    types: types![BYTEA_ARRAY, INT8_ARRAY, INT8, INT8, INT8],
    context: "reading staged events",
};
/// Deletes staged events.
pub(crate) const DELETE: Statement = Statement {
    sql: "DELETE FROM audit.staged s USING unnest($1, $2) AS w (log, n)
          WHERE s.log = w.log AND s.n = w.n",
    types: types![BYTEA_ARRAY, INT8_ARRAY],
    context: "taking in staged events",
};
/// Counts the staged and the refused events.
const COUNT: Statement = Statement {
    sql: "SELECT (SELECT count(*) FROM audit.staged), (SELECT count(*) FROM audit.refused)",
    types: &[],
    context: "counting staged events",
};

/// Staged events that a transaction has taken in or set aside, to be deleted.
#[derive(Default)]
pub(crate) struct TakenIn {
    logs: Vec<Vec<u8>>,
    numbers: Vec<i64>,
}

impl TakenIn {
    pub(crate) fn add(&mut self, row: &Numbered) {
        self.logs.push(row.log.as_bytes().to_vec());
        self.numbers.push(row.n);
    }

    /// Deletes them.
    pub(crate) async fn delete(&self, session: &Session) -> Result<()> {
        if self.numbers.is_empty() {
            return Ok(());
        }
        session.execute(&DELETE, &[&self.logs, &self.numbers]).await.map(drop)
    }
}

/// A staged row, and its number.
pub(crate) struct Numbered {
    pub(crate) log: Log,
    pub(crate) n: i64,
    pub(crate) id: EventId,
    pub(crate) row: StagedRow,
}

/// The rows of a step, in the order of their logs.
#[derive(Default)]
pub(crate) struct Next {
    pub(crate) rows: Vec<Numbered>,
    /// The most rows of a log.
    most: usize,
    /// Whether rows were left because these have as many bytes as a step takes in.
    is_cut: bool,
}

impl Next {
    /// Returns whether rows of a log may be left.
    pub(crate) fn leaves(&self, log: Log) -> bool {
        let is_after_last = || self.rows.last().is_some_and(|last| log >= last.log);
        let count = || self.rows.iter().filter(|row| row.log == log).count();
        (self.is_cut && is_after_last()) || count() >= self.most
    }
}

/// Reads the rows of one step.
pub(crate) async fn next_staged(session: &Session, through: &BTreeMap<Log, i64>) -> Result<Next> {
    if through.is_empty() {
        return Ok(Next::default());
    }
    let keys: Vec<&[u8]> = through.keys().map(Log::as_bytes).collect();
    let most = (STAGED_STEP_ROWS / keys.len()).max(LEAST_ROWS);
    let through: Vec<i64> = through.values().copied().collect();
    let number = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
    let (rows, bytes) = (number(most), number(STAGED_STEP_BYTES));
    let longest = number(MAX_STAGED_BYTES);
    let rows = session.query(&NEXT, &[&keys, &through, &rows, &bytes, &longest]).await?;
    let rows = rows.iter().map(numbered).collect::<Result<Vec<_>>>()?;
    let bytes: usize = rows.iter().map(|row| row.row.size()).sum();
    Ok(Next { rows, most, is_cut: bytes > STAGED_STEP_BYTES })
}

fn numbered(row: &Row) -> Result<Numbered> {
    let (log, id) = (log_of(column(row, 0)?)?, column::<Uuid>(row, 2)?);
    let size = usize::try_from(column::<i64>(row, 3)?).unwrap_or(usize::MAX);
    let staged = match column::<Option<&str>>(row, 4)? {
        Some(body) => StagedRow::new(*id.as_bytes(), body),
        None => StagedRow::too_long(*id.as_bytes(), size),
    };
    Ok(Numbered { log, n: column(row, 1)?, id: EventId::from_uuid(id), row: staged })
}

/// Counts the staged and the refused events.
pub(crate) async fn counts(readers: Readers) -> Result<StagedCounts> {
    let row = readers.take(Log::Platform).await?.query_opt(&COUNT, &[]).await?;
    let row = row.ok_or_else(|| corrupt(COUNT.context))?;
    let count = |at| column::<i64>(&row, at).map(i64::unsigned_abs);
    Ok(StagedCounts::new(count(0)?, count(1)?))
}
