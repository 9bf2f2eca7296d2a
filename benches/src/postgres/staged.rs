//! Measures events that are staged in the transactions of callers, and their way into the logs.

use std::sync::Arc;
use std::time::{Duration, Instant};

use audit_core::{AuditStore as _, Log, NewEvent, Staged, StagingStore as _};
use audit_postgres::STAGE;
use audit_postgres_server::{Database, Server};
use futures_executor::block_on;
use futures_util::future::try_join_all;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;
use tokio_postgres::{Client, Statement};

use crate::events::{event, events, log};
use crate::postgres::sides::{open, open_alone, row};
use crate::postgres::sql::connect;
use crate::rows::{Bar, Pace, Row};
use crate::{BoxError, Result};

const CALLERS: u64 = 64;
/// The rest of what a caller does in its transaction.
const WORK: Duration = Duration::from_millis(20);
/// The number of rounds in which the sides take turns.
const ROUNDS: u64 = 4;
/// The pause between two looks at what is visible.
const PAUSE: Duration = Duration::from_millis(1);

const CREATE: &str = "CREATE TABLE bill (id bigint PRIMARY KEY, paid bigint NOT NULL);
    INSERT INTO bill SELECT n, 0 FROM generate_series(0, 63) n;";

/// A caller with a connection, which changes a row of its own in each transaction.
struct Caller {
    client: Client,
    update: Statement,
    stage: Statement,
    id: i64,
}

impl Caller {
    async fn connect(url: &str, id: u64) -> Result<Self> {
        let client = connect(url).await?;
        let update = client.prepare("UPDATE bill SET paid = paid + 1 WHERE id = $1").await?;
        let stage = client.prepare(STAGE).await?;
        Ok(Self { client, update, stage, id: id.cast_signed() })
    }

    /// Runs a transaction for each event and returns when each was committed. Stages the events if
    /// `stages` is set.
    async fn run(&self, events: Vec<NewEvent>, stages: bool) -> Result<Vec<Instant>> {
        let mut committed = Vec::with_capacity(events.len());
        for event in events {
            self.client.batch_execute("BEGIN").await?;
            self.client.execute(&self.update, &[&self.id]).await?;
            tokio::time::sleep(WORK).await;
            if stages {
                let staged = Staged::new(log(0), vec![event])?;
                let (name, ids, bodies) = (staged.log().to_string(), staged.ids(), staged.bodies());
                self.client.execute(&self.stage, &[&name, &ids, &bodies]).await?;
            }
            self.client.batch_execute("COMMIT").await?;
            committed.push(Instant::now());
        }
        Ok(committed)
    }
}

/// Measures transactions of 20 ms that stage an event, beside the same that stage none, and how long it
/// takes from a commit until its event is in the log.
pub(crate) fn callers(server: &Server, each: u64) -> Result<Vec<Row>> {
    let database = server.database()?;
    let store = Arc::new(open(database.url())?);
    database.sql(CREATE)?;
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let connect = try_join_all((0..CALLERS).map(|id| Caller::connect(database.url(), id)));
    let callers: Vec<_> = runtime.block_on(connect)?.into_iter().map(Arc::new).collect();
    let ([mut with, mut without], mut waits) = ([Pace::default(); 2], Vec::new());
    for round in 0..ROUNDS {
        let first = round * CALLERS * each;
        let (time, _) = run(&runtime, &callers, first, each, false)?;
        without.add(CALLERS * each, time);
        let (seen, stop) = follow(&runtime, &database)?;
        let (time, mut committed) = run(&runtime, &callers, first, each, true)?;
        with.add(CALLERS * each, time);
        let size = (round + 1) * CALLERS * each;
        while block_on(store.head(log(0)))?.size.get() < size {}
        let _ = stop.send(true);
        committed.sort_unstable();
        waits.extend(waits_of(&committed, &runtime.block_on(seen)??, size));
    }
    waits.sort_unstable();
    let nearly_longest = waits.get(waits.len() * 99 / 100).ok_or("nothing was seen")?;
    let work = format!("a transaction of 20 ms that stages an event, callers: {CALLERS}, logs: 1");
    let staged = row(&format!("{work}, beside one that stages none"), "1/s", with.rate());
    let visible = row(
        &format!("99 of 100 commits until the event is in its log, of {work}"),
        "ms",
        nearly_longest.as_secs_f64() * 1e3,
    );
    Ok(vec![
        staged.limit(without.rate()).bar(Some(Bar::AtLeast(0.85))),
        visible.bar(Some(Bar::AtMost(50.0))),
    ])
}

