//! A record of each further system, made after its vendor's documentation: where its values go.

use audit_import::Mapping;
use serde_json::{Value, json};

use crate::coverage;

/// Returns the events of a text as JSON, without their ids and metadata.
fn events(system: &str, record: &Value) -> Vec<Value> {
    let mapping = Mapping::builtin(system).unwrap();
    assert_eq!(
        Mapping::guess(record.to_string().as_bytes()).map(Mapping::system),
        Some(system),
        "the guess"
    );
    let events = mapping.read(record.to_string().as_bytes(), None);
    let fields = |event: audit_core::NewEvent| {
        let mut fields = serde_json::to_value(event).unwrap();
        for key in ["id", "metadata"] {
            fields.as_object_mut().unwrap().remove(key);
        }
        fields
    };
    events.into_iter().map(|mapped| fields(mapped.unwrap().event)).collect()
}

/// Checks the one event of a record, and that it has every value of the record.
fn check(system: &str, record: &Value, expected: &Value) {
    assert_eq!(events(system, record), std::slice::from_ref(expected), "{system}");
    let mapping = Mapping::builtin(system).unwrap();
    let event = mapping.read_one(record.to_string().as_bytes(), None).unwrap();
    assert_eq!(coverage::missing(record, &event), Vec::<String>::new(), "{system}");
}

#[test]
fn kubernetes() {
    let record = json!({
        "kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": "RequestResponse",
        "auditID": "5f0c", "stage": "ResponseComplete", "verb": "create",
        "requestURI": "/api/v1/namespaces/shop/pods/web/exec?command=sh",
        "user": {"username": "ana", "uid": "u1", "groups": ["system:authenticated"]},
        "impersonatedUser": {"username": "system:serviceaccount:shop:deployer"},
        "sourceIPs": ["192.0.2.7", "10.0.0.1"], "userAgent": "kubectl/v1.30",
        "objectRef": {"resource": "pods", "namespace": "shop", "name": "web", "subresource": "exec", "apiVersion": "v1"},
        "responseStatus": {"metadata": {}, "code": 403, "reason": "Forbidden", "message": "no"},
        "requestReceivedTimestamp": "2024-03-15T14:48:51.123456Z",
        "stageTimestamp": "2024-03-15T14:48:51.200000Z",
        "annotations": {"authorization.k8s.io/decision": "forbid"},
    });
    let expected = json!({
        "occurredAt": "2024-03-15T14:48:51.123456Z",
        "action": "pods.exec.create",
        "category": "ResponseComplete",
        "actor": {
            "kind": "user", "id": "u1", "name": "ana", "ip": "192.0.2.7",
            "userAgent": "kubectl/v1.30",
            "onBehalfOf": {
                "kind": "service", "id": "system:serviceaccount:shop:deployer",
                "name": "system:serviceaccount:shop:deployer",
            },
        },
        "outcome": {"result": "denied", "code": "403"},
        "targets": [{"type": "pods", "id": "shop/web", "name": "web"}],
        "message": {"text": "no"},
        "reason": "Forbidden",
        "request": {
            "method": "create", "path": "/api/v1/namespaces/shop/pods/web/exec?command=sh",
        },
        "source": {"system": "kubernetes", "id": "5f0c/ResponseComplete"},
    });
    check("kubernetes", &record, &expected);
    let list = json!({"kind": "EventList", "items": [record]});
    assert_eq!(events("kubernetes", &list), [expected]);
}

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
    let mut second = event("CHANGE_GROUP_SETTING", "GROUP_SETTINGS", group, 1);
    second["change"] = json!({"old": false, "new": true});
    assert_eq!(events("google-workspace", &record), [first, second]);
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
fn microsoft365() {
    let record = json!({
        "CreationTime": "2024-03-15T14:48:51", "Id": "i1", "Operation": "Update user.",
        "OrganizationId": "o1", "RecordType": 8, "ResultStatus": "Success", "UserKey": "k1",
        "UserType": 0, "Version": 1, "Workload": "AzureActiveDirectory",
        "ClientIP": "[2001:db8::7]:443", "ObjectId": "bob@example.org", "UserId": "ana@example.org",
        "ModifiedProperties": [{"Name": "Title", "NewValue": "CEO", "OldValue": ""}],
        "Target": [{"ID": "User_b1", "Type": 2}],
    });
    let expected = json!({
        "occurredAt": "2024-03-15T14:48:51.000000Z",
        "action": "Update user.",
        "category": "8",
        "actor": {
            "kind": "user", "id": "k1", "name": "ana@example.org", "email": "ana@example.org",
            "ip": "[2001:db8::7]:443",
        },
        "outcome": {"result": "success"},
        "targets": [
            {"type": "object", "id": "bob@example.org"}, {"type": "target", "id": "User_b1"},
        ],
        "organization": {"id": "o1"},
        "scope": {"service": "AzureActiveDirectory"},
        "change": {"diff": [{"field": "Title", "old": "", "new": "CEO"}]},
        "source": {"system": "microsoft365", "id": "i1"},
    });
    check("microsoft365", &record, &expected);
    let searched = json!({"RecordType": 8, "AuditData": record.to_string()});
    assert_eq!(events("microsoft365", &searched), [expected]);
}

