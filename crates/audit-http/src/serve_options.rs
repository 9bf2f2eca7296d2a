//! The options of connections.

use std::time::Duration;

use audit_request::{ProxyNet, TrustedProxies};

/// The limits of connections, and the proxies in front of the service.
///
/// ```
/// use std::time::Duration;
/// use audit_http::ServeOptions;
///
/// let options = ServeOptions::default()
///     .with_idle_timeout(Duration::from_secs(120))
///     .with_trusted_proxy("10.0.0.0/8".parse()?);
/// # Ok::<(), audit_core::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct ServeOptions {
    pub(crate) connections: usize,
    pub(crate) per_address: usize,
    pub(crate) head_timeout: Duration,
    pub(crate) idle_timeout: Duration,
    pub(crate) answer_timeout: Duration,
    pub(crate) least_rate: u32,
    pub(crate) grace: Duration,
    pub(crate) proxies: TrustedProxies,
}

impl Default for ServeOptions {
    /// Returns options for 4,096 connections, 2,048 of one address; 15 seconds for the head of a
    /// request, 75 seconds between requests, 30 seconds for a client that does not read and 1 KiB a
    /// second for one that does; 30 seconds for requests under way at shutdown; no trusted proxy.
    fn default() -> Self {
        Self {
            connections: 4_096,
            per_address: 2_048,
            head_timeout: Duration::from_secs(15),
            idle_timeout: Duration::from_secs(75),
            answer_timeout: Duration::from_secs(30),
            least_rate: 1 << 10,
            grace: Duration::from_secs(30),
            proxies: TrustedProxies::default(),
        }
    }
}

impl ServeOptions {
    /// Sets the number of open connections, at least 1. For a further one, the one that has waited
    /// longest for a request is closed. If all have a request under way, the new one is answered with
    /// 503 and closed.
    pub fn with_max_connections(mut self, connections: usize) -> Self {
        self.connections = connections.max(1);
        self
    }

    /// Sets the number of open connections of one address, at least 1; of an IPv6 address, of its
    /// network of 64 bits. More are treated as those beyond [`with_max_connections`](Self::with_max_connections).
    /// The connections of trusted proxies are not limited; instead, each client behind them may have
    /// as many requests under way.
    pub fn with_max_connections_per_address(mut self, connections: usize) -> Self {
        self.per_address = connections.max(1);
        self
    }

    /// Sets the time limit for the head of a request. A slower connection is closed.
    pub fn with_head_timeout(mut self, timeout: Duration) -> Self {
        self.head_timeout = timeout;
        self
    }

    /// Sets how long a connection may be idle between two requests. It should be longer than that of
    /// the proxy in front, which otherwise sends a request on a connection that is being closed.
    pub fn with_idle_timeout(mut self, timeout: Duration) -> Self {
        self.idle_timeout = timeout;
        self
    }

    /// Sets how long a client may leave an answer unread, once the system's buffers are full. What
    /// it reads pays for as much time as the least rate allows.
    pub fn with_answer_timeout(mut self, timeout: Duration) -> Self {
        self.answer_timeout = timeout;
        self
    }

    /// Sets the bytes a second that a client must read of an answer. With 0, it must only read within
    /// the time limit.
    pub fn with_min_answer_rate(mut self, bytes_per_second: u32) -> Self {
        self.least_rate = bytes_per_second;
        self
    }

    /// Sets the time for requests under way to end at shutdown.
    pub fn with_grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// Trusts the proxies of a network: the address of a client is then that of the last hop in
    /// `X-Forwarded-For` (or `Forwarded`) that is not trusted. May be called several times.
    pub fn with_trusted_proxy(mut self, net: ProxyNet) -> Self {
        self.proxies = self.proxies.with(net);
        self
    }
}
