//! A store, a layer, and requests.

use audit_core::{
    Actor, AuditContext, AuditEvent, AuditStoreExt as _, EventQuery, Log, Order, OrganizationId,
};
use audit_memory::MemoryStore;
use audit_tower::AuditLayer;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Method, Request, Response};
use tower::ServiceExt as _;
use uuid::Uuid;

/// The tenant of every user.
pub(crate) const TENANT: OrganizationId = OrganizationId::from_uuid(Uuid::from_u128(7));

/// Returns a layer whose user is in a header.
pub(crate) fn layer(store: &MemoryStore) -> AuditLayer {
    AuditLayer::new(store.clone(), |parts| {
        let user = parts.headers.get("x-user")?.to_str().ok()?;
        Some(AuditContext::new(Actor::user(user)).log(TENANT))
    })
}

pub(crate) fn request(method: Method, path: &str) -> Request<Body> {
    let request = Request::builder().method(method).uri(path).header("x-user", "u_7");
    request.body(Body::empty()).unwrap()
}

/// Sends a request, and reads the response to its end.
pub(crate) async fn send(router: &Router, request: Request<Body>) -> Response<String> {
    let (parts, body) = router.clone().oneshot(request).await.unwrap().into_parts();
    let body = to_bytes(body, 1 << 20).await.unwrap();
    Response::from_parts(parts, String::from_utf8(body.to_vec()).unwrap())
}

/// Returns the events of a log, oldest first.
pub(crate) async fn events(store: &MemoryStore, log: impl Into<Log>) -> Vec<AuditEvent> {
    store.page(&EventQuery::new(log.into()).order(Order::Sequence)).await.unwrap().events
}

/// Returns the actions and results of the tenant's events, oldest first.
pub(crate) async fn outcomes(store: &MemoryStore) -> Vec<(String, String)> {
    let outcome = |event: AuditEvent| {
        let outcome = event.outcome.unwrap();
        let code = outcome.code.map(|code| format!(" {code}")).unwrap_or_default();
        (event.action.to_string(), format!("{}{code}", outcome.result))
    };
    events(store, TENANT).await.into_iter().map(outcome).collect()
}

/// Returns such a list from texts.
pub(crate) fn list(items: &[(&str, &str)]) -> Vec<(String, String)> {
    items.iter().map(|(action, outcome)| ((*action).to_owned(), (*outcome).to_owned())).collect()
}
