//! The options of the router: the routes that it mounts, and its limits.

use std::collections::BTreeSet;
use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use audit_core::{Result, TenantStore};
use audit_export::Ocsf;
use audit_merkle::Notary;

use crate::contract::Contract;
use crate::metrics::Metrics;
use crate::readiness::Readiness;

/// The routes that the router mounts, and its limits. The defaults suit a service on one machine.
///
/// ```
/// use std::time::Duration;
/// use audit_http::{Contract, HttpOptions};
///
/// # fn example(store: impl audit_core::TenantStore) {
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
    pub(crate) body_timeout: Duration,
    pub(crate) least_rate: u32,
    pub(crate) answer_memory: usize,
    pub(crate) reads: usize,
    pub(crate) request_timeout: Duration,
    pub(crate) concurrency: usize,
    pub(crate) followers: usize,
    pub(crate) share: u8,
    pub(crate) rate: NonZeroU32,
    pub(crate) tenant_rate: NonZeroU32,
    pub(crate) per_caller: usize,
    pub(crate) stream_duration: Duration,
    pub(crate) notary: Option<Arc<Notary>>,
    pub(crate) metrics: Option<Metrics>,
    pub(crate) readiness: Option<Readiness>,
    pub(crate) ocsf: Ocsf,
}

impl Default for HttpOptions {
    /// Returns options that mount only the native API of logs, without a notary and metrics.
    ///
    /// For all: 256 requests at a time, 6 that read events, 512 that wait for events; 16 MiB of
    /// bodies and 16 MiB of answers. For an organization: half of these, and 4,000 requests a second.
    /// For a caller: 128 requests at a time and 1,000 a second. For a request: a body of 4 MiB within
    /// 30 seconds at 1 KiB a second, 30 seconds for the answer, 10 minutes for a stream.
    fn default() -> Self {
        Self {
            tenants: None,
            contracts: BTreeSet::new(),
            max_body: 4 << 20,
            body_memory: 16 << 20,
            body_timeout: Duration::from_secs(30),
            least_rate: 1 << 10,
            answer_memory: 16 << 20,
            reads: 6,
            request_timeout: Duration::from_secs(30),
            concurrency: 256,
            followers: 512,
            share: 50,
            rate: NonZeroU32::MIN.saturating_add(999),
            tenant_rate: NonZeroU32::MIN.saturating_add(3_999),
            per_caller: 128,
            stream_duration: Duration::from_secs(600),
            notary: None,
            metrics: None,
            readiness: None,
            ocsf: Ocsf::default(),
        }
    }
}

impl HttpOptions {
    /// Mounts the routes for the organizations in `tenants`: `/v1/platform/organizations`, and
    /// those of [`Contract::OrganizationsAndActivities`] and [`Contract::OrganisationAuditLogs`] if
    /// these contracts are mounted. A service that keeps its tenants elsewhere leaves it out.
    pub fn with_tenants(mut self, tenants: impl TenantStore) -> Self {
        self.tenants = Some(Arc::new(tenants));
        self
    }

    /// Mounts the routes of `contracts` beside the native API, in place of those set before.
    pub fn with_contracts(mut self, contracts: impl IntoIterator<Item = Contract>) -> Self {
        self.contracts = contracts.into_iter().collect();
        self
    }

    /// Sets how exports write events of OCSF: the name of the product, and rules for the classes of its
    /// actions.
    pub fn with_ocsf(mut self, ocsf: Ocsf) -> Self {
        self.ocsf = ocsf;
        self
    }

    /// Sets the size limit of a request's body, in bytes. A larger one is rejected with 413.
    pub fn with_max_body(mut self, bytes: usize) -> Self {
        self.max_body = bytes;
        self
    }

    /// Sets the memory for the bodies that are on their way, in bytes, and at least that of one
    /// body. The values parsed from them may take eight times as much. A body takes memory as its
    /// bytes arrive; without more, it waits until others are done. A body whose values alone would
    /// take more is rejected with 413: an object counts as 640 bytes and any other value as 32.
    pub fn with_body_memory(mut self, bytes: usize) -> Self {
        self.body_memory = bytes;
        self
    }

    /// Sets the time limit for a body. A slower one is rejected with 408.
    pub fn with_body_timeout(mut self, timeout: Duration) -> Self {
        self.body_timeout = timeout;
        self
    }

    /// Sets the bytes a second that a body must arrive with, on average but for 5 seconds. A slower
    /// one is rejected with 408. With 0, only the time limit holds.
    pub fn with_min_body_rate(mut self, bytes_per_second: u32) -> Self {
        self.least_rate = bytes_per_second;
        self
    }

