//! Any event that a service can make, of values that are awkward in some contract.

use std::time::Duration;

use crate::common::{action, id_text, term, text, time, uuid, value};
use audit_conformance::arbitrary::Values;
use audit_contracts::{
    audit_log_items, audit_trails, organisation_audit_logs, organizations_and_activities,
};
use audit_core::NewEvent;
use proptest::prelude::*;

/// An event with any field, present or absent.
pub(crate) fn native() -> impl Strategy<Value = NewEvent> {
    let known = vec!["user", "support", "system", "api", "service", "unknown"];
    let other = term().prop_filter("a word", |term| !term.is_empty());
    let systems = prop::sample::select(vec![
        "cloudtrail",
        audit_log_items::SOURCE,
        audit_trails::SOURCE,
        organisation_audit_logs::SOURCE,
        organizations_and_activities::SOURCE,
    ]);
    let nanos = (time(1), 0..1_000_u64)
        .prop_map(|(time, nanos)| time.saturating_add(Duration::from_nanos(nanos)));
    let values = Values {
        id: uuid(),
        time: nanos.boxed(),
        action: action(),
        actor_kind: prop_oneof![prop::sample::select(known).prop_map(str::to_owned), other].boxed(),
        system: systems.prop_map(str::to_owned).boxed(),
        term: term(),
        identifier: id_text(),
        text: text(),
        value: value(),
    };
    values.event()
}
