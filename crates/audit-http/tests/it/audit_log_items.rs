//! Contract B over HTTP: the source's sample, filters and status codes, and our additions.

use std::time::Duration;

use crate::common::{Key, Service, resolve};
use audit_contracts::audit_log_items::{AuditLogItem, AuditLogType};
use audit_core::{Actor, AuditStore as _, AuditStoreExt as _, NewEvent, Scope, Timestamp, json};
use audit_http::HttpOptions;
use serde_json::{Value, json};

const SAMPLE: &str = r#"{"auditLogId":0,"auditLogDateTime":"2024-07-29T15:51:28.071Z","auditLogTypeEnum":"productCreated","changeSetId":"3fa85f64-5717-4562-b3fc-2c963f66afa6","truncated":true,"auditLogType":"string","userEmail":"string","userName":"string","where":"string","why":"string","actionTarget":"string","details":"string"}"#;

async fn list(service: &Service, key: &Key, query: &str) -> Vec<Value> {
    let path = format!("/v1/organizations/{}/auditlogs?{query}", key.key.organization_id);
    let answer = service.get(key, &path).await;
    answer.expect(200).as_array().expect("a bare array").clone()
}

#[tokio::test]
async fn the_sample_comes_back_byte_for_byte() {
    let service = Service::new();
    let (acme, [member, ..]) = service.tenant("Acme").await;
    let item: AuditLogItem = json::from_slice(SAMPLE.as_bytes()).unwrap();
    service.store.record(acme.id, item.try_into().unwrap()).await.unwrap();
    let path = format!(
        "/v1/organizations/{}/auditlogs?fromUtcDateTime=2024-07-29T00:00:00Z&toUtcDateTime=2024-07-30T00:00:00Z",
        acme.id
    );
    let answer = service.get(&member, &path).await;
    assert_eq!(String::from_utf8(answer.body).unwrap(), format!("[{SAMPLE}]"));
}

#[tokio::test]
async fn every_key_is_printed_and_nulls_are_null() {
    let service = Service::new();
    let (acme, [member, ..]) = service.tenant("Acme").await;
    service.store.record(acme.id, NewEvent::new("productCreated", Actor::unknown())).await.unwrap();
    let items = list(&service, &member, "auditLogType=productCreated").await;
    let mut item = items[0].clone();
    assert!(item["auditLogDateTime"].as_str().unwrap().len() == "2024-07-29T15:51:28.071Z".len());
    item["auditLogDateTime"] = Value::Null;
    let expected = json!({
        "auditLogId": 5, "auditLogDateTime": null, "auditLogTypeEnum": "productCreated",
        "changeSetId": null, "truncated": false, "auditLogType": null, "userEmail": null,
        "userName": null, "where": null, "why": null, "actionTarget": null, "details": null,
    });
    assert_eq!(item, expected);
}

#[tokio::test]
async fn each_of_the_87_types_and_an_unknown_one_can_be_filtered() {
    let service = Service::with_options(HttpOptions::default().with_rate_limit(10_000));
    let (acme, [member, ..]) = service.tenant("Acme").await;
    let mut types: Vec<String> = AuditLogType::KNOWN.iter().map(ToString::to_string).collect();
    assert_eq!(types.len(), 87);
    types.push("aTypeOfNextYear".into());
    let events = types.iter().map(|kind| NewEvent::new(kind.clone(), Actor::user("u"))).collect();
    service.store.append(acme.id.into(), events).await.unwrap();
    for kind in types {
        let items = list(&service, &member, &format!("auditLogType={kind}")).await;
        assert_eq!(items.len(), 1, "{kind}");
        assert_eq!(items[0]["auditLogTypeEnum"], kind);
    }
}

#[tokio::test]
async fn the_filters_combine() {
    let service = Service::new();
    let (acme, [member, ..]) = service.tenant("Acme").await;
    let id = |n: u128| uuid::Uuid::from_u128(n).to_string();
    for (product, config, environment) in [(1, 2, 3), (1, 2, 4), (1, 5, 3), (6, 2, 3)] {
        let scope =
            Scope::default().product(id(product)).config(id(config)).environment(id(environment));
        let event = NewEvent::new("settingChanged", Actor::user("u")).scope(scope);
        service.store.record(acme.id, event).await.unwrap();
    }
    for (query, count) in [
        (format!("productId={}", id(1)), 3),
        (format!("configId={}", id(2)), 3),
        (format!("environmentId={}", id(3)), 3),
        (format!("productId={}&configId={}", id(1), id(2)), 2),
        (format!("productId={}&configId={}&environmentId={}", id(1), id(2), id(3)), 1),
        (format!("productId={}", id(7)), 0),
    ] {
        assert_eq!(list(&service, &member, &query).await.len(), count, "{query}");
    }
}

