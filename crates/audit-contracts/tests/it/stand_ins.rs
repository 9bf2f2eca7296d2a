//! Values that are printed for fields that a contract requires and an event does not have.

use crate::common::printed;
use audit_contracts::{
    audit_log_items, audit_trails, organisation_audit_logs, organizations_and_activities,
    super_admin_audit_logs,
};
use audit_core::{Actor, AuditEvent, Log, Message, NewEvent, Sequence, Target, Timestamp};
use serde_json::Value;

#[test]
fn the_leanest_event_is_printed_whole() {
    let id: audit_core::EventId = "7d94882a-ee8e-4741-b461-4fdbc731362b".parse().unwrap();
    let time: Timestamp = "2025-03-15T10:30:00.987654Z".parse().unwrap();
    let content = NewEvent::new("login", Actor::system()).id(id).occurred_at(time);
    let event = AuditEvent::new(Log::Platform, Sequence::new(7).unwrap(), time, content);
    let nil = "00000000-0000-0000-0000-000000000000";

    assert_eq!(
        printed(&organizations_and_activities::Activity::from(&event)),
        serde_json::json!({
            "id": id, "createdAt": "2025-03-15T10:30:00.987654Z", "type": "login",
            "actorType": "system",
        })
    );
    assert_eq!(
        printed(&audit_log_items::AuditLogItem::from(&event)),
        serde_json::json!({
            "auditLogId": 7, "auditLogDateTime": "2025-03-15T10:30:00.987Z",
            "auditLogTypeEnum": "login", "changeSetId": null, "truncated": false,
            "auditLogType": null, "userEmail": null, "userName": null, "where": null, "why": null,
            "actionTarget": null, "details": null,
        })
    );
    assert_eq!(
        printed(&audit_trails::AuditTrail::from(&event)),
        serde_json::json!({
            "id": id, "organizationId": "", "auditEvent": "", "auditEntity": "",
            "auditAction": "login", "coreEntity": "", "coreEntityId": nil,
            "contractedEntity": null, "contractedEntityId": null,
            "timestamp": "2025-03-15T10:30:00.987654+00:00",
            "oldValue": null, "newValue": null, "diff": [],
            "author": {
                "authorId": nil, "authorName": "system", "authorOrgId": nil,
                "authorOrgName": "", "ipAddress": "",
            },
            "message": {"logMessage": "", "logMessageKey": null, "logMessageParams": null},
        })
    );
    assert_eq!(
        printed(&organisation_audit_logs::AuditLog::from(&event)),
        serde_json::json!({
            "id": "log_7d94882aee8e4741b4614fdbc731362b", "action": "login", "email": "",
            "details": "", "createdAt": "2025-03-15T10:30:00Z",
        })
    );
    assert_eq!(
        printed(&super_admin_audit_logs::AuditLog::from(&event)),
        serde_json::json!({
            "audit_id": id, "super_admin": null, "request_method": "", "request_path": "",
            "organization_id": "", "organization_name": "", "metadata": {},
            "created_at": "2025-03-15T10:30:00.987654Z",
        })
    );
}

/// The contract has an object or null there; the model has any value, or none.
#[test]
fn a_value_that_is_no_object_is_put_into_one() {
    for (old, expected) in [
        (None, Value::Null),
        (Some(Value::Null), Value::Null),
        (Some(serde_json::json!({"a": 1})), serde_json::json!({"a": 1})),
        (Some(serde_json::json!([1])), serde_json::json!({"value": [1]})),
    ] {
        let mut content = NewEvent::new("a.b", Actor::system());
        (content.change.old, content.change.new) = (old.clone(), old);
        let event =
            AuditEvent::new(Log::Platform, Sequence::ZERO, Timestamp::from_nanos(0), content);
        let record = printed(&audit_trails::AuditTrail::from(&event));
        assert_eq!((&record["oldValue"], &record["newValue"]), (&expected, &expected));
    }
}

/// Each of these prints the first that the event has of several parts.
#[test]
fn what_stands_in_for_what_is_missing() {
    let event =
        |content| AuditEvent::new(Log::Platform, Sequence::ZERO, Timestamp::from_nanos(0), content);
    let bare = || NewEvent::new("a.b", Actor::system());

    for (target, printed) in [
        (Target::new("type", "id").name("name"), "name"),
        (Target::new("type", "id"), "id"),
        (Target::of_kind("type"), "type"),
    ] {
        let event = event(bare().add_target(target));
        let item = audit_log_items::AuditLogItem::from(&event);
        assert_eq!(item.action_target.as_deref(), Some(printed));
    }
    for (actor, name, identifier) in [
        (Actor::user("id").name("name").email("email"), "name", "email"),
        (Actor::user("id").email("email"), "email", "email"),
        (Actor::user("id").name("name"), "name", "name"),
        (Actor::user("id"), "id", "id"),
    ] {
        let event = event(bare().actor(actor));
        assert_eq!(audit_trails::AuditTrail::from(&event).author.author_name, name);
        let admin = super_admin_audit_logs::AuditLog::from(&event).super_admin;
        assert_eq!(admin.map(|admin| admin.identifier).as_deref(), Some(identifier));
    }
    for (text, printed) in [(Some("text"), "text"), (None, "title")] {
        let message = text.map_or_else(Message::default, Message::text).title("title");
        let event = event(bare().message(message));
        assert_eq!(organisation_audit_logs::AuditLog::from(&event).details, printed);
        assert_eq!(audit_trails::AuditTrail::from(&event).message.log_message, printed);
    }
}
