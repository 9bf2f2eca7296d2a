//! The policy of a route, as a layer.

use std::task::{Context, Poll};

use futures_util::future::BoxFuture;
use http::{Request, Response};
use tower_layer::Layer;
use tower_service::Service;

use crate::audit::Audit;
use crate::not_recorded::NotRecorded;
use crate::policy::Policy;

impl<S> Layer<S> for Policy {
    type Service = PolicyService<S>;

    fn layer(&self, inner: S) -> PolicyService<S> {
        PolicyService { inner, policy: self.clone() }
    }
}

/// A service with a [`Policy`] of its own.
#[derive(Clone, Debug)]
pub struct PolicyService<S> {
    inner: S,
    policy: Policy,
}

impl<S, B, R> Service<Request<B>> for PolicyService<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    B: Send + 'static,
    R: Default,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Response<R>, S::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let audit = request.extensions().get::<Audit>().cloned();
        let clone = self.inner.clone();
        // The one that is ready.
        let mut inner = std::mem::replace(&mut self.inner, clone);
        let policy = self.policy.clone();
        Box::pin(async move {
            if let Some(audit) = audit {
                let is_attempt = policy.is_attempt();
                audit.set_policy(policy);
                if is_attempt && let Err(error) = audit.begin_attempt().await {
                    return Ok(NotRecorded::from(error).response());
                }
            }
            inner.call(request).await
        })
    }
}
