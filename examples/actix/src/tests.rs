//! The tests of the service, and of the middleware.

use std::future::pending;
use std::net::SocketAddr;

use actix_web::test::{TestRequest, call_service, init_service};
use audit_catalogue::Catalogue;
use audit_core::AuditStoreExt as _;
use audit_testing::{assert_audited, assert_no_drift, assert_not_audited};
use futures_util::FutureExt as _;

use super::*;

const LOG: Log = Log::Platform;

/// Returns the service with `$store`, and a route whose handler never ends.
macro_rules! service {
    ($store:expr) => {{
        let audit = web::Data::new(Audit::new(Arc::new($store.clone()), who));
        let app = App::new().app_data(audit).app_data(web::Data::new($store.clone()));
        let endless = web::post().to(|| pending::<String>());
        let denied = web::post().to(async || HttpResponse::Forbidden());
        let app = app.wrap(from_fn(audited)).configure(routes);
        init_service(app.route("/endless", endless).route("/denied", denied)).await
    }};
}

fn request(method: actix_web::http::Method, path: &str) -> TestRequest {
    let peer = SocketAddr::from(([198, 51, 100, 7], 1));
    let request = TestRequest::default().method(method).uri(path).peer_addr(peer);
    request.insert_header((header::AUTHORIZATION, "Bearer ana"))
}

fn post(path: &str) -> TestRequest {
    request(actix_web::http::Method::POST, path)
}

#[actix_web::test]
async fn a_handler_records_in_the_context_of_its_request() {
    let store = MemoryStore::new().unwrap();
    let service = service!(store);
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let paid = post("/invoices/9/pay?token=hunter2").insert_header(("traceparent", trace));
    let paid = paid.insert_header(("x-forwarded-for", "203.0.113.9"));
    let response = call_service(&service, paid.to_request()).await;
    assert_eq!(response.status(), 200);
    let event = assert_audited!(
        &store,
        LOG,
        action = "invoice.paid",
        actor = "ana",
        target = ("invoice", "9"),
        outcome = "success"
    );
    assert_eq!(event.actor.ip.as_deref(), Some("198.51.100.7")); // not a stranger's word
    assert_eq!(event.request.route.as_deref(), Some("/invoices/{id}/pay"));
    assert_eq!(event.request.path.as_deref(), Some("/invoices/9/pay"));
    assert_eq!(
        event.request.id.as_deref().unwrap(),
        response.headers().get("x-request-id").unwrap().to_str().unwrap()
    );
    assert_eq!(event.trace.unwrap().trace_id.to_string(), trace[3..35]);
    assert_no_drift(&store, &Catalogue::of::<Billing>());
}

#[actix_web::test]
async fn the_middleware_records_what_a_handler_does_not() {
    let store = MemoryStore::new().unwrap();
    let service = service!(store);
    let delete = request(actix_web::http::Method::DELETE, "/invoices/9");
    call_service(&service, delete.to_request()).await;
    assert_audited!(&store, LOG, action = "http.delete", actor = "ana", outcome = "success");
    call_service(&service, post("/denied").to_request()).await;
    assert_audited!(&store, LOG, action = "http.post", outcome = "denied");
    call_service(&service, post("/invoices/nine/pay").to_request()).await;
    assert_audited!(&store, LOG, action = "http.post", outcome = "failure");
    call_service(&service, request(actix_web::http::Method::GET, "/history").to_request()).await;
    assert_not_audited!(&store, LOG, action = "http.get");
    assert_audited!(&store, LOG, count = 3);
}

#[actix_web::test]
async fn a_request_whose_client_hangs_up_leaves_an_event() {
    use actix_web::dev::Service as _;
    let store = MemoryStore::new().unwrap();
    let service = service!(store);
    // Polled once, then dropped.
    assert!(service.call(post("/endless").to_request()).now_or_never().is_none());
    assert_audited!(&store, LOG, action = "http.post", outcome = "unknown", count = 1);
}

#[actix_web::test]
async fn a_request_of_nobody_has_an_unknown_actor() {
    let store = MemoryStore::new().unwrap();
    let service = service!(store);
    let paid = TestRequest::post().uri("/invoices/9/pay").to_request();
    call_service(&service, paid).await;
    let event = store.page(&EventQuery::new(LOG)).await.unwrap().events.remove(0);
    assert_eq!((event.actor.kind.as_str(), event.actor.id), ("unknown", None));
}
