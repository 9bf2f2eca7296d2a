//! The options of the router: what it mounts, and its limits.

use std::collections::BTreeSet;
use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use audit_core::TenantStore;
use audit_merkle::Notary;

use crate::contract::Contract;

/// The routes that the router mounts, and its limits. The defaults suit a service on one machine.
///
/// ```
/// use std::sync::Arc;
/// use std::time::Duration;
/// use audit_http::{Contract, HttpOptions};
///
/// # fn example(store: Arc<dyn audit_core::TenantStore>) {
/// let options = HttpOptions::default()
///     .with_tenants(store)
///     .with_contracts(Contract::ALL)
///     .with_rate_limit(50)
///     .with_request_timeout(Duration::from_secs(10));
/// # }
/// ```
#[derive(Clone)]
#[must_use]
pub struct HttpOptions {
    pub(crate) tenants: Option<Arc<dyn TenantStore>>,
    pub(crate) contracts: BTreeSet<Contract>,
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
    /// Returns options that mount only the native API of logs. Bodies of 4 MiB and 16 MiB of them
    /// at a time, 30 seconds for each request, 256 requests at a time, 1,000 requests a second and
    /// 128 at a time of each caller, streams of 10 minutes, no notary and no metrics.
    fn default() -> Self {
        Self {
            tenants: None,
            contracts: BTreeSet::new(),
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
    /// Mounts the routes for the organizations in `tenants`: `/v1/platform/organizations`, and
    /// those of [`Contract::OrganizationsAndActivities`] and [`Contract::OrganisationAuditLogs`] if
    /// these contracts are mounted. A service that keeps its tenants elsewhere leaves it out.
    pub fn with_tenants(mut self, tenants: Arc<dyn TenantStore>) -> Self {
        self.tenants = Some(tenants);
        self
    }

    /// Mounts the routes of `contracts` beside the native API, in place of those set before.
    pub fn with_contracts(mut self, contracts: impl IntoIterator<Item = Contract>) -> Self {
        self.contracts = contracts.into_iter().collect();
        self
    }

    /// Sets the size limit of a request's body, in bytes. A larger one is rejected with 413.
    pub fn with_max_body(mut self, bytes: usize) -> Self {
        self.max_body = bytes;
        self
    }

    /// Sets the memory for all bodies that are being read, in bytes, and at least that of
    /// one body. The values parsed from them may take eight times as much. A request beyond that
    /// waits until others are done. A body whose values alone would take more is rejected with 413:
    /// an object counts as 640 bytes and any other value as 32.
    pub fn with_body_memory(mut self, bytes: usize) -> Self {
        self.body_memory = bytes;
        self
    }

    /// Sets the time limit for reading a body, and again for the answer. The first is rejected with
    /// 408, the second with 503. Streams have their own limit.
    pub fn with_request_timeout(mut self, timeout: Duration) -> Self {
        self.request_timeout = timeout;
        self
    }

    /// Sets the number of requests that are handled at once, at least 1. More are rejected with
    /// 503.
    pub fn with_concurrency(mut self, requests: usize) -> Self {
        self.concurrency = requests.max(1);
        self
    }

    /// Sets the requests a second of each caller, at least 1. As many may come at once. More are
    /// rejected with 429.
    pub fn with_rate_limit(mut self, per_second: u32) -> Self {
        self.rate = NonZeroU32::new(per_second).unwrap_or(NonZeroU32::MIN);
        self
    }

    /// Sets the number of requests and streams of one caller at once, at least 1. A request ends
    /// when its answer has been sent. More are rejected with 429.
    pub fn with_concurrency_per_caller(mut self, requests: usize) -> Self {
        self.per_caller = requests.max(1);
        self
    }

    /// Sets the time after which a stream of events ends, so that the client connects and
    /// authenticates again.
    pub fn with_stream_duration(mut self, duration: Duration) -> Self {
        self.stream_duration = duration;
        self
    }

    /// Sets the notary that signs the checkpoints and the evidence that clients ask for. Without
    /// one these routes answer 404. To sign checkpoints at intervals as well, run
    /// [`publish_checkpoints`](crate::publish_checkpoints).
    pub fn with_notary(mut self, notary: Arc<Notary>) -> Self {
        self.notary = Some(notary);
        self
    }

    /// Serves the text that `render` returns at `/metrics`: the Prometheus form of the recorder
    /// that the service has installed for the `metrics` crate.
    pub fn with_metrics(mut self, render: impl Fn() -> String + Send + Sync + 'static) -> Self {
        self.metrics = Some(Arc::new(render));
        self
    }
}

impl fmt::Debug for HttpOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpOptions")
            .field("tenants", &self.tenants)
            .field("contracts", &self.contracts)
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
