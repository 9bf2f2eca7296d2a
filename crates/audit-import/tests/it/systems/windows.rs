//! Windows.

use audit_core::Violation;
use audit_import::Mapping;
use serde_json::{Value, json};

use super::{check, events, parts};

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
            "category": "Logon",
            "actor": {
                "kind": "user", "id": "S-1-5-21-1", "name": "ana", "sessionId": "0x7",
                "organization": {"id": "ACME"},
            },
            "outcome": {"result": "success"},
            "targets": [
                {"type": "host", "id": "ws-1"},
                {"type": "user", "id": "S-1-5-21-1", "name": "ana"},
            ],
            "message": {"text": "An account was successfully logged on."},
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

#[test]
fn windows_security_log_that_is_cleared() {
    // The data of this event are those of its user, and its keyword is another one.
    let subject = json!({
        "SubjectUserSid": "S-1-5-21-1104", "SubjectUserName": "dadmin", "SubjectDomainName": "ACME",
        "SubjectLogonId": "0x55cd1d",
    });
    let cleared = json!({"Event": {
        "System": {
            "Provider": {"#attributes": {"Name": "Microsoft-Windows-Eventlog"}}, "EventID": 1102, "Version": 0,
            "Level": 4, "Task": 104, "Opcode": 0, "Keywords": "0x4020000000000000",
            "TimeCreated": {"#attributes": {"SystemTime": "2015-10-16T00:39:58.656871Z"}},
            "EventRecordID": 1_087_729, "Channel": "Security", "Computer": "dc-1.acme.example",
        },
        "UserData": {"LogFileCleared": subject},
    }});
    let actor = json!({
        "kind": "user", "id": "S-1-5-21-1104", "name": "dadmin", "sessionId": "0x55cd1d",
        "organization": {"id": "ACME"},
    });
    let places = ["/actor", "/outcome", "/source/id"];
    assert_eq!(
        parts("windows-security", &cleared, places),
        [actor.clone(), json!({"result": "success"}), json!("dc-1.acme.example/1087729")]
    );
    let shipped = json!({
        "@timestamp": "2015-10-16T00:39:58.656Z", "event": {"code": "1102", "provider": "Microsoft-Windows-Eventlog"},
        "winlog": {
            "channel": "Security", "computer_name": "dc-1.acme.example", "event_id": "1102",
            "record_id": 1_087_729, "task": "Log clear", "user_data": subject,
        },
    });
    assert_eq!(parts("windows-security", &shipped, ["/actor"]), [actor]);
}

#[test]
fn windows_security_sessions_and_screens() {
    // A session has an account of its own, and the address of its client.
    let session = json!({
        "Hostname": "dc-1.acme.example", "EventID": 4778, "RecordNumber": 237_651, "Channel": "Security",
        "EventType": "AUDIT_SUCCESS", "Category": "Other Logon/Logoff Events",
        "EventTime": "2015-09-10T23:05:29.743867+00:00", "AccountName": "ladmin", "AccountDomain": "ACME",
        "LogonID": "0x1e01f6", "SessionName": "RDP-Tcp#6", "ClientName": "WIN81", "ClientAddress": "10.0.0.100",
    });
    assert_eq!(
        parts("windows-security", &session, ["/actor", "/occurredAt", "/category"]),
        [
            json!({
                "kind": "user", "id": "ladmin", "name": "ladmin", "ip": "10.0.0.100", "sessionId": "0x1e01f6",
                "organization": {"id": "ACME"},
            }),
            json!("2015-09-10T23:05:29.743867Z"),
            json!("Other Logon/Logoff Events"),
        ]
    );
    // Whoever locks the screen is the target of the event, as of a sign-in. The data are a list of the XML.
    let locked = json!({"Event": {
        "System": {
            "Provider": {"@Name": "Microsoft-Windows-Security-Auditing"}, "EventID": "4800",
            "Keywords": "0x8020000000000000", "TimeCreated": {"@SystemTime": "2015-09-11T00:08:28.4716Z"},
            "EventRecordID": "237655", "Channel": "Security", "Computer": "ws-1",
            "Correlation": {"@ActivityID": "{593B242C-183A-44F2-8977-2A836ABEC213}"},
        },
        "EventData": {"Data": [
            {"@Name": "TargetUserSid", "#text": "S-1-5-21-7"}, {"@Name": "TargetUserName", "#text": "ana"},
            {"@Name": "TargetDomainName", "#text": "ACME"}, {"@Name": "TargetLogonId", "#text": "0x759a9"},
            {"@Name": "SessionId", "#text": "3"},
        ]},
    }});
    assert_eq!(
        parts("windows-security", &locked, ["/actor", "/targets/1", "/changeSetId"]),
        [
            json!({
                "kind": "user", "id": "S-1-5-21-7", "name": "ana", "sessionId": "0x759a9",
                "organization": {"id": "ACME"},
            }),
            json!({"type": "user", "id": "S-1-5-21-7", "name": "ana"}),
            json!("593b242c-183a-44f2-8977-2a836abec213"),
        ]
    );
}