#[tokio::test]
async fn the_default_range_is_a_week_and_the_longest_is_30_days() {
    let service = Service::new();
    let (acme, [member, ..]) = service.tenant("Acme").await;
    let day = Duration::from_secs(86_400);
    for days in [1, 6, 8, 29] {
        let at = Timestamp::now().saturating_sub(days * day);
        let event = NewEvent::new("tagAdded", Actor::user("u")).occurred_at(at);
        service.store.record(acme.id, event).await.unwrap();
    }
    assert_eq!(list(&service, &member, "auditLogType=tagAdded").await.len(), 2);
    let from = Timestamp::now().saturating_sub(Duration::from_secs(30 * 86_400 - 60));
    let query = format!("auditLogType=tagAdded&fromUtcDateTime={from}");
    assert_eq!(list(&service, &member, &query).await.len(), 4);

    let path = format!("/v1/organizations/{}/auditlogs", acme.id);
    for (query, named) in [
        ("fromUtcDateTime=2024-01-01T00:00:00Z&toUtcDateTime=2024-01-31T00:00:00.001Z", "30 days"),
        ("fromUtcDateTime=2024-01-01T00:00:00Z", "30 days"),
        (
            "fromUtcDateTime=2024-01-02T00:00:00Z&toUtcDateTime=2024-01-01T00:00:00Z",
            "toUtcDateTime",
        ),
        ("fromUtcDateTime=x", "fromUtcDateTime"),
        ("productId=x", "productId"),
        ("configId=3fa85f6457174562b3fc2c963f66afa6", "configId"),
        ("environmentId=", "environmentId"),
        ("auditLogType=", "auditLogType"),
        ("token=x", "token"),
    ] {
        let answer = service.get(&member, &format!("{path}?{query}")).await;
        let problem = answer.expect(400);
        assert_eq!(answer.header("content-type"), "application/problem+json");
        assert!(problem["detail"].as_str().unwrap().contains(named), "{query}: {problem}");
    }
}

#[tokio::test]
async fn a_response_is_bounded_and_links_to_the_next() {
    let service = Service::new();
    let (acme, [member, ..]) = service.tenant("Acme").await;
    let events =
        (0..2_500).map(|n| NewEvent::new("tagAdded", Actor::user(n.to_string()))).collect();
    service.store.append(acme.id.into(), events).await.unwrap();
    let mut path = format!("/v1/organizations/{}/auditlogs?auditLogType=tagAdded", acme.id);
    let mut sizes = Vec::new();
    let mut ids = std::collections::BTreeSet::new();
    loop {
        let answer = service.get(&member, &path).await;
        let items = answer.expect(200);
        sizes.push(items.as_array().unwrap().len());
        ids.extend(items.as_array().unwrap().iter().map(|i| i["auditLogId"].as_i64().unwrap()));
        let Some(link) = answer.headers.get("link") else { break };
        let link = link.to_str().unwrap();
        let (target, relation) = link.split_once("; ").unwrap();
        assert_eq!(relation, "rel=\"next\"");
        path = resolve(&path, target.trim_matches(['<', '>']));
    }
    assert_eq!((sizes, ids.len()), (vec![1_000, 1_000, 500], 2_500));
}

#[tokio::test]
async fn too_many_requests_are_429_with_the_headers_of_the_source() {
    let service = Service::with_options(HttpOptions::default().with_rate_limit(2));
    let (acme, [member, admin, _]) = service.tenant("Acme").await;
    let path = format!("/v1/organizations/{}/auditlogs", acme.id);
    for left in ["1", "0"] {
        let answer = service.get(&member, &path).await;
        answer.expect(200);
        assert_eq!(answer.header("x-rate-limit-remaining"), left);
        assert_eq!(answer.header("x-rate-limit-reset"), "1");
    }
    let refused = service.get(&member, &path).await;
    assert_eq!(refused.expect(429)["title"], "Too Many Requests");
    assert_eq!(refused.header("retry-after"), "1");
    assert_eq!(refused.header("x-rate-limit-remaining"), "0");
    service.get(&admin, &path).await.expect(200); // the limit is that of each key
}

#[tokio::test]
async fn a_foreign_organization_is_not_found() {
    let service = Service::new();
    let (_, [member, ..]) = service.tenant("Acme").await;
    let (other, _) = service.tenant("Other").await;
    let answer = service.get(&member, &format!("/v1/organizations/{}/auditlogs", other.id)).await;
    assert_eq!(answer.expect(404)["status"], 404);
    service.get(&member, "/v1/organizations/acme/auditlogs").await.expect(404);
}
