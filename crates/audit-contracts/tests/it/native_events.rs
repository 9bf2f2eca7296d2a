//! Every event, whatever service made it, is printed as a record of every contract's shape, and comes back
//! as far as the contract carries it.

use std::collections::BTreeSet;
use std::fmt::Debug;

use crate::any_event::native;
use crate::common::{place, printed, text};
use audit_contracts::{
    audit_log_items, audit_trails, organisation_audit_logs, organizations_and_activities,
    super_admin_audit_logs,
};
use audit_core::backend::PreparedEvent;
use audit_core::{
    Actor, AuditEvent, Change, Error, Log, NewEvent, Sequence, Target, Timestamp, json,
};
use proptest::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Returns the event as its log holds it, whole and erased.
fn stored(content: &NewEvent, place: (Log, Sequence, Timestamp)) -> [AuditEvent; 2] {
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

/// Prints `event` as a record, reads the record as an event, and checks that this event has the same
/// record.
fn back<R>(event: &AuditEvent) -> Result<NewEvent, Error>
where
    R: Serialize + DeserializeOwned + Debug,
    NewEvent: TryFrom<R, Error = Error>,
    for<'a> R: From<&'a AuditEvent>,
{
    let record = printed(&R::from(event));
    let read: R = json::from_slice(&serde_json::to_vec(&record).unwrap()).unwrap();
    let content = NewEvent::try_from(read)?;
    let again = AuditEvent::new(event.log, event.sequence, event.recorded_at, content.clone());
    assert_eq!(printed(&R::from(&again)), record);
    Ok(content)
}

/// Checks that `read` is the time of `event`, rounded down to a multiple of `unit` nanoseconds.
fn assert_time(read: &NewEvent, event: &AuditEvent, unit: i64) {
    let nanos = event.occurred_at.as_nanos();
    assert_eq!(read.occurred_at.unwrap().as_nanos(), nanos - nanos.rem_euclid(unit));
}

fn or_empty(text: Option<&String>) -> &str {
    text.map(String::as_str).unwrap_or_default()
}

fn check_activity_fields(event: &AuditEvent) {
    let read = back::<organizations_and_activities::Activity>(event).unwrap();
    assert_time(&read, event, 1_000);
    assert_eq!(read.action, event.action);
    assert_eq!(read.actor.kind, event.actor.kind);
    assert_eq!(read.actor.id, event.actor.id);
    assert_eq!(read.actor.details, event.actor.details);
    assert_eq!(read.scope.service, event.scope.service);
    let named = event.organization.as_ref().map(|organization| organization.id.clone());
    let own = event.log.organization_id().map(|id| id.to_string());
    assert_eq!(read.organization.map(|organization| organization.id), named.or(own));
}

fn check_item_fields(event: &AuditEvent) {
    let read = back::<audit_log_items::AuditLogItem>(event).unwrap();
    assert_time(&read, event, 1_000_000);
    assert_eq!(read.action, event.action);
    assert_eq!(read.change_set_id, event.change_set_id);
    assert_eq!(read.change.truncated, event.change.truncated);
    assert_eq!(read.message.title, event.message.title);
    assert_eq!(read.message.text, event.message.text);
    assert_eq!(read.actor.name, event.actor.name);
    assert_eq!(read.actor.email, event.actor.email);
    assert_eq!(read.location, event.location);
    assert_eq!(read.reason, event.reason);
}

fn check_trail_fields(event: &AuditEvent) {
    let read = back::<audit_trails::AuditTrail>(event);
    // A `%` of an action that was not read from a record becomes an escape, which is longer, and
    // `%2E` a dot.
    if let (Err(error), true) = (&read, event.action.as_str().contains('%')) {
        assert!(matches!(error.field(), Some("auditEntity" | "auditAction")), "{error}");
        return;
    }
    let read = read.unwrap();
    assert_time(&read, event, 1_000);
    assert_eq!(or_empty(read.category.as_ref()), or_empty(event.category.as_ref()));
    assert_eq!(or_empty(read.actor.ip.as_ref()), or_empty(event.actor.ip.as_ref()));
    assert_eq!(read.message.key, event.message.key);
    assert_eq!(read.message.params, event.message.params);
    let fields = |change: &Change| -> Vec<_> {
        let either = |value: &Option<Value>| value.clone().unwrap_or_default();
        let fields = change.diff.iter();
        fields.map(|f| (f.field.clone(), either(&f.old), either(&f.new))).collect()
    };
    assert_eq!(fields(&read.change), fields(&event.change));
}

fn check_log_entry_fields(event: &AuditEvent) {
    let read = back::<organisation_audit_logs::AuditLog>(event).unwrap();
    assert_time(&read, event, 1_000_000_000);
    assert_eq!(read.action, event.action);
    assert_eq!(or_empty(read.actor.email.as_ref()), or_empty(event.actor.email.as_ref()));
    let id = |targets: &[Target]| targets.first().and_then(|target| target.id.clone());
    assert_eq!(id(&read.targets), id(&event.targets));
}

fn check_super_admin_entry_fields(event: &AuditEvent) {
    let read = back::<super_admin_audit_logs::AuditLog>(event).unwrap();
    assert_time(&read, event, 1_000);
    assert_eq!(read.id, event.id);
    assert_eq!(read.actor.id, event.actor.id);
    assert_eq!(or_empty(read.request.method.as_ref()), or_empty(event.request.method.as_ref()));
    assert_eq!(or_empty(read.request.path.as_ref()), or_empty(event.request.path.as_ref()));
    assert_eq!(read.metadata, event.metadata);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_event_has_the_shape_of_every_contract(content in native(), place in place()) {
        for event in stored(&content, place) {
            check_activity(&printed(&organizations_and_activities::Activity::from(&event)));
            check_item(&printed(&audit_log_items::AuditLogItem::from(&event)));
            check_trail(&printed(&audit_trails::AuditTrail::from(&event)));
            check_log_entry(&printed(&organisation_audit_logs::AuditLog::from(&event)));
            check_super_admin_entry(&printed(&super_admin_audit_logs::AuditLog::from(&event)));
        }
    }

    /// The event to which a record converts has every value of the record.
    #[test]
    fn any_event_comes_back_as_far_as_a_contract_carries_it(
        content in native(), place in place(),
    ) {
        for event in stored(&content, place) {
            check_activity_fields(&event);
            check_item_fields(&event);
            check_trail_fields(&event);
            check_log_entry_fields(&event);
            check_super_admin_entry_fields(&event);
        }
    }

    /// An id that is no UUID is printed as the same UUID everywhere.
    #[test]
    fn an_opaque_id_has_one_uuid(id in text(), place in place()) {
        let content = NewEvent::new("a.b", Actor::user(id.clone())).target("thing", id);
        let trail = audit_trails::AuditTrail::from(&stored(&content, place)[0]);
        prop_assert_eq!(trail.core_entity_id, trail.author.author_id);
    }
}
