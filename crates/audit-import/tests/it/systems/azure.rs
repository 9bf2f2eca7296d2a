//! Entra ID and Azure.

use serde_json::json;

use super::{check, events, parts};

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
            "outcome": {"result": "denied", "code": "Forbidden"},
            "targets": [
                {"type": "Microsoft.Compute/virtualMachines", "id": "/subscriptions/s/vm"},
            ],
            "organization": {"id": "t1"},
            "scope": {"service": "Microsoft.Compute"},
            "message": {"title": "D"},
            "changeSetId": "3fa85f64-5717-4562-b3fc-2c963f66afa6",
            "request": {"method": "PUT", "id": "r1"},
            "source": {"system": "azure-activity", "id": "e1"},
        }),
    );
}

#[test]
fn azure_activity_of_a_storage_account_and_of_a_table() {
    let upn = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn";
    let record = json!({
        "time": "2024-03-15T14:48:51.1234567Z", "resourceId": "/SUBSCRIPTIONS/S/VM",
        "operationName": "MICROSOFT.COMPUTE/VIRTUALMACHINES/DELETE", "category": "Delete",
        "resultType": "Failure", "resultSignature": "Failed.Forbidden", "correlationId": "c1",
        "callerIpAddress": "192.0.2.7", "level": "Error", "location": "global",
        "identity": {
            "authorization": {"evidence": {"role": "Owner", "principalType": "User"}},
            "claims": {"name": "Ana", (upn): "ana@example.org"},
        },
        "properties": {"requestbody": "{}", "statusMessage": "no"},
    });
    assert_eq!(
        parts("azure-activity", &record, ["/actor", "/outcome", "/message/text", "/change/new"]),
        [
            json!({"kind": "user", "name": "Ana", "email": "ana@example.org", "ip": "192.0.2.7"}),
            json!({"result": "denied", "code": "Failed.Forbidden"}),
            json!("no"),
            json!("{}"),
        ]
    );
    let row = json!({
        "OperationNameValue": "MICROSOFT.COMPUTE/VIRTUALMACHINES/WRITE", "OperationName": "Create",
        "TenantId": "workspace",
        "ActivityStatusValue": "Success", "ActivitySubstatusValue": "Created", "CategoryValue": "Administrative",
        "Caller": "88f0c2d4-0000-4000-8000-5d2b3a111111", "CallerIpAddress": "192.0.2.7",
        "EventDataId": "e2", "_ResourceId": "/subscriptions/s/vm", "Level": "Informational",
        "ResourceProviderValue": "MICROSOFT.COMPUTE", "TimeGenerated": "2024-03-15T14:48:51Z",
    });
    assert_eq!(
        parts(
            "azure-activity",
            &row,
            ["/organization", "/action", "/actor/kind", "/outcome", "/targets", "/scope"]
        ),
        [
            json!(null),
            json!("MICROSOFT.COMPUTE/VIRTUALMACHINES/WRITE"),
            json!("service"),
            json!({"result": "success", "code": "Created"}),
            json!([{"type": "resource", "id": "/subscriptions/s/vm"}]),
            json!({"service": "MICROSOFT.COMPUTE"}),
        ]
    );
    // Of the directory, which Azure Monitor delivers in the same form.
    let directory = json!({
        "time": "2024-03-15T14:48:51Z", "resourceId": "/tenants/t/providers/Microsoft.aadiam",
        "operationName": "Add user", "category": "AuditLogs", "correlationId": "c1",
        "properties": {
            "id": "Directory_2", "activityDisplayName": "Add user", "loggedByService": "Core Directory",
            "activityDateTime": "2024-03-15T14:48:51Z", "category": "UserManagement",
        },
    });
    assert_eq!(parts("entra-id", &directory, ["/category"]), ["UserManagement"]);
}

