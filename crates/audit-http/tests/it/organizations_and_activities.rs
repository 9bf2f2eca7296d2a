//! Contract A over HTTP: the source's samples and status codes, and our additions.

use crate::common::{Service, request};
use audit_contracts::organizations_and_activities::Activity;
use audit_core::{Actor, ActorKind, AuditStore as _, AuditStoreExt as _, NewEvent, json};
use axum::http::{Method, header};
use serde_json::json;
use uuid::Uuid;

fn keys(value: &serde_json::Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

#[tokio::test]
async fn the_organization_of_the_key_is_listed_and_shown() {
    let service = Service::new();
    let (acme, [member, ..]) = service.tenant("Acme").await;
    service.organization("Other").await;
    let list = service.get(&member, "/v1/organizations").await;
    assert_eq!(list.header("content-type"), "application/json");
    let list = list.expect(200);
    assert_eq!(keys(&list), ["requestId", "result", "status"]);
    let path = format!("/v1/organizations/{}", acme.id);
    let details = service.get(&member, &path).await.expect(200);
    assert_eq!(list["result"], json!([details["result"]]));
    let organization = &details["result"];
    assert_eq!(keys(organization), ["createdAt", "id", "name", "privateEndpoints"]);
    assert_eq!(organization["id"], acme.id.to_string());
    assert_eq!(organization["name"], "Acme");
    assert_eq!(organization["privateEndpoints"], json!([]));
    assert!(organization["createdAt"].as_str().unwrap().ends_with('Z'));
    assert!(Uuid::try_parse(details["requestId"].as_str().unwrap()).is_ok());
}

#[tokio::test]
async fn foreign_and_unknown_organizations_get_the_same_response() {
    let service = Service::new();
    let (_, [_, admin, _]) = service.tenant("Acme").await;
    let (other, _) = service.tenant("Other").await;
    let mut answers = Vec::new();
    for id in [other.id.to_string(), Uuid::now_v7().to_string()] {
        for (method, below) in [
            (Method::GET, ""),
            (Method::PATCH, ""),
            (Method::GET, "/activities"),
            (Method::GET, "/activities/x"),
        ] {
            let path = format!("/v1/organizations/{id}{below}");
            let answer = service.put(method, &admin, &path, &json!({"name": "Mine"})).await;
            let mut body = answer.expect(404);
            assert_eq!(keys(&body), ["error", "requestId", "status"]);
            body.as_object_mut().unwrap().remove("requestId");
            answers.push(body);
        }
    }
    assert!(answers.windows(2).all(|pair| pair[0] == pair[1]), "{answers:?}");
}

#[tokio::test]
async fn an_admin_patches_the_name_and_the_endpoints() {
    let service = Service::new();
    let (acme, [member, admin, _]) = service.tenant("Acme").await;
    let path = format!("/v1/organizations/{}", acme.id);
    let refused = service.put(Method::PATCH, &member, &path, &json!({"name": "Mine"})).await;
    assert_eq!(refused.expect(403)["status"], 403);

    let endpoint = |id: &str, region: &str| json!({"id": id, "description": "d", "cloudProvider": "aws", "region": region});
    let body = json!({"name": "Acme Corp", "privateEndpoints": {"add": [endpoint("a", "eu"), endpoint("b", "us")]}});
    let answer = service.put(Method::PATCH, &admin, &path, &body).await.expect(200);
    assert_eq!(answer["result"]["name"], "Acme Corp");
    assert_eq!(
        answer["result"]["privateEndpoints"],
        json!([endpoint("a", "eu"), endpoint("b", "us")])
    );

    let body = json!({"privateEndpoints": {"remove": [{"id": "a"}], "add": [endpoint("a", "ap")]}});
    let answer = service.put(Method::PATCH, &admin, &path, &body).await.expect(200);
    assert_eq!(answer["result"]["name"], "Acme Corp");
    assert_eq!(
        answer["result"]["privateEndpoints"],
        json!([endpoint("b", "us"), endpoint("a", "ap")])
    );

    for (body, field) in [
        (json!({"name": ""}), "name"),
        (json!({"name": null}), "name"),
        (json!({"name": "x".repeat(1_025)}), "name"),
        (json!({"owner": "x"}), "owner"),
        (json!({"privateEndpoints": []}), "privateEndpoints"),
        (json!({"privateEndpoints": {"remove": [{"id": ""}]}}), "privateEndpoints.remove"),
        (json!([]), "invalid type"),
        (json!({"privateEndpoints": {"add": [{"id": ""}]}}), "privateEndpoints"),
    ] {
        let answer = service.put(Method::PATCH, &admin, &path, &body).await.expect(400);
        assert!(answer["error"].as_str().unwrap().contains(field), "{answer}");
    }
}

#[tokio::test]
async fn activities_are_filtered_by_date_and_paged() {
    let service = Service::new();
    let (acme, [member, ..]) = service.tenant("Acme").await;
    let sample = br#"{"id": "string", "createdAt": "2024-03-15T10:00:00Z", "type": "string",
        "actorType": "user", "actorId": "string", "actorDetails": "string",
        "actorIpAddress": "string", "organizationId": "string", "serviceId": "string"}"#;
    let sample: Activity = json::from_slice(sample).unwrap();
    service.store.record(acme.id, sample.clone().try_into().unwrap()).await.unwrap();
    let at = |hour: u32| format!("2024-03-15T{hour:02}:00:00Z").parse().unwrap();
    let system = Actor::new(ActorKind::SYSTEM).id("s").ip("10.0.0.1");
    for hour in 11..14 {
        let event = NewEvent::new("service.started", system.clone()).occurred_at(at(hour));
        service.store.record(acme.id, event).await.unwrap();
    }
    let path = format!("/v1/organizations/{}/activities", acme.id);
    let one = service.get(&member, &format!("{path}/string")).await.expect(200);
    assert_eq!(one["result"], serde_json::to_value(&sample).unwrap());

    let dated =
        format!("{path}?from_date=2024-03-15T10:00:00Z&to_date=2024-03-15T14:00:00%2B01:00");
    let list = service.get(&member, &dated).await.expect(200);
    assert_eq!(list.get("nextCursor"), None, "{list}");
    let types = |list: &serde_json::Value| -> Vec<String> {
        let list = list["result"].as_array().unwrap();
        list.iter().map(|a| a["createdAt"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(
        types(&list),
        ["2024-03-15T12:00:00Z", "2024-03-15T11:00:00Z", "2024-03-15T10:00:00Z"]
    );
    assert_eq!(
        list["result"][0].get("actorIpAddress"),
        None,
        "only `user` and `api` have an address"
    );
    assert_eq!(list["result"][0]["organizationId"], acme.id.to_string());

    for (dates, count) in [
        ("from_date=2024-03-15&to_date=2024-03-15", 4),
        ("from_date=2024-03-16&to_date=2024-03-17", 0),
        ("to_date=2024-03-14", 0),
    ] {
        let day = service.get(&member, &format!("{path}?{dates}")).await.expect(200);
        assert_eq!(types(&day).len(), count, "{dates}");
    }

    let (mut seen, mut next) = (Vec::new(), String::new());
    loop {
        let page = service.get(&member, &format!("{dated}&limit=1{next}")).await.expect(200);
        seen.extend(types(&page));
        match page.get("nextCursor") {
            Some(cursor) => next = format!("&cursor={}", cursor.as_str().unwrap()),
            None => break,
        }
    }
    assert_eq!(seen, types(&list));
    assert!(!next.is_empty());
    for (query, named) in [
        ("from_date=yesterday", "from_date"),
        ("to_date=2024-03-15T12", "to_date"),
        ("from_date=2024-03-16&to_date=2024-03-15", "to_date"),
        ("from_date=2024-03-16T00:00:00Z&to_date=2024-03-15T00:00:00Z", "to_date"),
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("limit=5&limit=6", "limit"),
        ("cursor=AAAA", "cursor"),
        (&next[1..], "cursor"),
    ] {
        let answer = service.get(&member, &format!("{path}?{query}")).await.expect(400);
        assert_eq!(keys(&answer), ["error", "requestId", "status"]);
        assert!(answer["error"].as_str().unwrap().contains(named), "{query}: {answer}");
    }
}

#[tokio::test]
async fn an_activity_of_another_organization_is_not_found() {
    let service = Service::new();
    let (acme, [member, ..]) = service.tenant("Acme").await;
    let (other, _) = service.tenant("Other").await;
    let foreign = service
        .store
        .scan(audit_core::Scan::new(other.id).order(audit_core::Order::Sequence).limit(1));
    let foreign = foreign.await.unwrap().events.remove(0).id;
    let path = format!("/v1/organizations/{}/activities/{foreign}", acme.id);
    service.get(&member, &path).await.expect(404);
}

#[tokio::test]
async fn without_a_valid_key_the_response_is_401_in_the_sources_envelope() {
    let service = Service::new();
    let (_, [member, ..]) = service.tenant("Acme").await;
    service.store_revoke(&member).await;
    let mut wrong = member.clone();
    wrong.secret = audit_core::ApiKeySecret::new("audit_x");
    for key in [None, Some(&member), Some(&wrong)] {
        let answer = service.send(request(Method::GET, "/v1/organizations", key, None)).await;
        let body = answer.expect(401);
        assert_eq!(keys(&body), ["error", "requestId", "status"]);
        assert!(answer.header("www-authenticate").starts_with("Basic"));
    }
}

#[tokio::test]
async fn basic_and_bearer_are_the_same_key() {
    let service = Service::new();
    let (_, [member, ..]) = service.tenant("Acme").await;
    for value in [
        member.basic(),
        member.bearer(),
        format!("Bearer {}:{}", member.key.id, member.secret.expose()),
    ] {
        let mut request = request(Method::GET, "/v1/organizations", None, None);
        request.headers_mut().insert(header::AUTHORIZATION, value.parse().unwrap());
        service.send(request).await.expect(200);
    }
}

#[tokio::test]
async fn a_request_id_of_the_client_is_kept_if_it_is_a_uuid() {
    let service = Service::new();
    let (_, [member, ..]) = service.tenant("Acme").await;
    let given = Uuid::now_v7().to_string();
    for (sent, kept) in [(given.as_str(), true), ("not-a-uuid", false)] {
        let mut request = request(Method::GET, "/v1/organizations", Some(&member), None);
        request.headers_mut().insert("x-request-id", sent.parse().unwrap());
        let answer = service.send(request).await;
        let id = answer.expect(200)["requestId"].as_str().unwrap().to_owned();
        assert_eq!(answer.header("x-request-id"), id);
        assert_eq!(id == sent, kept);
    }
}
