//! One record of each source, in full: where each of its values goes.

use audit_core::{ActorKind, NewEvent, Violation};
use audit_import::Mapping;
use serde_json::{Value, json};

use crate::{coverage, systems};

fn read(system: &str, record: &Value) -> NewEvent {
    let mapping = Mapping::builtin(system).unwrap();
    let event = mapping.read_one(record.to_string().as_bytes(), None).unwrap();
    systems::known_as(system, record);
    assert_eq!(coverage::missing(record, &event), Vec::<String>::new());
    event
}

/// The event as JSON, without its id.
fn fields(event: &NewEvent) -> Value {
    let mut fields = serde_json::to_value(event).unwrap();
    fields.as_object_mut().unwrap().remove("id");
    fields
}

#[test]
fn cloudtrail() {
    let record = json!({
        "eventVersion": "1.08",
        "userIdentity": {
            "type": "IAMUser", "principalId": "AIDA1", "arn": "arn:aws:iam::111:user/ana",
            "accountId": "111", "userName": "ana", "invokedBy": "health.amazonaws.com",
        },
        "eventTime": "2024-03-15T14:48:51Z",
        "eventSource": "s3.amazonaws.com",
        "eventName": "GetObject",
        "awsRegion": "eu-north-1",
        "sourceIPAddress": "AWS Internal",
        "userAgent": "[aws-cli/2.0]",
        "errorCode": "AccessDenied",
        "errorMessage": "Access Denied",
        "requestParameters": {"s3:x-amz-acl": "private", "acl": ""},
        "responseElements": null,
        "resources": [
            {"type": "AWS::S3::Bucket", "ARN": "arn:aws:s3:::b", "accountId": "111"},
            {"ARN": "arn:aws:s3:::b/key"},
        ],
        "eventID": "6f1c",
        "requestID": "req-1",
        "sharedEventID": "3fa85f64-5717-4562-b3fc-2c963f66afa6",
        "readOnly": true,
        "recipientAccountId": "222",
        "eventCategory": "Data",
    });
    assert_eq!(
        fields(&read("cloudtrail", &record)),
        json!({
            "occurredAt": "2024-03-15T14:48:51.000000Z",
            "action": "s3.GetObject",
            "category": "Data",
            "actor": {
                "kind": "user", "id": "AIDA1", "name": "ana", "ip": "AWS Internal",
                "userAgent": "[aws-cli/2.0]", "organization": {"id": "111"},
            },
            "targets": [
                {"type": "AWS::S3::Bucket", "id": "arn:aws:s3:::b"}, {"id": "arn:aws:s3:::b/key"},
            ],
            "organization": {"id": "222"},
            "scope": {"service": "s3.amazonaws.com"},
            "changeSetId": "3fa85f64-5717-4562-b3fc-2c963f66afa6",
            "outcome": {"result": "denied", "code": "AccessDenied"},
            "request": {"id": "req-1"},
            "message": {"text": "Access Denied"},
            "location": "eu-north-1",
            "source": {"system": "cloudtrail", "id": "6f1c"},
            "metadata": {
                "eventVersion": "1.08",
                "userIdentity": {
                    "type": "IAMUser", "arn": "arn:aws:iam::111:user/ana",
                    "invokedBy": "health.amazonaws.com",
                },
                "eventTime": "2024-03-15T14:48:51Z",
                "eventName": "GetObject",
                "requestParameters": {"s3:x-amz-acl": "private", "acl": ""},
                "responseElements": null,
                "resources": [{"accountId": "111"}, {}],
                "readOnly": true,
            },
        })
    );
}

