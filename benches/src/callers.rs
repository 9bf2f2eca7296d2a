//! Measures callers that append one event at a time.

use std::io::Write as _;
use std::ops::Range;
use std::path::Path;
use std::time::{Duration, Instant};

use audit_core::Log;

use crate::Result;
use crate::events::{event, events};
use crate::rows::{Bar, Pace, Row, median, rate};
use crate::sql::SqlLog;
use crate::stores::{Ours, Sides};

/// The number of rounds in which the sides take turns.
const ROUNDS: u64 = 8;
/// The number of events of a round in which each has its own commit.
const ALONE: u64 = 256;

/// The callers, and the logs that they append to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Callers {
    pub(crate) count: u64,
    /// The number of logs: one for each caller, or one that all share.
    pub(crate) logs: u64,
    /// The number of events that each appends in a round.
    pub(crate) each: u64,
}

impl Callers {
    /// Returns the log of each caller.
    pub(crate) fn logs(self, of: &[Log]) -> Vec<Log> {
        let shared: Vec<_> = of.iter().zip(0..self.logs).collect();
        shared.iter().cycle().zip(0..self.count).map(|((log, _), _)| **log).collect()
    }
}

/// Appends one event at a time, beside SQL on a store with as many events.
pub(crate) fn measure(sides: &mut Sides, of: Callers, store: &str) -> Result<Vec<Row>> {
    let Callers { count: callers, logs: of_logs, each } = of;
    let [ours, plain, indexed] = sides.lens()?;
    let logs = of.logs(&sides.logs);
    let count = (callers * each).max(ALONE);
    let [mut by_ours, mut shared, mut alone, mut alone_plain] = [Pace::default(); 4];
    let mut syncs = Vec::new();
    for _ in 0..ROUNDS {
        syncs.push(rate(1, sync(sides.plain.path())?));
        let numbers = sides.take(count);
        by_ours.add(count, call(&sides.ours, &logs, numbers.clone())?);
        shared.add(count, commits(&mut sides.indexed, &logs, numbers, callers)?);
        let numbers = sides.take(ALONE);
        alone.add(ALONE, commits(&mut sides.indexed, &logs, numbers.clone(), 1)?);
        alone_plain.add(ALONE, commits(&mut sides.plain, &logs, numbers, 1)?);
    }
    let (added, added_alone) = (ROUNDS * count, ROUNDS * ALONE);
    sides.check([ours + added, plain + added_alone, indexed + added + added_alone])?;

    let row = |beside: &str, limit| {
        let work = format!(
            "an event at a time, {store}, callers: {callers}, logs: {of_logs}, beside {beside}"
        );
        sides.row(&work, "events/s", by_ours.rate()).limit(limit)
    };
    let bar = if callers == 1 { 0.9 } else { 8.0 };
    let mut rows = vec![
        row("SQL, a commit each", alone.rate()).bar(sides.bar(Bar::AtLeast(bar))),
        row("SQL, a commit each, no filter indexed", alone_plain.rate()),
        row("4 KiB written and synced, the disk's own pace", median(syncs)),
    ];
    if callers > 1 {
        let beside = format!("SQL, a commit for {callers}");
        rows.push(row(&beside, shared.rate()).bar(sides.bar(Bar::AtLeast(0.7))));
    }
    Ok(rows)
}

/// Appends events from one caller for each log, one event at a time. The events go to the logs in
/// turn. Returns the time.
pub(crate) fn call(ours: &Ours, logs: &[Log], numbers: Range<u64>) -> Result<Duration> {
    let share = |at| numbers.clone().skip(at).step_by(logs.len()).map(event).collect();
    let callers: Vec<_> = logs.iter().zip((0..logs.len()).map(share)).collect();
    let call = |(log, events): (&Log, Vec<_>)| {
        events.into_iter().try_for_each(|event| ours.append(*log, vec![event]))
    };
    let start = Instant::now();
    std::thread::scope(|scope| {
        let spawn = |caller| scope.spawn(|| call(caller));
        let threads: Vec<_> = callers.into_iter().map(spawn).collect();
        let joined = threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|_| Err("a caller panicked".into())));
        joined.collect::<Result<()>>()
    })?;
    Ok(start.elapsed())
}

/// Appends events to the logs in turn with hand-written SQL, `size` in each commit. Returns the
/// time.
pub(crate) fn commits(
    sql: &mut SqlLog,
    logs: &[Log],
    numbers: Range<u64>,
    size: u64,
) -> Result<Duration> {
    let mut time = Duration::ZERO;
    let mut logs = logs.to_vec();
    for first in numbers.step_by(size.try_into()?) {
        let (encoding, writing) = sql.commit(&logs, events(first..first + size))?;
        time += encoding + writing;
        let turn = usize::try_from(size)? % logs.len();
        logs.rotate_left(turn);
    }
    Ok(time)
}

/// Returns the time that the disk with `path` needs to make 4 KiB durable: the median of nine.
fn sync(path: &Path) -> Result<Duration> {
    let mut file = tempfile::tempfile_in(path.parent().unwrap_or(path))?;
    let mut times = [Duration::ZERO; 9];
    for time in &mut times {
        let start = Instant::now();
        file.write_all(&[1; 4_096])?;
        file.sync_data()?;
        *time = start.elapsed();
    }
    times.sort_unstable();
    Ok(times[4])
}
