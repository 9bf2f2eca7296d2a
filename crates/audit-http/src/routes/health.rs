//! The routes for supervisors: liveness and readiness.

use std::time::Duration;

use audit_core::Log;
use axum::extract::State;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::rejection::Rejection;

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(healthz)).routes(routes!(readyz))
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
