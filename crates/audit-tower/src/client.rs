//! The head of a request, from the types of `http` and axum.

use std::net::{IpAddr, SocketAddr};

use audit_request::RequestHead;
use http::request::Parts;
use http::{HeaderName, HeaderValue};

/// The header of a request's id, in the request and in its response.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static(audit_request::REQUEST_ID);

/// Returns the head of a request.
pub(crate) fn head(parts: &Parts) -> RequestHead<'_> {
    let head = RequestHead::new(parts.method.as_str(), path(parts), &parts.headers);
    head.route(route(parts)).peer(peer(parts))
}

/// Returns the id of the request, or a new one, which is set in the headers of the request.
pub(crate) fn request_id(parts: &mut Parts) -> HeaderValue {
    if head(parts).id().is_some()
        && let Some(id) = parts.headers.get(REQUEST_ID)
    {
        return id.clone();
    }
    // An id is a header's value.
    let id = HeaderValue::try_from(head(parts).id_or_new())
        .unwrap_or(HeaderValue::from_static("invalid"));
    parts.headers.insert(REQUEST_ID, id.clone());
    id
}

/// Returns the address of the connection's other end: axum's `ConnectInfo`, or an `IpAddr` or a
/// `SocketAddr` in the extensions.
fn peer(parts: &Parts) -> Option<IpAddr> {
    #[cfg(feature = "axum")]
    if let Some(info) = parts.extensions.get::<axum::extract::ConnectInfo<SocketAddr>>() {
        return Some(info.0.ip());
    }
    let address = parts.extensions.get::<SocketAddr>().map(SocketAddr::ip);
    address.or_else(|| parts.extensions.get::<IpAddr>().copied())
}

/// Returns the pattern that the path matched.
#[cfg(feature = "axum")]
fn route(parts: &Parts) -> Option<&str> {
    parts.extensions.get::<axum::extract::MatchedPath>().map(axum::extract::MatchedPath::as_str)
}

#[cfg(not(feature = "axum"))]
fn route(_: &Parts) -> Option<&str> {
    None
}

/// Returns the path as the client sent it, which a router that nests another cuts. Without the query,
/// which can hold secrets.
#[cfg(feature = "axum")]
fn path(parts: &Parts) -> &str {
    let original = parts.extensions.get::<axum::extract::OriginalUri>();
    original.map_or(parts.uri.path(), |uri| uri.path())
}

#[cfg(not(feature = "axum"))]
fn path(parts: &Parts) -> &str {
    parts.uri.path()
}

#[cfg(test)]
mod tests {
    use super::*;
    use audit_core::{Actor, AuditContext};
    use audit_request::TrustedProxies;
    use http::Request;

    #[test]
    fn a_new_id_is_seen_by_the_handler_and_a_query_by_nobody() {
        let request = Request::builder().uri("/a?token=hunter2").header(REQUEST_ID, "two words");
        let (mut parts, ()) = request.body(()).unwrap().into_parts();
        let id = request_id(&mut parts);
        assert_eq!(parts.headers[REQUEST_ID], id);
        assert_eq!(request_id(&mut parts), id);
        let mut context = AuditContext::new(Actor::unknown());
        head(&parts).complete(&mut context, "req-1", &TrustedProxies::default());
        assert_eq!(context.request.path.as_deref(), Some("/a"));
        assert!(!format!("{context:?}").contains("hunter2"));
    }
}
