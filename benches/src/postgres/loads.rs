//! Measures appends of many events at once, with what they write.

use std::time::{Duration, Instant};

use crate::Result;
use crate::events::events;
use crate::postgres::sides::{PgSides, bytes_on_disk, row};
use crate::rows::{Bar, Pace, Row};

/// The number of rounds in which the sides take turns.
const ROUNDS: usize = 10;

/// The outcome of one side.
#[derive(Debug, Default)]
struct Load {
    pace: Pace,
    times: Vec<Duration>,
    wal: f64,
}

impl Load {
    /// Returns the time in milliseconds that 99 of 100 batches needed at most.
    fn nearly_slowest(&mut self) -> f64 {
        self.times.sort_unstable();
        let at = self.times.len() * 99 / 100;
        self.times.get(at).map_or(f64::NAN, |time| time.as_secs_f64() * 1e3)
    }
}

/// Loads all sides, which are empty, with the same events in batches of `size`. The time of our store
/// includes all that it does afterwards in the background.
pub(crate) fn append(sides: &mut PgSides, count: u64, size: u64) -> Result<Vec<Row>> {
    let numbers = sides.take(count);
    let firsts: Vec<_> = numbers.clone().step_by(size.try_into()?).collect();
    let logs = sides.logs.clone();
    let batches: Vec<_> = firsts.into_iter().zip(logs.iter().cycle()).collect();
    let batch = |first: u64| events(first..numbers.end.min(first + size));
    let [mut ours, mut plain, mut indexed] = [(); 3].map(|()| Load::default());
    for round in batches.chunks(batches.len().div_ceil(ROUNDS)) {
        let before = sides.wal()?;
        let mut time = Duration::ZERO;
        for (first, log) in round {
            let events = batch(*first);
            let start = Instant::now();
            sides.append(**log, events)?;
            ours.times.push(start.elapsed());
            time += start.elapsed();
        }
        let start = Instant::now();
        sides.settle()?;
        let events = round.len() as u64 * size;
        ours.pace.add(events, time + start.elapsed());
        ours.wal += sides.wal()? - before;
        for (load, is_plain) in [(&mut plain, true), (&mut indexed, false)] {
            let before = sides.wal()?;
            let sql = if is_plain { &mut sides.plain } else { &mut sides.indexed };
            for (first, log) in round {
                let events = batch(*first);
                let start = Instant::now();
                let columns = sql.encode(**log, events)?;
                sql.write(&columns)?;
                load.times.push(start.elapsed());
                load.pace.add(size, start.elapsed());
            }
            load.wal += sides.wal()? - before;
        }
    }
    sides.check([count; 3])?;

    let work =
        |beside: &str| format!("append, batches of {size}, logs: {}, beside {beside}", logs.len());
    let rate = |beside: &str, limit: &Load, bar| {
        let row = row(&work(beside), "events/s", ours.pace.rate()).limit(limit.pace.rate());
        row.bar(Some(Bar::AtLeast(bar)))
    };
    let mut rows = vec![rate("SQL, no filter indexed", &plain, 0.65)];
    // A batch of few events to one log touches as many pages of each B-tree.
    if size >= 1_000 {
        let bar = if logs.len() > 1 { 3.0 } else { 4.5 };
        rows.push(rate("SQL, each filter indexed", &indexed, bar));
        let each = |bytes: f64| bytes / count as f64;
        let of = |what: &str| format!("{what} of {}", work("SQL, no filter indexed"));
        let written = row(&of("WAL"), "bytes/event", each(ours.wal)).limit(each(plain.wal));
        rows.push(written.bar(Some(Bar::AtMost(1.3))));
        let disk = row(&of("disk"), "bytes/event", each(bytes_on_disk(&sides.database)?));
        let disk = disk.limit(each(bytes_on_disk(&sides.plain.database)?));
        rows.push(disk.bar(Some(Bar::AtMost(1.15))));
        let nearly_slowest = row(&of("99 of 100 batches"), "ms", ours.nearly_slowest());
        let nearly_slowest = nearly_slowest.limit(plain.nearly_slowest());
        rows.push(nearly_slowest.bar(Some(Bar::AtMost(1.5))));
    }
    Ok(rows)
}
