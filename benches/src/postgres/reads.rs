//! Measures pages and totals, beside SQL by the B-trees of a table.

use std::time::Instant;

use audit_core::{AuditStoreExt as _, EventQuery};
use audit_postgres::PostgresStore;
use futures_executor::block_on;
use tokio::runtime::Builder;

use crate::conditions::{BY_ACTION, BY_PREFIX, Condition, Kind, SINGLE, THREE, choose, name, rare};
use crate::postgres::sides::{PgSides, open_alone, row};
use crate::postgres::sql::{connect, uuid_of};
use crate::postgres::trips::Proxy;
use crate::reads::{DEEP, PAGE, TIMES, ids, in_turn, token_of};
use crate::rows::{Bar, Row, median, micros};
use crate::{BoxError, Result};

/// A value that one event in a hundred has is common.
const COMMON: u64 = 100;
/// A total of more events is counted from few postings.
const MANY: u64 = 10_000;

/// Measures all reads, on sides that have `events` events in one log.
pub(crate) fn all(sides: &PgSides, events: u64) -> Result<Vec<Row>> {
    let proxy = Proxy::start(&sides.database)?;
    // Its task would be counted, too.
    let counted = open_alone(&proxy.url())?;
    let chosen = |kind: Kind| {
        choose(kind, events, PAGE as u64, |c| sides.indexed.count(sides.logs[0], &c.sql))
    };
    let mut kinds = vec![("no filter".to_owned(), vec![Condition::every()])];
    for kind in SINGLE {
        kinds.push((name(kind), chosen(kind)?));
    }
    kinds.push(("a product that some 20 events have".into(), vec![rare(events)]));
    let mut rows = Vec::new();
    for (name, conditions) in &kinds {
        let common =
            conditions.first().map_or(Ok(0), |c| sides.indexed.count(sides.logs[0], &c.sql));
        let bar = if common? >= events / COMMON { 3.0 } else { 5.0 };
        rows.extend(page(sides, name, conditions)?.map(|row| row.bar(Some(Bar::AtMost(bar)))));
        rows.extend(
            trips(&proxy, &counted, sides, name, conditions)?
                .map(|row| row.bar(Some(Bar::AtMost(4.0)))),
        );
    }
    let three = chosen(THREE)?;
    rows.extend(page(sides, &name(THREE), &three)?.map(|row| row.bar(Some(Bar::AtMost(2.0)))));
    let trips = trips(&proxy, &counted, sides, &name(THREE), &three)?;
    rows.extend(trips.map(|row| row.bar(Some(Bar::AtMost(5.0)))));
    rows.extend(deep(sides, &proxy, &counted, events)?);
    for (name, conditions) in &kinds[1..] {
        rows.extend(total(sides, name, conditions)?);
    }
    let by_three = total(sides, &name(THREE), &three)?;
    rows.extend(by_three);
    rows.push(row_security(sides)?);
    rows.extend(unprepared(sides, &chosen(BY_ACTION)?)?);
    Ok(rows)
}

/// Measures a page of a store that prepares no statements, beside one that does.
fn unprepared(sides: &PgSides, conditions: &[Condition]) -> Result<Option<Row>> {
    let other = block_on(PostgresStore::open(sides.database.url()))?;
    let page = |store: &PostgresStore, condition: &Condition| {
        let query = EventQuery::new(sides.logs[0]).filter(condition.filter.clone()).limit(PAGE);
        Ok(block_on(store.page(&query))?.events.len())
    };
    let times = in_turn(conditions, |c| page(&other, c), |c| page(&sides.ours, c))?;
    let work = format!("page of {PAGE} by action without prepared statements, beside with them");
    Ok(times.map(|(without, with)| row(&work, "µs", without).limit(with)))
}

fn page(sides: &PgSides, by: &str, conditions: &[Condition]) -> Result<Option<Row>> {
    let log = sides.logs[0];
    let by_ours = |condition: &Condition| {
        let query = EventQuery::new(log).filter(condition.filter.clone()).limit(PAGE);
        Ok(block_on(sides.ours.page(&query))?.events)
    };
    let by_sql = |condition: &Condition| sides.indexed.page(log, &condition.sql, PAGE);
    for condition in conditions {
        if ids(&by_ours(condition)?) != ids(&by_sql(condition)?) {
            return Err(format!("the pages differ: {:?}", condition.filter).into());
        }
    }
    let times = in_turn(conditions, by_ours, by_sql)?;
    let work = format!("page of {PAGE} by {by}, beside SQL by its B-tree");
    Ok(times.map(|(ours, sql)| row(&work, "µs", ours).limit(sql)))
}

/// Counts the round trips of a page, the most of all conditions.
fn trips(
    proxy: &Proxy,
    store: &PostgresStore,
    sides: &PgSides,
    by: &str,
    conditions: &[Condition],
) -> Result<Option<Row>> {
    let count = |condition: &Condition| {
        let query = EventQuery::new(sides.logs[0]).filter(condition.filter.clone()).limit(PAGE);
        let before = proxy.trips();
        block_on(store.page(&query))?;
        Ok(proxy.trips() - before)
    };
    if let Some(first) = conditions.first() {
        count(first)?; // connects
    }
    let most = conditions.iter().map(count).collect::<Result<Vec<_>>>()?.into_iter().max();
    Ok(most.map(|most| row(&format!("round trips of a page by {by}"), "", most as f64)))
}

