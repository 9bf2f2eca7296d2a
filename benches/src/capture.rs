//! Measures what the audit layer costs a request: the processor time of a router in this process, with
//! and without the layer, with a store in memory.

use audit_core::{Actor, AuditContext, AuditStoreExt as _, Log, NewEvent, Outcome};
use audit_memory::MemoryStore;
use audit_tower::{Audit, AuditLayer};
use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Method, Request, Response, StatusCode, Uri};
use axum::routing::{get, post};
use futures_executor::block_on;
use tower::{Service as _, ServiceExt};

use crate::proofs::time_of_cores;
use crate::rows::micros;
use crate::{BoxError, Result};

/// The most microseconds that the layer may add to a request.
const BAR: f64 = 15.0;
const ROUNDS: usize = 5;

/// The requests of a comparison: what they do without the layer, and with it.
struct Comparison {
    what: &'static str,
    method: Method,
    bare: fn(&MemoryStore) -> Router,
    audited: fn(&MemoryStore) -> Router,
}

/// Prints a line for each kind of request.
pub(crate) fn run(requests: u64) -> Result<()> {
    println!("{requests} requests each, best of {ROUNDS} rounds, µs of processor time for one");
    for comparison in [
        Comparison {
            what: "a read",
            method: Method::GET,
            bare: silent,
            audited: |s| layered(s, silent(s)),
        },
        Comparison {
            what: "a change that its handler records",
            method: Method::POST,
            bare: by_hand,
            audited: |s| layered(s, recorded()),
        },
        Comparison {
            what: "a change that the layer records",
            method: Method::POST,
            bare: by_hand,
            audited: |s| layered(s, silent(s)),
        },
    ] {
        let (mut bare, mut audited) = (f64::MAX, f64::MAX);
        for _ in 0..ROUNDS {
            bare = bare.min(cost(comparison.bare, &comparison.method, requests)?);
            audited = audited.min(cost(comparison.audited, &comparison.method, requests)?);
        }
        let overhead = audited - bare;
        let holds = if overhead <= BAR { "yes" } else { "NO" };
        let what = comparison.what;
        println!(
            "  {what:<36} without {bare:>6.2}  with {audited:>6.2}  overhead {overhead:>6.2}  bar {BAR}  {holds}"
        );
    }
    Ok(())
}

/// Returns the processor time of one request to a new router, in microseconds.
fn cost(router: fn(&MemoryStore) -> Router, method: &Method, requests: u64) -> Result<f64> {
    let store = MemoryStore::new()?;
    let mut router = router(&store);
    let begun = time_of_cores()?;
    block_on(async {
        for _ in 0..requests {
            let response = send(&mut router, method).await?;
            if response.status() != StatusCode::OK {
                return Err(BoxError::from("a request failed"));
            }
        }
        Ok(())
    })?;
    Ok(micros(time_of_cores()?.saturating_sub(begun)) / requests as f64)
}

async fn send(router: &mut Router, method: &Method) -> Result<Response<Body>> {
    let request = Request::builder()
        .method(method)
        .uri("/invoices/inv_9")
        .header("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101")
        .header("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
        .header("x-user", "u_7")
        .body(Body::empty())?;
    Ok(ServiceExt::<Request<Body>>::ready(router).await?.call(request).await?)
}

/// A service that records nothing.
fn silent(_: &MemoryStore) -> Router {
    Router::new().route("/invoices/{id}", get(|| async {}).post(|| async {}))
}

/// A service that records by hand what the layer would.
fn by_hand(store: &MemoryStore) -> Router {
    let pay = async |State(store): State<MemoryStore>,
                     method: Method,
                     Path(id): Path<String>,
                     uri: Uri,
                     headers: HeaderMap| {
        let header = |name: &str| headers.get(name)?.to_str().ok().map(str::to_owned);
        let mut actor = Actor::user(header("x-user").unwrap_or_default());
        actor.user_agent = header("user-agent");
        let event = NewEvent::new("invoice.paid", actor)
            .target("invoice", id)
            .request(method.as_str(), uri.path())
            .outcome(Outcome::success());
        match store.record(Log::Platform, event).await {
            Ok(_) => StatusCode::OK,
            Err(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    };
    Router::new().route("/invoices/{id}", post(pay)).with_state(store.clone())
}

/// A service whose handler records.
fn recorded() -> Router {
    let pay = async |audit: Audit, Path(id): Path<String>| {
        audit.record("invoice.paid").target("invoice", id).await.map(drop)
    };
    Router::new().route("/invoices/{id}", post(pay))
}

fn layered(store: &MemoryStore, router: Router) -> Router {
    router.layer(AuditLayer::new(store.clone(), |parts| {
        let user = parts.headers.get("x-user")?.to_str().ok()?;
        Some(AuditContext::new(Actor::user(user)))
    }))
}
