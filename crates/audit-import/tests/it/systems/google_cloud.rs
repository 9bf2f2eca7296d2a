//! Google Cloud.

use serde_json::{Value, json};

use super::{check, parts};

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

#[test]
fn gcp_audit_before_and_after() {
    let record = json!({
        "insertId": "i3", "logName": "projects/p/logs/cloudaudit.googleapis.com%2Factivity", "severity": "NOTICE",
        "timestamp": "2024-03-15T14:48:51.123456Z", "receiveTimestamp": "2024-03-15T14:48:52.123456Z",
        "resource": {"type": "gce_firewall_rule", "labels": {"project_id": "p", "firewall_rule_id": "9"}},
        "protoPayload": {
            "@type": "type.googleapis.com/google.cloud.audit.AuditLog",
            "serviceName": "compute.googleapis.com", "methodName": "v1.compute.firewalls.patch",
            "resourceName": "projects/p/global/firewalls/web", "status": {},
            "authenticationInfo": {
                "principalEmail": "ana@example.org", "principalSubject": "user:ana@example.org",
                "oauthInfo": {"oauthClientId": "32555940559.apps.googleusercontent.com"},
            },
            "authorizationInfo": [{
                "permission": "compute.firewalls.update", "granted": true, "permissionType": "ADMIN_WRITE",
                "resource": "projects/p/global/firewalls/web",
            }],
            "requestMetadata": {
                "callerIp": "192.0.2.7", "callerSuppliedUserAgent": "gcloud",
                "requestAttributes": {"time": "2024-03-15T14:48:51.1Z", "reason": "ticket 7", "auth": {}},
                "destinationAttributes": {},
            },
            "request": {"@type": "t", "priority": 10}, "resourceOriginalState": {"@type": "t", "priority": 1000},
        },
    });
    let expected = json!({
        "occurredAt": "2024-03-15T14:48:51.123456Z",
        "action": "v1.compute.firewalls.patch",
        "severity": "informational",
        "actor": {
            "kind": "user", "id": "ana@example.org", "email": "ana@example.org", "ip": "192.0.2.7",
            "userAgent": "gcloud",
        },
        "outcome": {"result": "success"},
        "targets": [{"type": "gce_firewall_rule", "id": "projects/p/global/firewalls/web"}],
        "organization": {"id": "p"},
        "scope": {"service": "compute.googleapis.com"},
        "reason": "ticket 7",
        "attributes": {"oauthClientId": "32555940559.apps.googleusercontent.com"},
        "change": {"old": {"@type": "t", "priority": 1000}, "new": {"@type": "t", "priority": 10}},
        "source": {
            "system": "gcp-audit", "id": "projects/p/logs/cloudaudit.googleapis.com%2Factivity/i3",
        },
    });
    check("gcp-audit", &record, &expected);
}

#[test]
fn gcp_audit_of_federated_and_other_principals() {
    let record = |payload: Value| {
        json!({
            "insertId": "i4", "logName": "projects/p/logs/cloudaudit.googleapis.com%2Factivity",
            "timestamp": "2024-03-15T14:48:51Z", "protoPayload": payload,
        })
    };
    let of = |authentication: Value| {
        record(json!({"methodName": "m", "authenticationInfo": authentication}))
    };
    let pool = "principal://iam.googleapis.com/projects/7/locations/global/workloadIdentityPools/ci/subject/repo:a";
    let staff = "principal://iam.googleapis.com/locations/global/workforcePools/staff/subject/ana@example.org";
    for (authentication, actor) in [
        (json!({"principalSubject": pool}), json!({"kind": "service", "id": pool})),
        (json!({"principalSubject": staff}), json!({"kind": "user", "id": staff})),
        (
            json!({"principalEmail": "system@google.com"}),
            json!({"kind": "system", "id": "system@google.com", "email": "system@google.com"}),
        ),
        // A service account, for the workload that impersonates it.
        (
            json!({
                "principalEmail": "ci@p.iam.gserviceaccount.com",
                "principalSubject": "serviceAccount:ci@p.iam.gserviceaccount.com",
                "serviceAccountKeyName": "//iam.googleapis.com/projects/p/serviceAccounts/ci/keys/k1",
                "serviceAccountDelegationInfo": [{"principalSubject": pool}],
            }),
            json!({
                "kind": "service", "id": "ci@p.iam.gserviceaccount.com", "email": "ci@p.iam.gserviceaccount.com",
                "onBehalfOf": {"kind": "service", "id": pool},
            }),
        ),
    ] {
        assert_eq!(parts("gcp-audit", &of(authentication), ["/actor"]), [actor]);
    }
    let key = of(json!({"serviceAccountKeyName": "//iam.googleapis.com/keys/k1"}));
    let found = parts("gcp-audit", &key, ["/attributes/serviceAccountKey"]);
    assert_eq!(found, ["//iam.googleapis.com/keys/k1"]);
    // A sign-in of Google Workspace has its outcome in the event.
    let challenged = record(json!({
        "methodName": "google.login.LoginService.loginVerification", "metadata": {"event": [
            {"eventName": "login_verification", "eventType": "login", "status": {"success": false}},
        ]},
    }));
    assert_eq!(parts("gcp-audit", &challenged, ["/outcome/result"]), ["failure"]);
}

#[test]
fn gcp_audit_of_roles_and_logging() {
    let record = json!({
        "insertId": "i5", "logName": "projects/p/logs/cloudaudit.googleapis.com%2Factivity",
        "timestamp": "2024-03-15T14:48:51Z",
        "protoPayload": {"methodName": "SetIamPolicy", "serviceData": {
            "permissionDelta": {
                "addedPermissions": ["storage.buckets.get"], "removedPermissions": ["storage.buckets.list"],
            },
            "policyDelta": {"auditConfigDeltas": [
                {"action": "ADD", "service": "allServices", "logType": "DATA_READ"},
                {"action": "REMOVE", "service": "storage.googleapis.com", "logType": "DATA_WRITE"},
            ]},
        }},
    });
    assert_eq!(
        parts("gcp-audit", &record, ["/change/diff"]),
        [json!([
            {"field": "permission", "new": "storage.buckets.get"},
            {"field": "permission", "old": "storage.buckets.list"},
            {"field": "allServices", "new": "DATA_READ"},
            {"field": "storage.googleapis.com", "old": "DATA_WRITE"},
        ])]
    );
}
