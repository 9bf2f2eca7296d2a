//! The headers of answers, the description's entity tag, and who may read metrics, and what readiness says.

use crate::common::{Service, request};
use audit_core::AuditStoreExt as _;
use audit_core::{Actor, Error, ErrorKind, NewEvent};
use audit_http::HttpOptions;
use axum::http::{Method, header};
use tower::ServiceExt as _;

#[tokio::test]
async fn data_is_not_cached_and_not_taken_for_something_else() {
    let service = Service::new();
    let (acme, [member, ..]) = service.tenant("Acme").await;
    service.store.record(acme.id, NewEvent::new("a.b", Actor::user("u"))).await.unwrap();
    let events = format!("/v1/organizations/{}/events", acme.id);
    for path in [&events, "/api/audit-logs", "/v1/organizations", "/none", "/healthz"] {
        let answer = service.get(&member, path).await;
        assert_eq!(answer.header("cache-control"), "no-store", "{path}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
    }
    let mut stream = request(Method::GET, &format!("{events}/follow"), Some(&member), None);
    stream.headers_mut().insert(header::ACCEPT, "text/event-stream".parse().unwrap());
    let stream = service.router.clone().oneshot(stream).await.unwrap();
    assert_eq!(stream.headers()["content-type"], "text/event-stream");
    assert_eq!(stream.headers()["x-accel-buffering"], "no");
    assert_eq!(stream.headers()["cache-control"], "no-store");
}

#[tokio::test]
async fn the_description_has_an_entity_tag() {
    let mut service = Service::new();
    let get = |known: &str| {
        let mut request = request(Method::GET, "/audit/openapi.json", None, None);
        request.headers_mut().insert(header::IF_NONE_MATCH, known.parse().unwrap());
        request
    };
    let first = service.send(request(Method::GET, "/openapi.json", None, None)).await;
    assert_eq!(first.header("cache-control"), "no-cache");
    service.router = axum::Router::new().nest("/audit", service.router);
    let nested = service.send(get("\"other\"")).await;
    nested.expect(200);
    let tag = nested.header("etag").to_owned();
    assert_ne!(tag, first.header("etag"), "another server, another text");
    for known in [tag.clone(), format!("\"other\", W/{tag}"), "*".to_owned()] {
        let answer = service.send(get(&known)).await;
        assert_eq!((answer.status.as_u16(), answer.body.len()), (304, 0), "{known}");
        assert_eq!(answer.header("etag"), tag);
    }
}

#[tokio::test]
async fn metrics_are_for_super_admins_or_on_a_listener_of_their_own() {
    let service = Service::with_options(HttpOptions::default().with_metrics(|| "up 1\n".into()));
    let (_, [_, admin, super_admin]) = service.tenant("Acme").await;
    service.send(request(Method::GET, "/metrics", None, None)).await.expect(401);
    service.get(&admin, "/metrics").await.expect(403);
    let answer = service.get(&super_admin, "/metrics").await;
    assert_eq!((answer.status.as_u16(), answer.body.as_slice()), (200, b"up 1\n".as_slice()));
    let none = Service::new();
    let (_, [.., super_admin]) = none.tenant("Acme").await;
    none.get(&super_admin, "/metrics").await.expect(404);

    let router = audit_http::metrics(|| "up 1\n".into());
    for (path, status) in [("/metrics", 200), ("/v1/platform/events", 404)] {
        let request = request(Method::GET, path, None, None);
        assert_eq!(router.clone().oneshot(request).await.unwrap().status().as_u16(), status);
    }
}

#[tokio::test]
async fn readiness_says_what_is_wrong_but_not_its_source() {
    let options = |check: fn() -> audit_core::Result<()>| {
        HttpOptions::default().with_readiness(move || std::future::ready(check()))
    };
    let readyz = || request(Method::GET, "/readyz", None, None);
    let ready = Service::with_options(options(|| Ok(())));
    assert_eq!(ready.send(readyz()).await.status.as_u16(), 200);
    let wrong = Service::with_options(options(|| {
        let error = Error::new(ErrorKind::Incompatible).with_field("fsync");
        Err(error.with_source(std::io::Error::other("of db.internal")))
    }));
    let problem = wrong.send(readyz()).await.expect(503);
    assert_eq!(problem["field"], "fsync");
    let detail = problem["detail"].as_str().unwrap();
    assert_eq!(detail, "the store is of an incompatible version: `fsync`");
}
