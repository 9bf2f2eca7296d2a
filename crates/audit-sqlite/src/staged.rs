//! Staged events: taken into their logs, or refused and set aside.

use std::collections::HashSet;

use audit_core::backend::{
    Batch, Refusal, STAGED_STEP_BYTES, STAGED_STEP_ROWS, STAGED_STEPS_BEFORE_APPEND, StagedRow,
};
use audit_core::limits::MAX_STAGED_BYTES;
use audit_core::{AuditContext, Error, Log, RefusedEvent, Result, StagedCounts, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use crate::append::WriteTransaction;
use crate::error::sqlite;
use crate::read::Snapshot;
use crate::writer::Writer;

/// Stages one event: `?1` is the [key of its log](Log::as_bytes), `?2` its id, both blobs, and `?3` its
/// body, a text. [`Staged`](audit_core::Staged) makes the values, and any client of SQLite binds them,
/// in a transaction of its own on the store's file:
///
/// ```
/// use audit_core::{Actor, AuditStoreExt, Log, NewEvent, Staged};
/// use audit_sqlite::rusqlite::Connection;
/// use audit_sqlite::{STAGE, SqliteStore};
///
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("service.db");
/// # futures_executor::block_on(async {
/// let store = SqliteStore::open(&path)?;
///
/// let mut connection = Connection::open(&path)?;
/// connection.execute("CREATE TABLE invoice (id TEXT, paid INTEGER)", [])?;
///
/// let event = NewEvent::new("invoice.paid", Actor::user("u_7")).target("invoice", "inv_9");
/// let staged = Staged::new(Log::Platform, vec![event])?;
/// let transaction = connection.transaction()?;
/// transaction.execute("INSERT INTO invoice VALUES ('inv_9', 1)", [])?;
/// for (id, body) in staged.rows() {
///     transaction.execute(STAGE, (staged.log().as_bytes(), id.as_bytes(), body))?;
/// }
/// transaction.commit()?; // both, or neither
///
/// let (id, _) = staged.rows().next().unwrap();
/// assert_eq!(store.receipt_of(Log::Platform, id).await?.sequence.get(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// The transaction is as durable as the connection's `synchronous` makes it; for the durability of the
/// store it is `FULL`, which is the default of SQLite.
pub const STAGE: &str = "INSERT INTO audit_staged (log, id, body) VALUES (?1, ?2, ?3)";

/// Stages all events of a transaction: `?1` is the text of [`Staged::to_json`](audit_core::Staged::to_json).
/// Otherwise it is as [`STAGE`]. The client's SQLite must be 3.41 or later.
///
/// ```
/// use audit_core::{Actor, Log, NewEvent, Staged};
/// use audit_sqlite::STAGE_ALL;
/// use audit_sqlite::rusqlite::{Result, Transaction};
///
/// fn commit(transaction: Transaction<'_>, staged: &Staged) -> Result<()> {
///     transaction.execute(STAGE_ALL, [staged.to_json()])?;
///     transaction.commit()
/// }
/// ```
pub const STAGE_ALL: &str = "INSERT INTO audit_staged (log, id, body)
     SELECT unhex(value ->> 0), unhex(value ->> 1), value ->> 2 FROM json_each(?1) ORDER BY key";

/// Finds whether any event is staged.
pub(crate) const ANY: &str = "SELECT 1 FROM audit_staged LIMIT 1";
/// Finds whether an event of a log is staged.
pub(crate) const ANY_OF_LOG: &str = "SELECT 1 FROM audit_staged WHERE log = ?1 LIMIT 1";
/// Lists the logs of which events are staged.
pub(crate) const LOGS: &str = "SELECT DISTINCT log FROM audit_staged";
/// Finds the number of the last staged event.
pub(crate) const LAST: &str = "SELECT n FROM audit_staged ORDER BY n DESC LIMIT 1";
/// Reads staged events, without bodies that are too long.
pub(crate) const NEXT: &str = "SELECT n, log, id, octet_length(body),
         CASE WHEN octet_length(body) <= ?3 THEN body END
     FROM audit_staged WHERE n > ?1 AND n <= ?2 ORDER BY n";
/// Reads staged events of one log, without bodies that are too long.
pub(crate) const NEXT_OF_LOG: &str = "SELECT n, log, id, octet_length(body),
         CASE WHEN octet_length(body) <= ?3 THEN body END
     FROM audit_staged WHERE log = ?4 AND n > ?1 AND n <= ?2 ORDER BY n";
/// Deletes a staged event.
pub(crate) const DELETE: &str = "DELETE FROM audit_staged WHERE n = ?1";
/// Takes the next number of a refused event. None is used twice, so that nobody drops another one.
pub(crate) const NUMBER: &str =
    "UPDATE audit_store SET value = value + 1 WHERE name = 'refused' RETURNING value";
/// Sets a staged event aside.
const REFUSE: &str = "INSERT INTO audit_refused (n, log, id, body, reason, refused_at)
     SELECT ?2, log, id, body, ?3, ?4 FROM audit_staged WHERE n = ?1";
/// Clears what SQLite has left of deleted rows in the first page of the table. It has cleared the other
/// pages when they became free.
pub(crate) const CLEAR: &str = "DELETE FROM audit_staged";
/// Counts the staged events.
pub(crate) const COUNT_STAGED: &str = "SELECT count(*) FROM audit_staged";
/// Counts the refused events.
pub(crate) const COUNT_REFUSED: &str = "SELECT count(*) FROM audit_refused";
/// Lists refused events.
pub(crate) const LIST_REFUSED: &str = "SELECT n, log, id, body, reason, refused_at
     FROM audit_refused WHERE n > ?1 ORDER BY n LIMIT ?2";
/// Stages a refused event.
const RESTAGE: &str = "INSERT INTO audit_staged (log, id, body)
     SELECT log, id, body FROM audit_refused WHERE n = ?1";
/// Finds the log and the id of a refused event.
pub(crate) const READ_REFUSED: &str = "SELECT log, id FROM audit_refused WHERE n = ?1";
/// Deletes a refused event.
pub(crate) const DELETE_REFUSED: &str = "DELETE FROM audit_refused WHERE n = ?1";

const READING: &str = "reading staged events";
const WRITING: &str = "taking in staged events";

/// Which staged events are to be taken in: by default all.
#[derive(Clone, Debug, Default)]
pub(crate) struct Intake {
    /// Of the log with this key only.
    log: Option<Vec<u8>>,
    /// Up to this number; the last one when the first step begins.
    through: Option<i64>,
    /// After this number.
    after: i64,
    /// The keys of the logs into which nothing can be taken.
    failed: HashSet<Vec<u8>>,
}

impl Intake {
    pub(crate) fn of(log: Log) -> Self {
        Self::of_key(log.as_bytes().to_vec())
    }

    fn of_key(log: Vec<u8>) -> Self {
        Self { log: Some(log), ..Self::default() }
    }
}

/// The outcome of a step.
#[derive(Debug)]
pub(crate) struct Step {
    /// The rows that are left to be taken in; `None` at the end.
    rest: Option<Intake>,
    /// Why the events of a log were left, if they were.
    failure: Option<Error>,
}

/// Takes in the staged events that are there now, in steps, each a transaction. What one log's fault
/// prevents does not stop the others.
///
/// # Errors
/// The first fault, after all others are taken in.
pub(crate) async fn take_in(writer: &Writer, intake: Intake) -> Result<()> {
    let is_of_all = intake.log.is_none();
    match in_steps(writer, intake).await {
        // It came after the first write, so that the step was rolled back for all logs.
        Err(error) if is_of_all && !error.is_retryable() => {
            let mut failure = None;
            for log in writer.write(Log::Platform, |transaction| transaction.staged_logs()).await? {
                let taken = in_steps(writer, Intake::of_key(log)).await;
                failure = failure.or(taken.err());
            }
            failure.map_or(Ok(()), Err)
        }
        taken => taken,
    }
}

async fn in_steps(writer: &Writer, intake: Intake) -> Result<()> {
    let (mut rest, mut failure) = (Some(intake), None);
    while let Some(intake) = rest {
        let step =
            writer.write(Log::Platform, move |transaction| transaction.take_in(intake)).await?;
        (rest, failure) = (step.rest, failure.or(step.failure));
    }
    failure.map_or(Ok(()), Err)
}

/// A staged row, and its number.
struct Numbered {
    n: i64,
    log: Vec<u8>,
    row: StagedRow,
}

/// Returns whether any event is staged.
pub(crate) fn is_any_staged(connection: &Connection) -> Result<bool> {
    let found = || connection.prepare_cached(ANY)?.exists([]);
    found().map_err(sqlite(READING))
}

/// Returns whether an event of the log is staged.
fn is_staged(connection: &Connection, log: Log) -> Result<bool> {
    let found = || connection.prepare_cached(ANY_OF_LOG)?.exists([log.as_bytes()]);
    found().map_err(sqlite(READING))
}

/// Returns the read, which returns `None` instead if an event of `log`, or of any log, is staged and has
/// to be taken in first. A store that cannot write takes in nothing.
pub(crate) fn unless_staged<T, F>(
    log: Option<Log>,
    takes_in: bool,
    read: F,
) -> impl FnOnce(&Snapshot<'_>) -> Result<Option<T>> + Send + 'static
where
    F: FnOnce(&Snapshot<'_>) -> Result<T> + Send + 'static,
{
    move |snapshot| {
        let connection = snapshot.connection;
        let is_staged = || match log {
            Some(log) => is_staged(connection, log),
            None => is_any_staged(connection),
        };
        if takes_in && is_staged()? { Ok(None) } else { read(snapshot).map(Some) }
    }
}

impl Snapshot<'_> {
    pub(crate) fn staged_counts(&self) -> Result<StagedCounts> {
        let count = |sql| -> rusqlite::Result<u64> {
            let count = |row: &Row<'_>| row.get(0).map(i64::unsigned_abs);
            self.connection.prepare_cached(sql)?.query_row([], count)
        };
        let waiting = count(COUNT_STAGED).map_err(sqlite(READING))?;
        let refused = count(COUNT_REFUSED).map_err(sqlite(READING))?;
        Ok(StagedCounts::new(waiting, refused))
    }

    pub(crate) fn refused(&self, after: u64, limit: usize) -> Result<Vec<RefusedEvent>> {
        let (after, limit) = (i64::try_from(after), i64::try_from(limit));
        let list = || -> rusqlite::Result<Vec<RefusedEvent>> {
            let mut statement = self.connection.prepare_cached(LIST_REFUSED)?;
            let bounds = [after.unwrap_or(i64::MAX), limit.unwrap_or(i64::MAX)];
            statement.query_map(bounds, refused_event)?.collect()
        };
        list().map_err(sqlite("reading refused events"))
    }
}

fn refused_event(row: &Row<'_>) -> rusqlite::Result<RefusedEvent> {
    let (log, id): (Vec<u8>, Vec<u8>) = (row.get(1)?, row.get(2)?);
    // The text is as it was bound, which need not be UTF-8.
    let body = row.get_ref(3)?.as_bytes()?.to_vec();
    let refused_at = Timestamp::from_nanos(row.get(5)?);
    let id = StagedRow::new(id, []).id();
    let number = row.get::<_, i64>(0)?.unsigned_abs();
    Ok(RefusedEvent::new(number, body, row.get(4)?, refused_at).log(Log::from_bytes(&log)).id(id))
}

impl WriteTransaction<'_> {
    /// Returns whether any event is staged. Asks once: nobody else writes during the transaction.
    fn has_staged(&mut self) -> Result<bool> {
        let found = match self.staged {
            Some(found) => found,
            None => is_any_staged(self.connection)?,
        };
        self.staged = Some(found);
        Ok(found)
    }

    /// Takes in the staged events of the log to which events are appended next.
    pub(crate) fn take_in_before_append(&mut self, log: Log) -> Result<()> {
        if !self.has_staged()? {
            return Ok(());
        }
        let mut rest = Some(Intake::of(log));
        for _ in 0..STAGED_STEPS_BEFORE_APPEND {
            let Some(intake) = rest.take() else { break };
            rest = self.take_in(intake)?.rest;
        }
        // Events that were taken in stay recorded if the append is refused.
        self.dirty = false;
        Ok(())
    }

    /// Takes in some staged events, in their order. The events of a log into which none can be taken are
    /// left, unless only those are asked for.
    pub(crate) fn take_in(&mut self, mut intake: Intake) -> Result<Step> {
        let through = match intake.through {
            Some(through) => through,
            None => last(self.connection)?,
        };
        let (rows, more) = self.next_staged(&intake, through)?;
        let mut step = Step { rest: None, failure: None };
        for (log, rows) in by_log(rows) {
            intake.after = rows.iter().map(|row| row.n).fold(intake.after, i64::max);
            if intake.failed.contains(&log) {
                continue;
            }
            let was_dirty = std::mem::take(&mut self.dirty);
            match self.take_into(Log::from_bytes(&log), &rows) {
                // Nothing was written, so that the others can be taken in.
                Err(error) if intake.log.is_none() && !self.dirty => {
                    step.failure.get_or_insert(error);
                    intake.failed.insert(log);
                }
                taken => taken?,
            }
            self.dirty |= was_dirty;
        }
        if !is_any_staged(self.connection)? {
            let clear = || self.connection.prepare_cached(CLEAR)?.execute([]);
            clear().map_err(sqlite(WRITING))?;
        }
        step.rest = more.then_some(Intake { through: Some(through), ..intake });
        Ok(step)
    }

    /// Takes rows into the log that they name; `None` if it is no log's key.
    fn take_into(&mut self, log: Option<Log>, rows: &[Numbered]) -> Result<()> {
        let refused = match log {
            Some(log) => {
                let staged: Vec<_> = rows.iter().map(|row| row.row.clone()).collect();
                self.append(self.indexing.hasher.staged(log, &staged)?)?.refused
            }
            None => {
                rows.iter().map(|row| Refusal::new(row.row.id(), no_log())).enumerate().collect()
            }
        };
        self.dirty = true;
        let mut refusals = Vec::with_capacity(refused.len());
        let now = Timestamp::now().as_nanos();
        for (index, refusal) in refused {
            let Some(Numbered { n, .. }) = rows.get(index) else { continue };
            let set_aside = || {
                let mut next = self.connection.prepare_cached(NUMBER)?;
                let number: i64 = next.query_row([], |row| row.get(0))?;
                let mut statement = self.connection.prepare_cached(REFUSE)?;
                statement.execute(params![n, number, refusal.reason, now])
            };
            set_aside().map_err(sqlite(WRITING))?;
            refusals.push(refusal);
        }
        for Numbered { n, .. } in rows {
            let delete = || self.connection.prepare_cached(DELETE)?.execute([n]);
            delete().map_err(sqlite(WRITING))?;
        }
        if refusals.is_empty() {
            return Ok(());
        }
        let log = log.unwrap_or(Log::Platform);
        self.append_own(Batch::reserved(log, Refusal::event(&refusals)?)?)
    }

    /// Reads the rows of one step, and whether more follow.
    fn next_staged(&self, intake: &Intake, through: i64) -> Result<(Vec<Numbered>, bool)> {
        let read = || {
            let longest = i64::try_from(MAX_STAGED_BYTES).unwrap_or(i64::MAX);
            let sql = if intake.log.is_some() { NEXT_OF_LOG } else { NEXT };
            let mut statement = self.connection.prepare_cached(sql)?;
            let mut rows = match &intake.log {
                None => statement.query([intake.after, through, longest])?,
                Some(log) => statement.query(params![intake.after, through, longest, log])?,
            };
            let (mut staged, mut bytes) = (Vec::new(), 0);
            while let Some(row) = rows.next()? {
                if staged.len() == STAGED_STEP_ROWS || bytes > STAGED_STEP_BYTES {
                    return Ok((staged, true));
                }
                let row = numbered(row)?;
                bytes += row.row.size();
                staged.push(row);
            }
            Ok((staged, false))
        };
        read().map_err(sqlite(READING))
    }

    /// Returns the keys of the logs of which events are staged.
    fn staged_logs(&self) -> Result<Vec<Vec<u8>>> {
        let list = || -> rusqlite::Result<Vec<Vec<u8>>> {
            self.connection.prepare_cached(LOGS)?.query_map([], |row| row.get(0))?.collect()
        };
        list().map_err(sqlite(READING))
    }

    pub(crate) fn restage(&mut self, number: u64) -> Result<()> {
        const CONTEXT: &str = "staging a refused event";
        let n = i64::try_from(number).unwrap_or(i64::MAX);
        let run = |sql| self.connection.prepare_cached(sql)?.execute([n]);
        if run(RESTAGE).map_err(sqlite(CONTEXT))? == 0 {
            return Err(Error::not_found("refused event"));
        }
        (self.dirty, self.staged) = (true, None);
        run(DELETE_REFUSED).map(drop).map_err(sqlite(CONTEXT))
    }

    pub(crate) fn drop_refused(&mut self, number: u64, by: AuditContext) -> Result<()> {
        const CONTEXT: &str = "dropping a refused event";
        let n = i64::try_from(number).unwrap_or(i64::MAX);
        let find = || {
            let mut statement = self.connection.prepare_cached(READ_REFUSED)?;
            statement.query_row([n], |row| Ok((row.get(0)?, row.get(1)?))).optional()
        };
        let found: Option<(Vec<u8>, Vec<u8>)> = find().map_err(sqlite(CONTEXT))?;
        let (log, id) = found.ok_or_else(|| Error::not_found("refused event"))?;
        let event = Refusal::dropped(StagedRow::new(id, []).id(), by)?;
        self.append_own(Batch::reserved(Log::from_bytes(&log).unwrap_or(Log::Platform), event)?)?;
        let delete = || self.connection.prepare_cached(DELETE_REFUSED)?.execute([n]);
        delete().map(drop).map_err(sqlite(CONTEXT))
    }
}

/// Returns the number of the last staged event; zero without one.
fn last(connection: &Connection) -> Result<i64> {
    let find = || connection.prepare_cached(LAST)?.query_row([], |row| row.get(0)).optional();
    find().map(Option::unwrap_or_default).map_err(sqlite(READING))
}

fn numbered(row: &Row<'_>) -> rusqlite::Result<Numbered> {
    let id = row.get_ref(2)?.as_blob()?;
    let size = usize::try_from(row.get::<_, i64>(3)?).unwrap_or(usize::MAX);
    // The text is as it was bound, which need not be UTF-8.
    let staged = match row.get_ref(4)?.as_bytes_or_null()? {
        Some(body) => StagedRow::new(id, body),
        None => StagedRow::too_long(id, size),
    };
    Ok(Numbered { n: row.get(0)?, log: row.get(1)?, row: staged })
}

/// Groups rows by the key of their log, in the order of their first rows.
fn by_log(rows: Vec<Numbered>) -> Vec<(Vec<u8>, Vec<Numbered>)> {
    let mut groups: Vec<(Vec<u8>, Vec<Numbered>)> = Vec::new();
    let mut places = std::collections::HashMap::new();
    for row in rows {
        let place = *places.entry(row.log.clone()).or_insert_with(|| {
            groups.push((row.log.clone(), Vec::new()));
            groups.len() - 1
        });
        groups[place].1.push(row);
    }
    groups
}

fn no_log() -> Error {
    Error::malformed("log", "no bytes, or the 16 of an organization's id")
}
