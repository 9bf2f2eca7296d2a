//! Measures callers that append one event at a time, in one process and in several.

use std::io::{BufRead as _, BufReader, Write as _};
use std::ops::Range;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use audit_core::{AuditStore, Log, NewEvent};
use audit_postgres::PostgresStore;
use futures_util::future::try_join_all;
use tokio::runtime::{Builder, Runtime};
use tokio_postgres::{Client, Statement};

use crate::events::{event, log};
use crate::postgres::sides::{PgSides, open, row};
use crate::postgres::sql::{Columns, connect, uuid_of};
use crate::rows::{Bar, Pace, Row};
use crate::sql::Indexes;
use crate::{BoxError, Result};

/// The number of rounds in which the sides take turns.
const ROUNDS: u64 = 6;

/// Inserts a row under the number that a service has counted.
const INSERT: &str = "INSERT INTO event (log, sequence, occurred_at, id, record, personal)
    VALUES ($1, $6, $2, $3, $4, $5)";
/// Inserts a row under the next number of the log, which is locked until the commit.
const INSERT_NEXT: &str =
    "WITH h AS (UPDATE head SET size = size + 1 WHERE log = $1 RETURNING size)
    INSERT INTO event (log, sequence, occurred_at, id, record, personal)
    SELECT $1, h.size, $2, $3, $4, $5 FROM h";

/// Callers of hand-written SQL, with a connection each.
struct SqlCallers {
    runtime: Runtime,
    callers: Vec<(Arc<Client>, Statement)>,
    with_heads: bool,
}

/// The events of callers have numbers above this, so that they differ from those of the load.
const ABOVE: i64 = 1 << 40;

impl SqlCallers {
    fn connect(url: &str, count: u64, with_heads: bool) -> Result<Self> {
        // One thread is faster for one caller, because it wakes no other.
        let mut builder =
            if count == 1 { Builder::new_current_thread() } else { Builder::new_multi_thread() };
        let runtime = builder.enable_all().worker_threads(2).build()?;
        let connect = async || {
            let client = connect(url).await?;
            let insert = client.prepare(if with_heads { INSERT_NEXT } else { INSERT }).await?;
            Ok::<_, BoxError>((Arc::new(client), insert))
        };
        let callers = runtime.block_on(try_join_all((0..count).map(|_| connect())))?;
        Ok(Self { runtime, callers, with_heads })
    }

    /// Creates the heads of logs, each with this number of events.
    fn create_heads(&self, logs: &[Log]) -> Result<()> {
        let Some((client, _)) = self.callers.first() else { return Ok(()) };
        let insert = "INSERT INTO head VALUES ($1, 1::bigint << 41) ON CONFLICT DO NOTHING";
        for log in logs {
            self.runtime.block_on(client.execute(insert, &[&uuid_of(*log)]))?;
        }
        Ok(())
    }

    /// Appends events from all callers at once, each to its log, and returns the time.
    fn call(&self, logs: &[Log], numbers: Range<u64>) -> Result<Duration> {
        // Counted for all logs together, so that it is unique in each.
        let mut first = ABOVE + numbers.start.cast_signed();
        let shares = shares(logs, numbers);
        let with_heads = self.with_heads;
        let tasks = self.callers.iter().zip(shares).map(|((client, insert), (log, events))| {
            let (client, insert, begin) = (Arc::clone(client), insert.clone(), first);
            first += i64::try_from(events.len()).unwrap_or(i64::MAX);
            async move {
                for (event, number) in events.into_iter().zip(begin..) {
                    let mut columns = Columns::default();
                    columns.push(log, number, &event, Indexes::None)?;
                    let mut values = columns.only().to_vec();
                    if !with_heads {
                        values.push(&number);
                    }
                    client.execute(&insert, &values).await?;
                }
                Ok::<_, BoxError>(())
            }
        });
        let start = Instant::now();
        self.runtime.block_on(async {
            let tasks: Vec<_> = tasks.map(tokio::spawn).collect();
            for done in try_join_all(tasks).await? {
                done?;
            }
            Ok(start.elapsed())
        })
    }
}

/// Deals events to callers, each with a log.
fn shares(logs: &[Log], numbers: Range<u64>) -> Vec<(Log, Vec<NewEvent>)> {
    let share = |at| numbers.clone().skip(at).step_by(logs.len()).map(event).collect();
    logs.iter().copied().zip((0..logs.len()).map(share)).collect()
}

/// Appends events to our store from all callers at once, each to its log, and returns the time.
fn call(runtime: &Runtime, store: &Arc<PostgresStore>, shares: Shares) -> Result<Duration> {
    let tasks: Vec<_> = shares
        .into_iter()
        .map(|(log, events)| {
            let store = Arc::clone(store);
            async move {
                for event in events {
                    store.append(log, vec![event]).await?;
                }
                Ok::<_, BoxError>(())
            }
        })
        .collect();
    let start = Instant::now();
    runtime.block_on(async {
        for done in try_join_all(tasks.into_iter().map(tokio::spawn)).await? {
            done?;
        }
        Ok(start.elapsed())
    })
}

