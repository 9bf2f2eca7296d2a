//! The layers in front of every handler: authentication, the time limit, and the answer to a panic.

use axum::error_handling::HandleErrorLayer;
use axum::http::StatusCode;
use axum::middleware;
use axum::{BoxError, Router};
use tower::ServiceBuilder;
use tower_http::catch_panic::CatchPanicLayer;

use crate::app::App;
use crate::caller;
use crate::rejection::Rejection;
use crate::style::Style;

/// Guards the routes of a contract, whose rejections are written in `style`.
pub(crate) fn layer(app: &App, style: Style, router: Router<App>) -> Router<App> {
    let authenticate = middleware::from_fn_with_state(app.clone(), caller::authenticate);
    let limits = ServiceBuilder::new()
        .layer(HandleErrorLayer::new(took_too_long))
        // A body has its own limit, with a more precise rejection.
        .timeout(app.options.request_timeout + app.options.body_timeout)
        .layer(CatchPanicLayer::custom(panicked));
    style.layer(router.layer(authenticate).layer(limits))
}

async fn took_too_long(_: BoxError) -> Rejection {
    Rejection::overloaded("the request took too long")
}

fn panicked(_: Box<dyn std::any::Any + Send>) -> axum::response::Response {
    use axum::response::IntoResponse as _;
    tracing::error!("a handler panicked");
    Rejection::new(StatusCode::INTERNAL_SERVER_ERROR, "the request failed").into_response()
}
