//! Contract D over HTTP: the lifecycle of an organization, and pages with exact totals.

use crate::common::Service;
use audit_contracts::organisation_audit_logs::AuditLog;
use audit_core::{
    Actor, AuditStore as _, AuditStoreExt as _, NewEvent, Scope, TenantStore as _, json,
};
use axum::http::Method;
use serde_json::{Value, json};

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

#[tokio::test]
async fn an_organization_is_created_read_changed_and_deleted() {
    let service = Service::new();
    let (acme, [member, admin, super_admin]) = service.tenant("Acme").await;
    let created = service.post(&admin, "/api/organisations", &json!({"name": "Acme Corp"})).await;
    let created = created.expect(201);
    assert_eq!(keys(&created), ["data"]);
    assert_eq!(keys(&created["data"]), ["createdAt", "createdBy", "id", "name", "updatedAt"]);
    assert!(created["data"]["id"].as_str().unwrap().starts_with("org_"));
    assert_eq!(created["data"]["createdBy"], "admin@acme.com");
    let time = created["data"]["createdAt"].as_str().unwrap();
    assert_eq!(time.len(), "2025-01-05T08:00:00Z".len());
    service.post(&member, "/api/organisations", &json!({"name": "X"})).await.expect(403);

    let current = service.get(&member, "/api/organisation").await.expect(200);
    let list = service.get(&member, "/api/organisations").await.expect(200);
    assert_eq!(list["data"], json!([current["data"]]));
    assert_eq!(current["data"]["name"], "Acme");

    let body = json!({"name": "Acme 2", "settings": {"theme": "dark"}});
    service.put(Method::PUT, &member, "/api/organisation", &body).await.expect(403);
    let updated = service.put(Method::PUT, &admin, "/api/organisation", &body).await.expect(200);
    assert_eq!(updated["data"]["name"], "Acme 2");
    assert_eq!(updated["data"].get("settings"), None, "settings are kept, and not printed");
    let kept = service.store.organization(acme.id).await.unwrap();
    assert_eq!(kept.settings["theme"], "dark");

    service.put(Method::DELETE, &member, "/api/organisation", &json!({})).await.expect(403);
    let answer = service.put(Method::DELETE, &admin, "/api/organisation", &json!({})).await;
    assert_eq!(answer.expect(204), Value::Null);
    let id = acme.id;
    for path in [
        "/api/organisation".to_owned(),
        "/api/audit-logs".to_owned(),
        format!("/v1/organizations/{id}"),
        format!("/v1/organizations/{id}/activities"),
        format!("/v1/organizations/{id}/auditlogs"),
        format!("/api/v1.0/organizations/{id}/audit-trails"),
        format!("/v1/organizations/{id}/events"),
    ] {
        service.get(&admin, &path).await.expect(404);
    }
    service.put(Method::DELETE, &admin, "/api/organisation", &json!({})).await.expect(404);
    service.get(&super_admin, "/api/organisations").await.expect(404);

    // The events stay, including that of the deletion.
    let (_, [.., operator]) = service.tenant("Operators").await;
    let path = format!("/v1/organizations/{id}/events?total=true&limit=1");
    let page = service.get(&operator, &path).await.expect(200);
    assert_eq!(page["events"][0]["action"], "organization.deleted");
    assert_eq!(page["events"][0]["actor"]["email"], "admin@acme.com");
    assert_eq!(page["total"], 6, "created, three keys, updated, deleted");
}

#[tokio::test]
async fn the_samples_come_back_with_page_and_exact_total() {
    let service = Service::new();
    let (acme, [member, ..]) = service.tenant("Acme").await;
    let samples = [
        r#"{"id":"log_001","action":"schedule.created","email":"admin@company.com","resourceUID":"sch_abc123","details":"Created schedule 'Business Hours'","createdAt":"2025-03-15T10:30:00Z"}"#,
        r#"{"id":"log_002","action":"team.member.added","email":"admin@company.com","resourceUID":"team_abc123","details":"Added engineer@company.com to team 'Platform Engineering'","createdAt":"2025-03-15T10:15:00Z"}"#,
    ];
    for sample in samples.iter().rev() {
        let log: AuditLog = json::from_slice(sample.as_bytes()).unwrap();
        service.store.record(acme.id, log.try_into().unwrap()).await.unwrap();
    }
    let path = "/api/audit-logs?email=admin@company.com&page=1&limit=10";
    let answer = service.get(&member, path).await;
    let expected = format!(
        r#"{{"data":[{},{}],"pagination":{{"page":1,"limit":10,"total":2}}}}"#,
        samples[0], samples[1]
    );
    assert_eq!(String::from_utf8(answer.body).unwrap(), expected);
    let own = service.get(&member, "/api/audit-logs?action=organization.created").await.expect(200);
    assert!(own["data"][0]["id"].as_str().unwrap().starts_with("log_"));
    assert_eq!(own["pagination"], json!({"page": 1, "limit": 50, "total": 1}));
}

