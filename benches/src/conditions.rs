//! What is asked of events, in both languages: a filter for the store, and SQL for the limit.

use std::collections::HashSet;

use audit_core::{Facet, Filter};
use rusqlite::types::Value;

use crate::Result;
use crate::events::{event, time_of};
use crate::sql::{Ask, facet};

/// The same question to both sides.
#[derive(Clone, Debug)]
pub(crate) struct Condition {
    pub(crate) filter: Filter,
    pub(crate) sql: Ask,
}

/// What conditions of one kind are made of.
pub(crate) type Kind = &'static [Part];

/// One part of a condition: its name, the facet, and the column that stands for it.
type Part = (&'static str, Option<Facet>, &'static str);

const ACTOR: Part = ("actor", Some(Facet::ActorId), "actor_id");
const ACTION: Part = ("action", Some(Facet::Action), "action");
/// All actions of one family.
const PREFIX: Part = ("prefix", Some(Facet::Action), "action_family");
const TARGET: Part = ("target", Some(Facet::TargetId), "target_id");
const EMAIL: Part = ("e-mail", Some(Facet::ActorEmail), "actor_email");
const ENVIRONMENT: Part = ("environment", Some(Facet::Environment), "environment");
/// A tenth of the log.
const TIME: Part = ("time range", None, "time");

/// The kinds of which single-filter pages are measured.
pub(crate) const SINGLE: [Kind; 6] = [&[ACTOR], &[ACTION], &[PREFIX], &[TARGET], &[EMAIL], &[TIME]];
/// The kinds of which totals are.
pub(crate) const TOTALS: [Kind; 2] = [&[ACTION], &[PREFIX]];
/// Who, what and where: no two of them go together in the events.
pub(crate) const THREE: Kind = &[ACTOR, PREFIX, ENVIRONMENT];

/// The kind in words.
pub(crate) fn name(kind: Kind) -> String {
    kind.iter().map(|(name, ..)| *name).collect::<Vec<_>>().join(", ")
}

/// Some conditions of one kind that at least `least` events meet, as `count` tells, if there are
/// any among those that the first `events` events suggest.
pub(crate) fn choose(
    kind: Kind,
    events: u64,
    least: u64,
    count: impl Fn(&Condition) -> Result<u64>,
) -> Result<Vec<Condition>> {
    const ENOUGH: usize = 10;
    const TRIES: u64 = 400;
    let mut chosen = Vec::new();
    let mut seen = HashSet::new();
    for number in (0..events).step_by(usize::try_from(events / TRIES)?.max(1)) {
        let Some(condition) = suggest(kind, number, events) else { continue };
        if seen.insert(condition.filter.clone()) && count(&condition)? >= least {
            chosen.push(condition);
        }
        if chosen.len() == ENOUGH {
            break;
        }
    }
    Ok(chosen)
}

/// The condition that the event of that number meets, or, of a time, one that begins with it.
fn suggest(kind: Kind, number: u64, events: u64) -> Option<Condition> {
    let event = event(number);
    let mut filter = Filter::new();
    let mut sql = Ask { index: kind.first()?.2, clause: String::new(), values: Vec::new() };
    for (_, of, column) in kind {
        let Some(of) = *of else {
            let (since, until) = (time_of(number), time_of(number + events / 10));
            filter = filter.since(since).until(until);
            sql.clause += " AND occurred_at >= ?2 AND occurred_at < ?3";
            sql.values.extend([since, until].map(|time| Value::from(time.as_micros())));
            continue;
        };
        let value = facet(column, &event)?;
        let pattern = if *column == PREFIX.2 { format!("{value}.*") } else { value.to_owned() };
        filter = filter.with(of, pattern);
        sql.values.push(value.to_owned().into());
        // The first parameter is the log.
        sql.clause += &[" AND ", column, " = ?", &(sql.values.len() + 1).to_string()].concat();
    }
    Some(Condition { filter, sql })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::log;
    use crate::sql::{Indexes, SqlLog};

    #[test]
    fn every_page_of_the_limit_is_read_in_order_from_an_index() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("limit.db");
        let mut sql = SqlLog::create(path, Indexes::PerFilter).unwrap();
        let rows = (0..500).map(|number| sql.encode(log(0), event(number)));
        let rows = rows.collect::<Result<Vec<_>>>().unwrap();
        sql.write(&rows).unwrap();
        for kind in SINGLE.into_iter().chain([THREE]) {
            let conditions = choose(kind, 500, 1, |c| sql.count(&c.sql)).unwrap();
            assert_eq!(conditions.len(), 10, "{}", name(kind));
            for condition in conditions {
                let plan = sql.plan(&condition.sql).unwrap();
                assert!(plan.contains("INDEX by_") && !plan.contains("TEMP"), "{plan}");
            }
        }
    }
}
