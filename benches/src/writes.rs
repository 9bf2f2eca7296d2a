//! What is measured of appending: speed, disk, memory.

use std::io::Write as _;
use std::ops::Range;
use std::path::Path;
use std::time::{Duration, Instant};

use audit_core::Log;
use futures_executor::block_on;
use futures_util::future::try_join_all;

use crate::Result;
use crate::events::events;
use crate::rows::{Bar, Row, median, rate};
use crate::sql::{SqlLog, bytes_on_disk};
use crate::stores::{Ours, Sides};

const BATCH: u64 = 1_000;
/// In how many rounds the sides take turns.
const ROUNDS: u64 = 5;
/// Events of a round for each caller, and for one that waits for a commit each time.
const EACH: u64 = 32;
const ALONE: u64 = 128;

/// Loads all sides with the same events, in batches, and checks that they hold them.
pub(crate) fn append(sides: &mut Sides, count: u64) -> Result<Vec<Row>> {
    let numbers = sides.take(count);
    let batches: Vec<_> = numbers.clone().step_by(1_000).collect();
    let logs = sides.logs.len().min(batches.len());
    let batches: Vec<_> = batches
        .into_iter()
        .zip(sides.logs.iter().cycle().copied())
        .map(|(first, log)| (log, first..(first + BATCH).min(numbers.end)))
        .collect();

    let mut rates = Rates::default();
    for batches in batches.chunks(batches.len().div_ceil(ROUNDS.try_into()?)) {
        let size = batches.iter().map(|(_, numbers)| numbers.end - numbers.start).sum();
        let mut time = Duration::ZERO;
        for (log, numbers) in batches {
            let events = events(numbers.clone());
            let start = Instant::now();
            sides.ours.append(*log, events)?;
            time += start.elapsed();
        }
        rates.add(0, size, time);
        for (side, sql) in [(1, &mut sides.plain), (3, &mut sides.indexed)] {
            let (mut time, mut time_of_writing) = (Duration::ZERO, Duration::ZERO);
            for (log, numbers) in batches {
                let (encoding, writing) = commit(sql, std::slice::from_ref(log), numbers.clone())?;
                time += encoding + writing;
                time_of_writing += writing;
            }
            rates.add(side, size, time);
            rates.add(side + 1, size, time_of_writing);
        }
    }
    check(sides, [count; 3])?;

    let [ours, plain, plain_writing, indexed, indexed_writing] = rates.medians();
    let row = |beside: &str, limit| {
        let work = format!("append, batches of 1,000, logs: {logs}, beside {beside}");
        sides.row(&work, "events/s", ours).limit(limit)
    };
    let bar = |bar| sides.bar(bar).filter(|_| sides.logs.len() > 1);
    Ok(vec![
        row("SQL, no filter indexed", plain).bar(bar(Bar::AtLeast(0.5))),
        row("SQL, no filter indexed, encoding free", plain_writing),
        row("SQL, each filter indexed", indexed).bar(bar(Bar::AtLeast(4.0))),
        row("SQL, each filter indexed, encoding free", indexed_writing),
    ])
}

/// The same amount of work with the events of each transaction spread over all logs: ours as so
/// many appends at once, SQL's as one.
pub(crate) fn spread(sides: &mut Sides, count: u64) -> Result<Vec<Row>> {
    let [ours, plain, indexed] = sides.lens()?;
    let numbers = sides.take(count);
    let logs = sides.logs.clone();
    let mut rates = Rates::default();
    let firsts: Vec<_> = numbers.step_by(BATCH.try_into()?).collect();
    for firsts in firsts.chunks(firsts.len().div_ceil(ROUNDS.try_into()?)) {
        let size = firsts.len() as u64 * BATCH;
        let mut time = Duration::ZERO;
        for first in firsts {
            let mut of_log = vec![Vec::new(); logs.len()];
            for (at, event) in events(*first..first + BATCH).into_iter().enumerate() {
                of_log[at % logs.len()].push(event);
            }
            let start = Instant::now();
            let appends = logs.iter().zip(of_log).map(|(log, e)| sides.ours.store.append(*log, e));
            block_on(try_join_all(appends))?;
            time += start.elapsed();
        }
        rates.add(0, size, time);
        for (side, sql) in [(1, &mut sides.plain), (2, &mut sides.indexed)] {
            let mut time = Duration::ZERO;
            for first in firsts {
                let (encoding, writing) = commit(sql, &logs, *first..first + BATCH)?;
                time += encoding + writing;
            }
            rates.add(side, size, time);
        }
    }
    check(sides, [ours + count, plain + count, indexed + count])?;
    let [ours, plain, indexed, ..] = rates.medians();
    let logs = logs.len();
    let row = |beside: &str, limit| {
        let work = format!("append, 1,000 events over {logs} logs at once, beside {beside}");
        sides.row(&work, "events/s", ours).limit(limit)
    };
    Ok(vec![
        row("SQL, no filter indexed", plain).bar(sides.bar(Bar::AtLeast(0.5))),
        row("SQL, each filter indexed", indexed).bar(sides.bar(Bar::AtLeast(4.0))),
    ])
}

