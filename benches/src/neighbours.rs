//! Measures one log while many costly reads of another are under way.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use audit_core::{AuditStoreExt as _, EventQuery, Facet, Filter, Order};
use futures_executor::block_on;

use crate::Result;
use crate::events::{event, events, log};
use crate::reads::{PAGE, timed};
use crate::rows::{Bar, Row, micros};
use crate::stores::Sides;

/// The costly reads that are under way at once.
const READS: usize = 64;
/// How often each call is measured.
const CALLS: usize = 200;
/// The values of each condition of a costly read: as many as one can have.
const VALUES: usize = 100;

/// Measures an append and a page of a small log, alone and beside costly reads of the log of
/// `sides`, which has `events` events. The figure is the time that 95 of 100 calls need at most.
pub(crate) fn measure(sides: &Sides, of_log: u64) -> Result<Vec<Row>> {
    let quiet_log = log(u64::from(u32::MAX));
    let ours = &sides.ours;
    ours.append(quiet_log, events(0..1_000))?;
    let mut next = 1_000;
    let mut append = || {
        next += 1;
        timed(|| ours.append(quiet_log, vec![event(next)]))
    };
    let newest = EventQuery::new(quiet_log).limit(PAGE);
    let page = || timed(|| Ok(block_on(ours.store.page(&newest)).map(drop)?));
    let mut both = || -> Result<[f64; 2]> { Ok([slow(&mut append)?, slow(page)?]) };

    let quiet = both()?;
    let queries = [costly(sides, of_log, of_log / 2), costly(sides, of_log, u64::MAX >> 1)];
    let is_over = AtomicBool::new(false);
    let ask = |query: &EventQuery| {
        while !is_over.load(Ordering::Relaxed) {
            block_on(ours.store.page(query))?;
        }
        Ok::<_, audit_core::Error>(())
    };
    let busy = std::thread::scope(|scope| -> Result<[f64; 2]> {
        let threads: Vec<_> =
            queries.iter().cycle().take(READS).map(|query| scope.spawn(|| ask(query))).collect();
        std::thread::sleep(Duration::from_secs(1));
        let busy = both();
        is_over.store(true, Ordering::Relaxed);
        for thread in threads {
            thread.join().map_err(|_| "a reader panicked")??;
        }
        busy
    })?;
    let works = ["an append".to_owned(), format!("a page of {PAGE}")];
    let rows = works.iter().zip(busy.into_iter().zip(quiet)).map(|(work, (busy, quiet))| {
        let work = format!("{work} beside {READS} costly reads of another log, beside alone");
        sides.row(&work, "µs", busy).limit(quiet).bar(sides.bar(Bar::AtMost(20.0)))
    });
    Ok(rows.collect())
}

/// Returns the time that 95 of 100 calls need at most, in microseconds.
fn slow(mut call: impl FnMut() -> Result<Duration>) -> Result<f64> {
    let times = (0..CALLS).map(|_| call()).collect::<Result<Vec<_>>>();
    let mut times: Vec<_> = times?.into_iter().map(micros).collect();
    times.sort_by(f64::total_cmp);
    Ok(times[CALLS * 95 / 100])
}

/// Returns a query by several conditions of many values, with a total and an offset.
fn costly(sides: &Sides, of_log: u64, offset: u64) -> EventQuery {
    let mut filter = Filter::new();
    for number in 0..of_log.min(2_000) {
        let event = event(number);
        let targets = event.targets.iter().map(|target| target.id.as_deref());
        let values = [
            (Facet::ActorId, event.actor.id.as_deref()),
            (Facet::ActorEmail, event.actor.email.as_deref()),
            (Facet::Action, Some(event.action.as_str())),
            (Facet::Environment, event.scope.environment.as_deref()),
            (Facet::Service, event.scope.service.as_deref()),
        ];
        let of_targets = targets.map(|id| (Facet::TargetId, id));
        for (facet, value) in values.into_iter().chain(of_targets) {
            if let Some(value) = value
                && filter.values(facet).count() < VALUES
            {
                filter = filter.with(facet, value);
            }
        }
    }
    let query = EventQuery::new(sides.logs[0]).filter(filter).order(Order::OldestFirst);
    query.limit(1).offset(offset).with_total()
}