#[test]
fn entra_id() {
    let record = json!({
        "id": "Directory_1", "category": "GroupManagement",
        "correlationId": "3fa85f64-5717-4562-b3fc-2c963f66afa6", "result": "success",
        "resultReason": "", "activityDisplayName": "Add member to group",
        "activityDateTime": "2024-03-15T14:48:51.1234567Z", "loggedByService": "Core Directory",
        "initiatedBy": {"user": {"id": "u1", "displayName": null, "userPrincipalName": "ana@example.org", "ipAddress": "192.0.2.7"}, "app": null},
        "targetResources": [{
            "id": "u2", "displayName": "Bob", "type": "User", "userPrincipalName": "bob@example.org",
            "modifiedProperties": [{"displayName": "Group.DisplayName", "oldValue": null, "newValue": "\"admins\""}],
        }, {
            "id": "g1", "displayName": "admins", "type": "Group", "groupType": "azureAD",
            "modifiedProperties": [{"displayName": "Members", "oldValue": "1", "newValue": "2"}],
        }],
    });
    check(
        "entra-id",
        &record,
        &json!({
            "occurredAt": "2024-03-15T14:48:51.123456700Z",
            "action": "Add member to group",
            "category": "GroupManagement",
            "actor": {"kind": "user", "id": "u1", "email": "ana@example.org", "ip": "192.0.2.7"},
            "outcome": {"result": "success"},
            "targets": [
                {"type": "User", "id": "u2", "name": "Bob"},
                {"type": "Group", "id": "g1", "name": "admins"},
            ],
            "scope": {"service": "Core Directory"},
            "change": {"diff": [
                {"field": "Group.DisplayName", "old": null, "new": "\"admins\""},
                {"field": "Members", "old": "1", "new": "2"},
            ]},
            "changeSetId": "3fa85f64-5717-4562-b3fc-2c963f66afa6",
            "source": {"system": "entra-id", "id": "Directory_1"},
        }),
    );
}

#[test]
fn azure_activity() {
    let record = json!({
        "caller": "ana@example.org", "channels": "Operation", "level": "Informational",
        "claims": {
            "name": "Ana", "idtyp": "user",
            "http://schemas.microsoft.com/identity/claims/objectidentifier": "u1",
        },
        "correlationId": "3fa85f64-5717-4562-b3fc-2c963f66afa6", "description": "",
        "eventDataId": "e1", "category": {"value": "Administrative", "localizedValue": "A"},
        "eventTimestamp": "2024-03-15T14:48:51.1234567Z",
        "httpRequest": {"clientRequestId": "r1", "clientIpAddress": "192.0.2.7", "method": "PUT"},
        "operationName": {"value": "Microsoft.Compute/virtualMachines/delete", "localizedValue": "D"},
        "resourceId": "/subscriptions/s/vm", "resourceType": {"value": "Microsoft.Compute/virtualMachines"},
        "resourceProviderName": {"value": "Microsoft.Compute"},
        "status": {"value": "Failed"}, "subStatus": {"value": "Forbidden"}, "tenantId": "t1",
    });
    check(
        "azure-activity",
        &record,
        &json!({
            "occurredAt": "2024-03-15T14:48:51.123456700Z",
            "action": "Microsoft.Compute/virtualMachines/delete",
            "category": "Administrative",
            "severity": "informational",
            "actor": {
                "kind": "user", "id": "u1", "name": "Ana", "email": "ana@example.org",
                "ip": "192.0.2.7",
            },
            "outcome": {"result": "failure", "code": "Forbidden"},
            "targets": [
                {"type": "Microsoft.Compute/virtualMachines", "id": "/subscriptions/s/vm"},
            ],
            "organization": {"id": "t1"},
            "scope": {"service": "Microsoft.Compute"},
            "changeSetId": "3fa85f64-5717-4562-b3fc-2c963f66afa6",
            "request": {"method": "PUT", "id": "r1"},
            "source": {"system": "azure-activity", "id": "e1"},
        }),
    );
}

