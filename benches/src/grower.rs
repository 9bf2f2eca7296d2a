//! One growing side in its own process, so that its time and memory are measured separately.
//!
//! Reads sizes, one on each line, grows to each, and answers with a line of JSON.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::time::Instant;

use audit_core::{AuditEvent, AuditStoreExt as _, EventQuery, Log, NewEvent};
use clap::ValueEnum;
use futures_executor::block_on;

use crate::Result;
use crate::callers::{call, commits};
use crate::conditions::{BY_ACTOR, BY_PREFIX, Condition, THREE, choose, rare};
use crate::events::{events, log};
use crate::loads::BATCH;
use crate::reads::{DEEP, Digest, PAGE, TIMES, export_ours, timed, token_of};
use crate::rows::{median, micros, rate};
use crate::sql::{Indexes, SqlLog, bytes_on_disk};
use crate::stores::{Backend, Ours};

/// A side of the comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Side {
    Ours,
    /// SQL with an index for each filter.
    Indexed,
    /// SQL without an index for any filter.
    Plain,
}

/// The figures measured at each size: name and unit, in the order in which they are shown.
pub(crate) const FIGURES: [(&str, &str); 14] = [
    (APPEND, "events/s"),
    (MIDDLE, "ms"),
    (NEARLY_SLOWEST, "ms"),
    (SLOWEST, "ms"),
    (CALLERS, "events/s"),
    (CALLER, "events/s"),
    (PAGE_BY_ONE, "µs"),
    (PAGE_BY_THREE, "µs"),
    (PAGE_RARE, "µs"),
    (PAGE_DEEP, "µs"),
    (TOTAL, "µs"),
    (EXPORT, "events/s"),
    (DISK, "bytes/event"),
    (MEMORY, "MB"),
];

// Since the last size:
const APPEND: &str = "append, batches of 1,000";
const MIDDLE: &str = "a batch, median";
const NEARLY_SLOWEST: &str = "a batch, 99 of 100";
const SLOWEST: &str = "a batch, the slowest";
// At this size; SQL commits for all callers at once:
const CALLERS: &str = "64 callers, one event each";
const CALLER: &str = "1 caller, an event at a time";
const PAGE_BY_ONE: &str = "page of 50 by actor";
const PAGE_BY_THREE: &str = "page of 50 by actor, prefix, environment";
const PAGE_RARE: &str = "page of a product that some 20 have";
const PAGE_DEEP: &str = "page 10,000 of a walk, or the last";
const TOTAL: &str = "exact total by prefix";
const EXPORT: &str = "export in order";
const DISK: &str = "on disk";
pub(crate) const MEMORY: &str = "memory of the process";

/// The figures measured at one size, and the answers to the queries, by name.
#[derive(Debug, Default)]
pub(crate) struct Point {
    figures: BTreeMap<String, f64>,
    answers: BTreeMap<String, u64>,
}

impl Point {
    pub(crate) fn figure(&self, name: &str) -> Option<f64> {
        self.figures.get(name).copied()
    }

    /// Fails if the two sides answered a query differently.
    pub(crate) fn agree(&self, other: &Self) -> Result<()> {
        for (question, answer) in &self.answers {
            if other.answers.get(question).is_some_and(|of_other| of_other != answer) {
                return Err(format!("the answers differ: {question}").into());
            }
        }
        Ok(())
    }

    fn set(&mut self, name: &str, figure: f64) {
        self.figures.insert(name.to_owned(), figure);
    }

    /// Asks each question [`TIMES`] times. Sets the median time as the figure, and a digest of all
    /// answers as the answer.
    fn ask<Q, A>(
        &mut self,
        name: &str,
        questions: &[Q],
        ask: impl Fn(&Q) -> Result<A>,
        sum: impl Fn(A) -> u64,
    ) -> Result<()> {
        let mut times = Vec::new();
        let mut answer = 0_u64;
        for question in questions {
            for _ in 0..TIMES {
                let start = Instant::now();
                let answered = ask(question)?;
                times.push(micros(start.elapsed()));
                answer = answer.rotate_left(1) ^ sum(answered);
            }
        }
        if !times.is_empty() {
            self.set(name, median(times));
        }
        self.answers.insert(name.to_owned(), answer);
        Ok(())
    }

    fn to_line(&self) -> Result<String> {
        Ok(serde_json::to_string(&(&self.figures, &self.answers))?)
    }

