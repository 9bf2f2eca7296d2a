//! What a read begins with: the head of its log, and whether events of the log are staged.

use audit_core::{Log, Result};

use crate::connection::{Session, Statement, column, types};
use crate::error::corrupt;
use crate::log_row::LogRow;

/// Reads the row of a log as [`READ_LOG`] does, and the last staged event of the log before it. Returns a
/// row also for a log that has none.
pub(crate) const READ_STATE: Statement = Statement {
    sql: "SELECT (SELECT s.n FROM audit.staged s WHERE s.log = $1 ORDER BY s.n DESC LIMIT 1),
             l.size, l.recorded_at, l.pruned, l.indexed
          FROM (VALUES (1)) AS one LEFT JOIN audit.log l ON l.log = $1",
    types: types![BYTEA],
    context: "reading the head of a log",
};
/// Finds the last staged event of a log, if it has any.
pub(crate) const LAST: Statement = Statement {
    sql: "SELECT n FROM audit.staged WHERE log = $1 ORDER BY n DESC LIMIT 1",
    types: types![BYTEA],
    context: "reading staged events",
};
/// Finds whether an event is staged of any log from one on.
pub(crate) const ANY: Statement = Statement {
    sql: "SELECT 1 FROM audit.staged WHERE log >= $1 ORDER BY log LIMIT 1",
    types: types![BYTEA],
    context: "reading staged events",
};

/// What a read does if it finds staged events of its log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IfStaged {
    /// It returns nothing, so that they are taken in first.
    Stop,
    /// It reads what was taken in.
    Ignore,
}

/// What a read begins with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LogState {
    /// The row of the log, if it has one.
    pub(crate) row: Option<LogRow>,
    is_staged: bool,
}

impl LogState {
    /// Returns the state with these numbers: the last staged event, and those of the row.
    pub(crate) fn of(numbers: &[Option<i64>]) -> Result<Self> {
        let [staged, row @ ..] = numbers else { return Err(corrupt(READ_STATE.context)) };
        let row = row.iter().copied().collect::<Option<Vec<_>>>().map(|numbers| {
            LogRow::of(numbers.try_into().map_err(|_| corrupt(READ_STATE.context))?)
        });
        Ok(Self { row: row.transpose()?, is_staged: staged.is_some() })
    }

    /// Returns whether a read that does this has to stop.
    pub(crate) fn stops(&self, if_staged: IfStaged) -> bool {
        self.is_staged && if_staged == IfStaged::Stop
    }
}

/// Returns the row of `log`, and whether events of it are staged.
pub(crate) async fn log_state(session: &Session, log: Log) -> Result<LogState> {
    let row = session.query_opt(&READ_STATE, &[&log.as_bytes()]).await?;
    let row = row.ok_or_else(|| corrupt(READ_STATE.context))?;
    let numbers = (0..5).map(|at| column(&row, at)).collect::<Result<Vec<_>>>()?;
    LogState::of(&numbers)
}

/// Returns whether a read that does this has to stop, because an event of the log is staged.
pub(crate) async fn is_staged(session: &Session, log: Log, if_staged: IfStaged) -> Result<bool> {
    match if_staged {
        IfStaged::Stop => Ok(session.query_opt(&LAST, &[&log.as_bytes()]).await?.is_some()),
        IfStaged::Ignore => Ok(false),
    }
}

/// Returns the same for a read of all logs from the key `first` on.
pub(crate) async fn is_any_staged(
    session: &Session,
    first: &[u8],
    if_staged: IfStaged,
) -> Result<bool> {
    match if_staged {
        IfStaged::Stop => Ok(session.query_opt(&ANY, &[&first]).await?.is_some()),
        IfStaged::Ignore => Ok(false),
    }
}
