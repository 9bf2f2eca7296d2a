//! Microsoft 365.

use serde_json::{Value, json};

use super::{check, events, parts};

#[test]
fn microsoft365() {
    let record = json!({
        "CreationTime": "2024-03-15T14:48:51", "Id": "i1", "Operation": "Update user.",
        "OrganizationId": "o1", "RecordType": 8, "ResultStatus": "Success", "UserKey": "k1",
        "UserType": 0, "Version": 1, "Workload": "AzureActiveDirectory",
        "ClientIP": "[2001:db8::7]:443", "ObjectId": "bob@example.org", "UserId": "ana@example.org",
        "ModifiedProperties": [{"Name": "Title", "NewValue": "CEO", "OldValue": ""}],
        "Target": [
            {"ID": "User_3fa85f64-5717-4562-b3fc-2c963f66afa6", "Type": 2},
            {"ID": "3fa85f64-5717-4562-b3fc-2c963f66afa6", "Type": 2}, {"ID": "User", "Type": 2},
            {"ID": "bob@example.org", "Type": 5},
        ],
    });
    let expected = json!({
        "occurredAt": "2024-03-15T14:48:51.000000Z",
        "action": "Update user.",
        "category": "8",
        "actor": {
            "kind": "user", "id": "ana@example.org", "email": "ana@example.org",
            "ip": "[2001:db8::7]:443",
        },
        "outcome": {"result": "success"},
        "targets": [
            {"type": "object", "id": "bob@example.org"},
            {"type": "target", "id": "3fa85f64-5717-4562-b3fc-2c963f66afa6"},
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
fn microsoft365_by_workload() {
    let record = |fields: Value| {
        let mut record = json!({
            "CreationTime": "2024-03-15T14:48:51", "Id": "i2", "Operation": "Send", "RecordType": 2,
            "UserType": 0, "UserId": "ana@example.org", "Workload": "Exchange",
        });
        for (key, value) in fields.as_object().unwrap() {
            record[key] = value.clone();
        }
        record
    };
    // A sign-in that failed can have the status Success.
    let failed = record(json!({
        "Operation": "UserLoginFailed", "ResultStatus": "Success", "LogonError": "InvalidUserNameOrPassword",
        "ErrorNumber": "0", "UserKey": "Not Available", "UserType": 5,
        "ExtendedProperties": [{"Name": "UserAgent", "Value": "curl"}],
        "DeviceProperties": [{"Name": "OS", "Value": "Linux"}, {"Name": "SessionId", "Value": "s1"}],
    }));
    assert_eq!(
        parts("microsoft365", &failed, ["/outcome", "/actor"]),
        [
            json!({"result": "failure", "code": "InvalidUserNameOrPassword"}),
            json!({
                "kind": "service", "id": "ana@example.org", "email": "ana@example.org",
                "userAgent": "curl", "sessionId": "s1",
            }),
        ]
    );
    let sent = record(json!({
        "SendOnBehalfOfUserSmtp": "boss@example.org", "MailboxGuid": "m1", "MailboxOwnerUPN": "boss@example.org",
        "Item": {"Id": "x1", "Subject": "Offer", "SizeInBytes": 9}, "ClientInfoString": "Client=OWA",
        "AppAccessContext": {"AADSessionId": "s2", "CorrelationId": "3fa85f64-5717-4562-b3fc-2c963f66afa6"},
    }));
    let places = ["/actor/onBehalfOf", "/targets", "/actor/sessionId", "/changeSetId"];
    assert_eq!(
        parts("microsoft365", &sent, places),
        [
            json!({"kind": "user", "email": "boss@example.org"}),
            json!([
                {"type": "mailbox", "id": "m1", "name": "boss@example.org"},
                {"type": "item", "id": "x1", "name": "Offer"},
            ]),
            json!("s2"),
            json!("3fa85f64-5717-4562-b3fc-2c963f66afa6"),
        ]
    );
    let set = record(json!({
        "Operation": "Set-Mailbox", "ResultStatus": "True",
        "Parameters": [{"Name": "ForwardingSmtpAddress", "Value": "smtp:eve@example.net"}],
    }));
    assert_eq!(
        parts("microsoft365", &set, ["/change/diff", "/outcome/result"]),
        [
            json!([{"field": "ForwardingSmtpAddress", "new": "smtp:eve@example.net"}]),
            json!("success"),
        ]
    );
    let shared = record(json!({
        "Operation": "SharingSet", "Workload": "SharePoint", "ItemType": "File",
        "ObjectId": "https://acme.sharepoint.com/plan.docx", "SourceFileName": "plan.docx",
        "TargetUserOrGroupName": "bob@example.org", "TargetUserOrGroupType": "Guest",
        "CorrelationId": "9b1688a1-5010-b000", "ResultStatus": "Successful",
    }));
    assert_eq!(
        parts("microsoft365", &shared, ["/targets", "/request/id", "/outcome/result"]),
        [
            json!([
                {"type": "File", "id": "https://acme.sharepoint.com/plan.docx", "name": "plan.docx"},
                {"type": "Guest", "id": "bob@example.org"},
            ]),
            json!("9b1688a1-5010-b000"),
            json!("success"),
        ]
    );
    let row = json!({
        "TenantId": "workspace", "OfficeTenantId": "o1", "OfficeObjectId": "https://acme.sharepoint.com/a",
        "Operation": "FileAccessed", "OfficeWorkload": "SharePoint", "UserId": "ana@example.org",
        "UserType": "Regular", "Client_IPAddress": "192.0.2.7", "TimeGenerated": "2024-03-15T14:48:51Z",
    });
    assert_eq!(
        parts(
            "microsoft365",
            &row,
            ["/organization/id", "/targets/0/id", "/actor/ip", "/actor/kind"]
        ),
        ["o1", "https://acme.sharepoint.com/a", "192.0.2.7", "user"]
    );
    let joined = record(json!({
        "Operation": "MemberAdded", "Workload": "MicrosoftTeams", "TeamGuid": "t1", "TeamName": "Sales",
        "Members": [{"UPN": "bob@example.org", "DisplayName": "Bob", "Role": 1}],
    }));
    assert_eq!(
        parts("microsoft365", &joined, ["/targets"]),
        [json!([
            {"type": "team", "id": "t1", "name": "Sales"},
            {"type": "user", "id": "bob@example.org", "name": "Bob"},
        ])]
    );
}

#[test]
fn microsoft365_accounts() {
    let record = |fields: Value| {
        let mut record = json!({
            "CreationTime": "2024-03-15T14:48:51", "Id": "i3", "Operation": "FileAccessed", "RecordType": 6,
            "OrganizationId": "o1", "UserType": 0, "UserKey": "i:0h.f|membership|10033fff80d15ecf@live.com",
            "UserId": "ana@example.org", "Workload": "OneDrive",
        });
        for (key, value) in fields.as_object().unwrap() {
            record[key] = value.clone();
        }
        record
    };
    // The key has another form in each workload, so it is no id.
    for key in [
        "i:0h.f|membership|10033fff80d15ecf@live.com",
        "10033FFF80D15ECF@example.org",
        "10033FFF80D15ECF",
    ] {
        let actor = parts("microsoft365", &record(json!({"UserKey": key})), ["/actor"]);
        assert_eq!(
            actor,
            [json!({"kind": "user", "id": "ana@example.org", "email": "ana@example.org"})]
        );
    }
    for (fields, actor) in [
        (
            json!({"UserType": 4, "UserId": "ServicePrincipal_7", "UserKey": "Not Available", "ActorContextId": "o9"}),
            json!({
                "kind": "service", "id": "ServicePrincipal_7", "name": "ServicePrincipal_7", "organization": {"id": "o9"},
            }),
        ),
        (json!({"UserId": "app@sharepoint"}), json!({"kind": "service", "id": "app@sharepoint"})),
        (
            json!({"UserId": "SHAREPOINT\\system"}),
            json!({"kind": "system", "id": "SHAREPOINT\\system", "name": "SHAREPOINT\\system"}),
        ),
        (
            json!({"UserId": "urn:spo:guest#eve@example.net"}),
            json!({"kind": "user", "id": "urn:spo:guest#eve@example.net", "email": "eve@example.net"}),
        ),
        (
            json!({"LogonType": 2, "LogonUserDisplayName": "Ana", "LogonUserSid": "S-1-5-21-7"}),
            json!({"kind": "user", "id": "ana@example.org", "name": "Ana", "email": "ana@example.org"}),
        ),
    ] {
        assert_eq!(parts("microsoft365", &record(fields), ["/actor"]), [actor]);
    }
    // The token names an application that acts for a user.
    let through = record(json!({
        "AppAccessContext": {
            "AADSessionId": "k1", "ClientAppId": "a1", "ClientAppName": "Mailer", "UniqueTokenId": "q",
            "CorrelationId": "00000000-0000-0000-0000-000000000000",
        },
        "ApplicationId": "a1", "ApplicationDisplayName": "Mailer", "IsSuccess": true, "AlertSeverity": "high",
    }));
    assert_eq!(
        parts("microsoft365", &through, ["/attributes", "/changeSetId", "/outcome", "/severity"]),
        [
            json!({"clientAppId": "a1", "clientAppName": "Mailer"}),
            json!(null),
            json!({"result": "success"}),
            json!("high"),
        ]
    );
    // The application of a sign-in is its target. The error says that it failed.
    let signed_in = record(json!({
        "Operation": "UserLoggedIn", "RecordType": 15, "Workload": "AzureActiveDirectory", "ResultStatus": "Success",
        "ApplicationId": "a2", "LogonError": "UserAccountNotFound", "ObjectId": "Unknown",
    }));
    assert_eq!(
        parts("microsoft365", &signed_in, ["/outcome", "/targets/1", "/attributes"]),
        [
            json!({"result": "failure", "code": "UserAccountNotFound"}),
            json!({"type": "application", "id": "a2"}),
            json!(null),
        ]
    );
}

#[test]
fn microsoft365_changes_and_targets() {
    let record = |fields: Value| {
        let mut record = json!({
            "CreationTime": "2024-03-15T14:48:51", "Id": "i4", "Operation": "FileMoved", "RecordType": 6,
            "OrganizationId": "o1", "UserType": 0, "UserId": "ana@example.org", "Workload": "SharePoint",
        });
        for (key, value) in fields.as_object().unwrap() {
            record[key] = value.clone();
        }
        record
    };
    let moved = record(json!({
        "ObjectId": "https://acme.sharepoint.com/docs/plan.docx", "ItemType": "File", "SourceFileName": "plan.docx",
        "SourceRelativeUrl": "docs", "DestinationRelativeUrl": "archive", "DestinationFileName": "plan-1.docx",
        "SourceFileExtension": "docx", "DestinationFileExtension": "docx", "SiteUrl": "https://acme.sharepoint.com/",
        "SourceLabel": "general", "DestinationLabel": "secret", "UserSharedWith": "bob@example.org",
    }));
    assert_eq!(
        parts("microsoft365", &moved, ["/change/diff", "/targets"]),
        [
            json!([
                {"field": "relativeUrl", "old": "docs", "new": "archive"},
                {"field": "fileName", "old": "plan.docx", "new": "plan-1.docx"},
                {"field": "label", "old": "general", "new": "secret"},
            ]),
            json!([
                {"type": "File", "id": "https://acme.sharepoint.com/docs/plan.docx", "name": "plan.docx"},
                {"type": "user", "id": "bob@example.org"},
            ]),
        ]
    );
    let read = record(json!({
        "Operation": "MailItemsAccessed", "RecordType": 50, "Workload": "Exchange", "MailboxGuid": "m1",
        "MailboxOwnerUPN": "boss@example.org", "DestMailboxId": "m2", "DestMailboxOwnerUPN": "bob@example.org",
        "Folders": [{"Id": "f1", "Path": "\\Inbox", "FolderItems": [
            {"Id": "x1", "InternetMessageId": "<1@example.org>", "SizeInBytes": 9}, {"InternetMessageId": "<2@example.org>"},
        ]}],
    }));
    assert_eq!(
        parts("microsoft365", &read, ["/targets"]),
        [json!([
            {"type": "mailbox", "id": "m1", "name": "boss@example.org"},
            {"type": "mailbox", "id": "m2", "name": "bob@example.org"},
            {"type": "item", "id": "x1"}, {"type": "item", "id": "<2@example.org>"},
        ])]
    );
    let set = record(json!({
        "Operation": "Set-Mailbox", "ObjectId": "eurprd/acme/bob", "ModifiedObjectResolvedName": "Bob",
        "SendAsUserSmtp": "boss@example.org", "SendAsUserMailboxGuid": "m3",
    }));
    assert_eq!(
        parts("microsoft365", &set, ["/targets", "/actor/onBehalfOf"]),
        [
            json!([{"type": "object", "id": "eurprd/acme/bob", "name": "Bob"}]),
            json!({"kind": "user", "id": "m3", "email": "boss@example.org"}),
        ]
    );
    let alert = record(json!({
        "Operation": "AlertTriggered", "AlertId": "l1", "ChatThreadId": "19:c", "ReportId": "r1", "FormId": "f1",
    }));
    assert_eq!(
        parts("microsoft365", &alert, ["/targets"]),
        [json!([
            {"type": "chat", "id": "19:c"}, {"type": "alert", "id": "l1"}, {"type": "report", "id": "r1"},
            {"type": "form", "id": "f1"},
        ])]
    );
    // Graph has the record as an object among keys of its own.
    let queried = json!({
        "@odata.type": "#microsoft.graph.security.auditLogRecord", "id": "i4", "createdDateTime": "2024-03-15T14:48:51Z",
        "auditLogRecordType": "SharePointFileOperation", "operation": "FileMoved", "organizationId": "o1",
        "userType": "Regular", "userId": "ana@example.org", "service": "SharePoint", "auditData": moved,
    });
    assert_eq!(parts("microsoft365", &queried, ["/targets/1/id"]), ["bob@example.org"]);
}