    pub(crate) fn from_line(line: &str) -> Result<Self> {
        let (figures, answers) = serde_json::from_str(line)?;
        Ok(Self { figures, answers })
    }
}

/// Grows one side to each size on the standard input, until its end.
pub(crate) fn serve(side: Side, logs: u64, directory: &Path) -> Result<()> {
    let mut grower = Grower::create(side, logs, directory)?;
    for size in std::io::stdin().lines() {
        let point = grower.grow(size?.parse()?)?;
        let mut output = std::io::stdout().lock();
        writeln!(output, "{}", point.to_line()?)?;
        output.flush()?;
    }
    Ok(())
}

struct Grower {
    store: Store,
    logs: Vec<Log>,
    /// The number of events.
    size: u64,
    /// The number of events in the first log, which the queries read.
    in_first: u64,
    batches: usize,
}

enum Store {
    Ours(Ours),
    Sql(Box<SqlLog>),
}

impl Grower {
    fn create(side: Side, logs: u64, directory: &Path) -> Result<Self> {
        let path = directory.join(format!("{side:?}.db"));
        let sql =
            |path, indexes| SqlLog::create(path, indexes).map(|sql| Store::Sql(Box::new(sql)));
        let store = match side {
            Side::Ours => Store::Ours(Ours::create(Backend::Sqlite, path)?),
            Side::Indexed => sql(path, Indexes::PerFilter)?,
            Side::Plain => sql(path, Indexes::None)?,
        };
        let logs = (0..logs).map(log).collect();
        Ok(Self { store, logs, size: 0, in_first: 0, batches: 0 })
    }

    fn grow(&mut self, size: u64) -> Result<Point> {
        let mut point = Point::default();
        self.load(size, &mut point)?;
        match &self.store {
            Store::Sql(sql) if !sql.has_filters() => {}
            _ => self.ask(&mut point)?,
        }
        if let Store::Ours(ours) = &self.store {
            self.read(ours, &mut point)?;
        }
        point.set(DISK, bytes_on_disk(self.store.path()?)? as f64 / self.size as f64);
        if let Some(held) = megabytes_held() {
            point.set(MEMORY, held);
        }
        self.call(&mut point)?;
        point.answers.insert("size".to_owned(), self.store.len(&self.logs)?);
        Ok(point)
    }

    /// Appends up to `size` events, each batch to the next log.
    fn load(&mut self, size: u64, point: &mut Point) -> Result<()> {
        let mut times = Vec::new();
        for first in (self.size..size).step_by(BATCH.try_into()?) {
            let batch = events(first..size.min(first + BATCH));
            let at = self.batches % self.logs.len();
            self.batches += 1;
            self.in_first += if at == 0 { batch.len() as u64 } else { 0 };
            let start = Instant::now();
            self.store.append(self.logs[at], batch)?;
            times.push(start.elapsed());
        }
        if times.is_empty() {
            return Ok(()); // the callers have appended that many
        }
        point.set(APPEND, rate(size - self.size, times.iter().sum()));
        self.size = size;
        times.sort_unstable();
        for (name, share) in [(MIDDLE, 50), (NEARLY_SLOWEST, 99), (SLOWEST, 100)] {
            point.set(name, micros(times[(times.len() - 1) * share / 100]) / 1e3);
        }
        Ok(())
    }

    /// Measures the queries that both sides answer.
    fn ask(&self, point: &mut Point) -> Result<()> {
        let log = self.logs[0];
        let chosen = |kind, least| {
            let count = |condition: &Condition| self.store.count(log, condition);
            choose(kind, self.size, least, count)
        };
        for (name, conditions) in [
            (PAGE_BY_ONE, chosen(BY_ACTOR, PAGE as u64)?),
            (PAGE_BY_THREE, chosen(THREE, PAGE as u64)?),
            (PAGE_RARE, vec![rare(self.in_first)]),
        ] {
            point.ask(
                name,
                &conditions,
                |asked| self.store.page(log, asked),
                |events| sum(&events),
            )?;
        }
        let counted = |condition: &Condition| self.store.count(log, condition);
        point.ask(TOTAL, &chosen(BY_PREFIX, 1)?, counted, |count| count)
    }

