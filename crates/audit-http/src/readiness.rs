//! What a service asks of its store before it says that it is ready.

use std::fmt;
use std::sync::Arc;

use audit_core::Result;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

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
