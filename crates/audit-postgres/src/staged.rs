//! Staged events: taken into their logs, or refused and set aside.
//!
//! Whoever takes in events of a log holds the lock of its head, and reads them by a statement after that:
//! so nobody else takes them in, and their order is that of the commits.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use audit_core::backend::{
    Batch, Refusal, STAGED_STEP_BYTES, STAGED_STEP_ROWS, STAGED_STEPS_BEFORE_APPEND, StagedRow,
};
use audit_core::limits::MAX_STAGED_BYTES;
use audit_core::{EventId, Log, Result, StagedCounts, Timestamp};
use tokio_postgres::Row;
use tokio_postgres::types::Type;
use uuid::Uuid;

use crate::append::{Lock, Wanted, WriteTransaction};
use crate::change::Change;
use crate::connection::{Session, Statement, column};
use crate::core::Core;
use crate::error::corrupt;
use crate::read::log_of;
use crate::readers::Readers;

/// Stages events of one log: `$1` is the [name of the log](Log), a text, `$2` their ids, an array of
/// UUIDs, and `$3` their bodies, an array of texts. [`Staged`](audit_core::Staged) makes the values, and
/// any client of PostgreSQL binds them, in a transaction of its own in the store's database:
///
/// ```no_run
/// use audit_core::{Actor, AuditStoreExt, Log, NewEvent, Staged};
/// use audit_postgres::{PostgresStore, STAGE};
///
/// # async fn pay(
/// #     client: &mut tokio_postgres::Client,
/// #     store: &PostgresStore,
/// # ) -> Result<(), Box<dyn std::error::Error>> {
/// let event = NewEvent::new("invoice.paid", Actor::user("u_7")).target("invoice", "inv_9");
/// let staged = Staged::new(Log::Platform, vec![event])?;
/// let transaction = client.transaction().await?;
/// transaction.execute("UPDATE invoice SET paid = true WHERE id = 'inv_9'", &[]).await?;
/// let log = staged.log().to_string();
/// transaction.execute(STAGE, &[&log, &staged.ids(), &staged.bodies()]).await?;
/// transaction.commit().await?; // both, or neither
///
/// let receipt = store.receipt_of(Log::Platform, staged.ids()[0].into()).await?;
/// assert_eq!(receipt.sequence.get(), 1);
/// # Ok(())
/// # }
/// ```
///
/// The statement inserts into a table, and waits for nobody. It fails if the log is neither `platform`
/// nor a UUID, or if there are not as many ids as bodies. The role of the client needs `USAGE` of the
/// schema `audit`, and `EXECUTE` on the function `audit.stage`, and no right to a table.
pub const STAGE: &str = "SELECT audit.stage($1, $2, $3)";

/// The most logs that one transaction locks.
const LOGS_AT_ONCE: usize = 256;
/// The rows of a log that one transaction takes in at least, if it has so many.
const LEAST_ROWS: usize = 16;

const READING: &str = "reading staged events";
const WRITING: &str = "taking in staged events";

