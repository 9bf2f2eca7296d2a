//! Microsoft 365 and Windows.

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
            "kind": "user", "id": "k1", "name": "ana@example.org", "email": "ana@example.org",
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
                "kind": "service", "name": "ana@example.org", "email": "ana@example.org",
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
fn windows_security() {
    let record = json!({
        "Hostname": "ws-1", "EventID": 4624, "RecordNumber": 77, "EventType": "AUDIT_SUCCESS",
        "EventTime": "2024-03-15 16:48:51", "@timestamp": "2024-03-15T14:48:51.123Z",
        "SubjectUserSid": "S-1-5-18", "SubjectUserName": "WS-1$", "SubjectLogonId": "0x3e7",
        "TargetUserSid": "S-1-5-21-1", "TargetUserName": "ana", "IpAddress": "-",
        "TargetDomainName": "ACME", "TargetLogonId": "0x7",
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
                "kind": "user", "id": "S-1-5-21-1", "name": "ana", "sessionId": "0x7",
                "organization": {"id": "ACME"},
            },
            "outcome": {"result": "success"},
            "targets": [
                {"type": "host", "id": "ws-1"},
                {"type": "user", "id": "S-1-5-21-1", "name": "ana"},
            ],
            "message": {"title": "Logon", "text": "An account was successfully logged on."},
            "source": {"system": "windows-security", "id": "ws-1/77"},
        }),
    );
}

#[test]
fn windows_security_as_xml_and_of_other_events() {
    // A group gets a member: who adds it is the subject. The names are those of the XML.
    let added = |attributes: &str| {
        json!({"Event": {
            "System": {
                "Provider": {"Name": "Microsoft-Windows-Security-Auditing"}, "EventID": 4728,
                "EventRecordID": 78, "Channel": "Security", "Computer": "dc-1.acme.example",
                "Keywords": "0x8020000000000000", "TimeCreated": {
                    (attributes): if attributes == "SystemTime" {
                        json!("2024-03-15T14:48:51.1234567Z")
                    } else {
                        json!({"SystemTime": "2024-03-15T14:48:51.1234567Z"})
                    },
                },
            },
            "EventData": {
                "MemberName": "CN=bob", "MemberSid": "S-1-5-21-2", "TargetUserName": "Admins",
                "TargetSid": "S-1-5-21-512", "SubjectUserSid": "S-1-5-21-1", "SubjectUserName": "ana",
                "SubjectDomainName": "ACME", "SubjectLogonId": "0x9",
            },
        }})
    };
    for attributes in ["SystemTime", "#attributes"] {
        assert_eq!(
            events("windows-security", &added(attributes)),
            [json!({
                "occurredAt": "2024-03-15T14:48:51.123456700Z",
                "action": "windows.security.4728",
                "category": "Security",
                "actor": {
                    "kind": "user", "id": "S-1-5-21-1", "name": "ana", "sessionId": "0x9",
                    "organization": {"id": "ACME"},
                },
                "outcome": {"result": "success"},
                "targets": [
                    {"type": "host", "id": "dc-1.acme.example"},
                    {"type": "user", "id": "S-1-5-21-2", "name": "CN=bob"},
                    {"type": "group", "id": "S-1-5-21-512", "name": "Admins"},
                ],
                "source": {"system": "windows-security", "id": "dc-1.acme.example/78"},
            })]
        );
    }
    // Nobody is the subject of a sign-in over the network that failed. PowerShell has its own times.
    let failed = json!({
        "Computer": "ws-1", "EventId": 4625, "RecordNumber": 79, "Keywords": "0x8010000000000000",
        "TimeCreated": "/Date(1710514131123)/", "SubjectUserSid": "S-1-0-0", "SubjectUserName": "-",
        "TargetUserSid": "S-1-0-0", "TargetUserName": "eve", "TargetLogonId": "0x0",
        "Status": "0xc000006d", "SubStatus": "0xc0000064", "IpAddress": "192.0.2.7",
    });
    assert_eq!(
        parts("windows-security", &failed, ["/actor", "/outcome", "/occurredAt"]),
        [
            json!({"kind": "user", "id": "eve", "name": "eve", "ip": "192.0.2.7"}),
            json!({"result": "failure", "code": "0xc0000064"}),
            json!("2024-03-15T14:48:51.123000Z"),
        ]
    );
    let set = json!({
        "Hostname": "ws-1", "EventID": 4657, "RecordNumber": 81, "Channel": "Security",
        "@timestamp": "2024-03-15T14:48:51Z", "ObjectName": "\\REGISTRY\\MACHINE\\A",
        "ObjectValueName": "Start", "OldValue": "2", "NewValue": "4",
    });
    assert_eq!(
        parts("windows-security", &set, ["/targets/1", "/change/diff"]),
        [
            json!({"type": "object", "id": "\\REGISTRY\\MACHINE\\A"}),
            json!([{"field": "Start", "old": "2", "new": "4"}]),
        ]
    );
    // Winlogbeat: a computer starts a process.
    let started = json!({
        "@timestamp": "2024-03-15T14:48:51.123Z", "event": {"code": "4688", "outcome": "success"},
        "winlog": {
            "channel": "Security", "computer_name": "ws-1", "event_id": "4688", "record_id": 80,
            "keywords": ["Audit Success"], "task": "Process Creation",
            "event_data": {
                "SubjectUserSid": "S-1-5-21-9", "SubjectUserName": "WS-1$", "NewProcessName": "C:\\a.exe",
            },
        },
    });
    assert_eq!(
        parts("windows-security", &started, ["/actor", "/targets", "/outcome/result"]),
        [
            json!({"kind": "service", "id": "S-1-5-21-9", "name": "WS-1$"}),
            json!([{"type": "host", "id": "ws-1"}, {"type": "process", "id": "C:\\a.exe"}]),
            json!("success"),
        ]
    );
}