#[test]
fn entra_id_sign_ins() {
    let record = json!({
        "id": "s1", "createdDateTime": "2024-03-15T14:48:51Z", "userDisplayName": "Ana", "userId": "u1",
        "userPrincipalName": "ana@example.org", "servicePrincipalId": "", "appId": "a1",
        "appDisplayName": "Portal", "resourceId": "r1", "resourceDisplayName": "Graph",
        "ipAddress": "192.0.2.7", "userAgent": "Edge", "sessionId": "k1",
        "correlationId": "3fa85f64-5717-4562-b3fc-2c963f66afa6",
        "status": {"errorCode": 50126, "failureReason": "Invalid username or password."},
        "location": {"city": "Lund", "countryOrRegion": "SE"},
    });
    let expected = json!({
        "occurredAt": "2024-03-15T14:48:51.000000Z",
        "action": "Sign-in activity",
        "actor": {
            "kind": "user", "id": "u1", "name": "Ana", "email": "ana@example.org", "ip": "192.0.2.7",
            "userAgent": "Edge", "sessionId": "k1",
        },
        "outcome": {"result": "failure", "code": "50126"},
        "targets": [
            {"type": "application", "id": "a1", "name": "Portal"},
            {"type": "resource", "id": "r1", "name": "Graph"},
        ],
        "message": {"text": "Invalid username or password."},
        "location": "Lund",
        "changeSetId": "3fa85f64-5717-4562-b3fc-2c963f66afa6",
        "source": {"system": "entra-id", "id": "s1"},
    });
    check("entra-id", &record, &expected);
    // Azure Monitor has the category in the envelope.
    let monitored = json!({
        "time": "2024-03-15T14:48:52Z", "resourceId": "/tenants/t/providers/Microsoft.aadiam",
        "operationName": "Sign-in activity", "category": "SignInLogs", "properties": record,
    });
    let mut enveloped = expected;
    enveloped["category"] = json!("SignInLogs");
    assert_eq!(events("entra-id", &monitored), [enveloped]);
    // A row of a table, of a service that a policy keeps out.
    let row = json!({
        "Id": "s2", "CreatedDateTime": "2024-03-15T14:48:51Z", "ServicePrincipalId": "p1",
        "ServicePrincipalName": "ci", "ResultType": "53003", "IPAddress": "<null>", "AppId": "a2",
    });
    assert_eq!(
        parts("entra-id", &row, ["/actor", "/outcome"]),
        [
            json!({"kind": "service", "id": "p1", "name": "ci"}),
            json!({"result": "denied", "code": "53003"}),
        ]
    );
}

#[test]
fn entra_id_of_a_user_who_is_not_known() {
    let record = json!({
        "id": "s3", "createdDateTime": "2024-03-15T14:48:51Z", "userId": "00000000-0000-0000-0000-000000000000",
        "userDisplayName": "eve@example.net", "userPrincipalName": "eve@example.net", "ipAddress": "192.0.2.7",
        "appId": "a1", "appDisplayName": "Portal", "correlationId": "00000000-0000-0000-0000-000000000000",
        "servicePrincipalId": "00000000-0000-0000-0000-000000000000",
        "status": {"errorCode": 50034, "failureReason": "The user account does not exist."},
    });
    assert_eq!(
        parts("entra-id", &record, ["/actor", "/changeSetId"]),
        [
            json!({
                "kind": "user", "name": "eve@example.net", "email": "eve@example.net", "ip": "192.0.2.7",
            }),
            json!(null),
        ]
    );
}