/// Finds the last staged event of a log, if it has any.
pub(crate) const LAST: Statement = Statement {
    sql: "SELECT n FROM audit.staged WHERE log = $1 ORDER BY n DESC LIMIT 1",
    types: &[Type::BYTEA],
    context: READING,
};
/// Finds whether an event is staged of any log from one on.
pub(crate) const ANY: Statement = Statement {
    sql: "SELECT 1 FROM audit.staged WHERE log >= $1 ORDER BY log LIMIT 1",
    types: &[Type::BYTEA],
    context: READING,
};
/// Lists the logs of which events are staged, from one on, and whether they have a row of their own.
pub(crate) const LOGS: Statement = Statement {
    sql: "WITH RECURSIVE w AS (
              (SELECT log FROM audit.staged WHERE log >= $1 ORDER BY log LIMIT 1)
              UNION ALL
              SELECT (SELECT s.log FROM audit.staged s WHERE s.log > w.log ORDER BY s.log LIMIT 1)
              FROM w WHERE w.log IS NOT NULL)
          SELECT w.log, (SELECT true FROM audit.log l WHERE l.log = w.log)
          FROM w WHERE w.log IS NOT NULL LIMIT $2",
    types: &[Type::BYTEA, Type::INT8],
    context: READING,
};
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
    types: &[Type::BYTEA_ARRAY, Type::INT8_ARRAY, Type::INT8, Type::INT8, Type::INT8],
    context: READING,
};
/// Deletes staged events.
pub(crate) const DELETE: Statement = Statement {
    sql: "DELETE FROM audit.staged s USING unnest($1, $2) AS w (log, n)
          WHERE s.log = w.log AND s.n = w.n",
    types: &[Type::BYTEA_ARRAY, Type::INT8_ARRAY],
    context: WRITING,
};
/// Sets staged events of a log aside.
pub(crate) const REFUSE: Statement = Statement {
    sql: "INSERT INTO audit.refused (log, id, body, reason, refused_at)
          SELECT s.log, s.id, s.body, w.reason, $4 FROM unnest($2, $3) AS w (n, reason)
          JOIN audit.staged s ON s.log = $1 AND s.n = w.n ORDER BY s.n",
    types: &[Type::BYTEA, Type::INT8_ARRAY, Type::TEXT_ARRAY, Type::INT8],
    context: WRITING,
};
/// Counts the staged and the refused events.
const COUNT: Statement = Statement {
    sql: "SELECT (SELECT count(*) FROM audit.staged), (SELECT count(*) FROM audit.refused)",
    types: &[],
    context: "counting staged events",
};

/// What a read does if it finds staged events of its log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IfStaged {
    /// It returns nothing, so that they are taken in first.
    Stop,
    /// It reads what was taken in.
    Ignore,
}

/// Reads a log, with what is staged of it. The second argument of `read` says what it does if something
/// is; it returns `None` only if it stops for that.
pub(crate) async fn with_staged<T, F>(
    core: Arc<Core>,
    log: Log,
    read: impl Fn(Arc<Core>, IfStaged) -> F,
) -> Result<T>
where
    F: Future<Output = Result<Option<T>>>,
{
    if core.takes_in {
        if let Some(found) = read(Arc::clone(&core), IfStaged::Stop).await? {
            return Ok(found);
        }
        in_steps(&core, Intake::of([log]), Lock::Wait).await?;
    }
    read(core, IfStaged::Ignore).await?.ok_or_else(|| corrupt(READING))
}

