//! Measures reads: pages, totals, export.

use std::time::{Duration, Instant};

use audit_core::{
    AuditEvent, AuditStore, AuditStoreExt as _, EventId, EventQuery, Log, Order, Token,
};
use futures_executor::block_on;
use futures_util::TryStreamExt as _;

use crate::Result;
use crate::conditions::{
    ACTION_IN_TIME, BY_ACTION, BY_PREFIX, Condition, IN_TIME, Kind, SINGLE, THREE, choose, name,
    rare,
};
use crate::events::Arrival;
use crate::rows::{Bar, Row, median, micros, rate};
use crate::stores::{Ours, Sides};

pub(crate) const PAGE: usize = 50;
/// The number of the deep page; a shorter log has its last full page measured.
pub(crate) const DEEP: u64 = 10_000;
/// How often each page and each total is read.
pub(crate) const TIMES: usize = 20;
/// The number of exports.
const EXPORTS: usize = 3;

/// Measures all reads, on sides that have `events` events in one log.
pub(crate) fn all(sides: &Sides, events: u64) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    let mut best = f64::INFINITY;
    for kind in SINGLE {
        let conditions = chosen(sides, kind, events, PAGE as u64)?;
        let Some(row) = page(sides, &name(kind), &conditions)? else { continue };
        best = best.min(row.ours());
        rows.push(row.bar(sides.bar(Bar::AtMost(3.0))));
    }
    if let Some((ours, sql)) = pages(sides, &chosen(sides, THREE, events, PAGE as u64)?)? {
        let row = |beside: &str, limit| {
            let work = format!("page of {PAGE} by {}, beside {beside}", name(THREE));
            sides.row(&work, "µs", ours).limit(limit)
        };
        rows.push(row("our best by one", best).bar(sides.bar(Bar::AtMost(2.0))));
        rows.push(row("SQL by its best B-tree", sql));
    }
    rows.push(deep(sides, events)?);
    for kind in [BY_ACTION, BY_PREFIX] {
        let row = total(sides, &name(kind), &chosen(sides, kind, events, 1)?)?;
        rows.extend(row.map(|row| row.bar(sides.bar(Bar::AtMost(2.0)))));
    }
    rows.push(export(sides, events)?);

    // Rows without a bar.
    let in_time = chosen(sides, IN_TIME, events, 1)?;
    rows.extend(total(sides, &name(IN_TIME), &in_time)?);
    let action_in_time = chosen(sides, ACTION_IN_TIME, events, 1)?;
    let some_20 = "a product that some 20 events have".to_owned();
    for (name, conditions) in
        [(name(ACTION_IN_TIME), action_in_time), (some_20, vec![rare(events)])]
    {
        rows.extend(page(sides, &name, &conditions)?);
        rows.extend(total(sides, &name, &conditions)?);
    }
    Ok(rows)
}

/// Measures the newest page of events that arrived in another order than they occurred.
pub(crate) fn newest(sides: &Sides, events: u64, arrival: Arrival) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    let by_action = chosen(sides, BY_ACTION, events, PAGE as u64)?;
    for (name, conditions) in [("no filter", vec![Condition::every()]), ("action", by_action)] {
        rows.extend(page(sides, &format!("{name}{arrival}"), &conditions)?);
    }
    Ok(rows)
}

fn chosen(sides: &Sides, kind: Kind, events: u64, least: u64) -> Result<Vec<Condition>> {
    choose(kind, events, least, |condition| sides.indexed.count(&condition.sql))
}

fn page(sides: &Sides, by: &str, conditions: &[Condition]) -> Result<Option<Row>> {
    let work = format!("page of {PAGE} by {by}, beside SQL by its B-tree");
    let row = |(ours, sql)| sides.row(&work, "µs", ours).limit(sql);
    Ok(pages(sides, conditions)?.map(row))
}

fn total(sides: &Sides, by: &str, conditions: &[Condition]) -> Result<Option<Row>> {
    let work = format!("exact total by {by}, beside count(*) over its B-tree");
    let row = |(ours, sql)| sides.row(&work, "µs", ours).limit(sql);
    Ok(totals(sides, conditions)?.map(row))
}

/// Returns the median times of the newest page of each condition, of our store and of SQL. Fails
/// unless both return the same events.
fn pages(sides: &Sides, conditions: &[Condition]) -> Result<Option<(f64, f64)>> {
    let by_ours = |condition: &Condition| {
        let query = EventQuery::new(sides.logs[0]).filter(condition.filter.clone()).limit(PAGE);
        Ok(block_on(sides.ours.store.page(&query))?.events)
    };
    let by_sql = |condition: &Condition| sides.indexed.page(&condition.sql, PAGE);
    for condition in conditions {
        let (ours, sql) = (ids(&by_ours(condition)?), ids(&by_sql(condition)?));
        let expected = sides.indexed.count(&condition.sql)?.min(PAGE as u64);
        if ours != sql || ours.len() as u64 != expected {
            return Err(format!("the pages differ: {:?}", condition.filter).into());
        }
    }
    in_turn(conditions, by_ours, by_sql)
}

