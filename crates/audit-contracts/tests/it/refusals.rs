//! A value that cannot be kept is refused, and the error names the contract's own field; a value that may be left
//! out is read.

use audit_contracts::audit_log_items::AuditLogItem;
use audit_contracts::audit_trails::{AuditTrail, Problem};
use audit_contracts::organizations_and_activities::Activity;
use audit_contracts::{
    organisation_audit_logs as d, organizations_and_activities as a, super_admin_audit_logs as e,
};
use audit_core::limits::{MAX_ACTION_SEGMENTS, MAX_ID_BYTES, MAX_NAME_BYTES, MAX_TEXT_BYTES};
use audit_core::{Error, NewEvent, OrganizationUpdate, Violation, json};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

fn activity() -> Value {
    json!({"id": "1", "createdAt": "2025-03-15T10:30:00Z", "type": "t", "actorType": "user"})
}

fn item() -> Value {
    json!({
        "auditLogId": 1, "auditLogDateTime": "2025-03-15T10:30:00Z", "auditLogTypeEnum": "t",
        "truncated": false,
    })
}

fn trail() -> Value {
    let nil = "00000000-0000-0000-0000-000000000000";
    json!({
        "id": nil, "organizationId": "", "auditEvent": "", "auditEntity": "e", "auditAction": "a",
        "coreEntity": "", "coreEntityId": nil, "timestamp": "2025-03-15T10:30:00Z", "diff": [],
        "author": {
            "authorId": nil, "authorName": "", "authorOrgId": nil, "authorOrgName": "",
            "ipAddress": "",
        },
        "message": {"logMessage": ""},
    })
}

fn log_entry() -> Value {
    json!({
        "id": "log_001", "action": "a", "email": "", "details": "",
        "createdAt": "2025-03-15T10:30:00Z",
    })
}

fn super_admin_entry() -> Value {
    json!({
        "audit_id": "00000000-0000-0000-0000-000000000000",
        "super_admin": {"entity_class": "identity", "entity_id": "", "identifier": ""},
        "request_method": "", "request_path": "", "organization_id": "", "organization_name": "",
        "metadata": {}, "created_at": "2025-03-15T10:30:00Z",
    })
}

/// Reads the record with `value` put at the JSON pointer `at`.
fn with<R>(mut record: Value, at: &str, value: Value) -> Result<NewEvent, Error>
where
    R: DeserializeOwned,
    NewEvent: TryFrom<R, Error = Error>,
{
    let (parent, key) = at.rsplit_once('/').unwrap();
    record.pointer_mut(parent).unwrap()[key] = value;
    json::from_slice::<R>(record.to_string().as_bytes()).and_then(NewEvent::try_from)
}

fn long(limit: usize) -> Value {
    "x".repeat(limit + 1).into()
}

#[test]
fn the_bare_records_are_read() {
    let event = with::<Activity>(activity(), "/actorId", Value::Null).unwrap();
    assert_eq!(event.actor.id, None);
    let event = with::<AuditLogItem>(item(), "/userName", Value::Null).unwrap();
    assert_eq!(event.actor, audit_core::Actor::unknown());
    let event = with::<AuditTrail>(trail(), "/oldValue", Value::Null).unwrap();
    assert_eq!((event.targets.len(), event.change.old), (1, None));
    let event = with::<d::AuditLog>(log_entry(), "/resourceUID", Value::Null).unwrap();
    assert!(event.targets.is_empty());
    let event = with::<e::AuditLog>(super_admin_entry(), "/super_admin", Value::Null).unwrap();
    assert_eq!(event.actor.id, None);
}