#[test]
fn cloudtrail_actors() {
    for (identity, kind, id) in [
        (json!({"type": "Root", "principalId": "111"}), ActorKind::USER, Some("111")),
        (json!({"type": "AssumedRole", "principalId": "AROA:s"}), ActorKind::API, Some("AROA:s")),
        (json!({"type": "AWSService", "invokedBy": "rds"}), ActorKind::SERVICE, Some("rds")),
        (json!({"accountId": "1", "invokedBy": "ec2"}), ActorKind::SERVICE, Some("ec2")),
        (json!({"type": "IAMUser", "accessKeyId": "", "arn": ""}), ActorKind::USER, None),
        (json!({"type": "Martian", "arn": "a"}), ActorKind::UNKNOWN, Some("a")),
        (json!(null), ActorKind::UNKNOWN, None),
    ] {
        let record = json!({
            "eventName": "N", "eventSource": "s", "eventTime": 1, "userIdentity": identity,
        });
        let event = read("cloudtrail", &record);
        assert_eq!((event.actor.kind, event.actor.id.as_deref()), (kind, id), "{identity}");
        assert_eq!(event.action.as_str(), "s.N");
    }
}

#[test]
fn github_events() {
    let record = json!({
        "id": "17000000001",
        "type": "PullRequestEvent",
        "actor": {"id": 7, "login": "renovate[bot]", "gravatar_id": ""},
        "repo": {"id": 9_007_199_254_740_993_u64, "name": "acme/한국어"},
        "payload": {
            "action": "opened",
            "pull_request": {"id": 5, "title": "Обновить 🦀", "body": null},
        },
        "public": true,
        "created_at": "2021-07-21T06:00:00Z",
        "org": {"id": 3, "login": "acme"},
    });
    assert_eq!(
        fields(&read("github-events", &record)),
        json!({
            "occurredAt": "2021-07-21T06:00:00.000000Z",
            "action": "PullRequestEvent.opened",
            "category": "PullRequestEvent",
            "actor": {"kind": "service", "id": "7", "name": "renovate[bot]"},
            "targets": [
                {"type": "repository", "id": "9007199254740993", "name": "acme/한국어"},
                {"type": "pull_request", "id": "5", "name": "Обновить 🦀"},
            ],
            "organization": {"id": "3", "name": "acme"},
            "source": {"system": "github-events", "id": "17000000001"},
            "metadata": {
                "actor": {"id": 7, "gravatar_id": ""},
                "repo": {"id": 9_007_199_254_740_993_u64},
                "payload": {"action": "opened", "pull_request": {"id": 5, "body": null}},
                "public": true,
                "created_at": "2021-07-21T06:00:00Z",
                "org": {"id": 3},
            },
        })
    );
    let record = json!({
        "type": "DeleteEvent", "created_at": "2021-07-21T06:00:00Z", "id": "1",
        "payload": {"ref": "v1", "ref_type": "tag"},
    });
    let event = read("github-events", &record);
    assert_eq!(fields(&event)["targets"], json!([{"type": "tag", "id": "v1"}]));
    assert_eq!(event.actor.kind, ActorKind::UNKNOWN);
}

