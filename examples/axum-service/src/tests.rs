//! The tests of the service: what it does, and that no route changes something without a trace.

use audit_catalogue::Catalogue;
use audit_core::Log;
use audit_testing::{assert_audited, assert_no_drift, assert_not_audited};
use audit_tower::Coverage;
use axum::Router;
use axum::body::Body;
use axum::http::{Request, header};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::actions::Sales;
use crate::database::Database;
use crate::sessions::log_of;
use crate::{audit, router};

/// The routes of the service. One that publishes an OpenAPI description passes that.
const ROUTES: [(&str, &str); 8] = [
    ("POST", "/login"),
    ("GET", "/customers"),
    ("POST", "/customers"),
    ("PUT", "/customers/{id}"),
    ("DELETE", "/customers/{id}"),
    ("POST", "/customers/{id}/remind"),
    ("GET", "/export"),
    ("GET", "/history"),
];

/// Returns the status and the text of the response.
async fn send(router: &Router, token: &str, line: &str, body: Value) -> (u16, String) {
    let (method, path) = line.split_once(' ').unwrap();
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(header::AUTHORIZATION, format!("Bearer {token}"))
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from(body.to_string()));
    let response = router.clone().oneshot(request.unwrap()).await.unwrap();
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

async fn login(router: &Router, name: &str, password: &str) -> (u16, String) {
    send(router, "", "POST /login", json!({"name": name, "password": password})).await
}

#[tokio::test]
async fn every_change_leaves_an_event() {
    let directory = tempfile::tempdir().unwrap();
    let database = Database::open(directory.path().join("service.db")).await.unwrap();
    let (store, coverage) = (database.audit().clone(), Coverage::new());
    let router = router(database.clone(), audit(&database).with_coverage(&coverage));
    let acme = json!({"name": "Acme", "iban": "DE1"});

    assert_eq!(login(&router, "ana", "guessed").await.0, 401);
    assert_audited!(&store, Log::Platform, action = Sales::USER_LOGIN, outcome = "denied");
    let (status, ana) = login(&router, "ana", "correct horse").await;
    assert_eq!(status, 200);
    assert_audited!(&store, log_of(1), action = Sales::USER_LOGIN, actor = "ana", count = 1);
    let (_, ben) = login(&router, "ben", "battery staple").await;

    assert_eq!(send(&router, &ana, "POST /customers", acme).await.0, 201);
    let created =
        assert_audited!(&store, log_of(1), action = Sales::CUSTOMER_CREATED, actor = "ana");
    assert!(!format!("{created:?}").contains("DE1"));

    let renamed = json!({"name": "Acme Ltd", "iban": "DE1"});
    assert_eq!(send(&router, &ana, "PUT /customers/1", renamed).await.0, 200);
    let updated = assert_audited!(&store, log_of(1), target = ("customer", "1"), count = 2);
    assert_eq!(updated.change.diff.len(), 1);
    assert_eq!(updated.change.diff[0].new, Some(json!("Acme Ltd")));

    // Another tenant's user finds nothing there, and the attempt is in that tenant's log.
    assert_eq!(send(&router, &ben, "DELETE /customers/1", json!({})).await.0, 404);
    assert_audited!(&store, log_of(2), action = "http.delete", actor = "ben", outcome = "failure");
    assert_eq!(send(&router, "stolen", "DELETE /customers/1", json!({})).await.0, 401);
    assert_audited!(&store, Log::Platform, action = "http.delete", outcome = "denied");

    assert_eq!(send(&router, &ana, "POST /customers/1/remind", json!({})).await.0, 202);
    assert_audited!(&store, log_of(1), action = Sales::CUSTOMER_REMINDED, outcome = "success");
    assert_eq!(send(&router, &ana, "GET /export", json!({})).await.0, 200);
    assert_audited!(&store, log_of(1), action = Sales::CUSTOMERS_EXPORTED);
    assert_eq!(send(&router, &ana, "GET /customers", json!({})).await.0, 200);
    assert_not_audited!(&store, log_of(1), action = "http.*");
    assert!(send(&router, &ana, "GET /history", json!({})).await.1.contains("customer.updated"));
    assert_eq!(send(&router, &ana, "DELETE /customers/1", json!({})).await.0, 204);
    assert_audited!(&store, log_of(1), action = Sales::CUSTOMER_DELETED, count = 1);

    coverage.assert_complete(&ROUTES);
    assert_no_drift(&store, &Catalogue::of::<Sales>().allowing("http.*"));
}

#[tokio::test]
async fn a_change_that_fails_has_no_event_of_its_own() {
    let directory = tempfile::tempdir().unwrap();
    let database = Database::open(directory.path().join("service.db")).await.unwrap();
    let store = database.audit().clone();
    let router = router(database.clone(), audit(&database));
    let (_, ana) = login(&router, "ana", "correct horse").await;
    let dropped = sqlx::query("DROP TABLE customer");
    dropped.execute(&mut *database.acquire().await.unwrap()).await.unwrap();
    let acme = json!({"name": "Acme", "iban": "DE1"});
    assert_eq!(send(&router, &ana, "POST /customers", acme).await.0, 500);
    assert_not_audited!(&store, log_of(1), action = Sales::CUSTOMER_CREATED);
    assert_audited!(&store, log_of(1), action = "http.post", actor = "ana", outcome = "failure");
}
