//! No route shows a row of another tenant. The routes are read from the description, so that every
//! new route is tested.

use crate::common::{Key, Service, by, description, request};
use audit_core::{Actor, AuditStore as _, NewEvent, OrganizationId, Role, TenantStore as _};
use audit_http::HttpOptions;
use axum::body::Body;
use axum::http::Method;
use futures_util::StreamExt as _;
use serde_json::{Value, json};

/// A text that occurs only in the rows of the other tenant.
const MARK: &str = "secret-of-the-other";
const PUBLIC: [&str; 2] = ["/healthz", "/readyz"];

/// Returns the method, path and operation of every route.
fn routes() -> Vec<(Method, String, Value)> {
    let api = description();
    let paths = api["paths"].as_object().unwrap().clone();
    let routes = paths.into_iter().flat_map(|(path, item)| {
        let item = item.as_object().unwrap().clone();
        item.into_iter().map(move |(method, operation)| {
            (method.to_uppercase().parse().unwrap(), path.clone(), operation)
        })
    });
    routes.collect()
}

struct Other {
    id: OrganizationId,
    event: String,
    tokens: Vec<String>,
}

/// Creates a tenant with [`MARK`] in every row. Returns its ids and tokens.
async fn other(service: &Service) -> Other {
    let (organization, [member, ..]) = service.tenant(MARK).await;
    let id = organization.id;
    let events = (0..150).map(|n| {
        NewEvent::new(format!("{MARK}.{n}"), Actor::user(MARK).email(MARK).name(MARK).ip(MARK))
            .target(MARK, MARK)
            .message(MARK)
    });
    let receipts = service.store.append(id.into(), events.collect()).await.unwrap();
    let mut tokens = Vec::new();
    for (path, name) in [
        (format!("/v1/organizations/{id}/activities?limit=1"), "nextCursor"),
        (format!("/api/v1.0/organizations/{id}/audit-trails"), "continuationToken"),
        (format!("/v1/organizations/{id}/events?limit=1"), "next"),
        (format!("/v1/organizations/{id}/events/follow?limit=1"), "token"),
    ] {
        let page = service.get(&member, &path).await.expect(200);
        tokens.push(page[name].as_str().unwrap().to_owned());
    }
    Other { id, event: receipts[0].id.to_string(), tokens }
}

/// Fills in the parameters of a path.
fn fill(path: &str, organization: OrganizationId, event: &str) -> String {
    path.replace("{organizationId}", &organization.to_string())
        .replace("{organizationGuid}", &organization.to_string())
        .replace("{eventId}", event)
        .replace("{activityId}", event)
}

/// Returns values for a query parameter, including the ids and tokens of the other tenant.
fn values(parameter: &Value, other: &Other) -> Vec<String> {
    match parameter["name"].as_str().unwrap() {
        "token" | "cursor" | "continuationToken" => other.tokens.clone(),
        "after" | "organization_id" | "namedOrganizationId" => vec![other.id.to_string()],
        "since" | "from_date" => vec!["2020-01-01T00:00:00Z".into()],
        _ => Vec::new(),
    }
}

async fn try_route(service: &Service, key: &Key, method: &Method, path: &str) -> Value {
    let body = json!({"name": "n", "action": "a", "actor": {"kind": "user"}});
    let has_body = matches!(*method, Method::POST | Method::PUT | Method::PATCH);
    let mut request = request(method.clone(), path, Some(key), has_body.then_some(&body));
    // A context of another organization selects nothing.
    request.headers_mut().insert("SlashID-OrgID", MARK_CONTEXT.parse().unwrap());
    let answer = service.send(request).await;
    let text = String::from_utf8_lossy(&answer.body);
    assert!(!text.contains(MARK), "{method} {path} shows a row of another tenant: {text}");
    assert_ne!(answer.status, 500, "{method} {path}: {text}");
    json!({"status": answer.status.as_u16(), "body": text})
}

const MARK_CONTEXT: &str = "af5fbd30-7ce7-4548-8b30-4cd59cb2aba1";

#[tokio::test]
async fn no_route_shows_another_tenants_rows() {
    let directory = tempfile::tempdir().unwrap();
    let options = HttpOptions::default().with_notary(crate::common::notary(&directory));
    let service = Service::with_options(options.with_rate_limit(1_000_000));
    let other = other(&service).await;
    let (own, keys) = service.tenant("Acme").await;
    let unknown = OrganizationId::new();
    let mut tried = 0;
    for (method, path, operation) in routes() {
        if method == Method::DELETE && path == "/api/organisation" {
            continue; // deletes the caller's own organization; then all routes are 404
        }
        for key in &keys[..2] {
            let foreign =
                try_route(&service, key, &method, &fill(&path, other.id, &other.event)).await;
            if path.contains("{organization") {
                // A foreign and an unknown organization get the same status.
                let missing =
                    try_route(&service, key, &method, &fill(&path, unknown, &other.event)).await;
                let status = if path.starts_with("/v1/platform") { 403 } else { 404 };
                assert_eq!(
                    (&foreign["status"], &missing["status"]),
                    (&json!(status), &json!(status)),
                    "{path}"
                );
            }
            // The own organization, with the events, ids and tokens of the other.
            let path = fill(&path, own.id, &other.event);
            let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
            for parameter in parameters.iter().filter(|parameter| parameter["in"] == "query") {
                for value in values(parameter, &other) {
                    let name = parameter["name"].as_str().unwrap();
                    try_route(&service, key, &method, &format!("{path}?{name}={value}")).await;
                    tried += 1;
                }
            }
            // Deletions are tested elsewhere, because they end this test.
            if method != Method::DELETE {
                let answer = try_route(&service, key, &method, &path).await;
                // Evidence does not contain it as text.
                assert!(!path.contains(&other.event) || answer["status"] != 200, "{path}");
            }
            tried += 2;
        }
    }
    assert!(tried > 150, "{tried}");
    assert!(
        service.store.organization(own.id).await.is_ok(),
        "the caller's organization was deleted"
    );
    let kept = service.store.organization(other.id).await.unwrap();
    assert_eq!(kept.name, MARK, "the other organization was changed");
    let size = service.store.head(other.id.into()).await.unwrap().size.get();
    assert_eq!(size, 154, "an event was appended to the log of the other");
}

