//! Google Workspace.

use serde_json::{Value, json};

use super::{events, parts};

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
fn google_workspace_of_agents_and_applications() {
    let record = |actor: Value, event: Value| {
        json!({
            "kind": "audit#activity", "etag": "e", "ipAddress": "192.0.2.7", "actor": actor, "events": [event],
            "ownerDomain": "example.org", "networkInfo": {"ipAsn": [64496], "regionCode": "SE", "subdivisionCode": "SE-M"},
            "id": {
                "time": "2026-03-15T14:48:51.123Z", "uniqueQualifier": "7", "applicationName": "drive",
                "customerId": "C01",
            },
        })
    };
    let viewed = json!({"type": "access", "name": "view", "parameters": [{"name": "doc_id", "value": "d1"}]});
    let user = json!({"kind": "user", "id": "1", "email": "ana@example.org"});
    // An agent, and an application with the authority of the whole domain, act for a user.
    let agent = json!({
        "email": "ana@example.org", "profileId": "1", "callerType": "USER", "agentAttributionInfo": {
            "agentId": "a1", "agentName": "Planner", "agentType": "CUSTOM", "agentOwner": {"email": "bob@example.org"},
        },
    });
    assert_eq!(
        parts("google-workspace", &record(agent, viewed.clone()), ["/actor", "/location"]),
        [
            json!({
                "kind": "service", "id": "a1", "name": "Planner", "ip": "192.0.2.7", "onBehalfOf": user,
            }),
            json!("SE-M"),
        ]
    );
    let application = |impersonation: bool| {
        json!({
            "email": "ana@example.org", "profileId": "1", "applicationInfo": {
                "oauthClientId": "c1", "applicationName": "Backup", "impersonation": impersonation,
            },
        })
    };
    assert_eq!(
        parts("google-workspace", &record(application(true), viewed.clone()), ["/actor"]),
        [json!({
            "kind": "service", "id": "c1", "name": "Backup", "ip": "192.0.2.7", "onBehalfOf": user,
        })]
    );
    let mut direct = user;
    direct["ip"] = json!("192.0.2.7");
    assert_eq!(
        parts("google-workspace", &record(application(false), viewed.clone()), ["/actor"]),
        [direct]
    );
    // The number of nobody is no id; an address alone is.
    for (actor, id) in [
        (
            json!({"profileId": "105250506097979753968", "callerType": "KEY", "key": "robot"}),
            "robot",
        ),
        (json!({"email": "eve@example.net"}), "eve@example.net"),
    ] {
        assert_eq!(parts("google-workspace", &record(actor, viewed.clone()), ["/actor/id"]), [id]);
    }
    let mut event = viewed;
    for (status, result, code) in [
        (json!({"eventStatus": "SUCCEEDED_WITH_WARNINGS"}), "success", json!(null)),
        (
            json!({"eventStatus": "FAILED", "errorCode": "E1", "errorMessage": "No.", "httpStatusCode": 500}),
            "failure",
            json!("E1"),
        ),
        (json!({"eventStatus": "FAILED", "httpStatusCode": 403}), "denied", json!("403")),
        (json!({"eventStatus": "SKIPPED"}), "unknown", json!(null)),
    ] {
        event["status"] = status;
        let outcome = parts(
            "google-workspace",
            &record(json!({"profileId": "1"}), event.clone()),
            ["/outcome/result", "/outcome/code"],
        );
        assert_eq!(outcome, [json!(result), code]);
    }
}

#[test]
fn google_workspace_targets_and_challenges() {
    let record = |application: &str, name: &str, parameters: Value| {
        json!({
            "kind": "admin#reports#activity", "actor": {"email": "ana@example.org", "profileId": "1"},
            "events": [{"type": "t", "name": name, "parameters": parameters}],
            "id": {"time": "2024-03-15T14:48:51.123Z", "uniqueQualifier": "7", "applicationName": application, "customerId": "C01"},
        })
    };
    let text = |name: &str, value: &str| json!({"name": name, "value": value});
    for (application, parameters, targets) in [
        (
            "drive",
            json!([
                text("doc_id", "d1"),
                text("shared_drive_id", "0A1"),
                text("new_owner", "bob@example.org")
            ]),
            json!([
                {"type": "document", "id": "d1"}, {"type": "user", "id": "bob@example.org"},
                {"type": "shared_drive", "id": "0A1"},
            ]),
        ),
        (
            "admin",
            json!([
                text("SETTING_NAME", "2sv"),
                text("ORG_UNIT_NAME", "/Sales"),
                text("DOMAIN_NAME", "example.org"),
                text("APPLICATION_NAME", "Drive"),
            ]),
            json!([
                {"type": "setting", "id": "2sv"}, {"type": "org_unit", "id": "/Sales"},
                {"type": "domain", "id": "example.org"}, {"type": "application", "name": "Drive"},
            ]),
        ),
        (
            "calendar",
            json!([
                text("calendar_id", "all@example.org"),
                text("grantee_email", "bob@example.org")
            ]),
            json!([{"type": "user", "id": "bob@example.org"}, {"type": "calendar", "id": "all@example.org"}]),
        ),
        (
            "rules",
            json!([text("rule_resource_name", "policies/1"), text("rule_name", "No cards")]),
            json!([{"type": "rule", "id": "policies/1", "name": "No cards"}]),
        ),
        (
            "groups_enterprise",
            json!([
                text("group_id", "all@example.org"),
                text("member_id", "ops@example.org"),
                text("member_type", "group")
            ]),
            json!([{"type": "group", "id": "all@example.org"}, {"type": "group", "id": "ops@example.org"}]),
        ),
        (
            "drive",
            json!([text("new_owner", "Sales"), {"name": "new_owner_is_team_drive", "boolValue": true}]),
            json!([{"type": "shared_drive", "id": "Sales"}]),
        ),
        ("meet", json!([text("conference_id", "x1")]), json!([{"type": "conference", "id": "x1"}])),
    ] {
        let record = record(application, "n", parameters);
        assert_eq!(parts("google-workspace", &record, ["/targets"]), [targets], "{application}");
    }
    // What an activity is about is a target unless a parameter names it.
    let details = json!([
        {"id": "d1", "title": "Plan", "type": "DRIVE_ITEM", "relation": "DRIVE_PRIMARY"},
    ]);
    for (parameters, targets) in [
        (json!([text("doc_id", "d1")]), json!([{"type": "document", "id": "d1"}])),
        (json!([]), json!([{"type": "DRIVE_ITEM", "id": "d1", "name": "Plan"}])),
    ] {
        let mut record = record("drive", "view", parameters);
        record["resourceDetails"] = details.clone();
        assert_eq!(parts("google-workspace", &record, ["/targets"]), [targets]);
    }
    for (name, status, result) in [
        ("login_verification", "passed", "success"),
        ("login_challenge", "Challenge Failed.", "failure"),
        ("risky_sensitive_action_blocked", "Challenge Passed.", "denied"),
    ] {
        let record = record("login", name, json!([text("login_challenge_status", status)]));
        assert_eq!(parts("google-workspace", &record, ["/outcome/result"]), [result], "{name}");
    }
}