#[test]
fn windows_security_changes() {
    let change = |event: u16, fields: Value| {
        let mut record = json!({
            "Hostname": "dc-1", "EventID": event, "RecordNumber": 90, "Channel": "Security",
            "@timestamp": "2024-03-15T14:48:51Z", "SubjectUserSid": "S-1-5-21-1", "SubjectUserName": "ana",
            "Keywords": -9_218_868_437_227_405_312_i64,
        });
        for (key, value) in fields.as_object().unwrap() {
            record[key] = value.clone();
        }
        record
    };
    for (event, fields, expected) in [
        // A value goes from an object of the directory.
        (
            5136,
            json!({
                "ObjectDN": "CN=Sales", "ObjectClass": "group", "OperationType": "%%14675",
                "AttributeLDAPDisplayName": "member", "AttributeValue": "CN=bob",
            }),
            json!([{"field": "member", "old": "CN=bob"}]),
        ),
        (
            4781,
            json!({"OldTargetUserName": "bob", "NewTargetUserName": "rob", "TargetSid": "S-1-5-21-2"}),
            json!([{"field": "name", "old": "bob", "new": "rob"}]),
        ),
        (
            4738,
            json!({"TargetUserName": "bob", "TargetSid": "S-1-5-21-2", "OldUacValue": "0x15", "NewUacValue": "0x211"}),
            json!([{"field": "userAccountControl", "old": "0x15", "new": "0x211"}]),
        ),
        (
            4738,
            json!({"TargetUserName": "bob", "OldUacValue": "-", "NewUacValue": "-"}),
            json!(null),
        ),
        (
            4670,
            json!({"ObjectName": "C:\\a", "ObjectType": "File", "OldSd": "D:(A)", "NewSd": "D:(B)"}),
            json!([{"field": "securityDescriptor", "old": "D:(A)", "new": "D:(B)"}]),
        ),
        (
            4616,
            json!({"PreviousTime": "2015-10-09T05:04:29.1Z", "NewTime": "2015-10-09T05:04:30.1Z"}),
            json!([{"field": "time", "old": "2015-10-09T05:04:29.1Z", "new": "2015-10-09T05:04:30.1Z"}]),
        ),
    ] {
        let found =
            parts("windows-security", &change(event, fields), ["/change/diff", "/outcome/result"]);
        assert_eq!(found, [expected, json!("failure")], "{event}");
    }
    let shared = json!({
        "ShareName": "\\\\*\\Documents", "RelativeTargetName": "plan.docx", "IpAddress": "192.0.2.7",
    });
    assert_eq!(
        parts("windows-security", &change(5145, shared), ["/targets"]),
        [json!([
            {"type": "host", "id": "dc-1"}, {"type": "share", "id": "\\\\*\\Documents"},
            {"type": "file", "id": "plan.docx"},
        ])]
    );
}

#[test]
fn windows_of_other_channels_and_of_a_local_time_are_refused() {
    let mapping = Mapping::builtin("windows-security").unwrap();
    let sysmon = json!({
        "@timestamp": "2024-03-15T14:48:51Z", "winlog": {
            "channel": "Microsoft-Windows-Sysmon/Operational", "computer_name": "ws-1", "event_id": "1",
            "event_data": {"Image": "C:\\a.exe", "User": "ACME\\ana"},
        },
    });
    assert!(!mapping.recognizes(sysmon.to_string().as_bytes()).unwrap());
    let system = json!({
        "Hostname": "ws-1", "EventID": 7045, "Channel": "System", "TargetUserName": "ana",
        "@timestamp": "2024-03-15T14:48:51Z",
    });
    assert!(!mapping.recognizes(system.to_string().as_bytes()).unwrap());
    // Microsoft's own table has such events, too.
    let row = json!({
        "Computer": "ws-1", "EventID": 8002, "Channel": "Microsoft-Windows-AppLocker/EXE and DLL",
        "Type": "SecurityEvent", "SubjectUserName": "ana", "TimeGenerated": "2024-03-15T14:48:51Z",
        "Activity": "8002 - A process was allowed to run.",
    });
    let places = ["/action", "/message/title"];
    let expected = ["windows.security.8002", "8002 - A process was allowed to run."];
    assert_eq!(parts("windows-security", &row, places), expected);
    // The time of PowerShell has an offset. That of NXLog has one only if it is configured.
    let read = |time: Value| {
        let record = json!({
            "Hostname": "ws-1", "EventID": 4672, "RecordNumber": 7, "Channel": "Security",
            "SubjectUserName": "ana", "EventTime": time,
        });
        mapping.read_one(record.to_string().as_bytes(), None)
    };
    let time = |text: &str| Some(text.parse().unwrap());
    for (stated, expected) in [
        (json!("2024-03-15T16:48:51.5+02:00"), "2024-03-15T14:48:51.5Z"),
        (json!("2024-03-15 09:48:51 -0500"), "2024-03-15T14:48:51Z"),
        (json!("2024-03-15T14:48:51Z"), "2024-03-15T14:48:51Z"),
        (json!(1_710_514_131_123_u64), "2024-03-15T14:48:51.123Z"),
    ] {
        assert_eq!(read(stated).unwrap().occurred_at, time(expected));
    }
    let error = read(json!("2024-03-15 16:48:51")).unwrap_err();
    assert_eq!(error.field(), Some("EventTime"));
    assert!(matches!(error.violation(), Some(Violation::Malformed { .. })), "{error}");
    assert_eq!(read(Value::Null).unwrap_err().field(), Some("TimeCreated"));
    let listed = json!({
        "Id": 4624, "LogName": "Security", "MachineName": "ws-1", "RecordId": 504_041,
        "ProviderName": "Microsoft-Windows-Security-Auditing", "TimeCreated": "/Date(1710514131123)/",
        "TaskDisplayName": "Logon", "KeywordsDisplayNames": ["Audit Failure"], "Message": "No.",
    });
    assert_eq!(
        parts("windows-security", &listed, ["/source/id", "/outcome/result", "/category"]),
        ["ws-1/504041", "failure", "Logon"]
    );
}
