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
    (id_text(), nullable(text())).prop_map(|(id, name)| {
        let mut organization = OrganizationRef::new(id);
        organization.name = name;
        organization
    })
}

/// An actor, alone or on behalf of up to four others in turn.
fn actor() -> impl Strategy<Value = Actor> {
    prop::collection::vec(one_actor(), 1..=5).prop_map(|actors| {
        let nested =
            actors.into_iter().rev().reduce(|principal, actor| actor.on_behalf_of(principal));
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
            let mut actor = Actor::new(kind);
            (actor.id, actor.name, actor.email, actor.ip) = (id, name, email, ip);
            (actor.user_agent, actor.details) = (user_agent, details);
            actor.organization = organization;
            actor.entity_class = class.map(Into::into);
            actor.session_id = session_id;
            actor
        })
}

/// A term that is not empty.
fn word() -> BoxedStrategy<String> {
    term().prop_filter("a word", |term| !term.is_empty()).boxed()
}

fn target() -> impl Strategy<Value = Target> {
    let one = "a target has a type, an id or a name";
    (nullable(term()), nullable(id_text()), nullable(text()))
        .prop_filter_map(one, |(kind, id, name)| Target::from_parts(kind, id, name))
}

fn change() -> impl Strategy<Value = Change> {
    let field = (text(), nullable(value()), nullable(value()))
        .prop_map(|(field, old, new)| FieldChange::new(field, old, new));
    (nullable(value()), nullable(value()), prop::collection::vec(field, 0..3), any::<bool>())
        .prop_map(|parts| {
            let mut change = Change::default();
            (change.old, change.new, change.diff, change.truncated) = parts;
            change
        })
}

fn message() -> impl Strategy<Value = Message> {
    (nullable(text()), nullable(text()), nullable(text()), nullable(text())).prop_map(|parts| {
        let mut message = Message::default();
        (message.title, message.text, message.key, message.params) = parts;
        message
    })
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
        |(service, product, config, environment, surface)| {
            let mut scope = Scope::default();
            (scope.service, scope.product) = (service, product);
            (scope.config, scope.environment) = (config, environment);
            scope.surface = surface.map(Into::into);
            scope
        },
    )
}

fn request() -> impl Strategy<Value = RequestInfo> {
    (nullable(term()), nullable(text()), nullable(text())).prop_map(|parts| {
        let mut request = RequestInfo::default();
        (request.method, request.path, request.id) = parts;
        request
    })
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
            let mut event = NewEvent::new(action, actor).id(id).occurred_at(occurred_at);
            (event.category, event.targets) = (category, targets);
            (event.outcome, event.severity) = (outcome, severity.map(Into::into));
            (event.organization, event.scope, event.change) = (organization, scope, change);
            (event.change_set_id, event.message) = (change_set.map(Into::into), message);
            (event.location, event.reason) = (location, reason);
            (event.request, event.trace, event.source) = (request, trace, source);
            (event.attributes, event.metadata) = (attributes, metadata);
            event
        })
}
