//! What a supervisor asks: whether the service lives, whether it can work, and its figures.

use std::time::Duration;

use audit_core::Log;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::App;
use crate::fault::Fault;

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(healthz)).routes(routes!(readyz)).routes(routes!(metrics))
}

/// Whether the process lives.
#[utoipa::path(
    get, path = "/healthz", tag = "operation", security(()),
    responses((status = 200, body = String, content_type = "text/plain", description = "It does")),
)]
async fn healthz() -> &'static str {
    "ok\n"
}

/// Whether the store answers.
#[utoipa::path(
    get, path = "/readyz", tag = "operation", security(()),
    responses(
        (status = 200, body = String, content_type = "text/plain", description = "It does"),
        (status = 503, body = crate::fault::Problem, content_type = "application/problem+json", description = "It does not"),
    ),
)]
async fn readyz(State(app): State<App>) -> Result<&'static str, Fault> {
    const PATIENCE: Duration = Duration::from_secs(5);
    match tokio::time::timeout(PATIENCE, app.store.head(Log::Platform)).await {
        Ok(Ok(_)) => Ok("ok\n"),
        Ok(Err(error)) => {
            tracing::warn!(%error, "the store does not answer");
            Err(Fault::overloaded("the store does not answer"))
        }
        Err(_) => Err(Fault::overloaded("the store does not answer in time")),
    }
}

/// The service's figures in the text form of Prometheus, where it keeps them.
#[utoipa::path(
    get, path = "/metrics", tag = "operation", security(()),
    responses(
        (status = 200, body = String, content_type = "text/plain", description = "The figures"),
        (status = 404, body = crate::fault::Problem, content_type = "application/problem+json", description = "None are kept"),
    ),
)]
async fn metrics(State(app): State<App>) -> Result<Response, Fault> {
    let render = app.options.metrics.as_ref();
    let render = render.ok_or_else(|| Fault::new(StatusCode::NOT_FOUND, "no metrics are kept"))?;
    let form = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    Ok((form, render()).into_response())
}
