//! Contract E over HTTP: the source's sample, its two bodies, offsets and exact totals.

use crate::common::{Answer, Key, Service, request};
use audit_contracts::super_admin_audit_logs::AuditLog;
use audit_core::{
    Actor, AuditStore as _, AuditStoreExt as _, Log, NewEvent, OrganizationRef, json,
};
use axum::http::Method;
use serde_json::{Value, json};

const CONTEXT: &str = "af5fbd30-7ce7-4548-8b30-4cd59cb2aba1";
const SAMPLE: &str = r#"{"audit_id":"3fa85f64-5717-4562-b3fc-2c963f66afa6","super_admin":{"entity_class":"unknown","entity_id":"string","identifier":"string"},"request_method":"string","request_path":"string","organization_id":"string","organization_name":"string","metadata":{},"created_at":"2005-12-24T18:29:30.033157Z"}"#;

async fn list(service: &Service, key: Option<&Key>, query: &str, context: Option<&str>) -> Answer {
    let path = format!("/super-admins/audit-logs?{query}");
    let mut request = request(Method::GET, &path, key, None);
    if let Some(context) = context {
        request.headers_mut().insert("SlashID-OrgID", context.parse().unwrap());
    }
    service.send(request).await
}

fn assert_refused(answer: &Answer, status: u16) {
    let body = answer.expect(status);
    let message = body["errors"][0]["message"].clone();
    assert!(message.as_str().is_some_and(|message| !message.is_empty()));
    let expected = json!({
        "meta": {"pagination": {"limit": 0, "offset": 0, "total_count": 0}},
        "errors": [{"httpcode": status, "message": message}],
    });
    assert_eq!(body, expected, "the same body without `result`");
}

#[tokio::test]
async fn the_sample_comes_back_byte_for_byte() {
    let service = Service::new();
    let (_, [.., admin]) = service.tenant("Acme").await;
    let log: AuditLog = json::from_slice(SAMPLE.as_bytes()).unwrap();
    service.store.record(Log::Platform, log.try_into().unwrap()).await.unwrap();
    // The earliest entry is the last.
    let count = service.store.head(Log::Platform).await.unwrap().size.get();
    let query = format!("limit=7&offset={}", count - 1);
    let answer = list(&service, Some(&admin), &query, Some(CONTEXT)).await;
    let expected = format!(
        r#"{{"meta":{{"pagination":{{"limit":7,"offset":{},"total_count":{count}}}}},"errors":[],"result":[{SAMPLE}]}}"#,
        count - 1
    );
    assert_eq!(String::from_utf8(answer.body).unwrap(), expected);
}

#[tokio::test]
async fn the_role_super_admin_and_the_context_are_required() {
    let service = Service::new();
    let (_, [member, admin, super_admin]) = service.tenant("Acme").await;
    assert_refused(&list(&service, None, "", Some(CONTEXT)).await, 401);
    assert_refused(&list(&service, Some(&member), "", Some(CONTEXT)).await, 403);
    assert_refused(&list(&service, Some(&admin), "", Some(CONTEXT)).await, 403);
    assert_refused(&list(&service, Some(&super_admin), "", None).await, 400);
    assert_refused(&list(&service, Some(&super_admin), "", Some("acme")).await, 400);
    list(&service, Some(&super_admin), "", Some(CONTEXT)).await.expect(200);
}

#[tokio::test]
async fn the_filters_select_and_the_context_does_not() {
    let service = Service::new();
    let (acme, [.., admin]) = service.tenant("Acme").await;
    let (other, _) = service.tenant("Other").await;
    let total = async |query: &str, context: &str| {
        let answer = list(&service, Some(&admin), query, Some(context)).await.expect(200);
        answer["meta"]["pagination"]["total_count"].as_u64().unwrap()
    };
    let actor = Actor::user("root").email("root@platform.com");
    for organization in [&acme, &acme, &other] {
        let named = OrganizationRef::from(organization.id).name(&organization.name);
        let event = NewEvent::new("x", actor.clone()).organization(named);
        service.store.record(Log::Platform, event).await.unwrap();
    }
    let all = service.store.head(Log::Platform).await.unwrap().size.get();
    let (acme, other) = (acme.id.to_string(), other.id.to_string());
    assert_eq!(total("", &acme).await, all);
    assert_eq!(total("", &other).await, all);
    assert_eq!(total("super_admin_email=root@platform.com", &acme).await, 3);
    // The platform's log also has the events of the organization and its three keys.
    assert_eq!(total(&format!("organization_id={acme}"), &other).await, 2 + 4);
    let both =
        format!("organization_id={}&super_admin_email=root%40platform.com", acme.to_uppercase());
    assert_eq!(total(&both, &other).await, 2);
}

#[tokio::test]
async fn offsets_walk_to_the_exact_total() {
    let service = Service::new();
    let (_, [.., admin]) = service.tenant("Acme").await;
    let events = (0..2_345).map(|n| NewEvent::new("x", Actor::user(n.to_string())));
    service.store.append(Log::Platform, events.collect()).await.unwrap();
    let all = service.store.head(Log::Platform).await.unwrap().size.get();
    let mut ids = std::collections::HashSet::new();
    let mut offset = 0;
    loop {
        let query = format!("limit=1000&offset={offset}");
        let answer = list(&service, Some(&admin), &query, Some(CONTEXT)).await.expect(200);
        assert_eq!(
            answer["meta"]["pagination"],
            json!({"limit": 1000, "offset": offset, "total_count": all})
        );
        let rows = answer["result"].as_array().unwrap().clone();
        if rows.is_empty() {
            break;
        }
        offset += rows.len();
        ids.extend(rows.into_iter().map(|row| row["audit_id"].to_string()));
    }
    assert_eq!(ids.len() as u64, all);
}

#[tokio::test]
async fn parameters_out_of_range_are_400_in_the_same_envelope() {
    let service = Service::new();
    let (_, [.., admin]) = service.tenant("Acme").await;
    for query in [
        "limit=0",
        "limit=1001",
        "limit=1e2",
        "offset=-1",
        "offset=9223372036854775808",
        "super_admin_email=root",
        "super_admin_email=",
        "organization_id=acme",
        "organization_id=",
    ] {
        assert_refused(&list(&service, Some(&admin), query, Some(CONTEXT)).await, 400);
    }
    let far = list(&service, Some(&admin), "offset=9223372036854775807", Some(CONTEXT)).await;
    assert_eq!(far.expect(200)["result"], json!([]));
}

#[tokio::test]
async fn an_unknown_actor_is_null() {
    let service = Service::new();
    let (_, [.., admin]) = service.tenant("Acme").await;
    service.store.record(Log::Platform, NewEvent::new("x", Actor::unknown())).await.unwrap();
    let answer = list(&service, Some(&admin), "limit=1", Some(CONTEXT)).await.expect(200);
    assert_eq!(answer["result"][0].get("super_admin"), Some(&Value::Null));
}
