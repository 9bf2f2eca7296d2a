//! Salesforce.

use serde_json::{Value, json};

use super::{check, events, parts};

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

#[test]
fn salesforce_by_table() {
    // Who has logged in as another user is the actor: by an id in the rows, by a name in the trail.
    let row = json!({
        "EVENT_TYPE": "LoginAs", "TIMESTAMP_DERIVED": "2024-03-15T14:48:51.123Z", "REQUEST_ID": "r2",
        "USER_ID": "0051", "USER_ID_DERIVED": "0051AAA", "DELEGATED_USER_ID_DERIVED": "0052AAC",
        "DELEGATED_USER_NAME": "admin@example.org", "CLIENT_IP": "192.0.2.7", "SESSION_KEY": "k1",
        "BROWSER_TYPE": "Firefox", "ORGANIZATION_ID": "00D1",
    });
    assert_eq!(
        parts("salesforce", &row, ["/actor", "/request/id", "/organization/id"]),
        [
            json!({
                "kind": "user", "id": "0052AAC", "name": "admin@example.org", "email": "admin@example.org",
                "ip": "192.0.2.7", "userAgent": "Firefox", "sessionId": "k1",
                "onBehalfOf": {"kind": "user", "id": "0051AAA"},
            }),
            json!("r2"),
            json!("00D1"),
        ]
    );
    let trail = json!({
        "Id": "0Ym2", "Action": "resetpassword", "CreatedDate": "2024-03-15T14:48:51.000+0000",
        "CreatedById": "0051", "CreatedBy": {"Name": "Ana"}, "DelegateUser": "admin@example.org",
    });
    assert_eq!(
        parts("salesforce", &trail, ["/actor"]),
        [json!({
            "kind": "user", "name": "admin@example.org", "email": "admin@example.org",
            "onBehalfOf": {"kind": "user", "id": "0051", "name": "Ana"},
        })]
    );
    // The objects of real-time monitoring have no action of their own, and a later time of their storage.
    let login = json!({
        "attributes": {"type": "LoginEvent", "url": "/x"}, "EventIdentifier": "e1", "Id": "000000000000000AAA",
        "EventDate": "2024-03-15T14:48:51.000+0000", "CreatedDate": "2024-03-15T14:48:59.000+0000",
        "UserId": "0051", "CreatedById": "0059", "Username": "ana@example.org", "UserType": "Standard",
        "Status": "Failed: Computer activation required", "SourceIp": "192.0.2.7", "LoginKey": "k2",
        "SessionKey": null, "City": "Lund", "HttpMethod": "POST", "ApiType": "N/A",
    });
    let places = ["/action", "/occurredAt", "/outcome", "/actor", "/source/id", "/location"];
    let expected = [
        json!("LoginEvent"),
        json!("2024-03-15T14:48:51.000000Z"),
        json!({"result": "failure", "code": "Failed: Computer activation required"}),
        json!({
            "kind": "user", "id": "0051", "name": "ana@example.org", "email": "ana@example.org",
            "ip": "192.0.2.7", "sessionId": "k2",
        }),
        json!("e1"),
        json!("Lund"),
    ];
    assert_eq!(parts("salesforce", &login, places), expected);
    let mut payload = login.clone();
    payload.as_object_mut().unwrap().remove("attributes");
    let streamed =
        json!({"channel": "/event/LoginEventStream", "data": {"schema": "s", "payload": payload}});
    assert_eq!(parts("salesforce", &streamed, places), expected);
    // As Log Analytics has it: the action is what was done within an event of the type.
    let viewed = json!({
        "event_type": "ContentDistribution", "timestamp": "20240315144851.541", "action": "VIEW",
        "user_id_derived": "0051AAA", "user_email": "ana@example.org", "success": "1",
    });
    assert_eq!(
        parts("salesforce", &viewed, ["/action", "/actor/email", "/outcome/result"]),
        ["ContentDistribution", "ana@example.org", "success"]
    );
    // A request that the platform has refused, of a page of rows.
    let rest = json!({
        "EVENT_TYPE": "RestApi", "TIMESTAMP": "20240315144851.123", "USER_ID": "0051", "METHOD": "GET",
        "URI": "/services/data/v60.0/query", "REQUEST_STATUS": "A", "STATUS_CODE": "403", "USER_TYPE": "A",
        "ENTITY_NAME": "Account", "CONNECTED_APP_ID": "0H4",
    });
    assert_eq!(
        parts("salesforce", &rest, ["/outcome", "/request", "/targets", "/actor/kind"]),
        [
            json!({"result": "denied", "code": "403"}),
            json!({"method": "GET", "path": "/services/data/v60.0/query"}),
            json!([{"type": "object", "name": "Account"}, {"type": "connected_app", "id": "0H4"}]),
            json!("system"),
        ]
    );
}

