//! What stands before every handler: who calls, how many at a time, how long.

use axum::error_handling::HandleErrorLayer;
use axum::http::StatusCode;
use axum::middleware;
use axum::{BoxError, Router};
use tower::ServiceBuilder;
use tower::limit::GlobalConcurrencyLimitLayer;
use tower_http::catch_panic::CatchPanicLayer;

use crate::fault::{Fault, Style};
use crate::{App, caller};

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

    /// Guards the routes of a contract, which writes what goes wrong in its own style.
    pub(crate) fn layer(&self, style: Style, router: Router<App>) -> Router<App> {
        let authenticate = middleware::from_fn_with_state(self.app.clone(), caller::authenticate);
        let limits = ServiceBuilder::new()
            .layer(HandleErrorLayer::new(refuse))
            .load_shed()
            .layer(self.concurrency.clone())
            // Reading the body, whose own answer tells more, and what follows.
            .timeout(self.app.options.request_timeout * 2)
            .layer(CatchPanicLayer::custom(panicked));
        style.layer(router.layer(authenticate).layer(limits))
    }
}

async fn refuse(error: BoxError) -> Fault {
    if error.is::<tower::timeout::error::Elapsed>() {
        Fault::overloaded("the request took too long")
    } else {
        Fault::overloaded("too many requests at a time")
    }
}

fn panicked(_: Box<dyn std::any::Any + Send>) -> axum::response::Response {
    use axum::response::IntoResponse as _;
    tracing::error!("a handler panicked");
    Fault::new(StatusCode::INTERNAL_SERVER_ERROR, "the request failed").into_response()
}
