//! Events that the layer records by itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use audit_core::{Attempt, AuditStoreExt as _, EventQuery, Filter, NewEvent, Outcome};
use audit_memory::MemoryStore;
use audit_tower::{Audit, Coverage, NotRecorded, Policy};
use axum::Router;
use axum::extract::Path;
use axum::http::{Method, StatusCode};
use axum::routing::{any, get, post};
use futures_util::TryStreamExt as _;

use crate::common::{TENANT, layer, list, outcomes, request, send};

/// Answers with a status of the caller's choice.
async fn answer(Path(status): Path<u16>) -> StatusCode {
    StatusCode::from_u16(status).unwrap()
}

#[tokio::test]
async fn a_change_that_its_handler_does_not_record_has_the_outcome_of_its_response() {
    let store = MemoryStore::new().unwrap();
    let router = Router::new().route("/{status}", any(answer)).layer(layer(&store));
    for (method, status) in [
        (Method::POST, 201),
        (Method::PUT, 303),
        (Method::PATCH, 401),
        (Method::DELETE, 403),
        (Method::POST, 404),
        (Method::POST, 500),
        (Method::GET, 200),
        (Method::HEAD, 500),
    ] {
        send(&router, request(method, &format!("/{status}"))).await;
    }
    let expected = list(&[
        ("http.post", "success"),
        ("http.put", "success"),
        ("http.patch", "denied 401"),
        ("http.delete", "denied 403"),
        ("http.post", "failure 404"),
        ("http.post", "failure 500"),
    ]);
    assert_eq!(outcomes(&store).await, expected);
}

#[tokio::test]
async fn the_word_of_the_handler_goes_first() {
    let store = MemoryStore::new().unwrap();
    let now = async |audit: Audit| audit.record("now").await.map(drop);
    let stated = async |audit: Audit| {
        audit.record("stated").outcome(Outcome::denied().code("limit")).on_response()
    };
    let waits = async |audit: Audit| {
        audit.record("waits").on_response()?;
        audit.record("waits.too").on_response()?;
        Ok::<_, NotRecorded>(StatusCode::CONFLICT)
    };
    let router = Router::new()
        .route("/now", post(now))
        .route("/stated", post(stated))
        .route("/waits", post(waits))
        .layer(layer(&store));
    for path in ["/now", "/stated", "/waits"] {
        send(&router, request(Method::POST, path)).await;
    }
    let expected = list(&[
        ("now", "success"),
        ("stated", "denied limit"),
        ("waits", "failure 409"),
        ("waits.too", "failure 409"),
    ]);
    assert_eq!(outcomes(&store).await, expected);
}