#[test]
fn teleport() {
    let record = json!({
        "addr.remote": "192.0.2.7:4711", "cluster_name": "c", "code": "T2000I", "ei": 0,
        "event": "session.start", "login": "root", "server_id": "s1", "server_hostname": "web",
        "sid": "sid1", "success": true, "time": "2024-03-15T14:48:51.123Z", "uid": "u1",
        "user": "ana", "user_kind": 1,
    });
    check(
        "teleport",
        &record,
        &json!({
            "occurredAt": "2024-03-15T14:48:51.123000Z",
            "action": "session.start",
            "category": "T2000I",
            "actor": {
                "kind": "user", "id": "ana", "name": "ana", "ip": "192.0.2.7:4711",
                "sessionId": "sid1",
            },
            "outcome": {"result": "success"},
            "targets": [{"type": "node", "id": "s1", "name": "web"}],
            "organization": {"id": "c"},
            "source": {"system": "teleport", "id": "u1"},
        }),
    );
    // An event can say by its code alone that it is of a failure.
    let record = json!({
        "code": "TAL001E", "event": "access_list.create", "time": "2024-03-15T14:48:51Z",
        "uid": "u2", "user": "ana", "error": "no",
    });
    assert_eq!(events("teleport", &record)[0]["outcome"], json!({"result": "failure"}));
}

#[test]
fn tailscale() {
    let record = json!({
        "eventGroupID": "g1", "origin": "ADMIN_CONSOLE", "eventTime": "2024-03-15T14:48:51.5Z",
        "actor": {"id": "u1", "type": "USER", "loginName": "ana@example.org", "displayName": "Ana"},
        "target": {"id": "n1", "name": "web.ts.net", "type": "NODE", "property": "KEY_EXPIRY_TIME"},
        "action": "UPDATE", "old": "a", "new": {"b": 1},
    });
    let expected = json!({
        "occurredAt": "2024-03-15T14:48:51.500000Z",
        "action": "NODE.KEY_EXPIRY_TIME.UPDATE",
        "category": "ADMIN_CONSOLE",
        "actor": {"kind": "user", "id": "u1", "name": "Ana", "email": "ana@example.org"},
        "targets": [{"type": "NODE", "id": "n1", "name": "web.ts.net"}],
        "change": {"old": "a", "new": {"b": 1}},
        "source": {
            "system": "tailscale", "id": "g1/2024-03-15T14:48:51.5Z/n1/KEY_EXPIRY_TIME",
        },
    });
    check("tailscale", &record, &expected);
    let wrapped = json!({"event": record, "logged": "2024-03-15T14:48:52Z"});
    assert_eq!(events("tailscale", &wrapped), [expected]);
}

#[test]
fn vault() {
    let record = json!({
        "type": "response", "time": "2024-03-15T14:48:51.123456789Z",
        "auth": {"accessor": "hmac-1", "display_name": "userpass-ana", "entity_id": "e1", "policies": ["default"]},
        "request": {
            "id": "r1", "operation": "read", "mount_type": "kv", "mount_point": "secret/",
            "path": "secret/data/app", "remote_address": "192.0.2.7", "namespace": {"id": "root"},
        },
        "error": "1 error occurred: permission denied",
    });
    check(
        "vault",
        &record,
        &json!({
            "occurredAt": "2024-03-15T14:48:51.123456789Z",
            "action": "kv.read",
            "category": "response",
            "actor": {
                "kind": "user", "id": "e1", "name": "userpass-ana", "ip": "192.0.2.7",
                "sessionId": "hmac-1",
            },
            "outcome": {"result": "denied"},
            "targets": [{"type": "secret_path", "id": "secret/data/app"}],
            "organization": {"id": "root"},
            "scope": {"service": "secret/"},
            "message": {"text": "1 error occurred: permission denied"},
            "request": {"method": "read", "path": "secret/data/app", "id": "r1"},
            "source": {"system": "vault", "id": "r1/response"},
        }),
    );
    // A request of KMIP has no id, path and operation.
    let record = json!({
        "type": "kmip-response", "time": "2024-03-15T14:48:51.5Z",
        "request": {
            "client_certificate_serial_number": "7", "namespace": {"id": "root"},
            "remote_address": "192.0.2.7:36776",
        },
        "response": {"data": {"kmip_response": {"tag": "ResponseMessage"}}},
    });
    let event = events("vault", &record).remove(0);
    assert_eq!(event["action"], "kmip-response");
    assert_eq!(event["outcome"], json!({"result": "success"}));
    assert_eq!(event["actor"]["ip"], "192.0.2.7:36776");
}

