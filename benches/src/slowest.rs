//! Measures the slowest append of one event.

use std::time::{Duration, Instant};

use crate::Result;
use crate::events::event;
use crate::rows::{Bar, Row};
use crate::stores::Sides;

/// The number of rounds in which the sides take turns.
const ROUNDS: u64 = 10;

/// Appends one event at a time from one caller to an empty store, beside SQL. Each append is a
/// commit on both sides.
pub(crate) fn measure(sides: &mut Sides, count: u64) -> Result<Vec<Row>> {
    let [log] = sides.logs[..] else { return Err("one log is needed".into()) };
    let [mut ours, mut plain] = [Vec::new(), Vec::new()];
    for _ in 0..ROUNDS {
        let numbers = sides.take(count.div_ceil(ROUNDS));
        for event in numbers.clone().map(event) {
            let start = Instant::now();
            sides.ours.append(log, vec![event])?;
            ours.push(start.elapsed());
        }
        for event in numbers.map(event) {
            let (encoding, writing) = sides.plain.commit(&[log], vec![event])?;
            plain.push(encoding + writing);
        }
    }
    let appended = ROUNDS * count.div_ceil(ROUNDS);
    sides.check([appended, appended, 0])?;
    ours.sort_unstable();
    plain.sort_unstable();
    let row = |what: &str, from_last: usize| {
        let millis = |times: &[Duration]| {
            let time = times.len().checked_sub(from_last).and_then(|at| times.get(at));
            time.map_or(f64::NAN, |time| time.as_secs_f64() * 1e3)
        };
        let work = format!("{what} append of one event, beside SQL, no filter indexed");
        sides.row(&work, "ms", millis(&ours)).limit(millis(&plain))
    };
    Ok(vec![
        row("the slowest", 1).bar(sides.bar(Bar::AtMost(3.0))),
        row("the slowest but one in a thousand,", ours.len() / 1_000 + 1),
        row("the median", ours.len() / 2),
    ])
}
