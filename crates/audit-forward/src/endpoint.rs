//! An HTTP endpoint to which batches are posted.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use audit_core::{Error, ErrorKind, Result};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::time::{Instant, timeout};

use crate::connect::Peer;
use crate::sink::DeliveryError;
use crate::tls;

/// How a sink on the network may be reached.
///
/// By default it has TLS and a public address, and answers within 30 seconds.
#[derive(Clone, Debug)]
pub struct EndpointOptions {
    pub(crate) allows_plain: bool,
    pub(crate) allows_private: bool,
    pub(crate) ca: Option<PathBuf>,
    pub(crate) timeout: Duration,
}

impl Default for EndpointOptions {
    fn default() -> Self {
        let timeout = Duration::from_secs(30);
        Self { allows_plain: false, allows_private: false, ca: None, timeout }
    }
}

impl EndpointOptions {
    /// Allows `http:`, and syslog over TCP, without encryption: everyone on the way can read the events.
    #[must_use]
    pub fn with_plain_text(mut self) -> Self {
        self.allows_plain = true;
        self
    }

    /// Allows addresses that are not public: of this machine, of private networks, link-local ones.
    #[must_use]
    pub fn with_private_addresses(mut self) -> Self {
        self.allows_private = true;
        self
    }

    /// Trusts the authorities in a file of PEM certificates, instead of those of the system.
    #[must_use]
    pub fn with_ca(mut self, path: impl Into<PathBuf>) -> Self {
        self.ca = Some(path.into());
        self
    }

    /// Sets how long a delivery may take, from the connection to the end of the answer.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }
}

/// An HTTP endpoint. Follows no redirects and uses no proxy.
#[derive(Debug)]
pub(crate) struct Endpoint {
    peer: Peer,
    /// The path and the query.
    target: Uri,
    host: HeaderValue,
    timeout: Duration,
    idle: Mutex<Vec<Idle>>,
}

/// A connection that is not in use.
#[derive(Debug)]
struct Idle {
    connection: Connection,
    since: Instant,
    made: Instant,
}

type Connection = SendRequest<Full<Bytes>>;

/// How long a connection is kept that is not in use.
const LONGEST_IDLE: Duration = Duration::from_secs(20);
/// How long a connection is used: then the name is resolved again.
const LONGEST_USE: Duration = Duration::from_secs(120);
/// The `User-Agent` of the requests.
pub(crate) const USER_AGENT: &str = concat!("audit-forward/", env!("CARGO_PKG_VERSION"));
/// The most bytes of an answer that are read.
const MAX_ANSWER_BYTES: usize = 64 << 10;
/// The most characters of an answer in an error.
const MAX_QUOTED: usize = 200;

impl Endpoint {
    /// Parses the URL of an endpoint.
    ///
    /// # Errors
    /// [`Invalid`](ErrorKind::Invalid), field `url`, if it is not an absolute URL, has a user or a
    /// password, is not `https:`, or names an address that is not public; field `ca`, if that file cannot be
    /// used.
    pub(crate) fn new(url: &str, options: &EndpointOptions) -> Result<Self> {
        let uri: Uri =
            url.parse().map_err(|error| Error::malformed("url", "a URL").with_source(error))?;
        let is_tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") if options.allows_plain => false,
            Some("http") => {
                return Err(Error::malformed("url", "https:, unless plain text is allowed"));
            }
            _ => return Err(Error::malformed("url", "an https: URL")),
        };
        let Some(authority) = uri.authority() else {
            return Err(Error::malformed("url", "a URL with a host"));
        };
        if authority.as_str().contains('@') {
            return Err(Error::malformed("url", "a URL without a user; use a header"));
        }
        let port = authority.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
        let tls = is_tls.then(|| tls::connector(options.ca.as_deref())).transpose()?;
        let peer = Peer::new("url", authority.host(), port, tls, options.allows_private)?;
        let invalid = || Error::malformed("url", "a URL");
        let target = uri.path_and_query().map_or("/", |target| target.as_str());
        Ok(Self {
            peer,
            target: target.parse().map_err(|error| invalid().with_source(error))?,
            host: authority.as_str().parse().map_err(|error| {
                let _: http::header::InvalidHeaderValue = error;
                invalid()
            })?,
            timeout: options.timeout,
            idle: Mutex::default(),
        })
    }

    /// Posts a body. Returns the answer if its status is one of success.
    ///
    /// A destination is unavailable if it cannot be reached or answers 429, 502, 503 or 504; then a
    /// `Retry-After` holds. Any other answer, a connection that is cut, and an answer that takes too long
    /// are refusals.
    pub(crate) async fn post(
        &self,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<Bytes, DeliveryError> {
        let begun = Instant::now();
        let within = |limit| move |_| refused(&format!("no answer within {limit:?}"));
        // Only until the request is on its way, nothing can have been delivered.
        let connection = timeout(self.timeout, self.take());
        let connection = connection.await.map_err(|_| {
            let error = format!("no connection within {:?}", self.timeout);
            DeliveryError::unavailable(Error::new(ErrorKind::Unavailable).with_source(error))
        })??;
        let rest = self.timeout.saturating_sub(begun.elapsed());
        let exchange = self.exchange(connection, headers, body);
        timeout(rest, exchange).await.map_err(within(self.timeout))?
    }

    /// Returns a connection, and when it was made.
    async fn take(&self) -> Result<(Connection, Instant), DeliveryError> {
        loop {
            let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let Some(mut idle) = idle else { break };
            let is_fresh = idle.since.elapsed() < LONGEST_IDLE && idle.made.elapsed() < LONGEST_USE;
            if is_fresh && !idle.connection.is_closed() && idle.connection.ready().await.is_ok() {
                return Ok((idle.connection, idle.made));
            }
        }
        let stream = self.peer.connect().await?;
        let made = http1::handshake(TokioIo::new(stream)).await;
        let (connection, driver) = made.map_err(|error| {
            DeliveryError::unavailable(Error::new(ErrorKind::Unavailable).with_source(error))
        })?;
        tokio::spawn(driver);
        Ok((connection, Instant::now()))
    }

    async fn exchange(
        &self,
        (mut connection, made): (Connection, Instant),
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<Bytes, DeliveryError> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.target.clone();
        *request.headers_mut() = headers;
        request.headers_mut().insert(header::HOST, self.host.clone());
        let answer = connection.send_request(request).await;
        let answer = answer.map_err(|error| cut(error.into()))?;
        let (head, body) = answer.into_parts();
        let body = read(body).await;
        if head.status.is_success() {
            // An answer that is cut, or too long, is not known to be whole.
            let body = body.map_err(cut)?;
            let idle = Idle { connection, since: Instant::now(), made };
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(idle);
            return Ok(body);
        }
        Err(refusal(head.status, &head.headers, &body.unwrap_or_default()))
    }
}

