//! Services.

use serde_json::{Value, json};

use super::{check, events, parts};

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
fn gitlab_of_an_instance_and_of_sign_ins() {
    // Of the API of an instance, with the keys of a stream.
    let header = json!({
        "id": 4, "author_id": 43, "entity_id": 1, "entity_type": "Gitlab::Audit::InstanceScope",
        "details": {
            "author_name": "Administrator", "author_class": "User", "target_id": 32,
            "target_type": "AuditEvents::Streaming::InstanceHeader", "target_details": "unknown",
            "custom_message": "Created custom HTTP header with key X-arg.", "ip_address": "192.0.2.7",
            "entity_path": "gitlab_instance",
        },
        "ip_address": "192.0.2.7", "author_name": "Administrator", "entity_path": "gitlab_instance",
        "target_details": "unknown", "created_at": "2023-08-01T11:29:44.764Z",
        "target_type": "AuditEvents::Streaming::InstanceHeader", "target_id": 32,
        "event_type": "audit_events_streaming_instance_headers_create",
    });
    let expected = json!({
        "occurredAt": "2023-08-01T11:29:44.764000Z",
        "action": "audit_events_streaming_instance_headers_create",
        "actor": {"kind": "user", "id": "43", "name": "Administrator", "ip": "192.0.2.7"},
        "targets": [
            {"type": "Gitlab::Audit::InstanceScope", "id": "1", "name": "gitlab_instance"},
            {"type": "AuditEvents::Streaming::InstanceHeader", "id": "32", "name": "unknown"},
        ],
        "message": {"text": "Created custom HTTP header with key X-arg."},
        "source": {"system": "gitlab", "id": "4"},
    });
    check("gitlab", &header, &expected);
    assert_eq!(events("gitlab", &json!([header])), [expected]);
    // A sign-in of the log file has both times, and is of the request that carries it.
    let signed_in = json!({
        "severity": "INFO", "time": "2024-05-10T17:46:49.065Z", "correlation_id": "q2",
        "meta.caller_id": "SessionsController#create", "meta.remote_ip": "192.0.2.7", "meta.user": "root",
        "meta.user_id": 1, "author_id": 1, "author_name": "Administrator", "entity_id": 1,
        "entity_type": "User", "created_at": "2024-05-10T17:46:49.058+00:00", "with": "standard",
        "target_id": 1, "target_type": "User", "target_details": "Administrator",
    });
    assert_eq!(
        parts("gitlab", &signed_in, ["/action", "/outcome", "/occurredAt", "/request/id"]),
        [
            json!("login"),
            json!({"result": "success"}),
            json!("2024-05-10T17:46:49.058000Z"),
            json!("q2"),
        ]
    );
    // The type alone says that a sign-in failed.
    let failed = json!({
        "id": "5", "author_id": -1, "entity_id": 7, "entity_type": "User",
        "event_type": "login_failed_with_otp_authentication", "created_at": "2024-03-15T14:48:51Z",
        "details": {"author_name": "ana", "author_class": "Gitlab::Audit::UnauthenticatedAuthor", "custom_message": "No."},
    });
    assert_eq!(
        parts("gitlab", &failed, ["/outcome/result", "/actor/kind"]),
        ["failure", "unknown"]
    );
    // An administrator who impersonates a user is named without an id.
    let impersonated = json!({
        "severity": "INFO", "time": "2020-05-08T01:54:40.338Z", "correlation_id": "OW7IPT5Mt6", "author_id": 28,
        "entity_id": 12, "entity_type": "Project", "change": "prevent merge request approval from reviewers",
        "from": "false", "to": "true", "author_name": "Ana", "target_id": 12, "target_type": "Project",
        "target_details": "acme/app", "ip_address": "192.0.2.7", "entity_path": "acme/app", "impersonated_by": "Sam",
    });
    let actor = json!({
        "kind": "user", "name": "Sam", "ip": "192.0.2.7",
        "onBehalfOf": {"kind": "user", "id": "28", "name": "Ana"},
    });
    assert_eq!(parts("gitlab", &impersonated, ["/actor"]), [actor]);
    let mut key = failed;
    key["details"]["author_class"] = json!("Gitlab::Audit::DeployKeyAuthor");
    assert_eq!(parts("gitlab", &key, ["/actor/kind"]), ["api"]);
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