/// Runs the transactions of all callers, and returns the time and when each was committed.
fn run(
    runtime: &Runtime,
    callers: &[Arc<Caller>],
    first: u64,
    each: u64,
    stages: bool,
) -> Result<(Duration, Vec<Instant>)> {
    let tasks: Vec<_> = callers
        .iter()
        .zip((first..).step_by(each.try_into()?))
        .map(|(caller, first)| {
            let (caller, events) = (Arc::clone(caller), events(first..first + each));
            async move { caller.run(events, stages).await }
        })
        .collect();
    let start = Instant::now();
    runtime.block_on(async {
        let mut committed = Vec::new();
        for done in try_join_all(tasks.into_iter().map(tokio::spawn)).await? {
            committed.extend(done?);
        }
        Ok((start.elapsed(), committed))
    })
}

type Seen = tokio::task::JoinHandle<Result<Vec<(Instant, u64)>>>;

/// Looks at the size of the log until it is stopped, without the help of the store. Returns the times at
/// which it had grown.
fn follow(runtime: &Runtime, database: &Database) -> Result<(Seen, watch::Sender<bool>)> {
    let (stop, stopped) = watch::channel(false);
    let client = runtime.block_on(connect(database.url()))?;
    let seen = runtime.spawn(async move {
        let read = client.prepare("SELECT coalesce(sum(size), 0)::bigint FROM audit.log").await?;
        let (mut seen, mut last) = (Vec::new(), None);
        loop {
            let stops = *stopped.borrow();
            let size = client.query_one(&read, &[]).await?.get::<_, i64>(0).unsigned_abs();
            if last.replace(size) != Some(size) {
                seen.push((Instant::now(), size));
            }
            if stops {
                return Ok::<_, BoxError>(seen);
            }
            tokio::time::sleep(PAUSE).await;
        }
    });
    Ok((seen, stop))
}

/// Returns how long each commit waited until the log had as many events as were committed by then. They
/// are taken in in the order of the commits.
fn waits_of(committed: &[Instant], seen: &[(Instant, u64)], size: u64) -> Vec<Duration> {
    let before = size - committed.len() as u64;
    let mut seen = seen.iter().peekable();
    let wait = |(committed, number): (&Instant, u64)| {
        while seen.peek().is_some_and(|(_, size)| *size < number) {
            seen.next();
        }
        seen.peek().map(|(at, _)| at.saturating_duration_since(*committed))
    };
    committed.iter().zip(before + 1..).filter_map(wait).collect()
}

/// Measures the step that takes in what is staged of 1,000 logs.
pub(crate) fn step(server: &Server) -> Result<Row> {
    const LOGS: u64 = 1_000;
    const EACH: u64 = 5;
    let database = server.database()?;
    let store = open_alone(database.url())?;
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let client = runtime.block_on(connect(database.url()))?;
    let logs: Vec<Log> = (0..LOGS).map(log).collect();
    let mut pace = Pace::default();
    for round in 0..ROUNDS {
        let stage = async {
            client.batch_execute("BEGIN").await?;
            for number in 0..EACH {
                for (log, at) in logs.iter().zip(0..) {
                    let number = (round * EACH + number) * LOGS + at;
                    let staged = Staged::new(*log, vec![event(number)])?;
                    let (name, ids) = (staged.log().to_string(), staged.ids());
                    client.execute(STAGE, &[&name, &ids, &staged.bodies()]).await?;
                }
            }
            client.batch_execute("COMMIT").await?;
            Ok::<_, BoxError>(())
        };
        runtime.block_on(stage)?;
        let start = Instant::now();
        block_on(store.take_in())?;
        pace.add(LOGS * EACH, start.elapsed());
        let counts = block_on(store.staged_counts())?;
        if (counts.waiting, counts.refused) != (0, 0) {
            return Err(format!("it left {counts:?}").into());
        }
    }
    let work = format!("a step over {LOGS} logs with {EACH} staged events each");
    Ok(row(&work, "events/s", pace.rate()).bar(Some(Bar::AtLeast(5_000.0))))
}