#[test]
fn salesforce_event_log_objects() {
    // The same as the rows of event log files, in other words.
    let record = json!({
        "attributes": {"type": "LoginAsEventLog", "url": "/services/data/v61.0/sobjects/LoginAsEventLog/0Uq1"},
        "Id": "0Uq1", "ClientIp": "192.0.2.7", "CpuTime": 19.0, "DelegatedUserIdentifier": "00530000009M943",
        "DelegatedUserName": "admin@example.org", "LoginKey": "GeJCsym5eyvtEK2I", "RequestIdentifier": "3nWgxWbDKWWDIk0FKfF5D",
        "RunTime": 1088.0, "SessionKey": "d7DEq/ANa7nNZZVD", "Timestamp": "2024-03-15T14:48:51.123+0000",
        "Uri": "/home/home.jsp", "UserIdentifier": "0051", "InternalOrganizationId": "00D1",
    });
    check(
        "salesforce",
        &record,
        &json!({
            "occurredAt": "2024-03-15T14:48:51.123000Z",
            "action": "LoginAsEventLog",
            "actor": {
                "kind": "user", "id": "00530000009M943", "name": "admin@example.org", "email": "admin@example.org",
                "ip": "192.0.2.7", "sessionId": "d7DEq/ANa7nNZZVD",
                "onBehalfOf": {"kind": "user", "id": "0051"},
            },
            "organization": {"id": "00D1"},
            "request": {"id": "3nWgxWbDKWWDIk0FKfF5D", "path": "/home/home.jsp"},
            "source": {"system": "salesforce", "id": "0Uq1"},
        }),
    );
    let used = json!({
        "attributes": {"type": "ApiTotalUsageEventLog", "url": "/x"}, "ApiFamily": "REST",
        "ApiResource": "/v61.0/query", "ClientIp": "192.0.2.7", "ConnectedAppIdentifier": "0H4",
        "HttpMethod": "GET", "ObjectName": "Account", "RequestIdentifier": "r1", "StatusCode": 403,
        "Timestamp": "2024-03-15T14:48:51.123+0000", "UserIdentifier": "0051",
    });
    assert_eq!(
        parts("salesforce", &used, ["/actor", "/outcome", "/request", "/targets"]),
        [
            json!({"kind": "user", "id": "0051", "ip": "192.0.2.7"}),
            json!({"result": "denied", "code": "403"}),
            json!({"method": "GET", "path": "/v61.0/query", "id": "r1"}),
            json!([{"type": "object", "name": "Account"}, {"type": "connected_app", "id": "0H4"}]),
        ]
    );
    let failed = json!({
        "attributes": {"type": "LoginEventLog", "url": "/x"}, "BrowserType": "Firefox", "UserIdentifier": "0051",
        "LoginStatus": "LOGIN_ERROR_INVALID_PASSWORD", "RequestIdentifier": "r2", "RequestStatus": "S",
        "SourceIp": "192.0.2.7", "Timestamp": "2024-03-15T14:48:51.123+0000", "Username": "ana@example.org",
    });
    assert_eq!(
        parts("salesforce", &failed, ["/outcome", "/actor/userAgent"]),
        [json!({"result": "failure", "code": "LOGIN_ERROR_INVALID_PASSWORD"}), json!("Firefox"),]
    );
}

#[test]
fn salesforce_real_time_events() {
    let event = |kind: &str, fields: Value| {
        let mut record = json!({
            "attributes": {"type": kind, "url": "/x"}, "EventIdentifier": "e2", "Id": "000000000000000AAA",
            "EventDate": "2024-03-15T14:48:51.000+0000", "UserId": "0051", "Username": "ana@example.org",
            "SourceIp": "192.0.2.7", "SessionKey": "k1", "LoginKey": "k2",
        });
        for (key, value) in fields.as_object().unwrap() {
            record[key] = value.clone();
        }
        record
    };
    // An administrator, here of Salesforce itself, logs in as a user.
    let as_user = json!({
        "DelegatedUsername": "support@example.com", "DelegatedOrganizationId": "00D9", "LoginAsCategory": "OrgAdmin",
        "Browser": "Chrome 120", "Platform": "Mac OSX",
    });
    assert_eq!(
        parts("salesforce", &event("LoginAsEvent", as_user), ["/actor"]),
        [json!({
            "kind": "user", "name": "support@example.com", "email": "support@example.com", "ip": "192.0.2.7",
            "userAgent": "Chrome 120", "sessionId": "k1", "organization": {"id": "00D9"},
            "onBehalfOf": {"kind": "user", "id": "0051", "name": "ana@example.org"},
        })]
    );
    let opened = json!({
        "Operation": "Read", "OperationStatus": "Failure", "RecordId": "0061", "QueriedEntities": "Opportunity",
    });
    assert_eq!(
        parts("salesforce", &event("UriEvent", opened), ["/outcome", "/targets"]),
        [
            json!({"result": "failure", "code": "Failure"}),
            json!([{"type": "object", "name": "Opportunity"}, {"type": "record", "id": "0061"}]),
        ]
    );
    let listed = json!({"ListViewId": "00B1", "ConnectedAppId": "0H4", "ReportId": "00O1", "DashboardId": "01Z1"});
    assert_eq!(
        parts("salesforce", &event("ReportEvent", listed), ["/targets"]),
        [json!([
            {"type": "connected_app", "id": "0H4"}, {"type": "report", "id": "00O1"},
            {"type": "dashboard", "id": "01Z1"}, {"type": "list_view", "id": "00B1"},
        ])]
    );
    for (status, policy, result) in [
        ("Denied", "NoAction", json!("denied")),
        ("AutomatedSuccess", "NoAction", json!("success")),
        ("InProgress", "NoAction", json!("unknown")),
        ("FailedTooManyAttempts", "NoAction", json!("failure")),
        ("Success", "TwoFADenied", json!("denied")),
        ("Success", "TwoFAFailedInvalidCode", json!("failure")),
    ] {
        let verified =
            event("IdentityVerificationEvent", json!({"Status": status, "PolicyOutcome": policy}));
        assert_eq!(parts("salesforce", &verified, ["/outcome/result"]), [result], "{status}");
    }
    // The history of sign-ins has no name of its own for the action.
    let past = json!({
        "Id": "0Ya1", "UserId": "0051", "LoginTime": "2024-03-15T14:48:51.000+0000", "LoginType": "Application",
        "SourceIp": "192.0.2.7", "Status": "Invalid Password", "Browser": "Chrome 120",
    });
    assert_eq!(
        parts("salesforce", &past, ["/action", "/outcome/result", "/actor/userAgent"]),
        ["LoginHistory", "failure", "Chrome 120"]
    );
}