#[test]
fn each_bound_names_the_wire_field() {
    let (name, id, text) =
        (|| long(MAX_NAME_BYTES), || long(MAX_ID_BYTES), || long(MAX_TEXT_BYTES));
    let fields = |cases: Vec<(Result<NewEvent, Error>, &str)>| {
        for (result, field) in cases {
            let error = result.expect_err(field);
            assert_eq!(error.field(), Some(field));
            assert!(matches!(error.violation(), Some(Violation::TooLong { .. })), "{error}");
        }
    };
    let read = |at: &str, value| with::<Activity>(activity(), at, value);
    fields(vec![
        (read("/id", id()), "id"),
        (read("/type", name()), "type"),
        (read("/actorType", name()), "actorType"),
        (read("/actorId", id()), "actorId"),
        (read("/actorDetails", text()), "actorDetails"),
        (read("/actorIpAddress", id()), "actorIpAddress"),
        (read("/organizationId", id()), "organizationId"),
        (read("/serviceId", id()), "serviceId"),
    ]);
    let read = |at: &str, value| with::<AuditLogItem>(item(), at, value);
    fields(vec![
        (read("/auditLogTypeEnum", name()), "auditLogTypeEnum"),
        (read("/auditLogType", text()), "auditLogType"),
        (read("/userEmail", id()), "userEmail"),
        (read("/userName", text()), "userName"),
        (read("/where", text()), "where"),
        (read("/why", text()), "why"),
        (read("/actionTarget", text()), "actionTarget"),
        (read("/details", text()), "details"),
    ]);
    let read = |at: &str, value| with::<AuditTrail>(trail(), at, value);
    fields(vec![
        (read("/id", id()), "id"),
        (read("/organizationId", id()), "organizationId"),
        (read("/auditEvent", name()), "auditEvent"),
        (read("/auditEntity", name()), "auditEntity"),
        (read("/auditAction", name()), "auditAction"),
        (read("/coreEntity", name()), "coreEntity"),
        (read("/contractedEntity", name()), "contractedEntity"),
        (read("/diff", json!([{"prop": "x"}, {"prop": text()}])), "diff[1].prop"),
        (read("/author/authorName", text()), "author.authorName"),
        (read("/author/authorOrgName", text()), "author.authorOrgName"),
        (read("/author/ipAddress", id()), "author.ipAddress"),
        (read("/message/logMessage", text()), "message.logMessage"),
        (read("/message/logMessageKey", text()), "message.logMessageKey"),
        (read("/message/logMessageParams", text()), "message.logMessageParams"),
    ]);
    let read = |at: &str, value| with::<d::AuditLog>(log_entry(), at, value);
    fields(vec![
        (read("/id", id()), "id"),
        (read("/action", name()), "action"),
        (read("/email", id()), "email"),
        (read("/resourceUID", id()), "resourceUID"),
        (read("/details", text()), "details"),
    ]);
    let read = |at: &str, value| with::<e::AuditLog>(super_admin_entry(), at, value);
    fields(vec![
        (read("/super_admin/entity_class", name()), "super_admin.entity_class"),
        (read("/super_admin/entity_id", id()), "super_admin.entity_id"),
        (read("/super_admin/identifier", id()), "super_admin.identifier"),
        (read("/request_method", name()), "request_method"),
        (read("/request_path", text()), "request_path"),
        (read("/organization_id", id()), "organization_id"),
        (read("/organization_name", text()), "organization_name"),
    ]);
}

#[test]
fn depth_and_segments_name_the_wire_field() {
    let deep = || (0..100).fold(Value::Null, |value, _| json!({"x": value}));
    for (at, value, field) in [
        ("/oldValue", deep(), "oldValue"),
        ("/newValue", deep(), "newValue"),
        ("/diff", json!([{"prop": "x", "oldVal": deep()}]), "diff[0].oldVal"),
        ("/diff", json!([{"prop": "x", "newVal": deep()}]), "diff[0].newVal"),
    ] {
        let error = with::<AuditTrail>(trail(), at, value).unwrap_err();
        assert_eq!(error.field(), Some(field));
        assert!(matches!(error.violation(), Some(Violation::TooDeep { .. })));
    }
    let entity = ".".repeat(MAX_ACTION_SEGMENTS - 1);
    let error = with::<AuditTrail>(trail(), "/auditEntity", entity[1..].into());
    assert!(error.is_ok());
    let error = with::<AuditTrail>(trail(), "/auditEntity", entity.into()).unwrap_err();
    assert_eq!(error.field(), Some("auditEntity"));
    assert_eq!(
        error.violation(),
        Some(&Violation::TooMany { limit: MAX_ACTION_SEGMENTS - 1, actual: MAX_ACTION_SEGMENTS })
    );
}

