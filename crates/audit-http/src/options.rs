//! The limits of the service.

use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use audit_merkle::Notary;

/// Limits, each with a default that suits a service on one machine.
///
/// ```
/// use std::time::Duration;
/// use audit_http::HttpOptions;
///
/// let options = HttpOptions::default()
///     .with_rate_limit(50)
///     .with_request_timeout(Duration::from_secs(10));
/// ```
#[derive(Clone)]
#[must_use]
pub struct HttpOptions {
    pub(crate) max_body: usize,
    pub(crate) body_memory: usize,
    pub(crate) request_timeout: Duration,
    pub(crate) concurrency: usize,
    pub(crate) rate: NonZeroU32,
    pub(crate) per_caller: usize,
    pub(crate) stream_duration: Duration,
    pub(crate) notary: Option<Arc<Notary>>,
    pub(crate) metrics: Option<Arc<dyn Fn() -> String + Send + Sync>>,
}

impl Default for HttpOptions {
    /// Bodies of 4 MiB and 16 MiB of them at a time, 30 seconds for each, 256 requests at a time,
    /// 1,000 requests a second and 128 at a time of each caller, streams of 10 minutes, no notary and
    /// no metrics.
    fn default() -> Self {
        Self {
            max_body: 4 << 20,
            body_memory: 16 << 20,
            request_timeout: Duration::from_secs(30),
            concurrency: 256,
            rate: NonZeroU32::MIN.saturating_add(999),
            per_caller: 128,
            stream_duration: Duration::from_secs(600),
            notary: None,
            metrics: None,
        }
    }
}

impl HttpOptions {
    /// The most bytes of a request's body. More is answered 413.
    pub fn with_max_body(mut self, bytes: usize) -> Self {
        self.max_body = bytes;
        self
    }

    /// The most bytes of all bodies that are being read, at least those of one; what they become
    /// may take twice as many. A request beyond waits until others are done. One whose JSON would
    /// become too large by itself is answered 413.
    pub fn with_body_memory(mut self, bytes: usize) -> Self {
        self.body_memory = bytes;
        self
    }

    /// How long the body of a request may take, and how long what follows. The one is answered
    /// 408, the other 503. Streams are not bound by it.
    pub fn with_request_timeout(mut self, timeout: Duration) -> Self {
        self.request_timeout = timeout;
        self
    }

    /// How many requests are handled at a time, at least 1. More are answered 503.
    pub fn with_concurrency(mut self, requests: usize) -> Self {
        self.concurrency = requests.max(1);
        self
    }

    /// How many requests a second each caller may make, at least 1; as many may come at once. More
    /// are answered 429.
    pub fn with_rate_limit(mut self, per_second: u32) -> Self {
        self.rate = NonZeroU32::new(per_second).unwrap_or(NonZeroU32::MIN);
        self
    }

    /// How many requests and streams of one caller may be under way, their answers included, at
    /// least 1. More are answered 429.
    pub fn with_concurrency_per_caller(mut self, requests: usize) -> Self {
        self.per_caller = requests.max(1);
        self
    }

    /// How long a stream of events lasts before the client has to connect, and show its
    /// credential, again.
    pub fn with_stream_duration(mut self, duration: Duration) -> Self {
        self.stream_duration = duration;
        self
    }

    /// Signs checkpoints, and evidence, when they are asked for. Without a notary these routes are
    /// 404. What nobody asks for is signed by [`publish_checkpoints`](crate::publish_checkpoints).
    pub fn with_notary(mut self, notary: Arc<Notary>) -> Self {
        self.notary = Some(notary);
        self
    }

    /// Serves what `render` gives at `/metrics`: the text form of Prometheus, of the recorder that
    /// the service has installed for the `metrics` crate.
    pub fn with_metrics(mut self, render: impl Fn() -> String + Send + Sync + 'static) -> Self {
        self.metrics = Some(Arc::new(render));
        self
    }
}

impl fmt::Debug for HttpOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpOptions")
            .field("max_body", &self.max_body)
            .field("body_memory", &self.body_memory)
            .field("request_timeout", &self.request_timeout)
            .field("concurrency", &self.concurrency)
            .field("rate", &self.rate)
            .field("per_caller", &self.per_caller)
            .field("stream_duration", &self.stream_duration)
            .field("notary", &self.notary)
            .finish_non_exhaustive()
    }
}