#[test]
fn okta_flat_and_nested_are_alike() {
    let flat = json!({
        "TimeGenerated": "2020-05-26T22:20:03.402Z",
        "uuid_g": "62c3328c", "published_t": "2020-05-26T22:15:19.883Z",
        "eventType_s": "user.session.start", "displayMessage_s": "User login to Okta",
        "actor_id_s": "00u1", "actor_type_s": "User", "actor_displayName_s": "Ana",
        "actor_alternateId_s": "ana@example.org", "client_ipAddress_s": "2001:db8::7",
        "client_userAgent_rawUserAgent_s": "Mozilla/5.0", "client_zone_s": "null",
        "client_geographicalContext_city_s": "Dublin", "outcome_result_s": "FAILURE",
        "outcome_reason_s": "INVALID_LOGIN", "transaction_id_s": "unknown",
        "debugContext_debugData_requestUri_s": "/login",
        "target_s": "[\r\n {\"id\": \"00p1\", \"type\": \"Rule\", \"displayName\": null}\r\n]",
    });
    let nested = json!({
        "uuid": "62c3328c", "published": "2020-05-26T22:15:19.883Z",
        "eventType": "user.session.start", "displayMessage": "User login to Okta",
        "actor": {
            "id": "00u1", "type": "User", "displayName": "Ana", "alternateId": "ana@example.org",
        },
        "client": {
            "ipAddress": "2001:db8::7", "userAgent": {"rawUserAgent": "Mozilla/5.0"},
            "geographicalContext": {"city": "Dublin"}, "zone": "null",
        },
        "outcome": {"result": "FAILURE", "reason": "INVALID_LOGIN"},
        "transaction": {"id": "unknown"},
        "debugContext": {"debugData": {"requestUri": "/login"}},
        "target": [{"id": "00p1", "type": "Rule", "displayName": null}],
    });
    let mut expected = json!({
        "occurredAt": "2020-05-26T22:15:19.883000Z",
        "action": "user.session.start",
        "actor": {
            "kind": "user", "id": "00u1", "name": "Ana", "email": "ana@example.org",
            "ip": "2001:db8::7", "userAgent": "Mozilla/5.0",
        },
        "targets": [{"type": "Rule", "id": "00p1"}],
        "message": {"title": "User login to Okta", "text": "INVALID_LOGIN"},
        "outcome": {"result": "failure"},
        "location": "Dublin",
        "request": {"path": "/login"},
        "source": {"system": "okta", "id": "62c3328c"},
        "metadata": {
            "TimeGenerated": "2020-05-26T22:20:03.402Z",
            "published_t": "2020-05-26T22:15:19.883Z", "actor_type_s": "User",
            "client_zone_s": "null", "outcome_result_s": "FAILURE", "transaction_id_s": "unknown",
            "target_s": flat["target_s"],
        },
    });
    assert_eq!(fields(&read("okta", &flat)), expected);
    expected["metadata"] = json!({
        "published": "2020-05-26T22:15:19.883Z", "actor": {"type": "User"},
        "client": {"zone": "null"}, "outcome": {"result": "FAILURE"},
        "transaction": {"id": "unknown"}, "target": [{"displayName": null}],
    });
    assert_eq!(fields(&read("okta", &nested)), expected);
}

#[test]
fn okta_keeps_who_is_not_known_and_what_is_no_list() {
    let record = json!({
        "eventType_s": "user.session.start", "published_t": "2020-05-26T22:15:19.8Z",
        "actor_id_s": "unknown", "actor_displayName_s": "unknown", "actor_type_s": "User",
        "actor_alternateId_s": "no such login", "target_s": "[{\"id\": 1",
    });
    let event = read("okta", &record);
    let (id, name, email) = (&event.actor.id, &event.actor.name, &event.actor.email);
    assert_eq!((id, name, email), (&None, &None, &None));
    assert!(event.targets.is_empty());
    assert_eq!(event.metadata.len(), 6);
}

#[test]
fn a_delivery_is_known_again_and_an_id_used_twice_is_not_one_event() {
    let record = |ingested: &str, reason: &str| {
        json!({
            "uuid_g": "u1", "published_t": "2020-05-26T22:15:19.8Z", "eventType_s": "e",
            "TimeGenerated": ingested, "outcome_reason_s": reason,
        })
    };
    let first = read("okta", &record("2020-05-26T22:20:03Z", "A"));
    let again = read("okta", &record("2020-05-26T22:40:03Z", "A"));
    let other = read("okta", &record("2020-05-26T22:20:03Z", "B"));
    assert_eq!(first.id, again.id);
    assert_ne!(first.metadata, again.metadata);
    assert_ne!(first.id, other.id);
    assert_eq!(first.source, other.source);
}

