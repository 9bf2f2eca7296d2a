//! Services.

use serde_json::{Value, json};

use super::{check, events, parts};

#[test]
fn auth0() {
    let record = json!({
        "date": "2024-03-15T14:48:51.123Z", "type": "fp", "description": "Wrong password.",
        "connection": "db", "client_id": "c1", "client_name": "Shop", "ip": "192.0.2.7",
        "user_agent": "Chrome", "user_id": "auth0|1", "user_name": "ana@example.org", "log_id": "l1",
        "details": {"session_id": "s1", "error": {"message": "Wrong password.", "type": "invalid"}},
        "tenant_name": "acme", "isMobile": false,
    });
    let expected = json!({
        "occurredAt": "2024-03-15T14:48:51.123000Z",
        "action": "auth0.fp",
        "actor": {
            "kind": "user", "id": "auth0|1", "name": "ana@example.org", "email": "ana@example.org",
            "ip": "192.0.2.7", "userAgent": "Chrome", "sessionId": "s1",
        },
        "outcome": {"result": "failure", "code": "invalid"},
        "targets": [{"type": "client", "id": "c1", "name": "Shop"}],
        "attributes": {"connection": "db"},
        "organization": {"id": "acme"},
        "message": {"text": "Wrong password."},
        "source": {"system": "auth0", "id": "l1"},
    });
    check("auth0", &record, &expected);
    assert_eq!(events("auth0", &json!({"log_id": "l1", "data": record})), [expected]);
}

