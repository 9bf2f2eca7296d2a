//! The head of a request, and the address of its client.

use std::fmt;
use std::net::IpAddr;

use audit_core::limits::{MAX_ID_BYTES, MAX_NAME_BYTES, MAX_TEXT_BYTES};
use audit_core::{AuditContext, Trace};
use uuid::Uuid;

use crate::{Headers, TrustedProxies};

/// The name of the header with the id of a request, in the request and in its response.
pub const REQUEST_ID: &str = "x-request-id";

/// The head of a request, read from the types of any framework.
///
/// ```
/// use audit_core::{Actor, AuditContext};
/// use audit_request::{RequestHead, TrustedProxies};
/// use http::HeaderMap;
///
/// let headers = HeaderMap::new(); // or those of your framework, with `Headers` for them
/// let head = RequestHead::new("POST", "/invoices/9/pay", &headers)
///     .route(Some("/invoices/{id}/pay"))
///     .peer(Some([203, 0, 113, 9].into()));
/// let id = head.id_or_new();
/// let mut context = AuditContext::new(Actor::user("u_7"));
/// head.complete(&mut context, &id, &TrustedProxies::default());
/// assert_eq!(context.actor.ip.as_deref(), Some("203.0.113.9"));
/// ```
#[derive(Clone, Copy)]
pub struct RequestHead<'a> {
    method: &'a str,
    path: &'a str,
    route: Option<&'a str>,
    headers: &'a dyn Headers,
    peer: Option<IpAddr>,
}

impl<'a> RequestHead<'a> {
    /// Returns the head of a request. `path` is without the query, which can hold secrets.
    pub fn new(method: &'a str, path: &'a str, headers: &'a dyn Headers) -> Self {
        Self { method, path, route: None, headers, peer: None }
    }

    /// Sets the pattern of the route that the path matched.
    #[must_use]
    pub fn route(mut self, route: Option<&'a str>) -> Self {
        self.route = route;
        self
    }

    /// Sets the address of the other end of the connection: the client, or a proxy.
    #[must_use]
    pub fn peer(mut self, peer: Option<IpAddr>) -> Self {
        self.peer = peer;
        self
    }

    /// Returns the id that the client or a proxy gave the request in `X-Request-Id`, if it is 1 to 128
    /// visible ASCII characters.
    pub fn id(&self) -> Option<&'a str> {
        let id = self.text(REQUEST_ID)?;
        ((1..=128).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_graphic())).then_some(id)
    }

    /// Returns the [id](Self::id) of the request, or a new one. Send it back in the response.
    pub fn id_or_new(&self) -> String {
        self.id().map_or_else(|| Uuid::now_v7().to_string(), ToOwned::to_owned)
    }

    /// Sets in `context` the values of the request and of its client, unless the context has them: the
    /// method, the path, the route and the `id` of the request, the trace of `traceparent`, the address and
    /// the user agent of the client.
    ///
    /// Nothing that a client sends makes the event exceed a limit: it would be refused then, and the
    /// request would leave no trace. What is longer is cut.
    pub fn complete(&self, context: &mut AuditContext, id: &str, proxies: &TrustedProxies) {
        let request = &mut context.request;
        let cut_to = |text: &str, limit| cut(text, limit).to_owned();
        request.method.get_or_insert_with(|| cut_to(self.method, MAX_NAME_BYTES));
        request.path.get_or_insert_with(|| cut_to(self.path, MAX_TEXT_BYTES));
        if request.route.is_none() {
            request.route = self.route.map(|route| cut_to(route, MAX_TEXT_BYTES));
        }
        request.id.get_or_insert_with(|| cut_to(id, MAX_ID_BYTES));
        if context.trace.is_none() {
            let header = self.text("traceparent");
            context.trace = header.and_then(|header| Trace::from_traceparent(header).ok());
        }
        let actor = &mut context.actor;
        if actor.ip.is_none() {
            let client = self.peer.map(|peer| proxies.client(peer, self.headers));
            actor.ip = client.map(|client| client.to_string());
        }
        if actor.user_agent.is_none() {
            let agent = self.headers.first("user-agent");
            actor.user_agent =
                agent.map(|agent| cut_to(&String::from_utf8_lossy(agent), MAX_TEXT_BYTES));
        }
    }

    /// Returns the first value of a header, if it is a text.
    fn text(&self, name: &str) -> Option<&'a str> {
        self.headers.first(name).and_then(|value| std::str::from_utf8(value).ok())
    }
}

impl fmt::Debug for RequestHead<'_> {
    /// Prints no headers, which can hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { method, path, route, peer, .. } = self;
        f.debug_struct("RequestHead")
            .field("method", method)
            .field("path", path)
            .field("route", route)
            .field("peer", peer)
            .finish_non_exhaustive()
    }
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
    use http::{HeaderMap, HeaderValue};

    #[test]
    fn an_id_of_the_client_is_kept_if_it_can_be_printed() {
        let mut headers = HeaderMap::new();
        headers.insert(REQUEST_ID, HeaderValue::from_static("req-1"));
        assert_eq!(RequestHead::new("GET", "/", &headers).id_or_new(), "req-1");
        for bad in [b"".as_slice(), b"two words", &[b'x'; 129], b"\xff"] {
            headers.insert(REQUEST_ID, HeaderValue::from_bytes(bad).unwrap());
            let head = RequestHead::new("GET", "/", &headers);
            assert_eq!(head.id(), None, "{bad:?}");
            assert!(Uuid::try_parse(&head.id_or_new()).is_ok());
        }
    }

    #[test]
    fn nothing_that_a_client_sends_makes_an_event_invalid() {
        let agent = [b"\xff".as_slice(), "é".repeat(MAX_TEXT_BYTES).as_bytes()].concat();
        let mut headers = HeaderMap::new();
        headers.insert("user-agent", HeaderValue::from_bytes(&agent).unwrap());
        headers.insert("traceparent", HeaderValue::from_static("00-zz-1"));
        let (method, path) = ("M".repeat(1_000), "x".repeat(2 * MAX_TEXT_BYTES));
        let mut context = AuditContext::new(Actor::unknown());
        let head = RequestHead::new(&method, &path, &headers).route(Some(&path));
        head.complete(&mut context, &"i".repeat(2 * MAX_ID_BYTES), &TrustedProxies::default());
        let event = context.new_event("a");
        assert!(event.validate().is_ok());
        assert_eq!(event.request.method.map(|method| method.len()), Some(MAX_NAME_BYTES));
    }

    #[test]
    fn what_the_service_states_goes_first() {
        let mut headers = HeaderMap::new();
        headers.insert("user-agent", HeaderValue::from_static("curl"));
        let actor = Actor::user("u_7").ip("203.0.113.9").user_agent("phone");
        let stated = AuditContext::new(actor).request("GRPC", "/b").request_id("own").route("/c");
        let mut context = stated.clone();
        let head = RequestHead::new("GET", "/a", &headers).route(Some("/r"));
        let head = head.peer(Some([10, 0, 0, 1].into()));
        head.complete(&mut context, "req-1", &TrustedProxies::default());
        assert_eq!(context, stated);
    }
}