#[test]
fn a_field_that_the_contract_does_not_have_is_refused() {
    let cases = [
        (with::<Activity>(activity(), "/extra", 1.into()), "extra"),
        (with::<AuditLogItem>(item(), "/extra", 1.into()), "extra"),
        (with::<AuditTrail>(trail(), "/extra", 1.into()), "extra"),
        (with::<AuditTrail>(trail(), "/author/extra", 1.into()), "author.extra"),
        (with::<AuditTrail>(trail(), "/message/extra", 1.into()), "message.extra"),
        (with::<d::AuditLog>(log_entry(), "/extra", 1.into()), "extra"),
        (
            with::<e::AuditLog>(super_admin_entry(), "/super_admin/extra", 1.into()),
            "super_admin.extra",
        ),
    ];
    for (result, field) in cases {
        let error = result.unwrap_err();
        assert_eq!(
            (error.field(), error.violation()),
            (Some(field), Some(&Violation::UnknownField))
        );
    }
    // RFC 9457 has clients pass over the members that they do not know.
    let problem: Problem = json::from_slice(br#"{"status": 404, "traceId": "x"}"#).unwrap();
    assert_eq!(problem.status, Some(404));
}

#[test]
fn nothing_is_read_with_loss() {
    fn violation<T: DeserializeOwned + std::fmt::Debug>(text: &str) -> Violation {
        json::from_slice::<T>(text.as_bytes()).unwrap_err().violation().unwrap().clone()
    }
    let with_text = |record: Value, key: &str, raw: &str| {
        let text = record.to_string();
        format!("{},\"{key}\":{raw}}}", text.strip_suffix('}').unwrap())
    };
    let twice = r#"{"x": [{"y": 1, "y": 2}]}"#;
    let old = with_text(trail(), "oldValue", twice);
    assert_eq!(violation::<AuditTrail>(&old), Violation::DuplicateKey);
    let mut bare = trail();
    bare.as_object_mut().unwrap().remove("diff");
    let diff = with_text(bare, "diff", &format!(r#"[{{"prop": "p", "newVal": {twice}}}]"#));
    assert_eq!(violation::<AuditTrail>(&diff), Violation::DuplicateKey);
    let mut bare = super_admin_entry();
    bare.as_object_mut().unwrap().remove("metadata");
    let metadata = with_text(bare.clone(), "metadata", twice);
    assert_eq!(violation::<e::AuditLog>(&metadata), Violation::DuplicateKey);
    let number = with_text(bare.clone(), "metadata", r#"{"n": 12345678901234567890123}"#);
    assert_eq!(violation::<e::AuditLog>(&number), Violation::Inexact);
    assert_eq!(violation::<e::AuditLog>(&bare.to_string()), Violation::Missing);
    let settings = format!(r#"{{"name": "x", "settings": {twice}}}"#);
    assert_eq!(violation::<d::CreateOrganization>(&settings), Violation::DuplicateKey);
    assert_eq!(violation::<d::UpdateOrganization>(&settings), Violation::DuplicateKey);
    let again = with_text(log_entry(), "email", "\"x\"");
    assert_eq!(violation::<d::AuditLog>(&again), Violation::DuplicateKey);
}

#[test]
fn what_has_another_type_is_refused() {
    for (at, value) in [
        ("/coreEntityId", json!("x")),
        ("/oldValue", json!([])),
        ("/newValue", json!("text")),
        ("/diff", Value::Null),
        ("/author", Value::Null),
        ("/message/logMessageParams", json!({})),
        ("/timestamp", json!("2025-03-15")),
        ("/timestamp", json!("2025-03-15T10:30:00.1234567891Z")),
    ] {
        assert!(with::<AuditTrail>(trail(), at, value.clone()).is_err(), "{at} {value}");
    }
    for number in [json!("1"), json!(1.5), json!(u64::MAX)] {
        assert!(with::<AuditLogItem>(item(), "/auditLogId", number.clone()).is_err(), "{number}");
    }
    assert!(with::<e::AuditLog>(super_admin_entry(), "/metadata", Value::Null).is_err());
}

#[test]
fn updates_tell_left_out_from_null() {
    let read = |text: &str| json::from_slice::<a::UpdateOrganization>(text.as_bytes());
    let update = read(
        r#"{"name": "New", "privateEndpoints": {
            "remove": [{"id": "vpce-1"}],
            "add": [{"id": "vpce-2", "description": "", "cloudProvider": "aws", "region": "eu-1"}]
        }}"#,
    );
    let endpoint = audit_core::PrivateEndpoint::new("vpce-2")
        .description("")
        .cloud_provider("aws")
        .region("eu-1");
    assert_eq!(
        OrganizationUpdate::from(update.unwrap()),
        OrganizationUpdate::default().name("New").remove_endpoint("vpce-1").add_endpoint(endpoint)
    );
    assert_eq!(OrganizationUpdate::from(read("{}").unwrap()), OrganizationUpdate::default());
    assert_eq!(read(r#"{"name": null}"#).unwrap_err().field(), Some("name"));
    assert_eq!(
        read(r#"{"privateEndpoints": {"replace": []}}"#).unwrap_err().field(),
        Some("privateEndpoints.replace")
    );

    let read = |text: &str| json::from_slice::<d::UpdateOrganization>(text.as_bytes());
    let update = OrganizationUpdate::from(read(r#"{"settings": {"theme": null}}"#).unwrap());
    assert_eq!((update.name, update.settings.unwrap()["theme"].clone()), (None, Value::Null));
    assert_eq!(read(r#"{"settings": null}"#).unwrap_err().field(), Some("settings"));
}
