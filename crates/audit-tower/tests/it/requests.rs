//! The values that an event has from its request.

use std::net::SocketAddr;

use audit_core::{Actor, AuditContext, Log, NewEvent, Target, Trace};
use audit_memory::MemoryStore;
use audit_tower::{Audit, AuditLayer, NotRecorded};
use axum::Router;
use axum::extract::{ConnectInfo, Path};
use axum::http::{Method, StatusCode, header};
use axum::routing::{get, post};
use serde_json::json;

use crate::common::{TENANT, events, layer, request, send};

const TRACEPARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

async fn pay(audit: Audit, Path(id): Path<String>) -> Result<(), NotRecorded> {
    let (before, after) = (json!({"paid": false, "pin": "1"}), json!({"paid": true, "pin": "2"}));
    audit.record("invoice.paid").target("invoice", id).changed(&before, &after).await?;
    Ok(())
}

#[tokio::test]
async fn a_handler_says_what_it_did_and_the_layer_the_rest() {
    let store = MemoryStore::new().unwrap();
    let proxied = layer(&store).with_trusted_proxy("10.0.0.0/8".parse().unwrap());
    let router = Router::new()
        .nest("/v1", Router::new().route("/invoices/{id}/pay", post(pay)).layer(proxied));
    let mut request = request(Method::POST, "/v1/invoices/inv_9/pay?token=hunter2");
    let headers = request.headers_mut();
    headers.insert("x-request-id", "req-1".parse().unwrap());
    headers.insert("traceparent", TRACEPARENT.parse().unwrap());
    headers.insert("x-forwarded-for", "203.0.113.9, 10.2.2.2".parse().unwrap());
    headers.insert(header::USER_AGENT, "curl/8".parse().unwrap());
    request.extensions_mut().insert(ConnectInfo(SocketAddr::from(([10, 1, 1, 1], 4711))));
    let response = send(&router, request).await;
    assert_eq!(
        (response.status(), &response.headers()["x-request-id"]),
        (StatusCode::OK, &"req-1".parse().unwrap())
    );

    let [event] = events(&store, TENANT).await.try_into().unwrap();
    let actor = Actor::user("u_7").ip("203.0.113.9").user_agent("curl/8");
    assert_eq!((event.action.as_str(), &event.actor), ("invoice.paid", &actor));
    assert_eq!(event.request.method.as_deref(), Some("POST"));
    assert_eq!(event.request.route.as_deref(), Some("/v1/invoices/{id}/pay"));
    assert_eq!(event.request.path.as_deref(), Some("/v1/invoices/inv_9/pay"));
    assert_eq!(event.request.id.as_deref(), Some("req-1"));
    assert_eq!(event.trace, Some(Trace::from_traceparent(TRACEPARENT).unwrap()));
    assert_eq!(event.targets[0].id.as_deref(), Some("inv_9"));
    assert_eq!(event.outcome.unwrap().result.as_str(), "success");
    assert_eq!(event.change.diff[1].new, Some(json!("[redacted]")));
    assert!(events(&store, Log::Platform).await.is_empty());
}

#[tokio::test]
async fn a_stranger_cannot_state_an_address_and_a_new_id_is_echoed() {
    let store = MemoryStore::new().unwrap();
    let handler = |headers: axum::http::HeaderMap| async move {
        let id = headers["x-request-id"].to_str().unwrap().to_owned();
        assert_eq!(NewEvent::here("a").unwrap().request.id.as_deref(), Some(&*id));
        id
    };
    let router = Router::new().route("/a", post(handler)).layer(layer(&store));
    let mut request = request(Method::POST, "/a");
    request.headers_mut().insert("x-forwarded-for", "203.0.113.9".parse().unwrap());
    request.headers_mut().remove("x-user");
    request.extensions_mut().insert(ConnectInfo(SocketAddr::from(([198, 51, 100, 7], 1))));
    let response = send(&router, request).await;
    assert_eq!(response.headers()["x-request-id"].to_str().unwrap(), response.body());
    // The handler only made an event, and did not say that it failed.
    assert!(events(&store, Log::Platform).await.is_empty());
}

#[tokio::test]
async fn a_request_without_an_actor_invents_none_and_is_in_the_log_of_the_layer() {
    let store = MemoryStore::new().unwrap();
    let handler = post(|| async { StatusCode::UNAUTHORIZED });
    let router = Router::new().route("/a", handler).layer(layer(&store).with_log(TENANT));
    let mut request = request(Method::POST, "/a");
    request.headers_mut().remove("x-user");
    request.extensions_mut().insert(ConnectInfo(SocketAddr::from(([198, 51, 100, 7], 1))));
    send(&router, request).await;
    let [event] = events(&store, TENANT).await.try_into().unwrap();
    assert_eq!(event.actor, Actor::unknown().ip("198.51.100.7"));
    assert_eq!(event.outcome.unwrap().result.as_str(), "denied");
    assert_eq!(event.targets[0].id.as_deref(), Some("/a"));
}

