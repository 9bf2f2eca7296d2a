//! Google Workspace and Google Cloud.

use serde_json::{Value, json};

use super::{check, events, parts};

#[test]
fn google_workspace() {
    let record = json!({
        "kind": "admin#reports#activity", "etag": "e", "ipAddress": "192.0.2.7",
        "id": {
            "time": "2024-03-15T14:48:51.123Z", "uniqueQualifier": "-4", "applicationName": "admin",
            "customerId": "C01",
        },
        "actor": {"callerType": "USER", "email": "ana@example.org", "profileId": "1"},
        "events": [
            {"type": "USER_SETTINGS", "name": "GRANT_ADMIN_PRIVILEGE", "parameters": [
                {"name": "USER_EMAIL", "value": "bob@example.org"},
            ]},
            {"type": "GROUP_SETTINGS", "name": "CHANGE_GROUP_SETTING", "parameters": [
                {"name": "GROUP_EMAIL", "value": "all@example.org"},
                {"name": "SETTING_NAME", "value": "WHO_CAN_JOIN"},
                {"name": "OLD_VALUE", "boolValue": false}, {"name": "NEW_VALUE", "boolValue": true},
            ]},
        ],
    });
    let actor = json!({
        "kind": "user", "id": "1", "email": "ana@example.org", "ip": "192.0.2.7",
    });
    let event = |action: &str, category: &str, target: Value, part: usize| {
        json!({
            "occurredAt": "2024-03-15T14:48:51.123000Z", "action": action, "category": category,
            "actor": actor, "targets": [target], "organization": {"id": "C01"},
            "scope": {"service": "admin"},
            "source": {
                "system": "google-workspace",
                "id": format!("2024-03-15T14:48:51.123Z/-4/admin/{part}"),
            },
        })
    };
    let user = json!({"type": "user", "id": "bob@example.org"});
    let first = event("GRANT_ADMIN_PRIVILEGE", "USER_SETTINGS", user, 0);
    let group = json!({"type": "group", "id": "all@example.org"});
    let mut second = event("CHANGE_GROUP_SETTING", "GROUP_SETTINGS", group.clone(), 1);
    second["change"] = json!({"old": false, "new": true});
    second["targets"] = json!([group, {"type": "setting", "id": "WHO_CAN_JOIN"}]);
    assert_eq!(events("google-workspace", &record), [first, second]);
}

#[test]
fn google_workspace_of_several_applications() {
    let record = |application: &str, actor: Value, event: Value| {
        json!({
            "kind": "admin#reports#activity", "actor": actor, "events": [event],
            "id": {"time": "2024-03-15T14:48:51.123Z", "uniqueQualifier": "7", "applicationName": application},
        })
    };
    let user = json!({"email": "ana@example.org", "profileId": "1"});
    let system = json!({"callerType": "KEY", "key": "SYSTEM"});
    let shared = json!({"type": "acl_change", "name": "change_document_visibility", "parameters": [
        {"name": "doc_id", "value": "d1"}, {"name": "doc_title", "value": "Plan"},
        {"name": "target_user", "value": "bob@example.org"},
        {"name": "old_visibility", "value": "private"}, {"name": "visibility", "value": "people_with_link"},
    ]});
    let shared = record("drive", user.clone(), shared);
    assert_eq!(
        parts("google-workspace", &shared, ["/targets", "/change/diff"]),
        [
            json!([
                {"type": "user", "id": "bob@example.org"},
                {"type": "document", "id": "d1", "name": "Plan"},
            ]),
            json!([{"field": "visibility", "old": "private", "new": "people_with_link"}]),
        ]
    );
    let failed = json!({"type": "login", "name": "login_failure", "parameters": [
        {"name": "login_failure_type", "value": "login_failure_invalid_password"},
    ]});
    let outcome = parts("google-workspace", &record("login", user.clone(), failed), ["/outcome"]);
    assert_eq!(outcome, [json!({"result": "failure", "code": "login_failure_invalid_password"})]);
    let booted = json!({"type": "DEVICE_BOOT_STATE_CHANGE_TYPE", "name": "DEVICE_BOOT_STATE_CHANGE", "parameters": [
        {"name": "DIRECTORY_DEVICE_ID", "value": "v1"}, {"name": "DEVICE_NAME", "value": "lab"},
    ]});
    let booted =
        parts("google-workspace", &record("chrome", system, booted), ["/actor", "/targets"]);
    assert_eq!(
        booted,
        [
            json!({"kind": "system", "id": "SYSTEM"}),
            json!([{"type": "device", "id": "v1", "name": "lab"}]),
        ]
    );
    // As Panther takes the events apart: the parameters are an object.
    let mut flat = record("token", user, json!({}));
    flat.as_object_mut().unwrap().remove("events");
    flat["name"] = json!("authorize");
    flat["parameters"] = json!({"client_id": "c1", "app_name": "Mailer"});
    flat["networkInfo"] = json!({"regionCode": "SE"});
    assert_eq!(
        parts("google-workspace", &flat, ["/action", "/targets", "/location"]),
        [
            json!("authorize"),
            json!([{"type": "client", "id": "c1", "name": "Mailer"}]),
            json!("SE"),
        ]
    );
}

