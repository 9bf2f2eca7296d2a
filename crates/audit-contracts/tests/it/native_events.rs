//! Every event, whatever service made it, is printed as a record of every contract's shape.

use std::collections::BTreeSet;

use crate::common::{
    action, id_text, nullable, object, place, printed, term, text, time, uuid, value,
};
use audit_contracts::{
    audit_log_items, audit_trails, organisation_audit_logs, organizations_and_activities,
    super_admin_audit_logs,
};
use audit_core::{
    Actor, AuditEvent, Change, FieldChange, Log, Message, NewEvent, OrganizationRef, Sequence,
    Source, Target, Timestamp, backend::PreparedEvent,
};
use proptest::prelude::*;
use serde_json::Value;

fn organization() -> impl Strategy<Value = OrganizationRef> {
    (id_text(), nullable(text())).prop_map(|(id, name)| {
        let mut organization = OrganizationRef::new(id);
        organization.name = name;
        organization
    })
}

fn actor() -> impl Strategy<Value = Actor> {
    let kind = prop_oneof![
        prop::sample::select(vec!["user", "support", "system", "api", "service", "unknown"])
            .prop_map(str::to_owned),
        term().prop_filter("a kind", |kind| !kind.is_empty()),
    ];
    (
        (kind, nullable(id_text()), nullable(text()), nullable(text()), nullable(text())),
        (nullable(text()), nullable(text()), nullable(organization()), nullable(term())),
    )
        .prop_map(
            |((kind, id, name, email, ip), (user_agent, details, organization, class))| {
                let mut actor = Actor::new(kind);
                (actor.id, actor.name, actor.email, actor.ip) = (id, name, email, ip);
                (actor.user_agent, actor.details) = (user_agent, details);
                actor.organization = organization;
                actor.entity_class = class.map(Into::into);
                actor
            },
        )
}

