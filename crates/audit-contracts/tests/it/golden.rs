//! The sources' own samples become events and come back equal, key by key and null by null.
//!
//! Contract A's samples hold placeholders, which are replaced by the least valid value, as each
//! test says. All other samples are whole.

use crate::common::through_the_model;
use audit_contracts::{
    audit_log_items, audit_trails, organisation_audit_logs, organizations_and_activities,
    super_admin_audit_logs,
};
use audit_core::{
    AuditEvent, Error, EventId, Log, NewEvent, OrganizationId, Sequence, Timestamp, json,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

fn place() -> (Log, Sequence, Timestamp) {
    let log = Log::organization(OrganizationId::new());
    (log, Sequence::new(1).unwrap(), Timestamp::now())
}

/// Reads the body `sample` as a `T` that prints the same again.
fn read<T: Serialize + DeserializeOwned>(sample: &Value) -> T {
    let body = json::from_slice(sample.to_string().as_bytes()).unwrap();
    assert_eq!(serde_json::to_value(&body).unwrap(), *sample);
    body
}

/// Takes the record `sample` to the model and back, and gives the event in the middle.
fn round_trip<R>(sample: &Value) -> NewEvent
where
    R: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug,
    NewEvent: TryFrom<R, Error = Error>,
    for<'a> R: From<&'a AuditEvent>,
{
    let record: R = read(sample);
    let back = through_the_model(&record, place());
    assert_eq!(serde_json::to_value(back).unwrap(), *sample);
    NewEvent::try_from(record).unwrap()
}

fn parse(text: &str) -> Value {
    json::parse(text.as_bytes()).unwrap()
}

/// `"uuid"`, `"date-time"` and `"Array"` are placeholders.
#[test]
fn a_organization() {
    let sample = parse(
        r#"{
            "id": "00000000-0000-0000-0000-000000000000",
            "createdAt": "1970-01-01T00:00:00Z",
            "name": "string",
            "privateEndpoints": []
        }"#,
    );
    let organization: organizations_and_activities::Organization = read(&sample);
    let model = audit_core::Organization::from(organization);
    let back = organizations_and_activities::Organization::from(model);
    assert_eq!(serde_json::to_value(back).unwrap(), sample);
}

/// `"date-time"` is a placeholder, and so is the `"string"` of `actorType`, which has an address
/// only as `user` or `api`. `"string"` elsewhere is a valid text.
#[test]
fn a_activity() {
    let sample = parse(
        r#"{
            "id": "string",
            "createdAt": "1970-01-01T00:00:00Z",
            "type": "string",
            "actorType": "user",
            "actorId": "string",
            "actorDetails": "string",
            "actorIpAddress": "string",
            "organizationId": "string",
            "serviceId": "string"
        }"#,
    );
    let event = round_trip::<organizations_and_activities::Activity>(&sample);
    assert_eq!(event.scope.service.as_deref(), Some("string"));
    assert_eq!(event.source.unwrap().id, "string");
}

#[test]
fn a_bodies() {
    type Organizations =
        organizations_and_activities::Success<Vec<organizations_and_activities::Organization>>;
    let request_id = "3fa85f64-5717-4562-b3fc-2c963f66afa6";
    read::<Organizations>(&json!({"status": 200, "requestId": request_id, "result": []}));
    read::<Organizations>(
        &json!({"status": 200, "requestId": request_id, "result": [], "nextCursor": "x"}),
    );
    read::<organizations_and_activities::Failure>(
        &json!({"status": 404, "error": "no such organization", "requestId": request_id}),
    );
}

#[test]
fn b_audit_log_items() {
    let sample = parse(
        r#"[
            {
                "auditLogId": 0,
                "auditLogDateTime": "2024-07-29T15:51:28.071Z",
                "auditLogTypeEnum": "productCreated",
                "changeSetId": "3fa85f64-5717-4562-b3fc-2c963f66afa6",
                "truncated": true,
                "auditLogType": "string",
                "userEmail": "string",
                "userName": "string",
                "where": "string",
                "why": "string",
                "actionTarget": "string",
                "details": "string"
            }
        ]"#,
    );
    read::<Vec<audit_log_items::AuditLogItem>>(&sample);
    let event = round_trip::<audit_log_items::AuditLogItem>(&sample[0]);
    assert_eq!(event.action, audit_log_items::AuditLogType::PRODUCT_CREATED.into());
    assert!(event.change.truncated);
}