#[tokio::test]
async fn the_context_is_that_of_the_task_and_is_carried_over_spawn_by_hand() {
    let store = MemoryStore::new().unwrap();
    let handler = |audit: Audit| async move {
        let deep = async || NewEvent::here("deep").map(|event| event.actor.id);
        assert_eq!(deep().await.unwrap().as_deref(), Some("u_7"));
        let spawned = tokio::spawn(async { NewEvent::here("lost") }).await.unwrap();
        assert_eq!(spawned.unwrap_err().field(), Some("actor"));
        let carried = tokio::spawn(AuditContext::carry(async { NewEvent::here("kept") }));
        assert_eq!(carried.await.unwrap().unwrap().request.route.as_deref(), Some("/a"));
        // The handle knows its request wherever it is.
        let recorded = tokio::spawn(async move { audit.record("task.done").await });
        recorded.await.unwrap().unwrap();
    };
    let router = Router::new().route("/a", post(handler)).layer(layer(&store));
    send(&router, request(Method::POST, "/a")).await;
    let [event] = events(&store, TENANT).await.try_into().unwrap();
    assert_eq!((event.action.as_str(), event.actor.id.as_deref()), ("task.done", Some("u_7")));
}

#[tokio::test]
async fn a_login_changes_the_actor_and_the_log_of_the_rest() {
    let store = MemoryStore::new().unwrap();
    let handler = |audit: Audit| async move {
        audit.amend(|context| {
            context.actor.id = Some("u_9".to_owned());
            context.log = Some(TENANT.into());
        });
        assert_eq!(NewEvent::here("a").unwrap().actor.id.as_deref(), Some("u_9"));
        StatusCode::INTERNAL_SERVER_ERROR
    };
    let anonymous = AuditLayer::new(store.clone(), |_| None::<Actor>);
    let router = Router::new().route("/login", post(handler)).layer(anonymous);
    send(&router, request(Method::POST, "/login")).await;
    let [event] = events(&store, TENANT).await.try_into().unwrap();
    assert_eq!((event.actor.id.as_deref(), event.action.as_str()), (Some("u_9"), "http.post"));
}

#[tokio::test]
async fn without_the_layer_an_extractor_fails_with_500() {
    let router = Router::new().route("/a", get(async |_: Audit| "reached"));
    let response = send(&router, request(Method::GET, "/a")).await;
    assert_eq!((response.status(), &**response.body()), (StatusCode::INTERNAL_SERVER_ERROR, ""));
}

#[tokio::test]
async fn a_service_without_axum_finds_the_handle_in_the_extensions() {
    use tower::{Layer as _, ServiceExt as _};
    type Body = http_body_util::Full<axum::body::Bytes>;
    let store = MemoryStore::new().unwrap();
    let service = tower::service_fn(|request: axum::http::Request<()>| async move {
        let audit = request.extensions().get::<Audit>().unwrap();
        audit.record("a.b").with(|event| event.route("/a/{b}")).await?;
        Ok::<_, NotRecorded>(axum::http::Response::new(Body::from("done")))
    });
    let mut request = axum::http::Request::new(());
    request.extensions_mut().insert(SocketAddr::from(([198, 51, 100, 7], 1)));
    layer(&store).layer(service).oneshot(request).await.unwrap();
    let [event] = events(&store, Log::Platform).await.try_into().unwrap();
    assert_eq!(event.actor, Actor::unknown().ip("198.51.100.7"));
    assert_eq!(event.request.route.as_deref(), Some("/a/{b}"));
}

#[tokio::test]
async fn an_action_of_a_catalogue_has_its_targets_with_it() {
    #[derive(audit_derive::Audited)]
    #[audit(target = "customer")]
    struct Customer {
        #[audit(id)]
        id: u64,
        plan: &'static str,
    }
    #[derive(audit_derive::AuditAction)]
    enum Sales {
        /// The plan of a customer changed.
        #[audit(action = "plan.changed", severity = "low")]
        PlanChanged {
            #[audit(target = "customer")]
            customer: u64,
            #[audit(attribute)]
            plan: &'static str,
        },
    }
    let store = MemoryStore::new().unwrap();
    let handler = |audit: Audit| async move {
        let [before, after] = ["basic", "pro"].map(|plan| Customer { id: 7, plan });
        let changed = Sales::PlanChanged { customer: after.id, plan: after.plan };
        audit.record(changed).audited(&before, &after).await.map(drop)
    };
    let router = Router::new().route("/a", post(handler)).layer(layer(&store));
    send(&router, request(Method::POST, "/a")).await;
    let [event] = events(&store, TENANT).await.try_into().unwrap();
    assert_eq!(event.targets, [Target::new("customer", "7")]); // once
    assert_eq!(event.severity.unwrap().as_str(), "low");
    assert_eq!(event.attributes.get("plan"), Some("pro"));
    assert_eq!(event.change.diff[0].field, "plan");
}

#[cfg(feature = "opentelemetry")]
#[tokio::test]
async fn the_trace_is_that_of_the_current_span_if_there_is_one() {
    use opentelemetry::Context;
    use opentelemetry::context::FutureExt as _;
    use opentelemetry::trace::{
        SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState,
    };
    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let store = MemoryStore::new().unwrap();
    let router = Router::new().route("/a", post(async || ())).layer(layer(&store));
    let sent = || {
        let mut request = request(Method::POST, "/a");
        request.headers_mut().insert("traceparent", PARENT.parse().unwrap());
        request
    };
    let (trace, span) = (TraceId::from(7_u128), SpanId::from(8_u64));
    let flags = TraceFlags::SAMPLED;
    let span = SpanContext::new(trace, span, flags, false, TraceState::default());
    let inside = Context::new().with_remote_span_context(span);
    send(&router, sent()).with_context(inside).await;
    send(&router, sent()).await;
    let [inside, outside] = events(&store, TENANT).await.try_into().unwrap();
    let expected = Trace::from_traceparent(&format!("00-{:032x}-{:016x}-01", 7, 8)).unwrap();
    assert_eq!(inside.trace, Some(expected));
    assert_eq!(outside.trace, Trace::from_traceparent(PARENT).ok());
}