#[tokio::test]
async fn an_event_for_the_own_transaction_counts_if_the_request_succeeds() {
    let store = MemoryStore::new().unwrap();
    let (other, made) = (store.clone(), store.clone());
    let own = async move |audit: Audit| {
        let event = audit.record("own").into_event()?;
        other.record(TENANT, event).await.map_err(NotRecorded::from).map(drop)
    };
    let here = async move || {
        let event = NewEvent::here("here").unwrap().outcome(Outcome::success());
        made.record(TENANT, event).await.unwrap();
    };
    let staged = async |audit: Audit| {
        let staged = audit.record("staged").target("t", "1").stage()?;
        assert_eq!(staged.log(), TENANT.into());
        let [(_, body)] = staged.rows().collect::<Vec<_>>().try_into().unwrap();
        assert!(body.contains(r#""outcome":{"result":"success"}"#), "{body}");
        Ok::<_, NotRecorded>(())
    };
    let too_long =
        async |audit: Audit| audit.record("a").target("t", "x".repeat(2_000)).stage().map(drop);
    let rolled_back = async |audit: Audit| {
        audit.record("rolled.back").into_event()?;
        Ok::<_, NotRecorded>(StatusCode::SERVICE_UNAVAILABLE)
    };
    let router = Router::new()
        .route("/own", post(own))
        .route("/here", post(here))
        .route("/staged", post(staged))
        .route("/too-long", post(too_long))
        .route("/rolled-back", post(rolled_back))
        .layer(layer(&store));
    for path in ["/own", "/here", "/staged", "/too-long", "/rolled-back"] {
        send(&router, request(Method::POST, path)).await;
    }
    let [failed, rolled_back] = ["failure 500", "failure 503"].map(|code| ("http.post", code));
    let expected = list(&[("own", "success"), ("here", "success"), failed, rolled_back]);
    assert_eq!(outcomes(&store).await, expected);
}

#[tokio::test]
async fn an_event_that_is_refused_does_not_silence_the_layer() {
    let store = MemoryStore::new().unwrap();
    let long =
        async |audit: Audit| audit.record("a").target("t", "x".repeat(2_000)).await.map(drop);
    let large = async |audit: Audit| {
        audit.record("a").metadata("x", vec!["x".repeat(2 << 20)]).await.map(drop)
    };
    let router =
        Router::new().route("/long", post(long)).route("/large", post(large)).layer(layer(&store));
    for path in ["/long", "/large"] {
        assert_eq!(send(&router, request(Method::POST, path)).await.status(), 500);
    }
    assert_eq!(outcomes(&store).await, list(&[("http.post", "failure 500"); 2]));
}

#[tokio::test]
async fn a_route_has_a_policy_of_its_own() {
    let store = MemoryStore::new().unwrap();
    let router = Router::new()
        .route(
            "/export",
            get(|| async { "rows" }).layer(Policy::always().action("report.exported")),
        )
        .route("/health", post(|| async {}).layer(Policy::never()))
        .route("/rest", post(|| async {}))
        .layer(layer(&store));
    for (method, path) in
        [(Method::GET, "/export"), (Method::POST, "/health"), (Method::POST, "/rest")]
    {
        send(&router, request(method, path)).await;
    }
    let expected = list(&[("report.exported", "success"), ("http.post", "success")]);
    assert_eq!(outcomes(&store).await, expected);
}

#[tokio::test]
async fn a_stranger_cannot_fill_the_log_with_requests_to_no_route() {
    let store = MemoryStore::new().unwrap();
    let missing = async || StatusCode::NOT_FOUND;
    let router = Router::new()
        .route("/read", get(|| async {}))
        .route("/missing", post(missing))
        .layer(layer(&store).with_log(TENANT));
    for (path, status) in [("/none", 404), ("/read", 405), ("/missing", 404)] {
        let mut request = request(Method::POST, path);
        request.headers_mut().remove("x-user");
        assert_eq!(send(&router, request).await.status(), status);
    }
    assert_eq!(outcomes(&store).await, list(&[("http.post", "failure 404")]), "of the route");
    send(&router, request(Method::POST, "/none")).await;
    assert_eq!(outcomes(&store).await.len(), 2, "of a user");
}

/// Answers 200 if the first event of the attempt was in the log before the handler.
async fn is_begun(store: MemoryStore) -> StatusCode {
    let begun = EventQuery::new(TENANT).filter(Filter::new().action("attempt.begun"));
    if store.count(&begun).await.unwrap() == 1 { StatusCode::OK } else { StatusCode::CONFLICT }
}

#[tokio::test]
async fn an_attempt_is_recorded_before_and_after_whether_of_a_route_or_of_all() {
    let attempt = || Policy::attempt().action("invoice.paid");
    for by_route in [true, false] {
        let store = MemoryStore::new().unwrap();
        let (other, all) = (store.clone(), layer(&store));
        let pay = post(move || is_begun(other));
        let router = if by_route {
            Router::new().route("/pay", pay.layer(attempt())).layer(all)
        } else {
            Router::new().route("/pay", pay).layer(all.with_policy(attempt()))
        };
        assert_eq!(send(&router, request(Method::POST, "/pay")).await.status(), 200);
        let paid = EventQuery::new(TENANT).filter(Filter::new().action("invoice.paid"));
        let [event] = store.page(&paid).await.unwrap().events.try_into().unwrap();
        assert_eq!(
            (event.outcome, event.request.route.as_deref()),
            (Some(Outcome::success()), Some("/pay"))
        );
        let unfinished = Attempt::unfinished(&store, TENANT, Duration::ZERO);
        assert!(unfinished.try_collect::<Vec<_>>().await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn an_attempt_that_cannot_begin_does_not_reach_its_handler() {
    let reached = Arc::new(AtomicBool::new(false));
    let handler = || {
        let reached = Arc::clone(&reached);
        post(async move || reached.store(true, Ordering::Relaxed))
    };
    let attempt = || Policy::attempt().action("not*an*action");
    let store = MemoryStore::new().unwrap();
    let router = Router::new()
        .route("/route", handler().layer(attempt()))
        .layer(layer(&store))
        .merge(Router::new().route("/all", handler()).layer(layer(&store).with_policy(attempt())));
    for path in ["/route", "/all"] {
        let response = send(&router, request(Method::POST, path)).await;
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR, "{path}");
        assert!(response.headers().contains_key("x-request-id"));
    }
    assert!(!reached.load(Ordering::Relaxed));
    assert!(outcomes(&store).await.is_empty());
}

#[tokio::test]
async fn coverage_counts_the_routes_of_a_router() {
    let store = MemoryStore::new().unwrap();
    let coverage = Coverage::new();
    let recorded = async |audit: Audit| audit.record("a").await.map(drop);
    let router = Router::new()
        .route("/recorded/{id}", post(recorded))
        .route("/by-layer", post(|| async {}))
        .route("/silent", post(|| async {}).layer(Policy::never()))
        .layer(layer(&store).with_coverage(&coverage));
    for path in ["/recorded/1", "/recorded/2", "/by-layer", "/silent"] {
        send(&router, request(Method::POST, path)).await;
    }
    coverage.assert_complete(&[("POST", "/recorded/{id}"), ("POST", "/by-layer")]);
    let table = coverage.to_string();
    let row = |path: &str| {
        let row = table.lines().find(|line| line.contains(path)).unwrap();
        row.split_whitespace().skip(2).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(row("/recorded/{id}"), ["2", "2", "0"]);
    assert_eq!(row("/by-layer"), ["1", "0", "1"]);
    assert_eq!(row("/silent"), ["1", "0", "0"]);
    let silent = || coverage.assert_complete(&[("POST", "/silent")]);
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(silent)).is_err());
}
