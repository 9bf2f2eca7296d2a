//! A service whose organizations are not in the store: the router trusts its authenticator.

use audit_core::{Actor, OrganizationId, Role};
use audit_http::{Authenticator, Contract, HttpOptions, Principal};
use audit_memory::MemoryStore;
use axum::Router;
use axum::extract::Request;
use axum::http::Method;
use axum::http::request::Parts;
use axum::middleware::{self, Next};
use serde_json::{Value, json};

use crate::common::{Answer, Service, request};

/// A user that the middleware of the service has logged in.
#[derive(Clone, Copy, Debug)]
struct User {
    organization: Option<OrganizationId>,
    role: Role,
}

/// Takes the user from the request's extensions.
#[derive(Debug)]
struct Session;

#[async_trait::async_trait]
impl Authenticator for Session {
    async fn authenticate(&self, parts: &Parts) -> audit_core::Result<Option<Principal>> {
        Ok(parts.extensions.get::<User>().map(|user| {
            let mut principal = Principal::new("u_1", user.role, Actor::user("u_1"));
            principal.organization_id = user.organization;
            principal
        }))
    }
}

fn service(options: HttpOptions) -> Service {
    let store = MemoryStore::new().unwrap();
    let router = audit_http::router(store.clone(), Session, options);
    Service { store, router }
}

async fn send(
    service: &Service,
    user: Option<User>,
    method: Method,
    path: &str,
    body: Option<&Value>,
) -> Answer {
    let router = service.router.clone();
    let login = middleware::from_fn(move |mut request: Request, next: Next| async move {
        if let Some(user) = user {
            request.extensions_mut().insert(user);
        }
        next.run(request).await
    });
    let router = Router::new().nest("/audit", router).layer(login);
    let service = Service { store: service.store.clone(), router };
    let mut request = request(method, path, None, body);
    let context = "af5fbd30-7ce7-4548-8b30-4cd59cb2aba1";
    request.headers_mut().insert("SlashID-OrgID", context.parse().unwrap());
    service.send(request).await
}

#[tokio::test]
async fn logs_of_organizations_outside_the_store_are_served() {
    let service = service(HttpOptions::default().with_contracts(Contract::ALL));
    let id = OrganizationId::new();
    let user = Some(User { organization: Some(id), role: Role::Admin });
    let base = format!("/audit/v1/organizations/{id}");
    let event = json!({"action": "invoice.paid", "actor": {"kind": "user", "id": "u_1"}});
    let path = format!("{base}/events");
    let receipt = send(&service, user, Method::POST, &path, Some(&event)).await.expect(201);
    for (path, at) in [
        (path.clone(), "/events/0/action"),
        (format!("{base}/events/follow"), "/events/0/action"),
        (format!("{base}/activities"), "/result/0/type"),
        (format!("{base}/auditlogs"), "/0/auditLogTypeEnum"),
        (format!("/audit/api/v1.0/organizations/{id}/audit-trails"), "/responseData/0/auditEntity"),
        ("/audit/api/audit-logs".to_owned(), "/data/0/action"),
    ] {
        let page = send(&service, user, Method::GET, &path, None).await.expect(200);
        let action = page.pointer(at).unwrap().as_str().unwrap();
        assert!(action.starts_with("invoice"), "{path}: {page}");
    }
    let path = format!("{base}/activities/{}", receipt["id"].as_str().unwrap());
    send(&service, user, Method::GET, &path, None).await.expect(200);
    // Without a login, and for another organization, the requests are rejected.
    let events = format!("{base}/events");
    send(&service, None, Method::GET, &events, None).await.expect(401);
    for organization in [Some(OrganizationId::new()), None] {
        let other = Some(User { organization, role: Role::Admin });
        for path in [events.as_str(), &format!("{base}/auditlogs"), &path] {
            send(&service, other, Method::GET, path, None).await.expect(404);
        }
        send(&service, other, Method::POST, &events, Some(&event)).await.expect(404);
    }
}

#[tokio::test]
async fn a_super_admin_without_an_organization_reads_any_log_and_is_recorded() {
    let service = service(HttpOptions::default());
    let id = OrganizationId::new();
    let admin = Some(User { organization: Some(id), role: Role::Admin });
    let path = format!("/audit/v1/organizations/{id}/events");
    let event = json!({"action": "a", "actor": {"kind": "user"}});
    send(&service, admin, Method::POST, &path, Some(&event)).await.expect(201);
    let root = Some(User { organization: None, role: Role::SuperAdmin });
    send(&service, root, Method::GET, &path, None).await.expect(200);
    let platform = "/audit/v1/platform/events";
    let seen = send(&service, root, Method::GET, platform, None).await.expect(200);
    assert_eq!(seen["events"][0]["request"]["path"], path.as_str());
    assert_eq!(seen["events"].as_array().unwrap().len(), 1);
    send(&service, admin, Method::GET, platform, None).await.expect(403);
    let unknown = format!("/audit/v1/organizations/{}/events", OrganizationId::new());
    send(&service, root, Method::GET, &unknown, None).await.expect(404);
    send(&service, root, Method::POST, &path, Some(&event)).await.expect(404);
}

#[tokio::test]
async fn contracts_and_organizations_are_mounted_only_by_option() {
    let id = OrganizationId::new();
    let user = Some(User { organization: Some(id), role: Role::SuperAdmin });
    let lists = [
        (Contract::OrganizationsAndActivities, format!("/v1/organizations/{id}/activities")),
        (Contract::AuditLogItems, format!("/v1/organizations/{id}/auditlogs")),
        (Contract::AuditTrails, format!("/api/v1.0/organizations/{id}/audit-trails")),
        (Contract::OrganisationAuditLogs, "/api/audit-logs".to_owned()),
        (Contract::SuperAdminAuditLogs, "/super-admins/audit-logs".to_owned()),
    ];
    let organizations = ["/v1/organizations", "/api/organisations", "/v1/platform/organizations"];
    let mounted = Contract::ALL.into_iter().map(|contract| vec![contract]);
    for contracts in mounted.chain([Vec::new()]) {
        let service = service(HttpOptions::default().with_contracts(contracts.clone()));
        for (contract, path) in &lists {
            let answer = send(&service, user, Method::GET, &format!("/audit{path}"), None).await;
            let status = if contracts.contains(contract) { 200 } else { 404 };
            assert_eq!(answer.status.as_u16(), status, "{path} with {contracts:?}");
        }
        for path in organizations {
            send(&service, user, Method::GET, &format!("/audit{path}"), None).await.expect(404);
        }
        send(&service, user, Method::GET, "/audit/v1/platform/events", None).await.expect(200);
    }
}
