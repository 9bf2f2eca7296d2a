//! What a request says of its client and of itself.

use std::net::IpAddr;

use audit_core::limits::{MAX_ID_BYTES, MAX_NAME_BYTES, MAX_TEXT_BYTES};
use audit_core::{AuditContext, Trace};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use uuid::Uuid;

/// The header of a request's id, in the request and in its response.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// Returns the id of a request: that of the client or of a proxy if it is 1 to 128 visible ASCII
/// characters, else a new one, which is set in the headers of the request.
pub(crate) fn request_id(headers: &mut HeaderMap) -> HeaderValue {
    let is_id = |value: &&HeaderValue| {
        (1..=128).contains(&value.len()) && value.as_bytes().iter().all(u8::is_ascii_graphic)
    };
    if let Some(id) = headers.get(REQUEST_ID).filter(is_id) {
        return id.clone();
    }
    let mut text = [0; uuid::fmt::Hyphenated::LENGTH];
    let text = Uuid::now_v7().hyphenated().encode_lower(&mut text);
    // A UUID is a header's value.
    let id = HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static("invalid"));
    headers.insert(REQUEST_ID, id.clone());
    id
}

/// Sets what the request says of itself and of its client, unless the context has it.
///
/// Nothing that a client sends makes the event exceed a limit: it would be refused then, and the request
/// would leave no trace. What is longer is cut.
pub(crate) fn complete(
    context: &mut AuditContext,
    parts: &Parts,
    id: &HeaderValue,
    address: Option<IpAddr>,
) {
    let request = &mut context.request;
    let cut_to = |text: &str, limit| cut(text, limit).to_owned();
    request.method.get_or_insert_with(|| cut_to(parts.method.as_str(), MAX_NAME_BYTES));
    // Without the query, which can hold secrets.
    request.path.get_or_insert_with(|| cut_to(path(parts), MAX_TEXT_BYTES));
    if request.route.is_none() {
        request.route = route(parts).map(|route| cut_to(route, MAX_TEXT_BYTES));
    }
    if request.id.is_none() {
        request.id = id.to_str().ok().map(|id| cut_to(id, MAX_ID_BYTES));
    }
    if context.trace.is_none() {
        let header = parts.headers.get(TRACEPARENT).and_then(|value| value.to_str().ok());
        context.trace = header.and_then(|header| Trace::from_traceparent(header).ok());
    }
    let actor = &mut context.actor;
    if actor.ip.is_none() {
        actor.ip = address.map(|address| address.to_string());
    }
    if actor.user_agent.is_none() {
        let agent = parts.headers.get(header::USER_AGENT);
        actor.user_agent = agent.map(|agent| {
            cut(&String::from_utf8_lossy(agent.as_bytes()), MAX_TEXT_BYTES).to_owned()
        });
    }
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

/// Returns the path as the client sent it, which a router that nests another cuts.
#[cfg(feature = "axum")]
fn path(parts: &Parts) -> &str {
    let original = parts.extensions.get::<axum::extract::OriginalUri>();
    original.map_or(parts.uri.path(), |uri| uri.path())
}

#[cfg(not(feature = "axum"))]
fn path(parts: &Parts) -> &str {
    parts.uri.path()
}

/// Returns the start of `text` that has at most `limit` bytes.
fn cut(text: &str, limit: usize) -> &str {
    let mut end = text.len().min(limit);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;
    use audit_core::Actor;
    use http::Request;

    #[test]
    fn an_id_of_the_client_is_kept_if_it_can_be_printed() {
        let mut headers = HeaderMap::new();
        headers.insert(REQUEST_ID, HeaderValue::from_static("req-1"));
        assert_eq!(request_id(&mut headers), "req-1");
        for bad in ["", "two words", &"x".repeat(129)] {
            headers.insert(REQUEST_ID, HeaderValue::from_str(bad).unwrap());
            let id = request_id(&mut headers);
            assert!(Uuid::try_parse(id.to_str().unwrap()).is_ok(), "{bad}");
            assert_eq!(headers[REQUEST_ID], id);
        }
    }

    #[test]
    fn nothing_that_a_client_sends_makes_an_event_invalid() {
        let agent = [b"\xff".as_slice(), "é".repeat(MAX_TEXT_BYTES).as_bytes()].concat();
        let request = Request::builder()
            .method("M".repeat(1_000).as_str())
            .uri(format!("/{}?token=hunter2", "x".repeat(60_000)))
            .header(header::USER_AGENT, HeaderValue::from_bytes(&agent).unwrap())
            .header(TRACEPARENT, "00-zz-1");
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let mut context = AuditContext::new(Actor::unknown());
        let id = HeaderValue::from_static("req-1");
        complete(&mut context, &parts, &id, None);
        let event = context.new_event("a");
        assert!(event.validate().is_ok());
        assert_eq!(event.request.id.as_deref(), Some("req-1"));
        assert!(!format!("{event:?}").contains("hunter2"));
    }

    #[test]
    fn what_the_service_states_goes_first() {
        let request = Request::builder().header(header::USER_AGENT, "curl").uri("/a");
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let actor = Actor::user("u_7").ip("203.0.113.9").user_agent("phone");
        let stated = AuditContext::new(actor).request("GRPC", "/b").request_id("own").route("/c");
        let mut context = stated.clone();
        let id = HeaderValue::from_static("req-1");
        complete(&mut context, &parts, &id, Some([10, 0, 0, 1].into()));
        assert_eq!(context, stated);
    }
}
