//! The routes for supervisors: liveness and readiness.

use audit_core::Log;
use axum::extract::State;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::readiness::ready;
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

/// Returns `ok` if the store responds within 5 seconds and can be written.
///
/// Needs no credential. Otherwise `detail` says what is wrong, such as a database that is a standby, a
/// setting under which it could lose events, which `field` names, or a server that does not respond.
#[utoipa::path(
    get, path = "/readyz", tag = "operation", security(()),
    responses(
        (status = 200, body = String, content_type = "text/plain", description = "The store responds"),
        (status = 503, body = crate::style::Problem, content_type = "application/problem+json", description = "The store does not respond, or cannot be written"),
    ),
)]
async fn readyz(State(app): State<App>) -> Result<&'static str, Rejection> {
    let check = async {
        if let Some(readiness) = &app.options.readiness {
            readiness.check().await?;
        }
        app.store.head(Log::Platform).await.map(drop)
    };
    ready(check).await
}
