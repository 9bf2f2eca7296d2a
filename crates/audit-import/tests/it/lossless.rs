//! Properties of every format: no value is lost, and an id distinguishes deliveries from events.

use audit_core::{NewEvent, Result};
use audit_import::{Builtin, Mapping};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::coverage;

/// Every name that any of the formats looks at, and some that none does.
const NAMES: &[&str] = &[
    "ARN",
    "a",
    "accountId",
    "action",
    "action_description",
    "actor",
    "actor_displayName_s",
    "actor_alternateId_s",
    "actor_id",
    "actor_id_s",
    "actor_ip",
    "actor_is_bot",
    "actor_location",
    "actor_type_s",
    "alternateId",
    "arn",
    "associatedItems",
    "authorAccountId",
    "authorKey",
    "awsRegion",
    "branch",
    "business",
    "category",
    "changedFrom",
    "changedTo",
    "changedValues",
    "city",
    "client",
    "client_ipAddress_s",
    "comment",
    "context",
    "country_code",
    "created_at",
    "data",
    "debugContext",
    "debugData",
    "description",
    "details",
    "displayMessage",
    "displayMessage_s",
    "displayName",
    "email",
    "entity",
    "errorCode",
    "errorMessage",
    "eventCategory",
    "eventName",
    "eventSource",
    "eventType",
    "external_identity_nameid",
    "fieldName",
    "file",
    "geographicalContext",
    "hook_id",
    "id",
    "invokedBy",
    "ip_address",
    "ipAddress",
    "issue",
    "key with space",
    "key.with.dots",
    "$ref",
    "location",
    "login",
    "name",
    "new_value",
    "objectItem",
    "old_user",
    "operation_type",
    "org",
    "org_id",
    "outcome",
    "outcome_reason_s",
    "outcome_result_s",
    "parentId",
    "payload",
    "previous_value",
    "previous_visibility",
    "principalId",
    "pull_request",
    "reason",
    "recipientAccountId",
    "ref",
    "ref_type",
    "remoteAddress",
    "repo",
    "repo_id",
    "repository",
    "requestID",
    "requestUri",
    "resources",
    "result",
    "ruleset_name",
    "ruleset_old_name",
    "sharedEventID",
    "sourceIPAddress",
    "summary",
    "target",
    "target_s",
    "team",
    "title",
    "transaction",
    "transaction_id_g",
    "type",
    "typeName",
    "ua",
    "user",
    "userAgent",
    "userIdentity",
    "userName",
    "user_agent",
    "user_id",
    "visibility",
    "~/",
];

fn name() -> impl Strategy<Value = String> {
    prop_oneof![9 => prop::sample::select(NAMES).prop_map(str::to_owned), 1 => "\\PC{0,8}"]
}

fn text() -> impl Strategy<Value = String> {
    const KNOWN: &[&str] = &[
        "",
        "-",
        "null",
        "unknown",
        "user",
        "file",
        "User",
        "AWSService",
        "ana@example.org",
        "3fa85f64-5717-4562-b3fc-2c963f66afa6",
        "3FA85F64-5717-4562-B3FC-2C963F66AFA6",
        "[::ffff:192.0.2.7]:443",
        "dependabot[bot]",
        "한국어",
        "кириллица 🦀",
        "\u{1b}[31m\u{feff}",
        r#"[{"id":"1","type":"User","displayName":"Ana"}]"#,
        "[1",
        "s3.amazonaws.com",
    ];
    prop_oneof![prop::sample::select(KNOWN).prop_map(str::to_owned), "\\PC{0,12}"]
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        1 => Just(Value::Null),
        1 => any::<bool>().prop_map(Value::from),
        1 => any::<i64>().prop_map(Value::from),
        1 => any::<u64>().prop_map(Value::from),
        1 => (-1e9..1e9_f64).prop_map(Value::from),
        6 => text().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 48, 6, |value| {
        prop_oneof![
            3 => prop::collection::btree_map(name(), value.clone(), 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
            1 => prop::collection::vec(value, 0..4).prop_map(Value::from),
        ]
    })
}

