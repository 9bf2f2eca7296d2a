//! Any event that a service can make.

use std::time::Duration;

use crate::common::{action, id_text, nullable, object, term, text, time, uuid, value};
use audit_contracts::{
    audit_log_items, audit_trails, organisation_audit_logs, organizations_and_activities,
};
use audit_core::{
    Actor, Attributes, Change, FieldChange, Message, NewEvent, OrganizationRef, Outcome,
    RequestInfo, Scope, Source, SpanId, Target, Trace, TraceId,
};
use proptest::prelude::*;

fn organization() -> impl Strategy<Value = OrganizationRef> {
    (id_text(), nullable(text())).prop_map(|(id, name)| OrganizationRef { id, name })
}

/// An actor, alone or on behalf of up to four others in turn.
fn actor() -> impl Strategy<Value = Actor> {
    prop::collection::vec(one_actor(), 1..=5).prop_map(|actors| {
        let nested = actors
            .into_iter()
            .rev()
            .reduce(|principal, actor| Actor { on_behalf_of: Some(Box::new(principal)), ..actor });
        nested.unwrap()
    })
}

fn one_actor() -> impl Strategy<Value = Actor> {
    let kind = prop_oneof![
        prop::sample::select(vec!["user", "support", "system", "api", "service", "unknown"])
            .prop_map(str::to_owned),
        word(),
    ];
    (
        (kind, nullable(id_text()), nullable(text()), nullable(text()), nullable(text())),
        (nullable(text()), nullable(text()), nullable(organization())),
        (nullable(term()), nullable(id_text())),
    )
        .prop_map(|((kind, id, name, email, ip), (user_agent, details, organization), ids)| {
            let (class, session_id) = ids;
            Actor {
                kind: kind.into(),
                id,
                name,
                email,
                ip,
                user_agent,
                details,
                organization,
                entity_class: class.map(Into::into),
                session_id,
                on_behalf_of: None,
            }
        })
}

/// A term that is not empty.
fn word() -> BoxedStrategy<String> {
    term().prop_filter("a word", |term| !term.is_empty()).boxed()
}

fn target() -> impl Strategy<Value = Target> {
    (nullable(term()), nullable(id_text()), nullable(text()))
        .prop_map(|(kind, id, name)| Target { kind, id, name })
        .prop_filter("a target", |target| *target != Target::default())
}

fn change() -> impl Strategy<Value = Change> {
    let field = (text(), nullable(value()), nullable(value()))
        .prop_map(|(field, old, new)| FieldChange { field, old, new });
    (nullable(value()), nullable(value()), prop::collection::vec(field, 0..3), any::<bool>())
        .prop_map(|(old, new, diff, truncated)| Change { old, new, diff, truncated })
}

fn message() -> impl Strategy<Value = Message> {
    (nullable(text()), nullable(text()), nullable(text()), nullable(text()))
        .prop_map(|(title, text, key, params)| Message { title, text, key, params })
}

fn outcome() -> impl Strategy<Value = Outcome> {
    (word(), nullable(text())).prop_map(|(result, code)| {
        let outcome = Outcome::new(result);
        code.into_iter().fold(outcome, Outcome::code)
    })
}

fn trace() -> impl Strategy<Value = Trace> {
    let trace_id = (1_u128..).prop_map(|id| TraceId::from_bytes(id.to_be_bytes()).unwrap());
    let span_id = (1_u64..).prop_map(|id| SpanId::from_bytes(id.to_be_bytes()).unwrap());
    (trace_id, nullable(span_id)).prop_map(|(trace_id, span_id)| {
        let trace = Trace::new(trace_id);
        span_id.into_iter().fold(trace, Trace::span_id)
    })
}

fn scope() -> impl Strategy<Value = Scope> {
    let id = || nullable(id_text());
    (id(), id(), id(), id(), nullable(term())).prop_map(
        |(service, product, config, environment, surface)| Scope {
            service,
            product,
            config,
            environment,
            surface: surface.map(Into::into),
        },
    )
}

fn request() -> impl Strategy<Value = RequestInfo> {
    (nullable(term()), nullable(text()), nullable(text()))
        .prop_map(|(method, path, id)| RequestInfo { method, path, id })
}

/// An event with any field, present or absent.
pub(crate) fn native() -> impl Strategy<Value = NewEvent> {
    let systems = prop_oneof![
        Just("cloudtrail"),
        Just(audit_log_items::SOURCE),
        Just(audit_trails::SOURCE),
        Just(organisation_audit_logs::SOURCE),
        Just(organizations_and_activities::SOURCE),
    ];
    let source = (systems, id_text()).prop_map(|(system, id)| Source::new(system, id));
    let attributes = prop::collection::vec((word(), text()), 0..4).prop_map(Attributes::from_iter);
    let occurred_at = (time(1), 0..1_000_u64)
        .prop_map(|(time, nanos)| time.saturating_add(Duration::from_nanos(nanos)));
    (
        (uuid(), occurred_at, action(), nullable(term()), actor()),
        (nullable(outcome()), nullable(word()), nullable(trace()), attributes),
        (prop::collection::vec(target(), 0..4), nullable(organization()), scope()),
        (change(), nullable(uuid()), message(), nullable(text()), nullable(text())),
        (request(), nullable(source), object()),
    )
        .prop_map(|(head, (outcome, severity, trace, attributes), objects, body, tail)| {
            let (id, occurred_at, action, category, actor) = head;
            let (targets, organization, scope) = objects;
            let (change, change_set, message, location, reason) = body;
            let (request, source, metadata) = tail;
            NewEvent {
                occurred_at: Some(occurred_at),
                id: id.into(),
                action: action.into(),
                category,
                actor,
                outcome,
                severity: severity.map(Into::into),
                targets,
                organization,
                scope,
                change,
                change_set_id: change_set.map(Into::into),
                message,
                location,
                reason,
                request,
                trace,
                source,
                attributes,
                metadata,
            }
        })
}
