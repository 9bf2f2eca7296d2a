//! Staged events: taken into their logs, or refused and set aside.
//!
//! Whoever takes in events of a log holds the lock of its head, and reads them by a statement after that:
//! so nobody else takes them in, and their order is that of the commits.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use audit_core::backend::{Batch, Refusal, STAGED_STEPS_BEFORE_APPEND};
use audit_core::{Log, Result, Timestamp};

use crate::append::WriteTransaction;
use crate::change::Change;
use crate::connection::{Session, Statement, column, types};
use crate::core::Core;
use crate::error::corrupt;
use crate::lock::{CREATE_LOGS, Lock, Wanted};
use crate::log_row::log_of;
use crate::log_state::IfStaged;
use crate::staged::{Numbered, next_staged};

/// The most logs that one transaction locks.
const LOGS_AT_ONCE: usize = 256;

const READING: &str = "reading staged events";
const WRITING: &str = "taking in staged events";

/// Lists the logs of which events are staged, from one on, and whether they have a row of their own.
pub(crate) const LOGS: Statement = Statement {
    sql: "WITH RECURSIVE w AS (
              (SELECT log FROM audit.staged WHERE log >= $1 ORDER BY log LIMIT 1)
              UNION ALL
              SELECT (SELECT s.log FROM audit.staged s WHERE s.log > w.log ORDER BY s.log LIMIT 1)
              FROM w WHERE w.log IS NOT NULL)
          SELECT w.log, (SELECT true FROM audit.log l WHERE l.log = w.log)
          FROM w WHERE w.log IS NOT NULL LIMIT $2",
    types: types![BYTEA, INT8],
    context: READING,
};
/// Sets staged events of a log aside.
pub(crate) const REFUSE: Statement = Statement {
    sql: "INSERT INTO audit.refused (log, id, body, reason, refused_at)
          SELECT s.log, s.id, s.body, w.reason, $4 FROM unnest($2, $3) AS w (n, reason)
          JOIN audit.staged s ON s.log = $1 AND s.n = w.n ORDER BY s.n",
    types: types![BYTEA, INT8_ARRAY, TEXT_ARRAY, INT8],
    context: WRITING,
};

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
        session.execute(&CREATE_LOGS, &[&new]).await?;
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
            core.builds.wait(log).await;
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
            self.taken_in.add(row);
        }
        Ok(())
    }
}
