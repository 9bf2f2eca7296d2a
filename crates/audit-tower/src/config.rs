//! The options of a layer, and what its services do with them.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use audit_core::{
    Accepted, Attempt, AuditContext, Error, Log, NewEvent, Outcome, Recorder, Result,
};
use audit_request::TrustedProxies;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use http::StatusCode;
use http::request::Parts;

use crate::coverage::Coverage;
use crate::finisher::{Carried, Finisher};
use crate::policy::Policy;

type OnFailure = dyn Fn(Log, &Error) + Send + Sync;
type Identified = BoxFuture<'static, Result<Option<AuditContext>>>;
/// Finds out by whom a request is.
pub(crate) type Identify = dyn Fn(&Parts) -> Identified + Send + Sync;

/// The options of a layer, as its services share them.
#[derive(Clone)]
pub(crate) struct Config {
    pub(crate) recorder: Arc<dyn Recorder>,
    pub(crate) who: Arc<Identify>,
    pub(crate) log: Log,
    pub(crate) policy: Policy,
    pub(crate) proxies: TrustedProxies,
    pub(crate) outcome: Arc<dyn Fn(StatusCode) -> Outcome + Send + Sync>,
    pub(crate) on_failure: Option<Arc<OnFailure>>,
    pub(crate) coverage: Option<Coverage>,
    pub(crate) finisher: Arc<Finisher>,
}

impl Config {
    /// Returns by whom the request is, as the service knows it.
    pub(crate) fn who(&self, parts: &Parts) -> Identified {
        (self.who)(parts)
    }

    pub(crate) fn outcome(&self, status: StatusCode) -> Outcome {
        (self.outcome)(status)
    }

    /// Records events. It is carried through once it is polled, and a failure is reported.
    pub(crate) fn record(
        self: &Arc<Self>,
        log: Log,
        events: Vec<NewEvent>,
    ) -> Carried<Result<Accepted>> {
        let config = Arc::clone(self);
        let count = events.len();
        let accept = async move { config.recorder.accept(log, events).await };
        self.carry(log, count, accept)
    }

    /// Records how an attempt ended, in the same way.
    pub(crate) fn end(
        self: &Arc<Self>,
        attempt: Attempt,
        outcome: Outcome,
    ) -> Carried<Result<Accepted>> {
        let config = Arc::clone(self);
        let log = attempt.log();
        self.carry(log, 1, async move { attempt.end(&*config.recorder, outcome).await })
    }

    fn carry(
        self: &Arc<Self>,
        log: Log,
        count: usize,
        accept: impl Future<Output = Result<Accepted>> + Send + 'static,
    ) -> Carried<Result<Accepted>> {
        let config = Arc::clone(self);
        let reported = async move {
            let accepted = accept.await;
            match &accepted {
                Ok(Accepted::Recorded(_)) => counted("recorded", count),
                Ok(_) => counted("spooled", count),
                Err(error) => config.report(log, count, error),
            }
            accepted
        };
        Carried::new(reported.boxed(), &self.finisher)
    }

    /// Begins to record, and waits for nothing.
    pub(crate) fn leave(&self, recording: Carried<Result<Accepted>>) {
        self.finisher.begin(recording.map(drop).boxed());
    }

    pub(crate) fn recorder(&self) -> &dyn Recorder {
        &*self.recorder
    }

    /// Reports that events could not be recorded.
    pub(crate) fn report(&self, log: Log, count: usize, error: &Error) {
        tracing::error!(%log, count, %error, "events could not be recorded");
        counted("failed", count);
        if let Some(report) = &self.on_failure {
            report(log, error);
        }
    }
}

#[cfg(feature = "metrics")]
fn counted(what: &'static str, count: usize) {
    metrics::counter!("audit_capture_events_total", "result" => what).increment(count as u64);
}

#[cfg(not(feature = "metrics"))]
fn counted(_: &'static str, _: usize) {}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuditLayer")
            .field("recorder", &self.recorder)
            .field("log", &self.log)
            .field("policy", &self.policy)
            .field("proxies", &self.proxies)
            .finish_non_exhaustive()
    }
}