#[test]
fn auth0() {
    let record = json!({
        "date": "2024-03-15T14:48:51.123Z", "type": "fp", "description": "Wrong password.",
        "connection": "db", "client_id": "c1", "client_name": "Shop", "ip": "192.0.2.7",
        "user_agent": "Chrome", "user_id": "auth0|1", "user_name": "ana", "log_id": "l1",
        "tenant_name": "acme", "isMobile": false,
    });
    let expected = json!({
        "occurredAt": "2024-03-15T14:48:51.123000Z",
        "action": "auth0.fp",
        "category": "db",
        "actor": {
            "kind": "user", "id": "auth0|1", "name": "ana", "ip": "192.0.2.7",
            "userAgent": "Chrome",
        },
        "outcome": {"result": "failure"},
        "targets": [{"type": "client", "id": "c1", "name": "Shop"}],
        "organization": {"id": "acme"},
        "message": {"text": "Wrong password."},
        "source": {"system": "auth0", "id": "l1"},
    });
    check("auth0", &record, &expected);
    assert_eq!(events("auth0", &json!({"log_id": "l1", "data": record})), [expected]);
}

#[test]
fn gitlab() {
    let record = json!({
        "id": 1, "author_id": 7, "entity_id": 6, "entity_type": "Project",
        "details": {
            "change": "visibility", "from": "Private", "to": "Public", "author_name": "Ana",
            "author_email": "ana@example.org", "target_id": 6, "target_type": "Project",
            "target_details": "app", "ip_address": "192.0.2.7", "entity_path": "acme/app",
        },
        "created_at": "2024-03-15T14:48:51.123Z",
    });
    check(
        "gitlab",
        &record,
        &json!({
            "occurredAt": "2024-03-15T14:48:51.123000Z",
            "action": "visibility.change",
            "actor": {
                "kind": "user", "id": "7", "name": "Ana", "email": "ana@example.org",
                "ip": "192.0.2.7",
            },
            "targets": [
                {"type": "Project", "id": "6", "name": "acme/app"},
                {"type": "Project", "id": "6", "name": "app"},
            ],
            "change": {"diff": [{"field": "visibility", "old": "Private", "new": "Public"}]},
            "source": {"system": "gitlab", "id": "1"},
        }),
    );
}

#[test]
fn snyk_zendesk_and_one_password() {
    let record = json!({
        "groupId": "g1", "orgId": "o1", "userId": "u1", "projectId": null,
        "event": "org.user.role.edit", "created": "2024-03-15T14:48:51.123Z",
        "content": {"before": {"role": "admin"}, "after": {"role": "member"}, "userPublicId": "u2"},
    });
    let mut event = events("snyk", &record).remove(0);
    // Snyk gives its records no id.
    assert!(event["source"]["id"].as_str().unwrap().starts_with("sha256:"));
    event.as_object_mut().unwrap().remove("source");
    assert_eq!(
        event,
        json!({
            "occurredAt": "2024-03-15T14:48:51.123000Z",
            "action": "org.user.role.edit",
            "actor": {"kind": "user", "id": "u1"},
            "targets": [{"type": "user", "id": "u2"}],
            "organization": {"id": "o1"},
            "change": {"old": {"role": "admin"}, "new": {"role": "member"}},
        })
    );
    // The REST API has other spellings, and pages.
    let record = json!({
        "content": {"origin": "github"}, "created": "2024-03-15T14:48:51.123Z",
        "event": "org.project.monitor", "org_id": "o1", "project_id": "p1", "user_id": "u1",
    });
    let event = events("snyk", &json!({"data": {"items": [record]}, "links": {}})).remove(0);
    assert_eq!(event["targets"], json!([{"type": "project", "id": "p1"}]));
    assert_eq!(event["actor"], json!({"kind": "user", "id": "u1"}));
    let record = json!({
        "id": 498_483, "action": "update", "action_label": "Updated", "actor_id": 1234,
        "actor_name": "Ana", "change_description": "Role changed", "ip_address": "192.0.2.7",
        "source_id": 3456, "source_label": "Bob", "source_type": "user",
        "created_at": "2024-03-15T14:48:51Z",
    });
    let expected = json!({
        "occurredAt": "2024-03-15T14:48:51.000000Z",
        "action": "user.update",
        "category": "user",
        "actor": {"kind": "user", "id": "1234", "name": "Ana", "ip": "192.0.2.7"},
        "targets": [{"type": "user", "id": "3456", "name": "Bob"}],
        "message": {"title": "Updated", "text": "Role changed"},
        "source": {"system": "zendesk", "id": "498483"},
    });
    check("zendesk", &record, &expected);
    assert_eq!(events("zendesk", &json!({"audit_logs": [record], "count": 1})), [expected]);
    check(
        "one-password",
        &json!({
            "uuid": "e1", "timestamp": "2024-03-15T14:48:51.123456Z", "actor_uuid": "a1",
            "actor_details": {"uuid": "a1", "name": "Ana", "email": "ana@example.org"},
            "action": "join", "object_type": "gm", "object_uuid": "g1", "aux_uuid": "u2", "aux_info": "A",
            "session": {"uuid": "s1", "login_time": "2024-03-15T14:00:00Z", "device_uuid": "d", "ip": "192.0.2.7"},
            "location": {"country": "SE", "city": "Lund"}, "account_uuid": "acme",
        }),
        &json!({
            "occurredAt": "2024-03-15T14:48:51.123456Z",
            "action": "gm.join",
            "category": "gm",
            "actor": {
                "kind": "user", "id": "a1", "name": "Ana", "email": "ana@example.org",
                "ip": "192.0.2.7", "sessionId": "s1",
            },
            "targets": [{"type": "gm", "id": "g1"}, {"type": "related", "id": "u2"}],
            "organization": {"id": "acme"},
            "message": {"text": "A"},
            "location": "Lund",
            "source": {"system": "one-password", "id": "e1"},
        }),
    );
}