#[test]
fn gcp_audit() {
    let record = json!({
        "insertId": "i1", "logName": "projects/p/logs/cloudaudit.googleapis.com%2Factivity",
        "timestamp": "2024-03-15T14:48:51.123456789Z", "severity": "ERROR",
        "trace": "projects/p/traces/0af7651916cd43dd8448eb211c80319c", "spanId": "b7ad6b7169203331",
        "resource": {"type": "gce_instance", "labels": {"project_id": "p", "zone": "europe-north1-a", "instance_id": "5"}},
        "operation": {"id": "op-1", "first": true},
        "protoPayload": {
            "@type": "type.googleapis.com/google.cloud.audit.AuditLog",
            "serviceName": "compute.googleapis.com", "methodName": "v1.compute.instances.delete",
            "resourceName": "projects/p/zones/europe-north1-a/instances/web",
            "authenticationInfo": {"principalEmail": "deploy@p.iam.gserviceaccount.com"},
            "requestMetadata": {"callerIp": "192.0.2.7", "callerSuppliedUserAgent": "gcloud"},
            "request": {"@type": "t"}, "status": {"code": 7, "message": "PERMISSION_DENIED"},
        },
    });
    let expected = json!({
        "occurredAt": "2024-03-15T14:48:51.123456789Z",
        "action": "v1.compute.instances.delete",
        "severity": "high",
        "actor": {
            "kind": "service", "id": "deploy@p.iam.gserviceaccount.com",
            "email": "deploy@p.iam.gserviceaccount.com", "ip": "192.0.2.7", "userAgent": "gcloud",
        },
        "outcome": {"result": "denied", "code": "7"},
        "targets": [
            {"type": "gce_instance", "id": "projects/p/zones/europe-north1-a/instances/web"},
        ],
        "organization": {"id": "p"},
        "scope": {"service": "compute.googleapis.com"},
        "change": {"new": {"@type": "t"}},
        "message": {"text": "PERMISSION_DENIED"},
        "location": "europe-north1-a",
        "request": {"id": "op-1"},
        "trace": {"traceId": "0af7651916cd43dd8448eb211c80319c", "spanId": "b7ad6b7169203331"},
        "source": {
            "system": "gcp-audit",
            "id": "projects/p/logs/cloudaudit.googleapis.com%2Factivity/i1",
        },
    });
    check("gcp-audit", &record, &expected);
}

#[test]
fn gcp_audit_of_other_principals() {
    let record = |authentication: Value, payload: Value| {
        let mut record = json!({
            "insertId": "i2", "logName": "organizations/77/logs/cloudaudit.googleapis.com%2Factivity",
            "timestamp": "2024-03-15T14:48:51Z",
            "protoPayload": {"methodName": "m", "authenticationInfo": authentication},
        });
        for (key, value) in payload.as_object().unwrap() {
            record["protoPayload"][key] = value.clone();
        }
        record
    };
    // In GKE, a principal is a name in Kubernetes, which acts as the authority that it selects.
    let node = json!({
        "principalEmail": "system:node:n1", "authoritySelector": "system:serviceaccount:shop:web",
    });
    assert_eq!(
        parts("gcp-audit", &record(node, json!({})), ["/actor", "/outcome", "/organization/id"]),
        [
            json!({
                "kind": "system", "id": "system:node:n1", "name": "system:node:n1",
                "onBehalfOf": {"kind": "service", "id": "system:serviceaccount:shop:web"},
            }),
            json!({"result": "success"}),
            json!("77"),
        ]
    );
    let nobody = json!({"authoritySelector": "system:anonymous"});
    let refused =
        json!({"authorizationInfo": [{"permission": "io.k8s.core.v1.pods.get", "granted": false}]});
    assert_eq!(
        parts("gcp-audit", &record(nobody, refused), ["/actor", "/outcome/result"]),
        [json!({"kind": "unknown", "id": "system:anonymous"}), json!("denied")]
    );
    // Somebody acts through a service account, and gives a role to one and takes it from another.
    let delegated = json!({
        "principalEmail": "ci@p.iam.gserviceaccount.com",
        "serviceAccountDelegationInfo": [{"firstPartyPrincipal": {"principalEmail": "ana@example.org"}}],
    });
    let bound = json!({"serviceData": {"policyDelta": {"bindingDeltas": [
        {"action": "ADD", "role": "roles/owner", "member": "user:bob@example.org"},
        {"action": "REMOVE", "role": "roles/viewer", "member": "user:eve@example.org"},
    ]}}});
    assert_eq!(
        parts("gcp-audit", &record(delegated, bound), ["/actor/onBehalfOf", "/change/diff"]),
        [
            json!({"kind": "user", "id": "ana@example.org", "email": "ana@example.org"}),
            json!([
                {"field": "roles/owner", "new": "user:bob@example.org"},
                {"field": "roles/viewer", "old": "user:eve@example.org"},
            ]),
        ]
    );
}