#[test]
fn an_object_in_the_way_of_powershell_is_the_same_object() {
    let id = |chain: &str| {
        let record = json!({
            "uuid_g": "u", "published_t": "2020-05-26T22:15:19.8Z", "eventType_s": "e",
            "request_ipChain_s": chain,
        });
        read("okta", &record).id
    };
    let json = id(r#"[{"at": {"lat": 34.047, "proxy": true, "zone": null}}]"#);
    assert_eq!(json, id("[\r\n{\"at\":\"@{lat=34.047; proxy=True; zone=}\"}]"));
    assert_ne!(json, id(r#"[{"at": "@{lat=34.048; proxy=True; zone=}"}]"#));
    assert_ne!(json, id(r#"[{"at": "@{lat=34.047; proxy=True}"}]"#));
    assert_ne!(json, id("[]"));
}

#[test]
fn jira() {
    let record = json!({
        "id": 23_236,
        "summary": "User added to group",
        "remoteAddress": "192.0.2.1:8080",
        "authorKey": "an",
        "authorAccountId": "557058:67",
        "created": "2021-01-20T12:40:01.903+0000",
        "category": "user management",
        "eventSource": "",
        "objectItem": {"name": "admins", "typeName": "GROUP", "parentId": "10000"},
        "changedValues": [
            {"fieldName": "Active", "changedTo": "yes"},
            {"fieldName": "Text", "changedFrom": "", "changedTo": "None"},
        ],
        "associatedItems": [{"id": "qm:1", "name": "qm:1", "typeName": "USER"}],
    });
    assert_eq!(
        fields(&read("jira", &record)),
        json!({
            "occurredAt": "2021-01-20T12:40:01.903000Z",
            "action": "user_management.user_added_to_group",
            "category": "user management",
            "actor": {"kind": "user", "id": "557058:67", "name": "an", "ip": "192.0.2.1:8080"},
            "targets": [
                {"type": "GROUP", "id": "admins", "name": "admins"},
                {"type": "USER", "id": "qm:1", "name": "qm:1"},
            ],
            "change": {"diff": [
                {"field": "Active", "new": "yes"}, {"field": "Text", "old": "", "new": "None"},
            ]},
            "message": {"title": "User added to group"},
            "source": {"system": "jira", "id": "23236"},
            "metadata": {
                "id": 23_236,
                "created": "2021-01-20T12:40:01.903+0000",
                "eventSource": "",
                "objectItem": {"parentId": "10000"},
            },
        })
    );
}

#[test]
fn jira_actions_in_any_language() {
    for (summary, action) in [
        ("Пользователь создан", "пользователь_создан".to_owned()),
        ("Workflow 'R&D' *.* updated", "workflow_r_d_updated".to_owned()),
        ("🦀", "_".to_owned()),
        (&"가".repeat(200), "가".repeat(85)),
    ] {
        let event = read("jira", &json!({"summary": summary, "created": 1}));
        assert_eq!(event.action.as_str(), action);
        assert_eq!(event.message.title.as_deref(), Some(summary));
        assert_eq!(event.actor.kind, ActorKind::UNKNOWN);
    }
}

#[test]
fn slack() {
    let record = json!({
        "id": "30cafca6",
        "date_create": 1_612_869_308,
        "action": "pref.sso_setting_changed",
        "action_description": "A setting was changed.",
        "actor": {"type": "user", "user": {
            "id": "U1", "name": "Ana", "email": "ana@example.org", "team": "T1",
        }},
        "entity": {"type": "workspace", "workspace": {"id": "T1", "name": "Acme", "domain": "a"}},
        "context": {
            "location": {"type": "workspace", "id": "T1", "name": "Acme", "domain": "a"},
            "ua": "", "ip_address": "::ffff:192.0.2.7", "session_id": null,
        },
        "details": {"previous_value": {"on": false}, "new_value": null, "reason": "policy"},
    });
    assert_eq!(
        fields(&read("slack", &record)),
        json!({
            "occurredAt": "2021-02-09T11:15:08.000000Z",
            "action": "pref.sso_setting_changed",
            "actor": {
                "kind": "user", "id": "U1", "name": "Ana", "email": "ana@example.org",
                "ip": "::ffff:192.0.2.7", "organization": {"id": "T1"},
            },
            "targets": [{"type": "workspace", "id": "T1", "name": "Acme"}],
            "organization": {"id": "T1", "name": "Acme"},
            "change": {"old": {"on": false}, "new": null},
            "message": {"title": "A setting was changed."},
            "reason": "policy",
            "source": {"system": "slack", "id": "30cafca6"},
            "metadata": {
                "date_create": 1_612_869_308,
                "actor": {"type": "user"},
                "entity": {"workspace": {"domain": "a"}},
                "context": {
                    "location": {"type": "workspace", "domain": "a"}, "ua": "", "session_id": null,
                },
            },
        })
    );
}

#[test]
fn github_audit() {
    let record = json!({
        "_document_id": "d1",
        "@timestamp": "2024-04-09 06:17:55.186000000",
        "created_at": 1_710_369_387_788_u64,
        "action": "repo.access",
        "operation_type": "modify",
        "actor": "ana", "actor_id": "77", "actor_ip": "192.0.2.7",
        "actor_location": {"country_code": "SE"},
        "external_identity_nameid": "ana@example.org",
        "user_agent": "curl",
        "org": "acme", "org_id": 5, "business": "",
        "repo": "acme/app", "repo_id": 6, "user": "bob",
        "visibility": "public", "previous_visibility": "private",
        "ruleset_old_name": null, "ruleset_name": "r", "ruleset_id": "8",
        "request_method": "PATCH", "url_path": "/repositories/6",
    });
    assert_eq!(
        fields(&read("github-audit", &record)),
        json!({
            "occurredAt": "2024-04-09T06:17:55.186000Z",
            "action": "repo.access",
            "category": "modify",
            "actor": {
                "kind": "user", "id": "77", "name": "ana", "email": "ana@example.org",
                "ip": "192.0.2.7", "userAgent": "curl",
            },
            "targets": [
                {"type": "repository", "id": "6", "name": "acme/app"},
                {"type": "user", "id": "bob", "name": "bob"},
                {"type": "ruleset", "id": "8", "name": "r"},
            ],
            "organization": {"id": "5", "name": "acme"},
            "change": {"diff": [
                {"field": "visibility", "old": "private", "new": "public"},
                {"field": "ruleset_name", "old": null, "new": "r"},
            ]},
            "location": "SE",
            "request": {"method": "PATCH", "path": "/repositories/6"},
            "source": {"system": "github-audit", "id": "d1"},
            "metadata": {
                "@timestamp": "2024-04-09 06:17:55.186000000",
                "created_at": 1_710_369_387_788_u64,
                "org_id": 5, "business": "", "repo_id": 6, "visibility": "public",
            },
        })
    );
}

#[test]
fn github_audit_actors() {
    for (record, kind, id) in [
        (json!({"actor": "ana"}), ActorKind::USER, Some("ana")),
        (json!({"actor": "x", "actor_is_bot": true}), ActorKind::SERVICE, Some("x")),
        (json!({"actor": "github-actions[bot]", "actor_id": 4}), ActorKind::SERVICE, Some("4")),
        (json!({"actor": "", "programmatic_access_type": "deploy_key"}), ActorKind::API, None),
        (json!({"actor": "-"}), ActorKind::UNKNOWN, None),
        (json!({"actor": {"login": "x"}}), ActorKind::UNKNOWN, None),
    ] {
        let mut record = record;
        record["action"] = json!("git.push");
        record["@timestamp"] = json!(1.5);
        let event = read("github-audit", &record);
        assert_eq!((event.actor.kind, event.actor.id.as_deref()), (kind, id), "{record}");
        assert!(event.source.unwrap().id.starts_with("sha256:"));
    }
}

#[test]
fn a_time_in_the_envelope_still_tells_two_events_apart() {
    let at = |time: &str| json!({"action": "git.clone", "repo": "a/b", "p_event_time": time, "p_row_id": time});
    let (first, second) = (at("2025-10-15 18:45:47.048"), at("2025-10-15 18:45:48.048"));
    assert_ne!(read("github-audit", &first).id, read("github-audit", &second).id);
}

#[test]
fn a_malformed_time_is_refused_even_if_another_is_there() {
    let line = br#"{"action":"a","created_at":"2024-12-17 00:00:00000000","p_event_time":1}"#;
    let mapping = Mapping::builtin("github-audit").unwrap();
    let error = mapping.read_one(line, None).unwrap_err();
    assert_eq!(error.field(), Some("created_at"));
    assert!(matches!(error.violation(), Some(Violation::Malformed { .. })));
    assert!(error.to_string().contains("2024-12-17 00:00:00000000"), "{error}");
    let received = "2024-01-01T00:00:00Z".parse().unwrap();
    assert!(mapping.read_one(line, Some(received)).is_err());
}
