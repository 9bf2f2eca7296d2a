//! The layer and its options.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use audit_core::{AuditContext, Error, Log, Outcome, Recorder, Result};
use audit_request::{ProxyNet, TrustedProxies};
use futures_util::FutureExt as _;
use futures_util::future;
use http::StatusCode;
use http::request::Parts;
use tower_layer::Layer;

use crate::config::{Config, Identify};
use crate::coverage::Coverage;
use crate::policy::Policy;
use crate::service::AuditService;

/// Audits the requests of a service: sets the [`AuditContext`] in which each handler runs, gives the
/// handler an [`Audit`](crate::Audit), and records by itself what a handler does not: see [`Policy`].
///
/// Place it inside the layers that find out who the user is, and outside those that reject requests, so that
/// rejections are recorded, too. With axum, use `Router::layer` or `Router::route_layer`.
///
/// ```
/// use audit_core::{Actor, AuditContext, OrganizationId};
/// use audit_memory::MemoryStore;
/// use audit_tower::AuditLayer;
///
/// #[derive(Clone)]
/// struct User { id: String, tenant: OrganizationId }
///
/// let layer = AuditLayer::new(MemoryStore::new()?, |parts| {
///     let user = parts.extensions.get::<User>()?;
///     Some(AuditContext::new(Actor::user(&user.id)).log(user.tenant))
/// });
/// # Ok::<(), audit_core::Error>(())
/// ```
#[derive(Clone)]
pub struct AuditLayer {
    config: Config,
}

impl AuditLayer {
    /// Records with `recorder`: a store, or a spool in front of it. `who` returns by whom a request is, and in
    /// which log its events belong, from its head and from what other layers put into its extensions; `None` if
    /// it is not known, and the actor is then of the kind `unknown`.
    ///
    /// The layer adds what is the same for every request: the address and the user agent of the client,
    /// the request with its id, and the trace.
    pub fn new<C: Into<AuditContext>>(
        recorder: impl Recorder,
        who: impl Fn(&Parts) -> Option<C> + Send + Sync + 'static,
    ) -> Self {
        let who = move |parts: &Parts| future::ready(Ok(who(parts).map(Into::into))).boxed();
        Self::of(Arc::new(recorder), Arc::new(who))
    }

    /// As [`new`](Self::new), if `who` has to wait, for example for a session. The closure takes what it
    /// needs out of the request, and the future has it.
    ///
    /// A request whose actor cannot be looked up is refused.
    ///
    /// ```
    /// # use audit_core::{Actor, AuditContext, Result};
    /// # use audit_memory::MemoryStore;
    /// # use audit_tower::AuditLayer;
    /// # #[derive(Clone)] struct Session;
    /// # impl Session { async fn user(&self) -> Result<Option<String>> { Ok(None) } }
    /// let layer = AuditLayer::looking_up(MemoryStore::new()?, |parts| {
    ///     let session = parts.extensions.get::<Session>().cloned();
    ///     async move {
    ///         let Some(session) = session else { return Ok(None) };
    ///         Ok(session.user().await?.map(Actor::user))
    ///     }
    /// });
    /// # Ok::<(), audit_core::Error>(())
    /// ```
    pub fn looking_up<C, F>(
        recorder: impl Recorder,
        who: impl Fn(&Parts) -> F + Send + Sync + 'static,
    ) -> Self
    where
        C: Into<AuditContext>,
        F: Future<Output = Result<Option<C>>> + Send + 'static,
    {
        let who = move |parts: &Parts| {
            let found = who(parts);
            async move { Ok(found.await?.map(Into::into)) }.boxed()
        };
        Self::of(Arc::new(recorder), Arc::new(who))
    }

    fn of(recorder: Arc<dyn Recorder>, who: Arc<Identify>) -> Self {
        let config = Config {
            recorder,
            who,
            log: Log::Platform,
            policy: Policy::default(),
            proxies: TrustedProxies::default(),
            outcome: Arc::new(|status| audit_request::outcome_of(status.as_u16())),
            on_failure: None,
            coverage: None,
            finisher: Arc::default(),
        };
        Self { config }
    }

    /// Sets the log of requests whose context names none. Default: the platform's, which no tenant
    /// reads.
    #[must_use]
    pub fn with_log(mut self, log: impl Into<Log>) -> Self {
        self.config.log = log.into();
        self
    }

    /// Sets which requests the layer records by itself. A route can have a policy of its own.
    #[must_use]
    pub fn with_policy(mut self, policy: Policy) -> Self {
        self.config.policy = policy;
        self
    }

    /// Trusts the proxies of a network: the address of a client is then the one that they state in
    /// `X-Forwarded-For` or `Forwarded`. By default, these headers are ignored.
    #[must_use]
    pub fn with_trusted_proxy(mut self, net: ProxyNet) -> Self {
        self.config.proxies = self.config.proxies.with(net);
        self
    }

    /// Sets how a status becomes an outcome. Default: 2xx and 3xx are a success, 401 and 403 are denied,
    /// all others are a failure; the status is the code of an outcome that is no success.
    #[must_use]
    pub fn with_outcome(
        mut self,
        outcome: impl Fn(StatusCode) -> Outcome + Send + Sync + 'static,
    ) -> Self {
        self.config.outcome = Arc::new(outcome);
        self
    }

    /// Calls `report` for each failure to record, also if the client has left. It must not block.
    #[must_use]
    pub fn on_failure(mut self, report: impl Fn(Log, &Error) + Send + Sync + 'static) -> Self {
        self.config.on_failure = Some(Arc::new(report));
        self
    }

    /// Counts in `coverage` which routes were called and which left an event, for tests.
    #[must_use]
    pub fn with_coverage(mut self, coverage: &Coverage) -> Self {
        self.config.coverage = Some(coverage.clone());
        self
    }
}

impl<S> Layer<S> for AuditLayer {
    type Service = AuditService<S>;

    fn layer(&self, inner: S) -> AuditService<S> {
        AuditService::new(inner, Arc::new(self.config.clone()))
    }
}

impl fmt::Debug for AuditLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.config.fmt(f)
    }
}