/// Does the same for a read of all logs.
pub(crate) async fn with_all_staged<T, F>(
    core: Arc<Core>,
    read: impl Fn(Arc<Core>, IfStaged) -> F,
) -> Result<T>
where
    F: Future<Output = Result<Option<T>>>,
{
    if core.takes_in {
        if let Some(found) = read(Arc::clone(&core), IfStaged::Stop).await? {
            return Ok(found);
        }
        take_in(&core, Lock::Wait).await?;
    }
    read(core, IfStaged::Ignore).await?.ok_or_else(|| corrupt(READING))
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

/// Takes in the staged events of all logs. What the fault of one log prevents does not stop the others.
///
/// # Errors
/// The first fault, after all others are taken in.
pub(crate) async fn take_in(core: &Arc<Core>, lock: Lock) -> Result<()> {
    let (mut first, mut failure) = (Vec::new(), None);
    loop {
        let (logs, after) = staged_logs(core, &first).await?;
        let taken = in_steps(core, Intake::of(logs.iter().copied()), lock).await;
        match taken {
            Err(error) if logs.len() > 1 && !error.is_retryable() => {
                for log in logs {
                    let taken = in_steps(core, Intake::of([log]), lock).await;
                    failure = failure.or(taken.err());
                }
            }
            taken => failure = failure.or(taken.err()),
        }
        let Some(after) = after else { return failure.map_or(Ok(()), Err) };
        first = after;
    }
}

/// Returns some logs of which events are staged, from the key `first` on, and the key from which on more
/// may follow. Creates the rows of logs that have none.
async fn staged_logs(core: &Core, first: &[u8]) -> Result<(Vec<Log>, Option<Vec<u8>>)> {
    let session = core.writers.take().await?;
    let limit = i64::try_from(LOGS_AT_ONCE).unwrap_or(i64::MAX);
    let rows = session.query(&LOGS, &[&first, &limit]).await?;
    let (mut logs, mut new) = (Vec::with_capacity(rows.len()), Vec::new());
    for row in &rows {
        let key: &[u8] = column(row, 0)?;
        logs.push(log_of(key)?);
        if column::<Option<bool>>(row, 1)?.is_none() {
            new.push(key);
        }
    }
    if !new.is_empty() {
        session.execute(&crate::append::CREATE_LOGS, &[&new]).await?;
    }
    // The least key after that of the last log.
    let after = rows.last().filter(|_| rows.len() == LOGS_AT_ONCE);
    let after = after.map(|row| Ok([column::<&[u8]>(row, 0)?, &[0]].concat())).transpose()?;
    Ok((logs, after))
}

/// The staged events that are to be taken in.
#[derive(Clone, Debug)]
pub(crate) enum Intake {
    /// Those of these logs that are there when the logs are locked.
    All(Vec<Log>),
    /// Those of these logs, up to a number each.
    Through(BTreeMap<Log, i64>),
}

impl Intake {
    fn of(logs: impl IntoIterator<Item = Log>) -> Self {
        Self::All(logs.into_iter().collect())
    }

    /// Returns `true` if nothing is left.
    fn is_empty(&self) -> bool {
        match self {
            Self::All(logs) => logs.is_empty(),
            Self::Through(logs) => logs.is_empty(),
        }
    }

    fn logs(&self) -> impl Iterator<Item = Log> {
        let (all, through) = match self {
            Self::All(logs) => (Some(logs), None),
            Self::Through(logs) => (None, Some(logs)),
        };
        all.into_iter().flatten().chain(through.into_iter().flat_map(BTreeMap::keys)).copied()
    }
}

/// Takes in staged events in steps, each a transaction.
async fn in_steps(core: &Arc<Core>, mut intake: Intake, lock: Lock) -> Result<()> {
    while !intake.is_empty() {
        let step = Step { intake, lock };
        let taken = Arc::clone(core).change(step).await?;
        for log in taken.long_tails {
            core.build(log).await;
        }
        intake = taken.rest;
    }
    Ok(())
}

/// One transaction that takes in staged events.
struct Step {
    intake: Intake,
    lock: Lock,
}

/// The outcome of a step.
struct Taken {
    rest: Intake,
    /// The logs whose indexes must be built before more is taken in.
    long_tails: Vec<Log>,
}

impl Change for Step {
    type Output = Taken;

    fn wanted(&self) -> Wanted {
        self.intake.logs().fold(Wanted::default(), Wanted::log).lock(self.lock)
    }

    async fn session(&self, core: &Core) -> Result<Session> {
        // A read pays for what it takes in; the loop has no read.
        if self.lock == Lock::Wait {
            core.readers.take(self.intake.logs().next().unwrap_or(Log::Platform)).await
        } else {
            core.writers.take().await
        }
    }

    async fn apply(&self, core: &Core, transaction: &mut WriteTransaction) -> Result<Taken> {
        let rest = transaction.take_in(core, &self.intake).await?;
        let longest = core.indexing.longest_tail;
        let long = transaction.ends.iter().filter(|(_, end)| end.tail() >= longest);
        Ok(Taken { rest, long_tails: long.map(|(log, _)| *log).collect() })
    }
}

/// Begins a transaction that appends to the logs that it wants. Takes in what is staged of them before;
/// the loop does it if that is very much.
pub(crate) async fn begin_append(
    core: &Arc<Core>,
    wanted: &Wanted,
    deadline: Instant,
) -> Result<WriteTransaction> {
    let mut intake = Intake::of(wanted.logs());
    for step in 1.. {
        let session = core.writers.take().await?;
        let begin = core.begin(deadline);
        let mut transaction = WriteTransaction::begin(session, wanted, begin).await?;
        intake = transaction.take_in(core, &intake).await?;
        if intake.is_empty() || step == STAGED_STEPS_BEFORE_APPEND {
            return Ok(transaction);
        }
        let (appended, session) = transaction.commit().await?;
        drop(session);
        core.appended(&appended);
    }
    Err(corrupt(WRITING))
}

/// Staged events that a transaction has taken in or set aside, to be deleted.
#[derive(Default)]
pub(crate) struct TakenIn {
    logs: Vec<Vec<u8>>,
    numbers: Vec<i64>,
}

impl TakenIn {
    /// Deletes them.
    pub(crate) async fn delete(&self, session: &Session) -> Result<()> {
        if self.numbers.is_empty() {
            return Ok(());
        }
        session.execute(&DELETE, &[&self.logs, &self.numbers]).await.map(drop)
    }
}

impl WriteTransaction {
    /// Takes in some of the staged events of the logs whose heads are locked. Returns what is left.
    async fn take_in(&mut self, core: &Core, intake: &Intake) -> Result<Intake> {
        let through = |log: &Log, last: i64| match intake {
            Intake::All(_) => Some(last),
            Intake::Through(numbers) => numbers.get(log).copied(),
        };
        let staged = self.ends.iter().filter_map(|(log, end)| {
            let through = through(log, end.staged?)?;
            Some((*log, through))
        });
        let mut wanted: BTreeMap<Log, i64> = staged.collect();
        let next = next_staged(&self.session, &wanted).await?;
        let ids: Vec<_> = next.rows.iter().map(|row| (row.log, row.id)).collect();
        self.find_ids(&ids).await?;
        for rows in next.rows.chunk_by(|a, b| a.log == b.log) {
            self.take_into(core, rows).await?;
        }
        wanted.retain(|log, _| next.leaves(*log));
        Ok(Intake::Through(wanted))
    }

    /// Takes rows into their log, which is one.
    async fn take_into(&mut self, core: &Core, rows: &[Numbered]) -> Result<()> {
        let Some(log) = rows.first().map(|row| row.log) else { return Ok(()) };
        let staged: Vec<_> = rows.iter().map(|row| row.row.clone()).collect();
        let refused = self.append(core.indexing.hasher.staged(log, &staged)?)?.refused;
        if !refused.is_empty() {
            let numbers = refused.iter().filter_map(|(index, _)| rows.get(*index).map(|row| row.n));
            let numbers: Vec<_> = numbers.collect();
            let refusals: Vec<_> = refused.into_iter().map(|(_, refusal)| refusal).collect();
            let reasons: Vec<_> = refusals.iter().map(|refusal| &refusal.reason[..]).collect();
            let now = Timestamp::now().as_nanos();
            self.session.execute(&REFUSE, &[&log.as_bytes(), &numbers, &reasons, &now]).await?;
            self.append_own(core, Batch::reserved(log, Refusal::event(&refusals)?)?)?;
        }
        for row in rows {
            self.taken_in.logs.push(log.as_bytes().to_vec());
            self.taken_in.numbers.push(row.n);
        }
        Ok(())
    }
}

/// A staged row, and its number.
struct Numbered {
    log: Log,
    n: i64,
    id: EventId,
    row: StagedRow,
}

/// The rows of a step, in the order of their logs.
#[derive(Default)]
struct Next {
    rows: Vec<Numbered>,
    /// The most rows of a log.
    most: usize,
    /// Whether rows were left because these have as many bytes as a step takes in.
    is_cut: bool,
}

impl Next {
    /// Returns whether rows of a log may be left.
    fn leaves(&self, log: Log) -> bool {
        let is_after_last = || self.rows.last().is_some_and(|last| log >= last.log);
        let count = || self.rows.iter().filter(|row| row.log == log).count();
        (self.is_cut && is_after_last()) || count() >= self.most
    }
}

/// Reads the rows of one step.
async fn next_staged(session: &Session, through: &BTreeMap<Log, i64>) -> Result<Next> {
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
