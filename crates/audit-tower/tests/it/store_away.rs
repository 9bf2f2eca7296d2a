//! A store that cannot record.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use audit_core::{Accepted, Actor, Error, ErrorKind, Log, NewEvent, Recorder, Result};
use audit_tower::{Audit, AuditLayer, NotRecorded, Policy};
use axum::Router;
use axum::http::{Method, StatusCode, header};
use axum::routing::post;
use tokio::sync::Semaphore;
use tower::ServiceExt as _;

use crate::common::{TENANT, request, send};

/// Fails with a kind, after it was allowed to.
#[derive(Clone, Debug)]
struct Away(ErrorKind, Arc<Semaphore>);

#[async_trait]
impl Recorder for Away {
    async fn accept(&self, _: Log, _: Vec<NewEvent>) -> Result<Accepted> {
        self.1.acquire().await.unwrap().forget();
        Err(Error::new(self.0))
    }
}

type Reports = Arc<Mutex<Vec<(Log, ErrorKind)>>>;

/// Returns a router whose store fails at once, and the failures that the layer reports.
fn router(kind: ErrorKind, allowed: usize) -> (Router, Reports, Arc<Semaphore>) {
    let (reports, semaphore) = (Reports::default(), Arc::new(Semaphore::new(allowed)));
    let reported = Arc::clone(&reports);
    let layer = AuditLayer::new(Away(kind, Arc::clone(&semaphore)), |_| None::<Actor>)
        .with_log(TENANT)
        .on_failure(move |log, error| reported.lock().unwrap().push((log, error.kind())));
    let records = async |audit: Audit| audit.record("a").await.map(drop);
    let waits = async |audit: Audit| audit.record("a").on_response();
    let router = Router::new()
        .route("/records", post(records))
        .route("/waits", post(waits))
        .route("/silent", post(|| async { "changed" }))
        .route("/attempt", post(|| async { "changed" }).layer(Policy::attempt()))
        .layer(layer);
    (router, reports, semaphore)
}

#[tokio::test]
async fn the_client_gets_an_error_in_place_of_the_response() {
    for (kind, status) in [
        (ErrorKind::Unavailable, StatusCode::SERVICE_UNAVAILABLE),
        (ErrorKind::Corrupt, StatusCode::INTERNAL_SERVER_ERROR),
    ] {
        let (router, reports, _) = router(kind, 100);
        for path in ["/records", "/waits", "/silent", "/attempt"] {
            reports.lock().unwrap().clear();
            let response = send(&router, request(Method::POST, path)).await;
            assert_eq!((response.status(), &**response.body()), (status, ""), "{path}");
            let can_retry = status == StatusCode::SERVICE_UNAVAILABLE;
            assert_eq!(response.headers().contains_key(header::RETRY_AFTER), can_retry);
            assert!(response.headers().contains_key("x-request-id"));
            // The layer tries once more what the handler could not record.
            let expected = if path == "/records" { 2 } else { 1 };
            assert_eq!(*reports.lock().unwrap(), vec![(TENANT.into(), kind); expected], "{path}");
        }
    }
}

#[tokio::test]
async fn a_failure_is_reported_although_the_client_has_left() {
    for path in ["/records", "/waits", "/silent"] {
        let (router, reports, semaphore) = router(ErrorKind::Unavailable, 0);
        let mut response = Box::pin(router.oneshot(request(Method::POST, path)));
        assert!(futures_util::poll!(&mut response).is_pending());
        drop(response);
        assert!(reports.lock().unwrap().is_empty());
        semaphore.add_permits(2);
        while reports.lock().unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test]
async fn an_error_of_a_handler_keeps_its_cause() {
    let error = NotRecorded::from(Error::new(ErrorKind::Busy));
    assert_eq!(error.to_string(), "the event could not be recorded");
    assert_eq!(error.cause().kind(), ErrorKind::Busy);
    assert_eq!(Error::from(error).kind(), ErrorKind::Busy);
}
