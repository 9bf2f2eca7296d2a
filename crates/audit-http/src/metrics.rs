//! The metrics of the service, in the text format of Prometheus.

use std::fmt;
use std::sync::Arc;

use axum::Router;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;

use crate::observe;
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
    let metrics = Metrics::new(render);
    let router = Router::new()
        .route("/metrics", get(move || std::future::ready(metrics.answer())))
        .fallback(rejection::no_such_path);
    observe::layer(Style::Native.layer(router))
}