#[test]
fn auth0_management_api() {
    let record = json!({
        "date": "2024-03-15T14:48:51.123Z", "type": "sapi", "description": "Create a client",
        "client_id": "c1", "client_name": "", "user_id": "auth0|1", "log_id": "l2", "ip": "192.0.2.7",
        "details": {
            "request": {
                "method": "post", "path": "/api/v2/clients", "body": {"name": "Till"}, "ip": "192.0.2.7",
                "auth": {"user": {"user_id": "auth0|1", "name": "Ana", "email": "ana@example.org"}},
            },
            "response": {"statusCode": 201, "body": {"client_id": "c9", "name": "Till"}},
        },
    });
    let places = ["/actor", "/targets", "/change", "/outcome", "/request"];
    assert_eq!(
        parts("auth0", &record, places),
        [
            json!({
                "kind": "user", "id": "auth0|1", "name": "Ana", "email": "ana@example.org",
                "ip": "192.0.2.7",
            }),
            json!([{"type": "client", "id": "c1"}, {"type": "clients", "id": "c9", "name": "Till"}]),
            json!({"new": {"name": "Till"}}),
            json!({"result": "success", "code": "201"}),
            json!({"method": "post", "path": "/api/v2/clients"}),
        ]
    );
    let mut refused = record.clone();
    refused["type"] = json!("fapi");
    refused["details"]["request"]["method"] = json!("delete");
    refused["details"]["request"]["path"] = json!("/api/v2/users/auth0|2/roles");
    refused["details"]["response"] = json!({"statusCode": 403, "body": {}});
    assert_eq!(
        parts("auth0", &refused, ["/outcome/result", "/targets/1", "/change"]),
        [json!("denied"), json!({"type": "users", "id": "auth0|2"}), json!(null)]
    );
    refused["details"]["request"]["path"] = json!("/v2/guardian/policies");
    assert_eq!(
        parts("auth0", &refused, ["/targets/1"]),
        [json!({"type": "guardian", "id": "policies"})]
    );
    for (kind, result) in [
        ("slo", json!("success")),
        ("limit_wc", json!("denied")),
        ("signup_pwd_leak", json!("denied")),
        ("gd_auth_failed", json!("failure")),
        ("flows_execution_completed", json!("success")),
        ("sys_os_update_start", json!("unknown")),
        ("w", json!(null)),
    ] {
        let record = json!({"type": kind, "date": "2024-03-15T14:48:51Z", "log_id": "l3"});
        assert_eq!(parts("auth0", &record, ["/outcome/result"]), [result], "{kind}");
    }
    // As Log Analytics has it, with joined names.
    let flat = json!({
        "date": "2024-03-15T14:48:51Z", "type": "sapi", "log_id": "l5", "user_id": "auth0|1",
        "details_request_method": "post", "details_request_path": "/api/v2/clients",
        "details_request_auth_user_name": "Ana", "details_request_auth_user_email": "ana@example.org",
        "details_response_statusCode": "201",
    });
    assert_eq!(
        parts("auth0", &flat, ["/actor/email", "/actor/name", "/outcome/code", "/request/method"]),
        ["ana@example.org", "Ana", "201", "post"]
    );
    // A name that nobody has signed in with it: no application is the actor.
    let unknown = json!({
        "type": "fu", "date": "2024-03-15T14:48:51Z", "log_id": "l4", "user_id": "",
        "user_name": "eve", "client_id": "c1",
    });
    assert_eq!(parts("auth0", &unknown, ["/actor"]), [json!({"kind": "user", "name": "eve"})]);
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
fn gitlab_of_streams_and_of_the_log_file() {
    // A deploy key fetches: the details of a stream stand at the top again.
    let fetched = json!({
        "id": "1", "author_id": -3, "entity_id": 29, "entity_type": "Project", "event_type": "repository_git_operation",
        "details": {
            "author_name": "ci-key", "author_class": "DeployKey", "target_id": 29, "target_type": "Project",
            "target_details": "app", "ip_address": "192.0.2.7", "entity_path": "acme/app",
            "custom_message": {"protocol": "ssh", "action": "git-upload-pack"},
        },
        "ip_address": "192.0.2.7", "author_name": "ci-key", "entity_path": "acme/app", "target_details": "app",
        "created_at": "2024-03-15T14:48:51Z", "target_type": "Project", "target_id": 29,
    });
    assert_eq!(
        parts("gitlab", &fetched, ["/action", "/actor", "/attributes"]),
        [
            json!("repository_git_operation"),
            json!({"kind": "api", "id": "-3", "name": "ci-key", "ip": "192.0.2.7"}),
            json!({"protocol": "ssh", "command": "git-upload-pack"}),
        ]
    );
    let record = |details: Value| {
        json!({
            "id": 2, "author_id": -1, "entity_id": 60, "entity_type": "Group", "details": details,
            "created_at": "2024-03-15T14:48:51Z",
        })
    };
    let places = ["/action", "/change/diff", "/outcome/result"];
    for (details, expected) in [
        (
            json!({"add": "user_access", "as": "Owner", "target_id": 7, "target_type": "User"}),
            [
                json!("user_access.add"),
                json!([{"field": "user_access", "new": "Owner"}]),
                json!(null),
            ],
        ),
        (json!({"remove": "user_access"}), [json!("user_access.remove"), json!(null), json!(null)]),
        (
            json!({"custom_message": "Project archived"}),
            [json!("audit_event"), json!(null), json!(null)],
        ),
        (json!({"failed_login": "STANDARD"}), [json!("login"), json!(null), json!("failure")]),
    ] {
        assert_eq!(parts("gitlab", &record(details), places), expected);
    }
    let nobody =
        parts("gitlab", &record(json!({"custom_message": "x"})), ["/actor/kind", "/message/text"]);
    assert_eq!(nobody, ["unknown", "x"]);
    let logged = json!({
        "severity": "INFO", "time": "2024-03-15T14:48:51.065Z", "correlation_id": "q1", "author_id": 3,
        "author_name": "Ana", "entity_id": 2, "entity_type": "Project", "change": "visibility",
        "from": "Private", "to": "Public", "target_id": 2, "target_type": "Project",
        "target_details": "acme/app", "meta.remote_ip": "192.0.2.7",
    });
    let places = ["/action", "/change/diff", "/request/id", "/actor/ip", "/severity"];
    assert_eq!(
        parts("gitlab", &logged, places),
        [
            json!("visibility.change"),
            json!([{"field": "visibility", "old": "Private", "new": "Public"}]),
            json!("q1"),
            json!("192.0.2.7"),
            json!("informational"),
        ]
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
fn one_password_uses_and_sign_ins() {
    let used = json!({
        "uuid": "e2", "timestamp": "2024-03-15T14:48:51Z", "used_version": 3, "vault_uuid": "v1",
        "item_uuid": "i1", "action": "reveal", "user": {"uuid": "a1", "name": "Ana", "email": "ana@example.org"},
        "client": {"app_name": "1Password CLI", "ip_address": "192.0.2.7"}, "location": {"country": "SE"},
    });
    let actor = json!({
        "kind": "user", "id": "a1", "name": "Ana", "email": "ana@example.org", "ip": "192.0.2.7",
    });
    assert_eq!(
        parts("one-password", &used, ["/action", "/actor", "/targets", "/location"]),
        [
            json!("item.reveal"),
            actor.clone(),
            json!([{"type": "item", "id": "i1"}, {"type": "vault", "id": "v1"}]),
            json!("SE"),
        ]
    );
    let attempt = json!({
        "uuid": "e3", "session_uuid": "s1", "timestamp": "2024-03-15T14:48:51Z", "country": "SE",
        "category": "credentials_failed", "type": "password_secret_bad",
        "target_user": {"uuid": "a1", "name": "Ana", "email": "ana@example.org"},
        "client": {"ip_address": "192.0.2.7"},
    });
    let mut signed_in = actor;
    signed_in["sessionId"] = json!("s1");
    assert_eq!(
        parts("one-password", &attempt, ["/action", "/actor", "/outcome"]),
        [json!("signin"), signed_in, json!({"result": "failure", "code": "password_secret_bad"}),]
    );
}