    /// Measures the queries that only our store answers.
    fn read(&self, ours: &Ours, point: &mut Point) -> Result<()> {
        let query = EventQuery::new(self.logs[0]).limit(PAGE);
        let token = token_of(&*ours.store, &query, DEEP.min(self.in_first / PAGE as u64))?;
        let page = |(): &()| Ok(block_on(ours.store.next_page(&query, &token))?.events);
        point.ask(PAGE_DEEP, &[(); 10], page, |events| sum(&events))?;
        let mut digest = Digest::default();
        let time = timed(|| export_ours(ours, self.logs[0], |event| digest.add(event)))?;
        if digest.events != self.in_first {
            return Err(format!("{} of {} events exported", digest.events, self.in_first).into());
        }
        point.set(EXPORT, rate(digest.events, time));
        Ok(())
    }

    /// Appends some events one by one. SQL commits the events of all callers at once.
    fn call(&mut self, point: &mut Point) -> Result<()> {
        const EACH: u64 = 32;
        let many = self.logs.iter().cycle().take(64).copied().collect::<Vec<_>>();
        let one = self.logs[..1].to_vec();
        for (name, logs, count) in [(CALLERS, many, 64 * EACH), (CALLER, one, 256)] {
            let numbers = self.size..self.size + count;
            let time = match &mut self.store {
                Store::Ours(ours) => call(ours, &logs, numbers)?,
                Store::Sql(sql) => commits(sql, &logs, numbers, logs.len() as u64)?,
            };
            point.set(name, rate(count, time));
            self.size += count;
            let in_first = logs.iter().filter(|log| **log == self.logs[0]).count() as u64;
            self.in_first += count / logs.len() as u64 * in_first;
        }
        Ok(())
    }
}

impl Store {
    fn append(&mut self, log: Log, events: Vec<NewEvent>) -> Result<()> {
        match self {
            Self::Ours(ours) => ours.append(log, events),
            Self::Sql(sql) => sql.commit(&[log], events).map(drop),
        }
    }

    /// Returns the newest page of `log`; SQL reads the first log.
    fn page(&self, log: Log, asked: &Condition) -> Result<Vec<AuditEvent>> {
        match self {
            Self::Ours(ours) => {
                let query = EventQuery::new(log).filter(asked.filter.clone()).limit(PAGE);
                Ok(block_on(ours.store.page(&query))?.events)
            }
            Self::Sql(sql) => sql.page(&asked.sql, PAGE),
        }
    }

    /// Returns the total of `log`; SQL counts the first log.
    fn count(&self, log: Log, asked: &Condition) -> Result<u64> {
        match self {
            Self::Ours(ours) => {
                let query = EventQuery::new(log).filter(asked.filter.clone());
                Ok(block_on(ours.store.count(&query))?)
            }
            Self::Sql(sql) => sql.count(&asked.sql),
        }
    }

    /// Returns the number of events in all logs.
    fn len(&self, logs: &[Log]) -> Result<u64> {
        match self {
            Self::Ours(ours) => ours.len(logs),
            Self::Sql(sql) => sql.len(),
        }
    }

    fn path(&self) -> Result<&Path> {
        match self {
            Self::Ours(ours) => Ok(ours.file.as_deref().ok_or("no file")?),
            Self::Sql(sql) => Ok(sql.path()),
        }
    }
}

fn sum(events: &[AuditEvent]) -> u64 {
    let mut digest = Digest::default();
    for event in events {
        digest.add(event);
    }
    digest.sum
}

/// Returns the resident memory of this process in MB; `None` if the system does not report it.
fn megabytes_held() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: f64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kilobytes * 1_024.0 / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sides_agree_and_points_round_trip_as_lines() {
        for logs in [1, 3] {
            let directory = tempfile::tempdir().unwrap();
            let mut growers = [Side::Ours, Side::Indexed, Side::Plain]
                .map(|side| Grower::create(side, logs, directory.path()).unwrap());
            for size in [3_000, 8_000] {
                let points = growers.each_mut().map(|grower| {
                    Point::from_line(&grower.grow(size).unwrap().to_line().unwrap()).unwrap()
                });
                points[0].agree(&points[1]).unwrap();
                points[0].agree(&points[2]).unwrap();
                assert!(points[1].answers.len() == 5 && points[0].figure(EXPORT).is_some());
                let known = |name: &String| FIGURES.iter().any(|(known, _)| known == name);
                assert!(points.iter().all(|point| point.figures.keys().all(known)));
            }
        }
    }

    #[test]
    fn different_answers_are_an_error() {
        let point = |answer| Point::from_line(&format!("[{{}},{{\"size\":{answer}}}]")).unwrap();
        assert!(point(1).agree(&point(1)).is_ok() && point(1).agree(&point(2)).is_err());
    }
}