async fn read(body: Incoming) -> Result<Bytes, Box<dyn std::error::Error + Send + Sync>> {
    Limited::new(body, MAX_ANSWER_BYTES).collect().await.map(http_body_util::Collected::to_bytes)
}

/// Returns the error of an answer that is not one of success.
fn refusal(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> DeliveryError {
    let text: String = String::from_utf8_lossy(body).chars().take(MAX_QUOTED).collect();
    let text = match (status.is_redirection(), text.trim()) {
        (true, _) => format!("the sink answered {status}; redirects are not followed"),
        (false, "") => format!("the sink answered {status}"),
        (false, text) => format!("the sink answered {status}: {text}"),
    };
    let error = Error::new(ErrorKind::Unavailable).with_source(text);
    let is_away = matches!(status.as_u16(), 429 | 502..=504);
    let error =
        if is_away { DeliveryError::unavailable(error) } else { DeliveryError::refused(error) };
    error.retry_after(headers.get(header::RETRY_AFTER).and_then(retry_after))
}

/// Returns the pause that a `Retry-After` asks for: a number of seconds, or a time.
fn retry_after(value: &HeaderValue) -> Option<Duration> {
    let text = value.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let time = httpdate::parse_http_date(text).ok()?;
    Some(time.duration_since(SystemTime::now()).unwrap_or_default())
}

fn cut(source: Box<dyn std::error::Error + Send + Sync>) -> DeliveryError {
    let error = Error::new(ErrorKind::Unavailable).with_context("waiting for the answer of a sink");
    DeliveryError::refused(error.with_source(source))
}

/// Returns the error of a batch that was not acknowledged.
pub(crate) fn refused(text: &str) -> DeliveryError {
    DeliveryError::refused(Error::new(ErrorKind::Unavailable).with_source(text))
}

/// Reads a header that is configured.
///
/// # Errors
/// [`Invalid`](ErrorKind::Invalid), with the name as the field.
pub(crate) fn header(name: &str, value: &str) -> Result<(header::HeaderName, HeaderValue)> {
    let name_error = || Error::malformed(name.to_owned(), "the name of a header");
    let key = name.parse::<header::HeaderName>().map_err(|_| name_error())?;
    let mut value = value
        .parse::<HeaderValue>()
        .map_err(|_| Error::malformed(name.to_owned(), "the value of a header"))?;
    value.set_sensitive(true);
    Ok((key, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_checked_before_anything_is_delivered() {
        let refused = [
            "",
            "events",
            "ftp://example.org/",
            "http://example.org/",
            "https://",
            "https://u:p@example.org/",
            "https://127.0.0.1/",
            "https://10.1.2.3:8443/a",
            "https://[::1]/",
            "https://[::ffff:10.0.0.1]/",
            "https://169.254.169.254/latest",
        ];
        for url in refused {
            let error = Endpoint::new(url, &EndpointOptions::default()).unwrap_err();
            assert_eq!((error.kind(), error.field()), (ErrorKind::Invalid, Some("url")), "{url}");
        }
        for url in ["https://example.org/a?b=c", "https://1.1.1.1:8443"] {
            Endpoint::new(url, &EndpointOptions::default()).unwrap();
        }
        let allowed = EndpointOptions::default().with_plain_text().with_private_addresses();
        let endpoint = Endpoint::new("http://[::1]:8080", &allowed).unwrap();
        assert_eq!((&*endpoint.peer.host, endpoint.peer.port), ("::1", 8080));
        assert_eq!(endpoint.target, "/");
    }

    #[test]
    fn a_sink_can_ask_for_seconds_or_for_a_time() {
        let of = |text: &str| retry_after(&HeaderValue::from_str(text).unwrap());
        assert_eq!(of(" 7 "), Some(Duration::from_secs(7)));
        assert_eq!(of("Fri, 31 Dec 1999 23:59:59 GMT"), Some(Duration::ZERO));
        let later = SystemTime::now() + Duration::from_secs(100);
        let asked = of(&httpdate::fmt_http_date(later)).unwrap();
        assert!(asked > Duration::from_secs(90) && asked <= Duration::from_secs(100));
        for text in ["", "-1", "soon", "1.5"] {
            assert_eq!(of(text), None, "{text}");
        }
    }
}
