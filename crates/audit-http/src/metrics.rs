//! The metrics of the service, in the text format of Prometheus.

use std::fmt;
use std::sync::Arc;

use audit_core::Result;
use axum::Router;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;

use crate::observe;
use crate::readiness::{Readiness, ready};
use crate::rejection;
use crate::style::Style;

/// The text of the metrics at present.
#[derive(Clone)]
pub(crate) struct Metrics(Arc<dyn Fn() -> String + Send + Sync>);

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}

impl Metrics {
    pub(crate) fn new(render: impl Fn() -> String + Send + Sync + 'static) -> Self {
        Self(Arc::new(render))
    }

    pub(crate) fn answer(&self) -> Response {
        let form = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
        (form, (self.0)()).into_response()
    }
}

/// Returns the router of a listener for metrics alone: `/metrics`, without a key. `render` returns
/// the Prometheus form of the recorder that the service has installed for the `metrics` crate.
///
/// Metrics name no organization, but show how busy the service is and how it is used. Listen where
/// strangers do not reach it.
pub fn metrics(render: impl Fn() -> String + Send + Sync + 'static) -> Router {
    finish(route(render))
}

/// Returns the same router with `/healthz` and `/readyz`, for a program that serves nothing else. It is
/// ready if `check` returns within 5 seconds and has not failed.
pub fn metrics_and_readiness<C>(
    render: impl Fn() -> String + Send + Sync + 'static,
    check: impl Fn() -> C + Send + Sync + 'static,
) -> Router
where
    C: Future<Output = Result<()>> + Send + 'static,
{
    let readiness = Readiness::new(check);
    let is_ready = move || {
        let readiness = readiness.clone();
        async move { ready(readiness.check()).await }
    };
    let router = route(render).route("/readyz", get(is_ready));
    finish(router.route("/healthz", get(|| std::future::ready("ok\n"))))
}

fn route(render: impl Fn() -> String + Send + Sync + 'static) -> Router {
    let metrics = Metrics::new(render);
    Router::new().route("/metrics", get(move || std::future::ready(metrics.answer())))
}

fn finish(router: Router) -> Router {
    observe::layer(Style::Native.layer(router.fallback(rejection::no_such_path)))
}