type Shares = Vec<(Log, Vec<NewEvent>)>;

/// Appends one event at a time from `count` callers to `of_logs` logs, beside SQL on a table of the same
/// form. `each` is the number of events of a caller in a round.
pub(crate) fn measure(
    sides: &mut PgSides,
    count: u64,
    of_logs: u64,
    each: u64,
) -> Result<Vec<Row>> {
    let logs: Vec<Log> = (0..count).map(|caller| log(caller % of_logs)).collect();
    let url = sides.plain.database.url().to_owned();
    let raw = SqlCallers::connect(&url, count, false)?;
    let with_heads = SqlCallers::connect(&url, count, true)?;
    with_heads.create_heads(&logs)?;
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let [mut ours, mut by_raw, mut by_heads] = [Pace::default(); 3];
    for _ in 0..ROUNDS {
        let numbers = sides.take(count * each);
        let time = call(&runtime, &sides.ours, shares(&logs, numbers.clone()))?;
        let start = Instant::now();
        sides.settle()?;
        ours.add(count * each, time + start.elapsed());
        by_raw.add(count * each, raw.call(&logs, numbers)?);
        let numbers = sides.take(count * each);
        by_heads.add(count * each, with_heads.call(&logs, numbers)?);
    }
    let rate = |beside: &str, limit: Pace| {
        let work =
            format!("an event at a time, callers: {count}, logs: {of_logs}, beside {beside}");
        row(&work, "events/s", ours.rate()).limit(limit.rate())
    };
    let bar = match (count, of_logs) {
        (1, _) => 0.5,
        (_, 1) => 0.9,
        _ => 0.7,
    };
    let beside_heads = rate("SQL that locks the log's row", by_heads);
    let is_contended = count > 1 && of_logs == 1;
    Ok(vec![
        rate("SQL, a commit each", by_raw).bar(Some(Bar::AtLeast(bar))),
        beside_heads.bar(is_contended.then_some(Bar::AtLeast(7.0))),
    ])
}

/// Measures 64 callers in four processes, beside the same in one.
pub(crate) fn processes(sides: &mut PgSides, of_logs: u64, each: u64, bar: f64) -> Result<Row> {
    const CALLERS: u64 = 64;
    let url = sides.database.url().to_owned();
    let mut paces = Vec::new();
    for processes in [1, 4] {
        let start = |_| Appender::start(&url, CALLERS / processes, of_logs);
        let mut appenders = (0..processes).map(start).collect::<Result<Vec<_>>>()?;
        let mut pace = Pace::default();
        for _ in 0..ROUNDS {
            let count = CALLERS / processes * each;
            let numbers: Vec<_> = appenders.iter().map(|_| sides.take(count)).collect();
            let start = Instant::now();
            for (appender, numbers) in appenders.iter_mut().zip(numbers) {
                appender.begin(numbers.start, each)?;
            }
            appenders.iter_mut().try_for_each(Appender::end)?;
            pace.add(CALLERS * each, start.elapsed());
        }
        paces.push(pace.rate());
    }
    let work = format!("64 callers in 4 processes, logs: {of_logs}, beside 1 process");
    let row = row(&work, "events/s", paces[1]).limit(paces[0]);
    Ok(row.bar(Some(Bar::AtLeast(bar))))
}

/// Another process with callers.
struct Appender {
    child: Child,
    answers: BufReader<std::process::ChildStdout>,
}

impl Appender {
    fn start(url: &str, callers: u64, logs: u64) -> Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["append-to", "--url", url])
            .args(["--callers", &callers.to_string(), "--logs", &logs.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let answers = BufReader::new(child.stdout.take().ok_or("it has no output")?);
        let mut appender = Self { child, answers };
        appender.end()?;
        Ok(appender)
    }

    fn begin(&mut self, first: u64, each: u64) -> Result<()> {
        let input = self.child.stdin.as_mut().ok_or("it has no input")?;
        Ok(writeln!(input, "{first} {each}")?)
    }

    fn end(&mut self) -> Result<()> {
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        if line.trim() == "done" { Ok(()) } else { Err("another process failed".into()) }
    }
}

impl Drop for Appender {
    fn drop(&mut self) {
        // It ends with its input.
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// Appends to the store at `url` from several callers. Reads the number of the first event and the number
/// of events of a caller, one pair on each line, and answers each with a line.
pub(crate) fn serve(url: &str, callers: u64, logs: u64) -> Result<()> {
    let store = Arc::new(open(url)?);
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let logs: Vec<Log> = (0..callers).map(|caller| log(caller % logs)).collect();
    println!("done");
    for line in std::io::stdin().lines() {
        let line = line?;
        let (first, each) = line.split_once(' ').ok_or("no pair of numbers")?;
        let (first, each): (u64, u64) = (first.parse()?, each.parse()?);
        call(&runtime, &store, shares(&logs, first..first + callers * each))?;
        println!("done");
    }
    Ok(())
}