#[test]
fn azure_activity_of_a_table_with_objects() {
    let claims = "http://schemas.microsoft.com/identity/claims";
    let upn = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn";
    let row = json!({
        "TimeGenerated": "2024-03-15T14:48:51Z", "OperationNameValue": "MICROSOFT.NETWORK/NETWORKSECURITYGROUPS/WRITE",
        "Level": "4", "ActivityStatusValue": "Failure", "ActivitySubstatusValue": "", "Caller": "ana@example.org",
        "CallerIpAddress": "192.0.2.7", "CategoryValue": "Administrative",
        "CorrelationId": "3fa85f64-5717-4562-b3fc-2c963f66afa6", "EventDataId": "e3", "TenantId": "workspace",
        "Authorization_d": {"action": "write", "evidence": {"role": "Owner", "principalType": "User"}},
        "Claims_d": {
            "name": "Ana", "ipaddr": "192.0.2.7", "appid": "a1", (upn): "ana@example.org",
            (format!("{claims}/objectidentifier")): "u1", (format!("{claims}/tenantid")): "t1",
        },
        "Properties_d": {"statusCode": "Forbidden", "statusMessage": "no", "requestbody": "{}"},
        "_ResourceId": "/subscriptions/s/nsg", "SubscriptionId": "s", "Type": "AzureActivity",
    });
    let places =
        ["/actor", "/outcome", "/organization/id", "/message/text", "/change/new", "/severity"];
    assert_eq!(
        parts("azure-activity", &row, places),
        [
            json!({
                "kind": "user", "id": "u1", "name": "Ana", "email": "ana@example.org", "ip": "192.0.2.7",
            }),
            json!({"result": "denied", "code": "Forbidden"}),
            json!("t1"),
            json!("no"),
            json!("{}"),
            json!("informational"),
        ]
    );
}

#[test]
fn azure_activity_of_an_alert_and_of_a_health_event() {
    let alert = json!({
        "schemaId": "Microsoft.Insights/activityLogs", "data": {"status": "Activated", "context": {"activityLog": {
            "authorization": {"action": "Microsoft.Compute/virtualMachines/deallocate/action", "scope": "/subscriptions/s/vm"},
            "channels": "Operation", "claims": "{}", "caller": "ana@example.org",
            "correlationId": "3fa85f64-5717-4562-b3fc-2c963f66afa6", "description": "", "eventSource": "Administrative",
            "eventTimestamp": "2024-03-15T14:48:51.123456+00:00", "eventDataId": "e4", "level": "Informational",
            "operationName": "Microsoft.Compute/virtualMachines/deallocate/action", "operationId": "o1",
            "properties": {"statusCode": "OK"}, "resourceId": "/subscriptions/s/vm", "resourceGroupName": "g",
            "resourceProviderName": "Microsoft.Compute", "status": "Succeeded", "subStatus": "",
            "subscriptionId": "s", "submissionTimestamp": "2024-03-15T14:49:10Z",
            "resourceType": "Microsoft.Compute/virtualMachines",
        }}, "properties": {}},
    });
    let places = ["/action", "/outcome", "/actor", "/targets", "/request/id"];
    assert_eq!(
        parts("azure-activity", &alert, places),
        [
            json!("Microsoft.Compute/virtualMachines/deallocate/action"),
            json!({"result": "success", "code": "OK"}),
            json!({"kind": "user", "id": "ana@example.org", "email": "ana@example.org"}),
            json!([{"type": "Microsoft.Compute/virtualMachines", "id": "/subscriptions/s/vm"}]),
            json!("o1"),
        ]
    );
    // Nobody does what Azure itself reports.
    let health = json!({
        "channels": "Admin", "correlationId": "bbbb1111-cc22-3333-44dd-555555eeeeee", "eventDataId": "e5",
        "description": "Active: Network Infrastructure - UK South", "eventName": {"value": null},
        "category": {"value": "ServiceHealth", "localizedValue": "Service Health"},
        "eventTimestamp": "2017-07-20T23:30:14.8022297Z", "level": "Warning",
        "operationName": {"value": "Microsoft.ServiceHealth/incident/action", "localizedValue": "Incident"},
        "resourceProviderName": {"value": null}, "resourceType": {"value": null, "localizedValue": ""},
        "resourceId": "/subscriptions/s", "status": {"value": "Active", "localizedValue": "Active"},
        "subStatus": {"value": null}, "subscriptionId": "s", "properties": {"title": "Network Infrastructure"},
    });
    assert_eq!(
        parts("azure-activity", &health, ["/actor", "/outcome", "/targets", "/severity"]),
        [
            json!({"kind": "unknown"}),
            json!(null),
            json!([{"type": "resource", "id": "/subscriptions/s"}]),
            json!("medium"),
        ]
    );
}
