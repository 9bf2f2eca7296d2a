//! The layers in front of every handler: authentication, concurrency and time limits.

use axum::error_handling::HandleErrorLayer;
use axum::http::StatusCode;
use axum::middleware;
use axum::{BoxError, Router};
use tower::ServiceBuilder;
use tower::limit::GlobalConcurrencyLimitLayer;
use tower_http::catch_panic::CatchPanicLayer;

use crate::app::App;
use crate::caller;
use crate::rejection::Rejection;
use crate::style::Style;

/// The limits that all routes share.
#[derive(Clone, Debug)]
pub(crate) struct Guard {
    app: App,
    concurrency: GlobalConcurrencyLimitLayer,
}

impl Guard {
    pub(crate) fn new(app: &App) -> Self {
        let concurrency = GlobalConcurrencyLimitLayer::new(app.options.concurrency);
        Self { app: app.clone(), concurrency }
    }

    /// Guards the routes of a contract, whose rejections are written in `style`.
    pub(crate) fn layer(&self, style: Style, router: Router<App>) -> Router<App> {
        let authenticate = middleware::from_fn_with_state(self.app.clone(), caller::authenticate);
        let limits = ServiceBuilder::new()
            .layer(HandleErrorLayer::new(refuse))
            .load_shed()
            .layer(self.concurrency.clone())
            // A body has the same limit, with a more precise rejection, so this one is twice as
            // long.
            .timeout(self.app.options.request_timeout * 2)
            .layer(CatchPanicLayer::custom(panicked));
        style.layer(router.layer(authenticate).layer(limits))
    }
}

async fn refuse(error: BoxError) -> Rejection {
    if error.is::<tower::timeout::error::Elapsed>() {
        Rejection::overloaded("the request took too long")
    } else {
        Rejection::overloaded("too many requests at a time")
    }
}

fn panicked(_: Box<dyn std::any::Any + Send>) -> axum::response::Response {
    use axum::response::IntoResponse as _;
    tracing::error!("a handler panicked");
    Rejection::new(StatusCode::INTERNAL_SERVER_ERROR, "the request failed").into_response()
}
