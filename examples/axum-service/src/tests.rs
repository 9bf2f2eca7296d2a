//! The tests of the service: what it does, and that no route changes something without a trace.

// A test that cannot set itself up fails.
#![allow(clippy::unwrap_used)]

use audit_core::{Log, OrganizationId};
use audit_testing::{assert_audited, assert_not_audited};
use audit_tower::Coverage;
use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::database::Database;
use crate::{TENANTS, audit, router};

/// The routes of the service. One that publishes an OpenAPI description passes that.
const ROUTES: [(&str, &str); 7] = [
    ("GET", "/customers"),
    ("POST", "/customers"),
    ("PUT", "/customers/{id}"),
    ("DELETE", "/customers/{id}"),
    ("POST", "/customers/{id}/remind"),
    ("GET", "/export"),
    ("GET", "/history"),
];

async fn send(router: &Router, user: &str, method: &str, path: &str, body: Value) -> StatusCode {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(header::AUTHORIZATION, format!("Bearer {user}"))
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from(body.to_string()));
    router.clone().oneshot(request.unwrap()).await.unwrap().status()
}

#[tokio::test]
async fn every_change_leaves_an_event() {
    let directory = tempfile::tempdir().unwrap();
    let database = Database::open(directory.path().join("service.db")).unwrap();
    let (store, coverage) = (database.audit().clone(), Coverage::new());
    let router = router(database.clone(), audit(&database).with_coverage(&coverage));
    let log = |tenant: i64| OrganizationId::derived(TENANTS, &tenant.to_be_bytes());
    let acme = json!({"name": "Acme", "iban": "DE1"});

    assert_eq!(send(&router, "ana", "POST", "/customers", acme.clone()).await, 201);
    let created = assert_audited!(&store, log(1), action = "customer.created", actor = "ana");
    assert!(!format!("{created:?}").contains("DE1"));

    let renamed = json!({"name": "Acme Ltd", "iban": "DE1"});
    assert_eq!(send(&router, "ana", "PUT", "/customers/1", renamed).await, 200);
    let updated = assert_audited!(&store, log(1), target = ("customer", "1"), count = 2);
    assert_eq!(updated.change.diff.len(), 1);
    assert_eq!(updated.change.diff[0].new, Some(json!("Acme Ltd")));

    // Another tenant's user finds nothing there, and the attempt is in that tenant's log.
    assert_eq!(send(&router, "ben", "DELETE", "/customers/1", json!({})).await, 404);
    assert_audited!(&store, log(2), action = "http.delete", actor = "ben", outcome = "failure");
    assert_eq!(send(&router, "eve", "DELETE", "/customers/1", json!({})).await, 401);
    assert_audited!(&store, Log::Platform, action = "http.delete", outcome = "denied");

    assert_eq!(send(&router, "ana", "POST", "/customers/1/remind", json!({})).await, 202);
    assert_audited!(&store, log(1), action = "customer.reminded", outcome = "success");
    assert_eq!(send(&router, "ana", "GET", "/export", json!({})).await, 200);
    assert_audited!(&store, log(1), action = "customers.exported");
    assert_eq!(send(&router, "ana", "GET", "/customers", json!({})).await, 200);
    assert_not_audited!(&store, log(1), action = "http.*");
    assert_eq!(send(&router, "ana", "GET", "/history", json!({})).await, 200);
    assert_eq!(send(&router, "ana", "DELETE", "/customers/1", json!({})).await, 204);
    assert_audited!(&store, log(1), action = "customer.deleted", count = 1);

    coverage.assert_complete(&ROUTES);
}