/// Any object, with what the format cannot do without.
fn record(system: &'static str) -> impl Strategy<Value = Value> {
    prop::collection::btree_map(name(), value(), 0..12).prop_map(move |map| {
        let mut record: Map<String, Value> = map.into_iter().collect();
        let required = match system {
            "cloudtrail" => {
                json!({"eventName": "N", "eventSource": "s", "eventTime": "2024-01-01T00:00:00Z"})
            }
            "github-events" => {
                json!({"type": "T", "repo": {}, "created_at": "2024-01-01T00:00:00Z"})
            }
            "okta" => json!({"eventType_s": "e", "published_t": "2024-01-01T00:00:00Z"}),
            "jira" => json!({"summary": "S", "created": "2024-01-01T00:00:00.000+0000"}),
            "slack" => json!({"action": "a", "date_create": 1_700_000_000}),
            "github-audit" => json!({"action": "a", "@timestamp": 1_700_000_000_000_u64}),
            "auth0" => json!({"type": "s", "date": 1, "log_id": "l"}),
            "azure-activity" => json!({"operationName": "o", "resourceId": "r", "time": 1}),
            "entra-id" => json!({"activityDisplayName": "a", "activityDateTime": 1}),
            "gcp-audit" => {
                json!({"insertId": "i", "timestamp": 1, "protoPayload": {"methodName": "m"}})
            }
            "gitlab" => {
                json!({"author_id": 1, "entity_type": "t", "created_at": 1, "event_type": "e"})
            }
            "google-workspace" => json!({"id": {"time": 1, "applicationName": "a"}, "name": "n"}),
            "kubernetes" => {
                json!({"auditID": "a", "verb": "v", "stage": "s", "requestReceivedTimestamp": 1})
            }
            "microsoft365" => json!({"Operation": "o", "CreationTime": 1, "Workload": "w"}),
            "one-password" => {
                json!({"action": "a", "object_type": "o", "actor_uuid": "u", "timestamp": 1})
            }
            "salesforce" => json!({"Action": "a", "CreatedDate": 1}),
            "snyk" => json!({"event": "e", "created": 1, "group_id": "g"}),
            "tailscale" => json!({
                "action": "a", "target": {"type": "t"}, "eventGroupID": "g", "eventTime": 1,
            }),
            "teleport" => json!({"event": "e", "code": "c", "uid": "u", "time": 1}),
            "vault" => {
                json!({"type": "request", "time": 1, "request": {"path": "p", "operation": "o", "id": "i"}})
            }
            "windows-security" => {
                json!({"EventID": 1, "SubjectUserSid": "s", "Hostname": "h", "TimeCreated": 1})
            }
            _ => json!({"source_type": "s", "action": "a", "created_at": 1}),
        };
        record.extend(required.as_object().unwrap().clone());
        if system == "okta" {
            record.remove("eventType");
        }
        Value::Object(record)
    })
}

fn system() -> impl Strategy<Value = &'static str> {
    let names: Vec<_> = Builtin::all().iter().map(Builtin::name).collect();
    prop::sample::select(names)
}

fn read_text(system: &str, text: &[u8]) -> Result<NewEvent> {
    Mapping::builtin(system).unwrap().read_one(text, None)
}

fn read(system: &'static str, record: &Value) -> NewEvent {
    read_text(system, record.to_string().as_bytes()).unwrap()
}

/// Reads a record; `None` if it is refused because its action has an asterisk.
fn read_unless_refused(system: &'static str, record: &Value) -> Option<NewEvent> {
    let text = record.to_string();
    match read_text(system, text.as_bytes()) {
        Err(error) if error.field() == Some("action") && text.contains('*') => None,
        event => Some(event.unwrap()),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn every_value_is_in_the_event(
        (system, record) in system().prop_flat_map(|system| (Just(system), record(system)))
    ) {
        let Some(event) = read_unless_refused(system, &record) else { return Ok(()) };
        prop_assert_eq!(coverage::missing(&record, &event), Vec::<String>::new());
    }

    #[test]
    fn an_id_is_of_the_content_and_not_of_the_envelope(
        (system, record) in system().prop_flat_map(|system| (Just(system), record(system))),
        name in name(),
        added in value(),
    ) {
        let Some(event) = read_unless_refused(system, &record) else { return Ok(()) };
        let mut again = record.clone();
        again["TimeGenerated"] = added.clone();
        again["p_parse_time"] = added.clone();
        prop_assert_eq!(read(system, &again).id, event.id);
        let mut other = record.clone();
        other["zz"] = json!([name, added]);
        prop_assert_ne!(read(system, &other).id, event.id);
    }

    #[test]
    fn no_line_panics(system in system(), line in "\\PC{0,64}", bytes: Vec<u8>) {
        let _ = read_text(system, line.as_bytes());
        let _ = read_text(system, &bytes);
    }
}

#[test]
fn the_check_finds_what_is_lost() {
    let record = json!({"action": "a", "created_at": 1, "x": {"y": ["same", "same"]}});
    let mut event = read("github-audit", &record);
    assert!(coverage::missing(&record, &event).is_empty());
    event.metadata["x"]["y"] = json!(["same"]);
    assert_eq!(coverage::missing(&record, &event), [r#"/x/y/1: "same""#]);
    event.metadata.remove("created_at");
    assert_eq!(coverage::missing(&record, &event).len(), 2);
}

#[test]
fn the_order_of_keys_plays_no_part() {
    let first = br#"{"action":"a","date_create":1,"x":{"b":1,"c":2}}"#;
    let second = br#"{"x":{"c":2,"b":1},"date_create":1,"action":"a"}"#;
    assert_eq!(read_text("slack", first).unwrap(), read_text("slack", second).unwrap());
}

#[test]
fn ids_are_kept_from_version_to_version() {
    // A log that was imported once must know the same records again.
    let line = br#"{"_document_id":"d1","@timestamp":1700000000000,"action":"repo.create"}"#;
    let event = read_text("github-audit", line).unwrap();
    assert_eq!(event.id.to_string(), "e0becbd9-ac22-5502-8a0c-7f16e152ae7e");
}