#[tokio::test]
async fn scopes_are_a_union_and_pages_add_up_to_the_total() {
    let service = Service::new();
    let (acme, [member, ..]) = service.tenant("Acme").await;
    let scopes = ["platform", "scheduling", "cost", "provisioning", "deployment"];
    let events = (0..500).map(|n| {
        let scope = Scope::default().surface(scopes[n % 5]);
        NewEvent::new("a.b", Actor::user("u").email(format!("{}@x.com", n % 2))).scope(scope)
    });
    service.store.append(acme.id.into(), events.collect()).await.unwrap();
    for (query, total) in [
        ("include=cost", 100),
        ("include=cost,scheduling", 200),
        ("include=cost&include=scheduling", 200),
        ("include=cost,%20scheduling&include=cost", 200),
        ("include=platform&action=a.b", 100),
        // Four events are those of the organization and its keys.
        ("include=platform", 104),
        ("include=cost,scheduling&include=platform,deployment,provisioning", 504),
        ("include=cost&email=1@x.com", 50),
        ("include=nothing", 0),
        ("action=a.b", 500),
    ] {
        let answer = service.get(&member, &format!("/api/audit-logs?{query}")).await.expect(200);
        assert_eq!(answer["pagination"]["total"], total, "{query}");
    }
    let mut ids = std::collections::HashSet::new();
    for page in 1..=6 {
        let path = format!("/api/audit-logs?action=a.b&limit=99&page={page}");
        let answer = service.get(&member, &path).await.expect(200);
        assert_eq!(answer["pagination"], json!({"page": page, "limit": 99, "total": 500}));
        let rows = answer["data"].as_array().unwrap();
        assert_eq!(rows.len(), if page == 6 { 5 } else { 99 });
        assert!(
            rows.iter().all(|row| row.get("surface").is_none() && row.get("include").is_none())
        );
        ids.extend(rows.iter().map(|row| row["id"].as_str().unwrap().to_owned()));
    }
    assert_eq!(ids.len(), 500);
    let beyond = service.get(&member, "/api/audit-logs?page=100000000").await.expect(200);
    assert_eq!(beyond["data"], json!([]));
}

#[tokio::test]
async fn parameters_out_of_range_are_400() {
    let service = Service::new();
    let (_, [member, admin, _]) = service.tenant("Acme").await;
    for (query, named) in [
        ("page=0", "page"),
        ("page=-1", "page"),
        ("page=9223372036854775808", "page"),
        ("page=9223372036854775807", "page"),
        ("page=x", "page"),
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("include=", "include"),
        ("include=cost,,platform", "include"),
        ("email=", "email"),
        ("action=", "action"),
        ("action=a&action=b", "action"),
    ] {
        let answer = service.get(&member, &format!("/api/audit-logs?{query}")).await.expect(400);
        assert_eq!(keys(&answer), ["error"]);
        assert_eq!(keys(&answer["error"]), ["message"]);
        assert!(answer["error"]["message"].as_str().unwrap().contains(named), "{query}: {answer}");
    }
    for body in [
        json!({}),
        json!({"name": 7}),
        json!({"name": ""}),
        json!([]),
        json!({"name": "a", "x": 1}),
    ] {
        let answer = service.post(&admin, "/api/organisations", &body).await.expect(400);
        assert_eq!(keys(&answer), ["error"]);
    }
}

#[tokio::test]
async fn an_unknown_method_is_refused_in_the_same_form() {
    let service = Service::new();
    let (_, [member, ..]) = service.tenant("Acme").await;
    let answer = service.put(Method::PATCH, &member, "/api/organisation", &json!({})).await;
    assert_eq!(keys(&answer.expect(405)), ["error"]);
    assert_eq!(answer.header("content-type"), "application/json");
    assert!(answer.header("allow").contains("DELETE"));
}

#[tokio::test]
async fn the_scope_platform_has_the_events_of_organizations_and_keys() {
    let service = Service::new();
    let (_, [_, admin, _]) = service.tenant("Acme").await;
    let body = json!({"name": "Acme Corp"});
    service.put(Method::PUT, &admin, "/api/organisation", &body).await.expect(200);
    let event = json!({"action": "budget.changed", "actor": {"kind": "user"},
        "scope": {"surface": "cost"}});
    let path = format!("/v1/organizations/{}/events", admin.key.organization_id);
    service.post(&admin, &path, &event).await.expect(201);
    let page = service.get(&admin, "/api/audit-logs?include=platform").await.expect(200);
    let found = page["data"].as_array().unwrap().iter().map(|log| log["action"].as_str().unwrap());
    let found: Vec<_> = found.collect();
    assert_eq!(
        found,
        [
            "organization.updated",
            "api_key.created",
            "api_key.created",
            "api_key.created",
            "organization.created"
        ]
    );
    let page = service.get(&admin, "/api/audit-logs?include=platform,cost").await.expect(200);
    assert_eq!(page["pagination"]["total"], 6);
}
