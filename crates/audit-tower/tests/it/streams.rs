//! Bodies that are produced while they are sent.

use audit_memory::MemoryStore;
use audit_tower::Policy;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::Method;
use axum::routing::{get, post};
use futures_util::stream;
use http_body_util::BodyExt as _;
use tower::ServiceExt as _;

use crate::common::{layer, list, outcomes, request};

type Chunk = Result<Bytes, &'static str>;

fn body(chunks: Vec<Chunk>) -> Body {
    Body::from_stream(stream::iter(chunks))
}

fn router(store: &MemoryStore) -> Router {
    let chunks = || vec![Ok(Bytes::from("a")), Ok(Bytes::from("b"))];
    let broken = || vec![Ok(Bytes::from("a")), Err("the source failed")];
    Router::new()
        .route("/whole", get(|| async { "ab" }))
        .route(
            "/stream",
            get(move || async move { body(chunks()) }).post(move || async move { body(chunks()) }),
        )
        .route("/broken", get(move || async move { body(broken()) }))
        .route("/events", post(|| async {}))
        .layer(layer(store).with_policy(Policy::always()))
}

/// Sends a request and returns the body of its response, which nobody has read.
async fn open(router: &Router, method: Method, path: &str) -> Body {
    router.clone().oneshot(request(method, path)).await.unwrap().into_body()
}

#[tokio::test]
async fn a_read_ends_with_its_body() {
    let store = MemoryStore::new().unwrap();
    let router = router(&store);
    drop(open(&router, Method::GET, "/whole").await);
    assert_eq!(outcomes(&store).await, list(&[("http.get", "success")]));

    let mut body = open(&router, Method::GET, "/stream").await;
    body.frame().await.unwrap().unwrap();
    assert_eq!(outcomes(&store).await.len(), 1, "it is under way");
    body.collect().await.unwrap();
    assert_eq!(outcomes(&store).await, list(&[("http.get", "success"); 2]));

    assert!(open(&router, Method::GET, "/broken").await.collect().await.is_err());
    assert_eq!(outcomes(&store).await[2], list(&[("http.get", "failure body")])[0]);

    let mut body = open(&router, Method::GET, "/stream").await;
    body.frame().await.unwrap().unwrap();
    drop(body);
    assert_eq!(outcomes(&store).await[3], list(&[("http.get", "unknown cancelled")])[0]);
    assert_eq!(outcomes(&store).await.len(), 4);
}

#[tokio::test]
async fn a_change_is_recorded_before_its_client_has_the_response() {
    let store = MemoryStore::new().unwrap();
    let body = open(&router(&store), Method::POST, "/stream").await;
    assert_eq!(outcomes(&store).await, list(&[("http.post", "success")]));
    drop(body);
    assert_eq!(outcomes(&store).await.len(), 1);
}