/// So many callers with one event at a time: each in a log of its own, or all in one.
pub(crate) fn callers(sides: &mut Sides, callers: u64, logs: u64) -> Result<Vec<Row>> {
    let [ours, plain, indexed] = sides.lens()?;
    let of_logs = usize::try_from(logs)?;
    let logs = sides.logs.iter().copied().cycle();
    let logs: Vec<_> = match of_logs {
        1 => vec![sides.logs[0]; callers.try_into()?],
        _ => logs.take(callers.try_into()?).collect(),
    };
    let count = (callers * EACH).max(ALONE);
    let mut rates = Rates::default();
    for _ in 0..ROUNDS {
        rates.add(4, 1, sync(sides.plain.path())?);
        let numbers = sides.take(count);
        rates.add(0, count, call(&sides.ours, &logs, numbers.clone())?);
        rates.add(1, count, commits(&mut sides.indexed, &logs, numbers, callers)?);
        let numbers = sides.take(ALONE);
        rates.add(2, ALONE, commits(&mut sides.indexed, &logs, numbers.clone(), 1)?);
        rates.add(3, ALONE, commits(&mut sides.plain, &logs, numbers, 1)?);
    }
    let (added, alone) = (ROUNDS * count, ROUNDS * ALONE);
    check(sides, [ours + added, plain + alone, indexed + added + alone])?;

    let [ours, shared, indexed, plain, disk] = rates.medians();
    let row = |beside: &str, limit| {
        let work =
            format!("an event at a time, callers: {callers}, logs: {of_logs}, beside {beside}");
        sides.row(&work, "events/s", ours).limit(limit)
    };
    let bar = if callers == 1 { 0.9 } else { 8.0 };
    let mut rows = vec![
        row("SQL, a commit each", indexed).bar(sides.bar(Bar::AtLeast(bar))),
        row("SQL, a commit each, no filter indexed", plain),
        row("4 KiB written and synced, the disk's own pace", disk),
    ];
    if callers > 1 {
        let beside = format!("SQL, a commit for {callers}");
        rows.push(row(&beside, shared).bar(sides.bar(Bar::AtLeast(0.7))));
    }
    Ok(rows)
}

/// What the same events take on the disk.
pub(crate) fn disk(sides: &Sides) -> Result<Vec<Row>> {
    let Some(file) = &sides.ours.file else { return Ok(Vec::new()) };
    let [count, ..] = sides.lens()?;
    let each = |path| -> Result<f64> { Ok(bytes_on_disk(path)? as f64 / count as f64) };
    let ours = each(file)?;
    let logs = count.div_ceil(BATCH).min(sides.logs.len() as u64);
    let row = |beside: &str, limit| {
        let work = format!("on disk, logs: {logs}, beside {beside}");
        sides.row(&work, "bytes/event", ours).limit(limit)
    };
    let plain = row("SQL, no filter indexed", each(sides.plain.path())?);
    let indexed = row("SQL, each filter indexed", each(sides.indexed.path())?);
    Ok(vec![plain.bar(sides.bar(Bar::AtMost(1.3))), indexed])
}

/// What this process holds, the limits' caches included; nothing where the system does not tell.
pub(crate) fn memory(sides: &Sides) -> Option<Row> {
    let row = sides.row("memory of the process after the load", "MB", megabytes_resident()?);
    Some(row.bar(sides.bar(Bar::AtMost(200.0))))
}

/// What this process holds now; `None` where the system does not tell.
pub(crate) fn megabytes_resident() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: f64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kilobytes * 1_024.0 / 1e6)
}

/// Has a caller for each log append its share of the events, one after the other.
pub(crate) fn call(ours: &Ours, logs: &[Log], numbers: Range<u64>) -> Result<Duration> {
    let share = (numbers.end - numbers.start) / logs.len() as u64;
    let shares = numbers.step_by(share.try_into()?).map(|first| events(first..first + share));
    let callers: Vec<_> = logs.iter().zip(shares).collect();
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

/// The time in which hand-written SQL appends events, so many to a commit, to logs in turn.
fn commits(sql: &mut SqlLog, logs: &[Log], numbers: Range<u64>, size: u64) -> Result<Duration> {
    let mut time = Duration::ZERO;
    for first in numbers.step_by(size.try_into()?) {
        let (encoding, writing) = commit(sql, logs, first..first + size)?;
        time += encoding + writing;
    }
    Ok(time)
}

/// The times in which hand-written SQL encodes events for logs in turn, and writes them.
fn commit(sql: &mut SqlLog, logs: &[Log], numbers: Range<u64>) -> Result<(Duration, Duration)> {
    let events = events(numbers);
    let start = Instant::now();
    let rows: Vec<_> = events
        .into_iter()
        .zip(logs.iter().cycle())
        .map(|(event, log)| sql.encode(*log, event))
        .collect::<Result<_>>()?;
    let encoding = start.elapsed();
    let start = Instant::now();
    sql.write(&rows)?;
    Ok((encoding, start.elapsed()))
}

/// The time in which the disk that holds `path` makes 4 KiB durable: the middle one of nine.
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

/// The rates of each side, round by round.
#[derive(Default)]
struct Rates([Vec<f64>; 5]);

impl Rates {
    fn add(&mut self, side: usize, count: u64, time: Duration) {
        self.0[side].push(rate(count, time));
    }

    fn medians(self) -> [f64; 5] {
        self.0.map(median)
    }
}

/// Fails unless our store, the plain and the indexed table hold so many events.
fn check(sides: &Sides, expected: [u64; 3]) -> Result<()> {
    let found = sides.lens()?;
    if found == expected {
        return Ok(());
    }
    Err(format!("the sides hold {found:?} events, not {expected:?}").into())
}