    /// Sets the memory for answers that their clients have not taken yet, in bytes, at least 64 KiB.
    /// A request for events beyond that waits until others are done.
    pub fn with_answer_memory(mut self, bytes: usize) -> Self {
        self.answer_memory = bytes.max(64 << 10);
        self
    }

    /// Sets the number of requests that read events at once, at least 1. More wait for their turn.
    /// With more than a store has threads, one organization can keep all of them busy.
    pub fn with_max_reads(mut self, requests: usize) -> Self {
        self.reads = requests.max(1);
        self
    }

    /// Sets the time limit for the answer to a request, from the end of its body. A slower one is
    /// rejected with 503. Streams have their own limit.
    pub fn with_request_timeout(mut self, timeout: Duration) -> Self {
        self.request_timeout = timeout;
        self
    }

    /// Sets the number of requests that are handled at once, and of bodies that are on their way, at
    /// least 1. More are rejected with 503. Requests that wait do not count.
    pub fn with_max_requests(mut self, requests: usize) -> Self {
        self.concurrency = requests.max(1);
        self
    }

    /// Sets the number of long polls and streams that wait for events at once, at least 1. More are
    /// rejected with 503.
    pub fn with_max_followers(mut self, requests: usize) -> Self {
        self.followers = requests.max(1);
        self
    }

    /// Sets the part of what all share that one organization may hold, in percent: 1 to 100. It holds
    /// for requests, reads, bodies, answers, and polls and streams that wait. More requests are
    /// rejected with 429, and what needs more memory waits.
    ///
    /// The part is of what other organizations leave: with 50, the first may take one half, a second
    /// one a quarter, and a third one an eighth. With 100, one organization can take all.
    pub fn with_organization_share(mut self, percent: u8) -> Self {
        self.share = percent.clamp(1, 100);
        self
    }

    /// Sets the requests a second of each caller, at least 1. As many may come at once. More are
    /// rejected with 429.
    pub fn with_rate_limit(mut self, per_second: u32) -> Self {
        self.rate = NonZeroU32::new(per_second).unwrap_or(NonZeroU32::MIN);
        self
    }

    /// Sets the requests a second of each organization, of all its callers together, at least 1.
    /// More are rejected with 429.
    pub fn with_organization_rate_limit(mut self, per_second: u32) -> Self {
        self.tenant_rate = NonZeroU32::new(per_second).unwrap_or(NonZeroU32::MIN);
        self
    }

    /// Sets the number of requests of one caller at once, at least 1, and that of its polls and
    /// streams that wait. More are rejected with 429.
    pub fn with_max_requests_per_caller(mut self, requests: usize) -> Self {
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

    /// Serves the text that `render` returns at `/metrics`, to super-admins: the Prometheus form of
    /// the recorder that the service has installed for the `metrics` crate. To serve it without a
    /// key, on a listener that strangers do not reach, use [`metrics`](crate::metrics()) instead.
    pub fn with_metrics(mut self, render: impl Fn() -> String + Send + Sync + 'static) -> Self {
        self.metrics = Some(Metrics::new(render));
        self
    }

    /// Lets `/readyz` also run this check, for example that the database is no standby:
    ///
    /// ```
    /// # use audit_http::HttpOptions;
    /// # #[derive(Clone)]
    /// # struct PostgresStore;
    /// # impl PostgresStore { async fn check(&self) -> audit_core::Result<()> { Ok(()) } }
    /// # fn example(store: PostgresStore) -> HttpOptions {
    /// HttpOptions::default().with_readiness(move || {
    ///     let store = store.clone();
    ///     async move { store.check().await }
    /// })
    /// # }
    /// ```
    ///
    /// The answer has the words and the field of its error, but not the source.
    pub fn with_readiness<C>(mut self, check: impl Fn() -> C + Send + Sync + 'static) -> Self
    where
        C: Future<Output = Result<()>> + Send + 'static,
    {
        self.readiness = Some(Readiness::new(check));
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
            .field("body_timeout", &self.body_timeout)
            .field("least_rate", &self.least_rate)
            .field("answer_memory", &self.answer_memory)
            .field("reads", &self.reads)
            .field("request_timeout", &self.request_timeout)
            .field("concurrency", &self.concurrency)
            .field("followers", &self.followers)
            .field("share", &self.share)
            .field("rate", &self.rate)
            .field("tenant_rate", &self.tenant_rate)
            .field("per_caller", &self.per_caller)
            .field("stream_duration", &self.stream_duration)
            .field("notary", &self.notary)
            .finish_non_exhaustive()
    }
}