#[test]
fn b_known_types() {
    use audit_log_items::AuditLogType;

    let known = AuditLogType::KNOWN;
    assert_eq!(known.len(), 87);
    assert_eq!(known.iter().collect::<std::collections::BTreeSet<_>>().len(), 87);
    assert_eq!((known[0].as_str(), known[86].as_str()), ("productCreated", "userDisabled"));
    // Where the source's spelling leaves its own pattern.
    for (kind, text) in [
        (AuditLogType::WEB_HOOK_CREATED, "webHookCreated"),
        (AuditLogType::WEBHOOK_SIGNING_KEY_CREATED, "webhookSigningKeyCreated"),
        (AuditLogType::CODE_REFERENCES_UPLOADED, "codeReferencesUploaded"),
        (AuditLogType::CODE_REFERENCE_DELETED, "codeReferenceDeleted"),
    ] {
        assert!(known.contains(&kind));
        assert_eq!(kind.as_str(), text);
    }
}

#[test]
fn c_audit_trails() {
    let sample = parse(
        r#"{
            "responseData": [
                {
                    "id": "7d94882a-ee8e-4741-b461-4fdbc731362b",
                    "diff": [
                        {
                            "prop": "Domain",
                            "newVal": "updatedDomain@tenant.com",
                            "oldVal": null
                        },
                        {
                            "prop": "Name",
                            "newVal": "The Organization",
                            "oldVal": "Demo Organization"
                        }
                    ],
                    "author": {
                        "authorId": "bf5c2988-f6d8-4108-87b1-e1bdcf296d33",
                        "ipAddress": "213.52.72.214",
                        "authorName": "Anders Reyes",
                        "authorOrgId": "e6c779ff-9401-4915-b74d-ca4b937c7de5",
                        "authorOrgName": "My Organization"
                    },
                    "message": {
                        "logMessage": "Organization updated",
                        "logMessageKey": "OrganizationUpdated",
                        "logMessageParams": ""
                    },
                    "newValue": null,
                    "oldValue": null,
                    "timestamp": "2024-03-15T14:48:51+00:00",
                    "auditEvent": "CoreEntityChange",
                    "coreEntity": "Organization",
                    "auditAction": "Updated",
                    "auditEntity": "Organization",
                    "coreEntityId": "7eb6c145-b6d2-4d67-8e20-6f87ca942b7f",
                    "organizationId": "7eb6c145-b6d2-4d67-8e20-6f87ca942b7f",
                    "contractedEntity": null,
                    "contractedEntityId": null
                }
            ],
            "continuationToken": "eyJWIjoyLCJSaWQiOiJ6Njk5QUx5UlYzbz0iLCJDb250aW51YXRpb24iOlt7IkZlZWRSYW5nZSI6eyJ0eXBlIjoiTG9naWNhbCBQYXJ0aXRpb24gS2V5IiwidmFsdWUiOiJbXCI3ZWI2YzE0NS1iNmQyLTRkNjctOGUyMC02Zjg3Y2E5NDJiN2ZcIl0ifSwiU3RhdGUiOnsidHlwZSI6ImNvbnRpbnVhdGlvbiIsInZhbHVlIjoiXCIxOTUxOTZcIiJ9fV19"
        }"#,
    );
    read::<audit_trails::AuditTrails>(&sample);
    let event = round_trip::<audit_trails::AuditTrail>(&sample["responseData"][0]);
    assert_eq!(event.id, "7d94882a-ee8e-4741-b461-4fdbc731362b".parse::<EventId>().unwrap());
    assert_eq!(event.action.as_str(), "Organization.Updated");
    assert_eq!(event.source, None);
    assert_eq!(event.change.diff[0].old, Some(Value::Null));
}