fn total(sides: &PgSides, by: &str, conditions: &[Condition]) -> Result<Option<Row>> {
    let log = sides.logs[0];
    let by_ours = |condition: &Condition| {
        Ok(block_on(sides.ours.count(&EventQuery::new(log).filter(condition.filter.clone())))?)
    };
    let by_sql = |condition: &Condition| sides.indexed.count(log, &condition.sql);
    let mut counts = Vec::new();
    for condition in conditions {
        let (ours, sql) = (by_ours(condition)?, by_sql(condition)?);
        if ours != sql {
            return Err(format!("{ours} and {sql} events: {:?}", condition.filter).into());
        }
        counts.push(sql as f64);
    }
    let bar = if median(counts) > MANY as f64 { 0.1 } else { 4.0 };
    let times = in_turn(conditions, by_ours, by_sql)?;
    let work = format!("exact total by {by}, beside count(*) over its B-tree");
    Ok(times.map(|(ours, sql)| row(&work, "µs", ours).limit(sql).bar(Some(Bar::AtMost(bar)))))
}

/// Measures a page deep in a walk by token, beside the first page.
fn deep(sides: &PgSides, proxy: &Proxy, counted: &PostgresStore, events: u64) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for kind in [None, Some(BY_ACTION), Some(BY_PREFIX)] {
        let mut query = EventQuery::new(sides.logs[0]).limit(PAGE);
        let (mut by, mut matching) = ("no filter".to_owned(), events);
        if let Some(kind) = kind {
            let chosen = choose(kind, events, 1, |c| sides.indexed.count(sides.logs[0], &c.sql))?;
            let condition = chosen.first().ok_or("there is no condition")?;
            matching = sides.indexed.count(sides.logs[0], &condition.sql)?;
            (query, by) = (query.filter(condition.filter.clone()), name(kind));
        }
        let number = (DEEP / 10).min(matching / PAGE as u64 * 3 / 4).max(2);
        let token = token_of(&*sides.ours, &query, number)?;
        let last = |(): &()| Ok(block_on(sides.ours.next_page(&query, &token))?.events.len());
        let first = |(): &()| Ok(block_on(sides.ours.page(&query))?.events.len());
        let (last, first) = in_turn(&[(); 5], last, first)?.ok_or("there was no question")?;
        let work = format!("page {number} of a walk by {by}, beside the first");
        rows.push(row(&work, "µs", last).limit(first).bar(Some(Bar::AtMost(1.3))));
        block_on(counted.next_page(&query, &token))?;
        let before = proxy.trips();
        block_on(counted.next_page(&query, &token))?;
        let work = format!("round trips of page {number} by {by}");
        let trips = (proxy.trips() - before) as f64;
        rows.push(row(&work, "", trips).bar(Some(Bar::AtMost(4.0))));
    }
    Ok(rows)
}

/// Measures a read in SQL by a role with a row policy, beside the same without one.
fn row_security(sides: &PgSides) -> Result<Row> {
    let log = sides.logs[0];
    let role = sides.database.name();
    let hex = uuid_of(log).simple();
    sides.database.sql(&format!(
        "CREATE ROLE {role}; GRANT USAGE ON SCHEMA audit TO {role};
         GRANT SELECT ON audit.event TO {role};
         ALTER TABLE audit.event ENABLE ROW LEVEL SECURITY;
         CREATE POLICY one_log ON audit.event FOR SELECT TO {role}
             USING (log = decode(nullif(current_setting('audit.log', true), ''), 'hex'))"
    ))?;
    let read = |role: &str, condition: &str| {
        format!(
            "BEGIN; SET LOCAL ROLE {role}; SET LOCAL audit.log = '{hex}';
             SELECT sequence, record FROM audit.event {condition}
             ORDER BY sequence DESC LIMIT {PAGE}; COMMIT"
        )
    };
    let with = read(role, "");
    let without = read("postgres", &format!("WHERE log = '\\x{hex}'"));
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let [mut of_with, mut of_without] = [Vec::new(), Vec::new()];
    runtime.block_on(async {
        let client = connect(sides.database.url()).await?;
        for _ in 0..10 * TIMES {
            for (sql, times) in [(&with, &mut of_with), (&without, &mut of_without)] {
                let start = Instant::now();
                client.simple_query(sql).await?;
                times.push(micros(start.elapsed()));
            }
        }
        Ok::<_, BoxError>(())
    })?;
    let work = "50 events in SQL by a role with a row policy, beside one without";
    let row = row(work, "µs", median(of_with)).limit(median(of_without));
    sides.database.sql(&format!(
        "ALTER TABLE audit.event DISABLE ROW LEVEL SECURITY; DROP OWNED BY {role}; DROP ROLE {role}"
    ))?;
    Ok(row.bar(Some(Bar::AtMost(1.1))))
}
