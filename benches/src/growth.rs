//! How our figures change with the size of a log, in a process that holds nothing else.

use std::path::Path;
use std::time::{Duration, Instant};

use audit_core::{AuditStoreExt as _, Filter, Order, Query};
use futures_executor::block_on;
use futures_util::TryStreamExt as _;
use serde_json::json;

use crate::Result;
use crate::conditions::{Condition, SINGLE, THREE, choose};
use crate::events::{events, log};
use crate::plot::{self, Chart};
use crate::rows::{median, micros, rate};
use crate::sql::bytes_on_disk;
use crate::stores::{Backend, Ours};
use crate::writes::{call, megabytes_resident};

const BATCH: u64 = 1_000;
const PAGE: usize = 50;
const TIMES: usize = 20;

/// What is measured at one size: a name, a unit, a figure.
type Figures = Vec<(&'static str, &'static str, f64)>;

/// Loads one log with up to `most` events and measures at each half of a power of ten.
pub(crate) fn run(directory: &Path, most: u64, json: bool, plot: Option<&Path>) -> Result<()> {
    let directory = tempfile::tempdir_in(directory)?;
    let ours = Ours::create(Backend::Sqlite, directory.path().join("growth.db"))?;
    let mut loaded = 0;
    let mut sizes: Vec<(u64, Figures)> = Vec::new();
    for size in steps(most) {
        let mut figures = load(&ours, loaded..size)?;
        loaded = size;
        figures.extend(measure(&ours, size)?);
        if json {
            for (work, unit, ours) in &figures {
                let row = json!({"events": size, "work": work, "unit": unit, "ours": ours});
                println!("{row}");
            }
        } else {
            println!("{size} events");
            for (work, unit, figure) in &figures {
                println!("  {work:40} {figure:>12.1} {unit}");
            }
        }
        // What the callers added.
        loaded += CALLED;
        sizes.push((size, figures));
    }
    if let Some(path) = plot {
        std::fs::write(path, plot::svg(&charts(&sizes)))?;
    }
    Ok(())
}

/// 10,000, 30,000, 100,000 and so on up to `most`.
fn steps(most: u64) -> impl Iterator<Item = u64> {
    let of_power = |power| [10_u64.pow(power), 3 * 10_u64.pow(power)];
    (4..=18).flat_map(of_power).take_while(move |size| *size <= most)
}

fn load(ours: &Ours, numbers: std::ops::Range<u64>) -> Result<Figures> {
    let mut times = Vec::new();
    for first in numbers.clone().step_by(BATCH.try_into()?) {
        let batch = events(first..numbers.end.min(first + BATCH));
        let start = Instant::now();
        ours.append(log(0), batch)?;
        times.push(start.elapsed());
    }
    let sum: Duration = times.iter().sum();
    times.sort_unstable();
    let at = |share: usize| times.get((times.len() - 1) * share / 100).copied().unwrap_or_default();
    Ok(vec![
        ("append, batches of 1,000", "events/s", rate(numbers.end - numbers.start, sum)),
        ("a batch, median", "ms", micros(at(50)) / 1e3),
        ("a batch, 99 of 100", "ms", micros(at(99)) / 1e3),
        ("a batch, the slowest", "ms", micros(at(100)) / 1e3),
    ])
}

/// How many events the callers add.
const CALLED: u64 = 64 * 32 + 256;

fn measure(ours: &Ours, size: u64) -> Result<Figures> {
    let first_log = log(0);
    let query = |filter: &Filter| Query::new(first_log).filter(filter.clone()).limit(PAGE);
    let count = |condition: &Condition| Ok(block_on(ours.store.count(&query(&condition.filter)))?);
    let page = |condition: &Condition| -> Result<()> {
        let page = block_on(ours.store.page(&query(&condition.filter)))?;
        if page.events.len() == PAGE { Ok(()) } else { Err("a page is not full".into()) }
    };
    let single = choose(SINGLE[0], size, PAGE as u64, count)?;
    let three = choose(THREE, size, PAGE as u64, count)?;
    let prefix = choose(SINGLE[2], size, 1, count)?;
    let every = Query::new(first_log).limit(PAGE);
    let mut token = block_on(ours.store.page(&every))?.next.ok_or("one page only")?;
    let deep = (size / PAGE as u64).min(10_000);
    for _ in 2..deep {
        let page = block_on(ours.store.next_page(&every, &token))?;
        token = page.next.ok_or("the walk ended early")?;
    }
    let next = |(): &()| {
        block_on(ours.store.next_page(&every, &token))?;
        Ok(())
    };
    let mut figures = vec![
        ("page of 50 by actor", "µs", timed(&single, page)?),
        ("page of 50 by actor, prefix, environment", "µs", timed(&three, page)?),
        ("page 10,000 of a walk, or the last", "µs", timed(&[(); 10], next)?),
        ("exact total by prefix", "µs", timed(&prefix, |c| count(c).map(drop))?),
    ];
    // A small log has no page of three.
    figures.retain(|(_, _, figure)| !figure.is_nan());
    let start = Instant::now();
    let walk = ours.store.walk(Query::new(first_log).order(Order::Sequence).limit(1_000));
    let all = block_on(walk.try_fold(0_u64, |n, _| std::future::ready(Ok(n + 1))))?;
    if all < size {
        return Err(format!("{all} events of {size}").into());
    }
    figures.push(("export in order", "events/s", rate(all, start.elapsed())));
    if let Some(file) = &ours.file {
        figures.push(("on disk", "bytes/event", bytes_on_disk(file)? as f64 / all as f64));
    }
    figures.extend(megabytes_resident().map(|mb| ("memory of the process", "MB", mb)));
    let time = call(ours, &vec![first_log; 64], size..size + 64 * 32)?;
    figures.push(("64 callers, one event each", "events/s", rate(64 * 32, time)));
    let time = call(ours, &[first_log], size + 64 * 32..size + CALLED)?;
    figures.push(("1 caller, an event at a time", "events/s", rate(256, time)));
    Ok(figures)
}

/// The median time of a question.
fn timed<Q>(questions: &[Q], ask: impl Fn(&Q) -> Result<()>) -> Result<f64> {
    let mut times = Vec::new();
    for question in questions.iter().flat_map(|question| std::iter::repeat_n(question, TIMES)) {
        let start = Instant::now();
        ask(question)?;
        times.push(micros(start.elapsed()));
    }
    Ok(median(times))
}

/// A chart for each figure.
fn charts(sizes: &[(u64, Figures)]) -> Vec<Chart> {
    let mut charts: Vec<Chart> = Vec::new();
    for (size, figures) in sizes {
        for (work, unit, figure) in figures {
            let title = format!("{work}, {unit}");
            let point = (*size as f64, *figure);
            match charts.iter_mut().find(|chart| chart.title == title) {
                Some(chart) => chart.points.push(point),
                None => charts.push(Chart { title, points: vec![point] }),
            }
        }
    }
    charts
}