#[test]
fn c_other_bodies() {
    read::<audit_trails::AuditTrails>(&json!({"continuationToken": null, "responseData": null}));
    let sample = r#"{
        "type": "string",
        "title": "string",
        "status": 42,
        "detail": "string",
        "instance": "string"
    }"#;
    read::<audit_trails::Problem>(&parse(sample));
    read::<audit_trails::Problem>(
        &json!({"type": null, "title": null, "status": null, "detail": null, "instance": null}),
    );
}

#[test]
fn d_audit_logs() {
    let sample = parse(
        r#"{
            "data": [
                {
                    "id": "log_001",
                    "action": "schedule.created",
                    "email": "admin@company.com",
                    "resourceUID": "sch_abc123",
                    "details": "Created schedule 'Business Hours'",
                    "createdAt": "2025-03-15T10:30:00Z"
                },
                {
                    "id": "log_002",
                    "action": "team.member.added",
                    "email": "admin@company.com",
                    "resourceUID": "team_abc123",
                    "details": "Added engineer@company.com to team 'Platform Engineering'",
                    "createdAt": "2025-03-15T10:15:00Z"
                }
            ],
            "pagination": {
                "page": 1,
                "limit": 10,
                "total": 248
            }
        }"#,
    );
    read::<organisation_audit_logs::AuditLogs>(&sample);
    let events =
        [0, 1].map(|n| round_trip::<organisation_audit_logs::AuditLog>(&sample["data"][n]));
    assert_ne!(events[0].id, events[1].id);
    assert_eq!(events[0].source.as_ref().unwrap().id, "log_001");
}

#[test]
fn d_organization() {
    let sample = parse(
        r#"{
            "data": {
                "id": "org_acme001",
                "name": "Acme Corp",
                "createdBy": "founder@acme.com",
                "createdAt": "2025-01-05T08:00:00Z",
                "updatedAt": "2025-01-05T08:00:00Z"
            }
        }"#,
    );
    let body: organisation_audit_logs::Data<organisation_audit_logs::Organization> = read(&sample);
    let model = audit_core::Organization::from(body.data);
    assert_eq!(model.external_id.as_deref(), Some("org_acme001"));
    let back = organisation_audit_logs::Organization::from(model);
    assert_eq!(serde_json::to_value(back).unwrap(), sample["data"]);

    let request: organisation_audit_logs::CreateOrganization = read(&json!({"name": "Acme Corp"}));
    assert_eq!(audit_core::NewOrganization::from(request).name, "Acme Corp");
}

#[test]
fn e_super_admin_audit_logs() {
    let sample = parse(
        r#"{
            "meta": {
                "pagination": {
                    "limit": 0,
                    "offset": 0,
                    "total_count": 0
                }
            },
            "errors": [
                {
                    "httpcode": 0,
                    "message": "string"
                }
            ],
            "result": [
                {
                    "audit_id": "3fa85f64-5717-4562-b3fc-2c963f66afa6",
                    "super_admin": {
                        "entity_class": "unknown",
                        "entity_id": "string",
                        "identifier": "string"
                    },
                    "request_method": "string",
                    "request_path": "string",
                    "organization_id": "string",
                    "organization_name": "string",
                    "metadata": {},
                    "created_at": "2005-12-24T18:29:30.033157Z"
                }
            ]
        }"#,
    );
    read::<super_admin_audit_logs::AuditLogs>(&sample);
    let mut record = sample["result"][0].clone();
    let event = round_trip::<super_admin_audit_logs::AuditLog>(&record);
    assert_eq!(event.actor.id.as_deref(), Some("string"));

    record["super_admin"] = Value::Null;
    let event = round_trip::<super_admin_audit_logs::AuditLog>(&record);
    assert_eq!(event.actor, audit_core::Actor::unknown());
}

#[test]
fn e_forbidden() {
    let sample = parse(
        r#"{
            "meta": {
                "pagination": {
                    "limit": 0,
                    "offset": 0,
                    "total_count": 0
                }
            },
            "errors": [
                {
                    "httpcode": 0,
                    "message": "string"
                }
            ]
        }"#,
    );
    let body: super_admin_audit_logs::AuditLogs = read(&sample);
    assert_eq!(body.result, None);
}
