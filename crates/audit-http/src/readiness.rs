//! The check of the store that decides whether the service is ready.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use audit_core::Result;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use crate::rejection::Rejection;

/// A check of the store.
#[derive(Clone)]
pub(crate) struct Readiness(Arc<dyn Fn() -> BoxFuture<'static, Result<()>> + Send + Sync>);

impl fmt::Debug for Readiness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Readiness")
    }
}

impl Readiness {
    pub(crate) fn new<C>(check: impl Fn() -> C + Send + Sync + 'static) -> Self
    where
        C: Future<Output = Result<()>> + Send + 'static,
    {
        Self(Arc::new(move || check().boxed()))
    }

    pub(crate) async fn check(&self) -> Result<()> {
        (self.0)().await
    }
}

/// Returns `ok` if a check succeeds in time.
pub(crate) async fn ready(
    check: impl Future<Output = Result<()>>,
) -> Result<&'static str, Rejection> {
    /// The longest wait for the store.
    const LIMIT: Duration = Duration::from_secs(5);
    match tokio::time::timeout(LIMIT, check).await {
        Ok(Ok(())) => Ok("ok\n"),
        Ok(Err(error)) => {
            let source = std::error::Error::source(&error).map(tracing::field::display);
            tracing::warn!(%error, source, "the store is not ready");
            let rejection = Rejection::overloaded(&error.to_string());
            Err(match error.field() {
                Some(field) => rejection.with_field(field),
                None => rejection,
            })
        }
        Err(_) => Err(Rejection::overloaded("the store does not respond in time")),
    }
}