#[test]
fn windows_security() {
    let record = json!({
        "Hostname": "ws-1", "EventID": 4624, "RecordNumber": 77, "EventType": "AUDIT_SUCCESS",
        "EventTime": "2024-03-15 16:48:51", "@timestamp": "2024-03-15T14:48:51.123Z",
        "SubjectUserSid": "S-1-5-18", "SubjectUserName": "WS-1$", "SubjectLogonId": "0x3e7",
        "TargetUserSid": "S-1-5-21-1", "TargetUserName": "ana", "IpAddress": "-",
        "Category": "Logon", "Message": "An account was successfully logged on.",
    });
    check(
        "windows-security",
        &record,
        &json!({
            "occurredAt": "2024-03-15T14:48:51.123000Z",
            "action": "windows.security.4624",
            "category": "AUDIT_SUCCESS",
            "actor": {
                "kind": "system", "id": "S-1-5-18", "name": "WS-1$", "sessionId": "0x3e7",
            },
            "outcome": {"result": "success"},
            "targets": [{"type": "user", "id": "S-1-5-21-1", "name": "ana"}],
            "organization": {"id": "ws-1"},
            "message": {"title": "Logon", "text": "An account was successfully logged on."},
            "source": {"system": "windows-security", "id": "ws-1/77"},
        }),
    );
}

#[test]
fn salesforce() {
    let record = json!({
        "Id": "0Ym1", "Action": "changedProfile", "Section": "Manage Users",
        "CreatedDate": "2024-03-15T14:48:51.000+0000", "CreatedById": "0051",
        "CreatedBy": {"Name": "Ana", "Email": "ana@example.org"}, "Display": "Changed profile",
        "DelegateUser": null,
    });
    check(
        "salesforce",
        &record,
        &json!({
            "occurredAt": "2024-03-15T14:48:51.000000Z",
            "action": "changedProfile",
            "category": "Manage Users",
            "actor": {"kind": "user", "id": "0051", "name": "Ana", "email": "ana@example.org"},
            "message": {"text": "Changed profile"},
            "source": {"system": "salesforce", "id": "0Ym1"},
        }),
    );
    let row = json!({
        "EVENT_TYPE": "Login", "TIMESTAMP": "20240315144851.123", "USER_ID": "0051",
        "REQUEST_ID": "r1", "SOURCE_IP": "192.0.2.7", "LOGIN_STATUS": "LOGIN_NO_ERROR",
    });
    let events = events("salesforce", &row);
    assert_eq!(events[0]["occurredAt"], "2024-03-15T14:48:51.123000Z");
    assert_eq!(events[0]["outcome"], json!({"result": "success", "code": "LOGIN_NO_ERROR"}));
}