pub(crate) fn ids(events: &[AuditEvent]) -> Vec<EventId> {
    events.iter().map(|event| event.id).collect()
}

/// Returns the median times of the exact total of each condition, of our store and of SQL. Fails
/// unless both return the same totals.
fn totals(sides: &Sides, conditions: &[Condition]) -> Result<Option<(f64, f64)>> {
    let by_ours = |condition: &Condition| {
        let query = EventQuery::new(sides.logs[0]).filter(condition.filter.clone());
        Ok(block_on(sides.ours.store.count(&query))?)
    };
    let by_sql = |condition: &Condition| sides.indexed.count(&condition.sql);
    for condition in conditions {
        let (ours, sql) = (by_ours(condition)?, by_sql(condition)?);
        if ours != sql {
            return Err(format!("{ours} and {sql} events: {:?}", condition.filter).into());
        }
    }
    in_turn(conditions, by_ours, by_sql)
}

/// Asks both sides each question in turn and returns the median times in microseconds; `None` if
/// there are no questions.
pub(crate) fn in_turn<Q, A>(
    questions: &[Q],
    ours: impl Fn(&Q) -> Result<A>,
    limit: impl Fn(&Q) -> Result<A>,
) -> Result<Option<(f64, f64)>> {
    let (mut of_ours, mut of_limit) = (Vec::new(), Vec::new());
    // Repeats one question before the next, so that both sides answer it from their caches.
    for question in questions.iter().flat_map(|question| std::iter::repeat_n(question, TIMES)) {
        of_ours.push(micros(timed(|| ours(question))?));
        of_limit.push(micros(timed(|| limit(question))?));
    }
    Ok((!questions.is_empty()).then(|| (median(of_ours), median(of_limit))))
}

pub(crate) fn timed<T>(work: impl FnOnce() -> Result<T>) -> Result<Duration> {
    let start = Instant::now();
    work()?;
    Ok(start.elapsed())
}

/// Measures a page deep in a walk by token, beside the first page.
fn deep(sides: &Sides, events: u64) -> Result<Row> {
    let store = &sides.ours.store;
    let query = EventQuery::new(sides.logs[0]).limit(PAGE);
    let number = DEEP.min(events / PAGE as u64);
    let token = token_of(&**store, &query, number)?;
    let last = |(): &()| Ok(block_on(store.next_page(&query, &token))?.events.len());
    let first = |(): &()| Ok(block_on(store.page(&query))?.events.len());
    if (first(&())?, last(&())?) != (PAGE, PAGE) {
        return Err("a page is not full".into());
    }
    let times = in_turn(&[(); 10], last, first)?;
    let (last, first) = times.ok_or("there was no question")?;
    let work = format!("page {number} of a walk by token, beside the first");
    Ok(sides.row(&work, "µs", last).limit(first).bar(sides.bar(Bar::AtMost(1.2))))
}

/// Walks to the page with this number, 2 or more, and returns its token.
pub(crate) fn token_of(store: &dyn AuditStore, query: &EventQuery, number: u64) -> Result<Token> {
    let mut token = block_on(store.page(query))?.next;
    for _ in 2..number {
        let Some(reached) = token else { break };
        token = block_on(store.next_page(query, &reached))?.next;
    }
    Ok(token.ok_or("the walk ended early")?)
}

/// Exports a whole log by sequence, beside the rows of the table without filter indexes.
fn export(sides: &Sides, events: u64) -> Result<Row> {
    let (mut of_ours, mut of_sql) = (Vec::new(), Vec::new());
    for _ in 0..EXPORTS {
        let mut by_ours = Digest::default();
        let time = timed(|| export_ours(&sides.ours, sides.logs[0], |e| by_ours.add(e)))?;
        of_ours.push(rate(events, time));
        let mut by_sql = Digest::default();
        let time = timed(|| sides.plain.export(|event| by_sql.add(&event)))?;
        of_sql.push(rate(events, time));
        if by_ours != by_sql || by_ours.events != events {
            return Err("the exports differ".into());
        }
    }
    let row = sides.row("export in order, beside SQL", "events/s", median(of_ours));
    Ok(row.limit(median(of_sql)).bar(sides.bar(Bar::AtLeast(0.5))))
}

/// Reads every event of a log of our store, by sequence.
pub(crate) fn export_ours(ours: &Ours, log: Log, mut each: impl FnMut(&AuditEvent)) -> Result<()> {
    let query = EventQuery::new(log).order(Order::Sequence).limit(1_000);
    let add = |event| {
        each(&event);
        std::future::ready(Ok(()))
    };
    Ok(block_on(ours.store.walk(query).try_for_each(add))?)
}

/// A digest of the events of an answer: their number, and a sum that depends on their ids and
/// order.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Digest {
    pub(crate) events: u64,
    pub(crate) sum: u64,
}

impl Digest {
    pub(crate) fn add(&mut self, event: &AuditEvent) {
        let (high, low) = event.id.as_uuid().as_u64_pair();
        self.events += 1;
        self.sum = self.sum.rotate_left(1) ^ high ^ low;
    }
}
