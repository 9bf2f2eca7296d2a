//! Measures appends of many events at once.

use std::time::{Duration, Instant};

use audit_core::NewEvent;
use futures_executor::block_on;
use futures_util::future::try_join_all;

use crate::Result;
use crate::events::{Arrival, event, events};
use crate::rows::{Bar, Pace, Row};
use crate::stores::Sides;

pub(crate) const BATCH: u64 = 1_000;
/// The number of rounds in which the sides take turns.
const ROUNDS: usize = 10;

/// Loads all sides, which are empty, with the same events in batches. Checks that all sides have
/// them.
pub(crate) fn append(sides: &mut Sides, count: u64, arrival: Arrival) -> Result<Vec<Row>> {
    let numbers = sides.take(count);
    let batch = |first: u64| -> Vec<NewEvent> {
        let indexes = first..numbers.end.min(first + BATCH);
        indexes.map(|index| event(arrival.number(index, count))).collect()
    };
    let firsts: Vec<_> = numbers.clone().step_by(BATCH.try_into()?).collect();
    let logs: Vec<_> = sides.logs.iter().take(firsts.len()).copied().collect();
    let batches: Vec<_> = firsts.into_iter().zip(logs.iter().cycle()).collect();

    let mut whole = [Pace::default(); 5];
    let mut tenth = whole;
    for batches in batches.chunks(batches.len().div_ceil(ROUNDS)) {
        tenth = <[Pace; 5]>::default();
        for (first, log) in batches {
            let events = batch(*first);
            let size = events.len() as u64;
            let start = Instant::now();
            sides.ours.append(**log, events)?;
            tenth[0].add(size, start.elapsed());
        }
        for (side, sql) in [(1, &mut sides.plain), (3, &mut sides.indexed)] {
            for (first, log) in batches {
                let events = batch(*first);
                let size = events.len() as u64;
                let (encoding, writing) = sql.commit(std::slice::from_ref(*log), events)?;
                tenth[side].add(size, encoding + writing);
                tenth[side + 1].add(size, writing);
            }
        }
        for (whole, tenth) in whole.iter_mut().zip(tenth) {
            *whole += tenth;
        }
    }
    sides.check([count; 3])?;

    let row = |of: &[Pace; 5], part: &str, beside: &str, limit: usize| {
        let logs = logs.len();
        let work =
            format!("append, batches of 1,000{arrival}, logs: {logs}{part}, beside {beside}");
        sides.row(&work, "events/s", of[0].rate()).limit(of[limit].rate())
    };
    let bar = |bar| sides.bar(bar).filter(|_| sides.logs.len() > 1);
    let last = ", the last tenth";
    Ok(vec![
        row(&whole, "", "SQL, no filter indexed", 1).bar(bar(Bar::AtLeast(0.6))),
        row(&whole, "", "SQL, no filter indexed, encoding free", 2),
        row(&whole, "", "SQL, each filter indexed", 3).bar(bar(Bar::AtLeast(4.0))),
        row(&whole, "", "SQL, each filter indexed, encoding free", 4),
        row(&tenth, last, "SQL, no filter indexed", 1),
        row(&tenth, last, "SQL, each filter indexed", 3),
    ])
}

/// Appends with the events of each transaction spread over all logs: our store with one append for
/// each log at once, SQL with one transaction.
pub(crate) fn spread(sides: &mut Sides, count: u64) -> Result<Vec<Row>> {
    let [ours, plain, indexed] = sides.lens()?;
    let logs = sides.logs.clone();
    let firsts: Vec<_> = sides.take(count).step_by(BATCH.try_into()?).collect();
    let mut paces = [Pace::default(); 3];
    for firsts in firsts.chunks(firsts.len().div_ceil(ROUNDS)) {
        for first in firsts {
            let mut of_logs = vec![Vec::new(); logs.len()];
            for (event, at) in
                events(*first..first + BATCH).into_iter().zip((0..logs.len()).cycle())
            {
                of_logs[at].push(event);
            }
            let start = Instant::now();
            let appends = logs.iter().zip(of_logs).map(|(log, e)| sides.ours.store.append(*log, e));
            block_on(try_join_all(appends))?;
            paces[0].add(BATCH, start.elapsed());
        }
        for (side, sql) in [(1, &mut sides.plain), (2, &mut sides.indexed)] {
            for first in firsts {
                let times: (Duration, Duration) =
                    sql.commit(&logs, events(*first..first + BATCH))?;
                paces[side].add(BATCH, times.0 + times.1);
            }
        }
    }
    sides.check([ours + count, plain + count, indexed + count])?;
    let [ours, plain, indexed] = paces.map(Pace::rate);
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
