//! The request id, span and metrics of each request, for operators.

use std::time::Instant;

use axum::Router;
use axum::extract::{MatchedPath, Request};
use axum::http::{Extensions, HeaderName, HeaderValue, Method, header};
use axum::middleware::{self, Next};
use axum::response::Response;
use tracing::Instrument as _;
use uuid::Uuid;

/// The id of a request: that of the client if it is a UUID, else a new one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RequestId(Uuid);

/// The header of a request's id, in the request and in its response.
const HEADER: HeaderName = HeaderName::from_static("x-request-id");

impl RequestId {
    pub(crate) fn of(extensions: &Extensions) -> Uuid {
        extensions.get().map_or(Uuid::nil(), |Self(id)| *id)
    }
}

/// Adds an id, a span and metrics to every request of `router`, and to every response the headers
/// that keep its data from caches and from being taken for something else.
pub(crate) fn layer<S: Clone + Send + Sync + 'static>(router: Router<S>) -> Router<S> {
    router.layer(middleware::from_fn(observe))
}

async fn observe(mut request: Request, next: Next) -> Response {
    let given = request.headers().get(HEADER).and_then(|value| value.to_str().ok());
    let id = given.and_then(|text| Uuid::try_parse(text).ok()).unwrap_or_else(Uuid::now_v7);
    request.extensions_mut().insert(RequestId(id));
    // The pattern of the path, because the path itself can contain personal data and has many
    // values.
    let route = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    let route = route.unwrap_or("none").to_owned();
    let method = label(request.method());
    let span = tracing::info_span!(
        "request",
        %id, method, route,
        organization = tracing::field::Empty,
        caller = tracing::field::Empty,
    );
    let begun = Instant::now();
    let mut response = next.run(request).instrument(span.clone()).await;
    let (status, elapsed) = (response.status().as_u16(), begun.elapsed());
    span.in_scope(|| {
        tracing::info!(status, elapsed_us = u64::try_from(elapsed.as_micros()).ok(), "answered");
    });
    let labels = [("method", method.to_owned()), ("route", route), ("status", status.to_string())];
    metrics::counter!("audit_http_requests_total", &labels).increment(1);
    metrics::histogram!("audit_http_request_seconds", &labels[..2]).record(elapsed);
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(&id.to_string()) {
        headers.insert(HEADER, id);
    }
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // What has no data says so by another value of its own.
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// Returns the method as the value of a label. Clients can invent methods, and a recorder keeps each
/// value for ever.
fn label(method: &Method) -> &'static str {
    const KNOWN: [Method; 9] = [
        Method::GET,
        Method::HEAD,
        Method::POST,
        Method::PUT,
        Method::PATCH,
        Method::DELETE,
        Method::OPTIONS,
        Method::CONNECT,
        Method::TRACE,
    ];
    const NAMES: [&str; 9] =
        ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE"];
    KNOWN.iter().position(|known| known == method).map_or("other", |index| NAMES[index])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_method_that_http_does_not_define_has_no_label_of_its_own() {
        assert_eq!(label(&Method::PATCH), "PATCH");
        assert_eq!(label(&Method::TRACE), "TRACE");
        for text in ["M000001", "get", "PROPFIND"] {
            assert_eq!(label(&Method::from_bytes(text.as_bytes()).unwrap()), "other");
        }
    }
}
