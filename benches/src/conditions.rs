//! The conditions of queries, in both languages: a filter for the store, and SQL for the limit.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::ops::Range;

use audit_core::{Facet, Filter, Timestamp};
use rusqlite::types::Value;

use crate::Result;
use crate::events::{event, rare_product, time_of};
use crate::sql::{Ask, facet};

/// The same condition for both sides.
#[derive(Clone, Debug)]
pub(crate) struct Condition {
    pub(crate) filter: Filter,
    pub(crate) sql: Ask,
}

/// The parts of the conditions of one kind.
pub(crate) type Kind = &'static [Part];

/// One part of a condition: its name, its facet, and its column.
type Part = (&'static str, Option<Facet>, &'static str);

const ACTOR: Part = ("actor", Some(Facet::ActorId), "actor_id");
const ACTION: Part = ("action", Some(Facet::Action), "action");
/// All actions of one family.
const PREFIX: Part = ("prefix", Some(Facet::Action), "action_family");
const TARGET: Part = ("target", Some(Facet::TargetId), "target_id");
const EMAIL: Part = ("e-mail", Some(Facet::ActorEmail), "actor_email");
const ENVIRONMENT: Part = ("environment", Some(Facet::Environment), "environment");
const PRODUCT: Part = ("rare product", Some(Facet::Product), "product");
/// A tenth of the log.
const TIME: Part = ("time range", None, "time");

/// The kinds with one filter.
pub(crate) const SINGLE: [Kind; 6] = [BY_ACTOR, BY_ACTION, BY_PREFIX, &[TARGET], &[EMAIL], IN_TIME];
pub(crate) const BY_ACTOR: Kind = &[ACTOR];
pub(crate) const BY_ACTION: Kind = &[ACTION];
pub(crate) const BY_PREFIX: Kind = &[PREFIX];
pub(crate) const IN_TIME: Kind = &[TIME];
/// Pages of this kind begin anywhere in the log.
pub(crate) const ACTION_IN_TIME: Kind = &[ACTION, TIME];
/// Three independent properties of the events.
pub(crate) const THREE: Kind = &[ACTOR, PREFIX, ENVIRONMENT];
/// See [`rare`].
pub(crate) const RARE: Kind = &[PRODUCT];

/// Returns the name of a kind.
pub(crate) fn name(kind: Kind) -> String {
    kind.iter().map(|(name, ..)| *name).collect::<Vec<_>>().join(", ")
}

/// Returns some conditions of one kind that at least `least` events meet, according to `count`.
/// Tries the conditions that some of the first `events` events meet.
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

/// Returns a condition that about 20 of `events` events meet.
pub(crate) fn rare(events: u64) -> Condition {
    let mut condition = Condition::new(RARE);
    condition.require(PRODUCT, &rare_product(events));
    condition
}

/// Returns a condition that the event with this number meets; a time range begins with it.
fn suggest(kind: Kind, number: u64, events: u64) -> Option<Condition> {
    let event = event(number);
    let mut condition = Condition::new(kind);
    for part in kind {
        if *part == TIME {
            condition.require_time(time_of(number)..time_of(number + events / 10));
        } else {
            condition.require(*part, facet(part.2, &event)?);
        }
    }
    Some(condition)
}

impl Condition {
    /// Returns the condition that every event meets.
    pub(crate) fn every() -> Self {
        Self::new(IN_TIME)
    }

    /// Returns an empty condition that uses the index of the first part.
    fn new(kind: Kind) -> Self {
        let index = kind.first().map_or(TIME.2, |part| part.2);
        let sql = Ask { index, clause: String::new(), values: Vec::new() };
        Self { filter: Filter::new(), sql }
    }

    fn require(&mut self, part: Part, value: &str) {
        let (_, Some(facet), column) = part else { return };
        let pattern = if part == PREFIX { format!("{value}.*") } else { value.to_owned() };
        self.filter = std::mem::take(&mut self.filter).with(facet, pattern);
        self.require_sql(column, "=", value.to_owned());
    }

    fn require_time(&mut self, Range { start, end }: Range<Timestamp>) {
        self.filter = std::mem::take(&mut self.filter).during(start..end);
        self.require_sql("occurred_at", ">=", start.as_nanos());
        self.require_sql("occurred_at", "<", end.as_nanos());
    }

    fn require_sql(&mut self, column: &str, operator: &str, value: impl Into<Value>) {
        self.sql.values.push(value.into());
        // The first parameter is the log.
        let parameter = self.sql.values.len() + 1;
        // Writing to a string does not fail.
        let _ = write!(self.sql.clause, " AND {column} {operator} ?{parameter}");
    }
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
        let rows = (0..500).map(|number| sql.encode(log(0), &event(number)));
        let rows = rows.collect::<Result<Vec<_>>>().unwrap();
        sql.write(&rows).unwrap();
        let mut all = vec![Condition::every(), rare(500)];
        for kind in SINGLE.into_iter().chain([THREE, ACTION_IN_TIME]) {
            let conditions = choose(kind, 500, 1, |c| sql.count(&c.sql)).unwrap();
            assert_eq!(conditions.len(), 10, "{}", name(kind));
            all.extend(conditions);
        }
        for condition in all {
            let plan = sql.plan(&condition.sql).unwrap();
            assert!(plan.contains("INDEX by_") && !plan.contains("TEMP"), "{plan}");
            assert!(sql.count(&condition.sql).unwrap() > 0, "{condition:?}");
        }
    }
}
