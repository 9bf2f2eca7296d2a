//! One change of an organization, read through each of the five contracts.

use crate::common::{Key, Service, request};
use axum::http::Method;
use serde_json::{Value, json};

async fn first(service: &Service, key: &Key, path: &str, at: &str) -> Value {
    let mut request = request(Method::GET, path, Some(key), None);
    let context = "af5fbd30-7ce7-4548-8b30-4cd59cb2aba1";
    request.headers_mut().insert("SlashID-OrgID", context.parse().unwrap());
    service.send(request).await.expect(200).pointer(at).unwrap().clone()
}

#[tokio::test]
async fn a_change_is_the_same_event_in_five_shapes() {
    let service = Service::new();
    let (acme, [_, admin, root]) = service.tenant("Acme").await;
    let id = acme.id;
    let body = json!({"name": "Acme Corp"});
    service.put(Method::PATCH, &admin, &format!("/v1/organizations/{id}"), &body).await.expect(200);

    let activity =
        first(&service, &admin, &format!("/v1/organizations/{id}/activities"), "/result/0").await;
    let item = first(&service, &admin, &format!("/v1/organizations/{id}/auditlogs"), "/0").await;
    let path = format!("/api/v1.0/organizations/{id}/audit-trails");
    let trail = first(&service, &admin, &path, "/responseData/4").await;
    let log = first(&service, &admin, "/api/audit-logs", "/data/0").await;
    let path = format!("/super-admins/audit-logs?organization_id={id}");
    let seen = first(&service, &root, &path, "/result/0").await;

    let event = activity["id"].as_str().unwrap();
    let (key, time) = (admin.key.id.to_string(), seen["created_at"].as_str().unwrap());
    let millis = &time[..23];
    let seconds = &time[..19];
    let fraction = time[20..26].trim_end_matches('0');
    let shortest =
        if fraction.is_empty() { seconds.to_owned() } else { format!("{seconds}.{fraction}") };
    assert_eq!(
        activity,
        json!({
            "id": event, "createdAt": format!("{shortest}Z"), "type": "organization.updated",
            "actorType": "api", "actorId": key, "actorIpAddress": "192.0.2.7",
            "organizationId": id,
        })
    );
    assert_eq!(
        item,
        json!({
            "auditLogId": 5, "auditLogDateTime": format!("{millis}Z"),
            "auditLogTypeEnum": "organization.updated", "changeSetId": null, "truncated": false,
            "auditLogType": "Organization updated", "userEmail": "admin@acme.com",
            "userName": null, "where": null, "why": null, "actionTarget": "Acme Corp",
            "details": "Organization updated: Acme Corp",
        })
    );
    assert_eq!(
        trail,
        json!({
            "id": event, "organizationId": id, "auditEvent": "", "auditEntity": "organization",
            "auditAction": "updated", "coreEntity": "organization", "coreEntityId": id,
            "contractedEntity": null, "contractedEntityId": null,
            "timestamp": format!("{shortest}+00:00"), "oldValue": null, "newValue": null,
            "diff": [{"prop": "name", "oldVal": "Acme", "newVal": "Acme Corp"}],
            "author": {
                "authorId": key, "authorName": "admin@acme.com", "authorOrgId": id,
                "authorOrgName": "", "ipAddress": "192.0.2.7",
            },
            "message": {
                "logMessage": "Organization updated: Acme Corp",
                "logMessageKey": "OrganizationUpdated", "logMessageParams": null,
            },
        })
    );
    assert_eq!(
        log,
        json!({
            "id": format!("log_{}", event.replace('-', "")), "action": "organization.updated",
            "email": "admin@acme.com", "resourceUID": id,
            "details": "Organization updated: Acme Corp", "createdAt": format!("{seconds}Z"),
        })
    );
    assert_eq!(
        seen,
        json!({
            "audit_id": event,
            "super_admin": {
                "entity_class": "credential", "entity_id": key, "identifier": "admin@acme.com",
            },
            "request_method": "PATCH", "request_path": format!("/v1/organizations/{id}"),
            "organization_id": id, "organization_name": "Acme Corp", "metadata": {},
            "created_at": time,
        })
    );
}
