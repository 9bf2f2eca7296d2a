//! Contract C over HTTP: the source's sample, its batches, tokens and problems.

use crate::common::{Answer, Key, Service, request};
use audit_contracts::audit_trails::AuditTrail;
use audit_core::{Actor, AuditStore as _, AuditStoreExt as _, NewEvent, json};
use axum::http::Method;
use serde_json::{Value, json};

const SAMPLE: &str = r#"{"id":"7d94882a-ee8e-4741-b461-4fdbc731362b","organizationId":"7eb6c145-b6d2-4d67-8e20-6f87ca942b7f","auditEvent":"CoreEntityChange","auditEntity":"Organization","auditAction":"Updated","coreEntity":"Organization","coreEntityId":"7eb6c145-b6d2-4d67-8e20-6f87ca942b7f","contractedEntity":null,"contractedEntityId":null,"timestamp":"2024-03-15T14:48:51+00:00","oldValue":null,"newValue":null,"diff":[{"prop":"Domain","oldVal":null,"newVal":"updatedDomain@tenant.com"},{"prop":"Name","oldVal":"Demo Organization","newVal":"The Organization"}],"author":{"authorId":"bf5c2988-f6d8-4108-87b1-e1bdcf296d33","authorName":"Anders Reyes","authorOrgId":"e6c779ff-9401-4915-b74d-ca4b937c7de5","authorOrgName":"My Organization","ipAddress":"213.52.72.214"},"message":{"logMessage":"Organization updated","logMessageKey":"OrganizationUpdated","logMessageParams":""}}"#;

fn path(key: &Key, token: Option<&str>) -> String {
    let path = format!("/api/v1.0/organizations/{}/audit-trails", key.key.organization_id);
    token.map_or(path.clone(), |token| format!("{path}?continuationToken={token}"))
}

fn assert_problem(answer: &Answer, status: u16) -> Value {
    let problem = answer.expect(status);
    assert_eq!(answer.header("content-type"), "application/problem+json");
    let members: Vec<_> = problem.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(members, ["detail", "instance", "status", "title", "type"]);
    assert_eq!(problem["status"], status);
    problem
}

#[tokio::test]
async fn the_sample_comes_back_byte_for_byte() {
    let service = Service::new();
    // The record of the sample is appended to another organization's log.
    let (acme, [member, ..]) = service.tenant("Acme").await;
    let trail: AuditTrail = json::from_slice(SAMPLE.as_bytes()).unwrap();
    service.store.record(acme.id, trail.try_into().unwrap()).await.unwrap();
    let answer = service.get(&member, &path(&member, None)).await;
    assert_eq!(answer.header("content-type"), "application/json");
    let text = String::from_utf8(answer.body.clone()).unwrap();
    assert!(text.contains(SAMPLE), "{text}");
    let body = answer.expect(200);
    let members: Vec<_> = body.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(members, ["continuationToken", "responseData"]);
}

#[tokio::test]
async fn a_client_follows_the_tokens_and_gets_each_record_once() {
    let service = Service::new();
    let (acme, [member, ..]) = service.tenant("Acme").await;
    let before = service.store.head(acme.id.into()).await.unwrap().size.get();
    let append = async |range: std::ops::Range<u32>| {
        let events = range.map(|n| NewEvent::new("a.b", Actor::user(n.to_string()))).collect();
        service.store.append(acme.id.into(), events).await.unwrap();
    };
    append(0..250).await;
    let (mut token, mut sizes, mut ids) = (None::<String>, Vec::new(), Vec::new());
    for round in 0..7 {
        if round == 4 {
            append(250..260).await; // the token of an empty batch finds later records
        }
        let body = service.get(&member, &path(&member, token.as_deref())).await.expect(200);
        let batch = body["responseData"].as_array().unwrap();
        sizes.push(batch.len() as u64);
        ids.extend(batch.iter().map(|record| record["id"].as_str().unwrap().to_owned()));
        token = Some(body["continuationToken"].as_str().unwrap().to_owned());
    }
    assert_eq!(sizes, [99, 99, 52 + before, 0, 10, 0, 0]);
    let unique: std::collections::HashSet<_> = ids.iter().collect();
    assert_eq!(unique.len(), ids.len());
}

#[tokio::test]
async fn foreign_altered_and_malformed_tokens_get_the_same_problem() {
    let service = Service::new();
    let (_, [member, ..]) = service.tenant("Acme").await;
    let (_, [foreign, ..]) = service.tenant("Other").await;
    let token = service.get(&foreign, &path(&foreign, None)).await.expect(200);
    let foreign = token["continuationToken"].as_str().unwrap().to_owned();
    let own = service.get(&member, &path(&member, None)).await.expect(200);
    let own = own["continuationToken"].as_str().unwrap().to_owned();
    let altered = format!("{}{}", if own.starts_with('A') { "B" } else { "A" }, &own[1..]);
    // A token of another route of the same log.
    let feed = format!("/v1/organizations/{}/events/follow", member.key.organization_id);
    let feed = service.get(&member, &feed).await.expect(200);
    let feed = feed["token"].as_str().unwrap().to_owned();
    let mut details = Vec::new();
    for token in [foreign.as_str(), &altered, &feed, "x", "", "%00", &"A".repeat(5_000)] {
        let answer = service.get(&member, &path(&member, Some(token))).await;
        details.push(assert_problem(&answer, 400)["detail"].clone());
    }
    assert!(details.windows(2).all(|pair| pair[0] == pair[1]), "{details:?}");
}

#[tokio::test]
async fn problems_have_the_members_of_the_source() {
    let service = Service::new();
    let (_, [member, ..]) = service.tenant("Acme").await;
    let (other, _) = service.tenant("Other").await;
    let own = path(&member, None);
    assert_problem(&service.send(request(Method::GET, &own, None, None)).await, 401);
    let foreign = format!("/api/v1.0/organizations/{}/audit-trails", other.id);
    assert_problem(&service.get(&member, &foreign).await, 404);
    assert_problem(&service.get(&member, "/api/v1.0/organizations/x/audit-trails").await, 404);
    let answer = service.put(Method::DELETE, &member, &own, &json!({})).await;
    assert_problem(&answer, 405);
    assert_eq!(answer.header("allow"), "GET,HEAD");
}

#[tokio::test]
async fn nulls_are_printed_and_diff_values_can_be_any_json() {
    let service = Service::new();
    let (acme, [member, ..]) = service.tenant("Acme").await;
    let mut event = NewEvent::new("a.b", Actor::system());
    for (name, value) in [("n", json!(1)), ("l", json!([1, null])), ("o", json!({"x": {}}))] {
        event.change = event.change.field(name, Some(value), None);
    }
    event.change = event.change.field("none", None, None);
    service.store.record(acme.id, event).await.unwrap();
    let body = service.get(&member, &path(&member, None)).await.expect(200);
    let record = body["responseData"].as_array().unwrap().last().unwrap();
    assert_eq!(record["diff"][2], json!({"prop": "o", "oldVal": {"x": {}}, "newVal": null}));
    assert_eq!(record["diff"][3], json!({"prop": "none", "oldVal": null, "newVal": null}));
    for name in ["contractedEntity", "contractedEntityId", "oldValue", "newValue"] {
        assert_eq!(record.get(name), Some(&Value::Null), "{name}");
    }
    assert_eq!(record["message"]["logMessageKey"], Value::Null);
}
