//! The routes for supervisors: liveness, readiness and metrics.

use std::time::Duration;

use audit_core::Log;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::rejection::Rejection;

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(healthz)).routes(routes!(readyz)).routes(routes!(metrics))
}

/// Returns `ok` while the process runs.
///
/// Needs no credential. Does not use the store.
#[utoipa::path(
    get, path = "/healthz", tag = "operation", security(()),
    responses((status = 200, body = String, content_type = "text/plain", description = "The process runs")),
)]
async fn healthz() -> &'static str {
    "ok\n"
}

/// Returns `ok` if the store responds within 5 seconds.
///
/// Needs no credential.
#[utoipa::path(
    get, path = "/readyz", tag = "operation", security(()),
    responses(
        (status = 200, body = String, content_type = "text/plain", description = "The store responds"),
        (status = 503, body = crate::style::Problem, content_type = "application/problem+json", description = "The store does not respond"),
    ),
)]
async fn readyz(State(app): State<App>) -> Result<&'static str, Rejection> {
    /// The longest wait for the store.
    const LIMIT: Duration = Duration::from_secs(5);
    match tokio::time::timeout(LIMIT, app.store.head(Log::Platform)).await {
        Ok(Ok(_)) => Ok("ok\n"),
        Ok(Err(error)) => {
            tracing::warn!(%error, "the store does not respond");
            Err(Rejection::overloaded("the store does not respond"))
        }
        Err(_) => Err(Rejection::overloaded("the store does not respond in time")),
    }
}

/// Returns the metrics of the service.
///
/// The text has the format of Prometheus, version 0.0.4.
#[utoipa::path(
    get, path = "/metrics", tag = "operation", security(()),
    responses(
        (status = 200, body = String, content_type = "text/plain", description = "The metrics"),
        (status = 404, body = crate::style::Problem, content_type = "application/problem+json", description = "The service keeps no metrics"),
    ),
)]
async fn metrics(State(app): State<App>) -> Result<Response, Rejection> {
    let render = app.options.metrics.as_ref();
    let render =
        render.ok_or_else(|| Rejection::new(StatusCode::NOT_FOUND, "no metrics are kept"))?;
    let form = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    Ok((form, render()).into_response())
}