fn target() -> impl Strategy<Value = Target> {
    (nullable(term()), nullable(id_text()), nullable(text()))
        .prop_filter_map("a target", |(kind, id, name)| Target::from_parts(kind, id, name))
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

fn native() -> impl Strategy<Value = NewEvent> {
    let systems = prop_oneof![
        Just("cloudtrail"),
        Just(audit_log_items::SOURCE),
        Just(audit_trails::SOURCE),
        Just(organisation_audit_logs::SOURCE),
        Just(organizations_and_activities::SOURCE),
    ];
    let source = (systems, id_text()).prop_map(|(system, id)| Source::new(system, id));
    (
        (uuid(), time(1), action(), nullable(term()), actor()),
        (prop::collection::vec(target(), 0..4), nullable(organization()), nullable(text())),
        (change(), nullable(uuid()), message(), nullable(text()), nullable(text())),
        (nullable(term()), nullable(text()), nullable(source), object()),
    )
        .prop_map(|(head, (targets, organization, service), body, tail)| {
            let (id, occurred_at, action, category, actor) = head;
            let (change, change_set, message, location, reason) = body;
            let (method, path, source, metadata) = tail;
            let mut event = NewEvent::new(action, actor)
                .id(id)
                .occurred_at(occurred_at)
                .change(change)
                .message(message);
            (event.category, event.targets, event.organization) = (category, targets, organization);
            event.scope.service = service;
            event.change_set_id = change_set.map(Into::into);
            (event.location, event.reason) = (location, reason);
            (event.request.method, event.request.path) = (method, path);
            (event.source, event.metadata) = (source, metadata);
            event
        })
}

/// The event as it stands in its log, and as it stands there erased.
fn stored(content: NewEvent, place: (Log, Sequence, Timestamp)) -> [AuditEvent; 2] {
    let (log, sequence, recorded_at) = place;
    let mut stored = PreparedEvent::new(content).unwrap().into_stored(log, sequence, recorded_at);
    let whole = stored.decode().unwrap();
    stored.personal = None;
    [whole, stored.decode().unwrap()]
}

type Check = fn(&Value) -> bool;

/// Checks that `value` has just the keys of `required`, some of `optional`, and that each value
/// passes its check.
fn assert_shape(value: &Value, required: &[(&str, Check)], optional: &[(&str, Check)]) {
    let object = value.as_object().unwrap();
    let known: BTreeSet<_> = required.iter().chain(optional).map(|(key, _)| *key).collect();
    let unknown: Vec<_> = object.keys().filter(|key| !known.contains(key.as_str())).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
    for (key, check) in required {
        assert!(object.get(*key).is_some_and(check), "{key}: {:?}", object.get(*key));
    }
    for (key, check) in optional {
        assert!(object.get(*key).is_none_or(check), "{key}: {:?}", object.get(*key));
    }
}

fn is_uuid(value: &Value) -> bool {
    let text = value.as_str().unwrap_or_default();
    text.len() == 36 && uuid::Uuid::try_parse(text).is_ok()
}

/// A time with the ending `suffix`, and of `decimals` decimals where that is given.
fn is_time(value: &Value, suffix: &str, decimals: Option<usize>) -> bool {
    let text = value.as_str().unwrap_or_default();
    let Some(bare) = text.strip_suffix(suffix) else { return false };
    let fraction = &bare[19..];
    let well_formed = match decimals {
        Some(0) => fraction.is_empty(),
        Some(count) => fraction.len() == count + 1 && fraction.starts_with('.'),
        None => fraction.is_empty() || fraction.starts_with('.') && !fraction.ends_with('0'),
    };
    well_formed && text.parse::<Timestamp>().is_ok()
}

fn is_nullable(value: &Value, check: Check) -> bool {
    value.is_null() || check(value)
}

fn nullable_string(value: &Value) -> bool {
    is_nullable(value, Value::is_string)
}

fn check_activity(value: &Value) {
    let text: Check = Value::is_string;
    assert_shape(
        value,
        &[
            ("id", text),
            ("createdAt", |v| is_time(v, "Z", None)),
            ("type", text),
            ("actorType", text),
        ],
        &[
            ("actorId", text),
            ("actorDetails", text),
            ("actorIpAddress", text),
            ("organizationId", text),
            ("serviceId", text),
        ],
    );
    let has_address = value.get("actorIpAddress").is_some();
    assert!(!has_address || value["actorType"] == "user" || value["actorType"] == "api");
}

fn check_item(value: &Value) {
    assert_shape(
        value,
        &[
            ("auditLogId", Value::is_i64),
            ("auditLogDateTime", |v| is_time(v, "Z", Some(3))),
            ("auditLogTypeEnum", Value::is_string),
            ("changeSetId", |v| is_nullable(v, is_uuid)),
            ("truncated", Value::is_boolean),
            ("auditLogType", nullable_string),
            ("userEmail", nullable_string),
            ("userName", nullable_string),
            ("where", nullable_string),
            ("why", nullable_string),
            ("actionTarget", nullable_string),
            ("details", nullable_string),
        ],
        &[],
    );
}

fn check_trail(value: &Value) {
    let text: Check = Value::is_string;
    assert_shape(
        value,
        &[
            ("id", text),
            ("organizationId", text),
            ("auditEvent", text),
            ("auditEntity", text),
            ("auditAction", text),
            ("coreEntity", text),
            ("coreEntityId", is_uuid),
            ("contractedEntity", nullable_string),
            ("contractedEntityId", |v| is_nullable(v, is_uuid)),
            ("timestamp", |v| is_time(v, "+00:00", None)),
            ("oldValue", |v| is_nullable(v, Value::is_object)),
            ("newValue", |v| is_nullable(v, Value::is_object)),
            ("diff", Value::is_array),
            ("author", Value::is_object),
            ("message", Value::is_object),
        ],
        &[],
    );
    for difference in value["diff"].as_array().unwrap() {
        let any: Check = |_| true;
        assert_shape(difference, &[("prop", text), ("oldVal", any), ("newVal", any)], &[]);
    }
    assert_shape(
        &value["author"],
        &[
            ("authorId", is_uuid),
            ("authorName", text),
            ("authorOrgId", is_uuid),
            ("authorOrgName", text),
            ("ipAddress", text),
        ],
        &[],
    );
    assert_shape(
        &value["message"],
        &[
            ("logMessage", text),
            ("logMessageKey", nullable_string),
            ("logMessageParams", nullable_string),
        ],
        &[],
    );
}

fn check_log_entry(value: &Value) {
    let text: Check = Value::is_string;
    assert_shape(
        value,
        &[
            ("id", text),
            ("action", text),
            ("email", text),
            ("details", text),
            ("createdAt", |v| is_time(v, "Z", Some(0))),
        ],
        &[("resourceUID", text)],
    );
}

fn check_super_admin_entry(value: &Value) {
    let text: Check = Value::is_string;
    assert_shape(
        value,
        &[
            ("audit_id", is_uuid),
            ("super_admin", |v| is_nullable(v, Value::is_object)),
            ("request_method", text),
            ("request_path", text),
            ("organization_id", text),
            ("organization_name", text),
            ("metadata", Value::is_object),
            ("created_at", |v| is_time(v, "Z", Some(6))),
        ],
        &[],
    );
    if value["super_admin"].is_object() {
        let keys = [("entity_class", text), ("entity_id", text), ("identifier", text)];
        assert_shape(&value["super_admin"], &keys, &[]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_event_has_the_shape_of_every_contract(content in native(), place in place()) {
        for event in stored(content, place) {
            check_activity(&printed(&organizations_and_activities::Activity::from(&event)));
            check_item(&printed(&audit_log_items::AuditLogItem::from(&event)));
            check_trail(&printed(&audit_trails::AuditTrail::from(&event)));
            check_log_entry(&printed(&organisation_audit_logs::AuditLog::from(&event)));
            check_super_admin_entry(&printed(&super_admin_audit_logs::AuditLog::from(&event)));
        }
    }

    /// An id that is no UUID stands for one and the same UUID wherever it is printed.
    #[test]
    fn an_opaque_id_has_one_uuid(id in text(), place in place()) {
        let content = NewEvent::new("a.b", Actor::user(id.clone())).target("thing", id);
        let trail = audit_trails::AuditTrail::from(&stored(content, place)[0]);
        prop_assert_eq!(trail.core_entity_id, trail.author.author_id);
    }
}