#[tokio::test]
async fn every_route_except_the_public_ones_requires_a_key() {
    let service = Service::new();
    let (own, _) = service.tenant("Acme").await;
    for (method, path, _) in routes() {
        let filled = fill(&path, own.id, "x");
        let answer = service.send(request(method.clone(), &filled, None, None)).await;
        let is_public = PUBLIC.contains(&path.as_str());
        assert_eq!(answer.status == 401, !is_public, "{method} {path}: {}", answer.status);
    }
}

#[tokio::test]
async fn each_read_of_another_tenant_by_a_super_admin_is_recorded() {
    let service = Service::new();
    let other = other(&service).await;
    let (own, [.., root]) = service.tenant("Acme").await;
    let requests = async || {
        let path = "/v1/platform/events?action=super_admin.request&total=true";
        service.get(&root, path).await.expect(200)
    };
    service.get(&root, &format!("/v1/organizations/{}/events", own.id)).await.expect(200);
    assert_eq!(requests().await["total"], 0, "a read of one's own log is not recorded");
    let path = format!("/v1/organizations/{}/events", other.id);
    service.get(&root, &format!("{path}?limit=3")).await.expect(200);
    let seen = requests().await;
    assert_eq!(seen["total"], 1);
    let event = &seen["events"][0];
    assert_eq!(event["request"], json!({"method": "GET", "path": path}));
    assert_eq!(event["organization"], json!({"id": other.id, "name": MARK}));
    assert_eq!(event["actor"]["id"], root.key.id.to_string());
    // The contracts are for the key's own organization, whatever its role.
    service.get(&root, &format!("/v1/organizations/{}", other.id)).await.expect(404);
    let unknown = OrganizationId::new();
    service.get(&root, &format!("/v1/organizations/{unknown}/events")).await.expect(404);
    assert_eq!(requests().await["total"], 1);
}

#[tokio::test]
async fn a_revoked_key_is_rejected_and_a_role_cannot_be_raised() {
    let service = Service::new();
    let (own, keys) = service.tenant("Acme").await;
    assert_eq!(keys[0].key.role, Role::Member);
    let path = format!("/v1/organizations/{}/events", own.id);
    let event = json!({"action": "a", "actor": {"kind": "user"}});
    service.post(&keys[0], &path, &event).await.expect(403);
    service.post(&keys[1], &path, &event).await.expect(201);
    service.post(&keys[1], "/v1/platform/events", &event).await.expect(403);
    service.store_revoke(&keys[1]).await;
    service.post(&keys[1], &path, &event).await.expect(401);
}

#[tokio::test]
async fn a_body_or_a_wait_that_ends_after_a_revocation_is_rejected() {
    for deletes in [false, true] {
        let service = Service::new();
        let (acme, [member, admin, _]) = service.tenant("Acme").await;
        let (status, size) = if deletes { (404, 5) } else { (401, 6) };
        let event = br#"{"action": "late", "actor": {"kind": "user"}}"#;
        let (store, id) = (service.store.clone(), acme.id);
        let revoked = [admin.key.id, member.key.id];
        let rest = async move {
            tokio::task::yield_now().await; // as if the rest of the body came later
            if deletes {
                store.delete_organization(id, by()).await.unwrap();
            } else {
                for key in revoked {
                    store.revoke_api_key(key, by()).await.unwrap();
                }
            }
            Ok::<_, std::convert::Infallible>(&event[20..])
        };
        let body = futures_util::stream::iter([Ok(&event[..20])]);
        let body = body.chain(futures_util::stream::once(rest));
        let path = format!("/v1/organizations/{}/events", acme.id);
        let mut request = request(Method::POST, &path, Some(&admin), Some(&json!({})));
        *request.body_mut() = Body::from_stream(body);
        let follow = format!("{path}/follow?start=now&wait=8");
        let (waited, sent) = tokio::join!(service.get(&member, &follow), service.send(request));
        sent.expect(status);
        waited.expect(status);
        let log = service.store.head(acme.id.into()).await.unwrap();
        assert_eq!(log.size.get(), size, "nothing was appended by a revoked key");
    }
}
