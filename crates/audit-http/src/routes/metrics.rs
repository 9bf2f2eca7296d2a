//! The metrics, for super-admins.

use audit_core::Role;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::caller::Caller;
use crate::rejection::Rejection;
use crate::responses::Native;

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(get_metrics))
}

/// Returns the metrics of the service.
///
/// The text has the format of Prometheus, version 0.0.4. 404 if the service keeps no metrics, or
/// serves them on a listener of their own. Requires the role `super-admin`.
#[utoipa::path(
    get, path = "/metrics", tag = "operation",
    responses((status = 200, body = String, content_type = "text/plain", description = "The metrics"), Native),
)]
async fn get_metrics(State(app): State<App>, caller: Caller) -> Result<Response, Rejection> {
    caller.require(Role::SuperAdmin)?;
    let metrics = app.options.metrics.as_ref();
    let metrics =
        metrics.ok_or_else(|| Rejection::new(StatusCode::NOT_FOUND, "no metrics are kept here"))?;
    Ok(metrics.answer())
}
