//! The service: what happens to a request between the layer above and the handler below.

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use audit_core::{Actor, ActorKind, AuditContext, Error, Outcome, OutcomeResult};
use futures_util::future::BoxFuture;
use http::request::Parts;
use http::{HeaderValue, Request, Response, StatusCode};
use http_body::Body;
use tower_service::Service;

use crate::audit::Audit;
use crate::body::AuditBody;
use crate::client::{self, REQUEST_ID};
use crate::config::Config;
use crate::not_recorded::NotRecorded;
use crate::open::Open;
use crate::policy::Policy;

/// A service whose requests are audited, see [`AuditLayer`](crate::AuditLayer).
#[derive(Clone)]
pub struct AuditService<S> {
    inner: S,
    config: Arc<Config>,
}

impl<S> AuditService<S> {
    pub(crate) fn new(inner: S, config: Arc<Config>) -> Self {
        Self { inner, config }
    }
}

impl<S: fmt::Debug> fmt::Debug for AuditService<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { inner, config } = self;
        f.debug_struct("AuditService").field("inner", inner).field("config", config).finish()
    }
}

impl<S, B, R> Service<Request<B>> for AuditService<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Send,
    B: Send + 'static,
    R: Body + Default + Send + 'static,
{
    type Response = Response<AuditBody<R>>;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Self::Response, S::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let clone = self.inner.clone();
        // The one that is ready.
        let inner = std::mem::replace(&mut self.inner, clone);
        Box::pin(answer(Arc::clone(&self.config), inner, request))
    }
}

async fn answer<S, B, R>(
    config: Arc<Config>,
    mut inner: S,
    request: Request<B>,
) -> Result<Response<AuditBody<R>>, S::Error>
where
    S: Service<Request<B>, Response = Response<R>>,
    R: Body + Default,
{
    let (mut parts, body) = request.into_parts();
    let id = client::request_id(&mut parts);
    let (audit, open) = match begin(config, &parts, &id).await {
        Ok(audit) => (audit.clone(), Open::new(audit)),
        Err(error) => return Ok(refused(error, &id)),
    };
    parts.extensions.insert(audit.clone());
    if audit.config().policy.is_attempt()
        && let Err(error) = audit.begin_attempt().await
    {
        audit.close(&Outcome::failure());
        return Ok(refused(error, &id));
    }
    let request = Request::from_parts(parts, body);
    let answered = audit.scope().enter(async { inner.call(request).await }).await;
    let outcome = match &answered {
        Ok(response) => audit.config().outcome(response.status()),
        Err(_) => Outcome::failure(),
    };
    if answered.as_ref().is_ok_and(|response| is_stray(&audit, response.status())) {
        audit.set_policy(Policy::never());
    }
    // The outcome of a body that is produced while it is sent is known when it ends.
    if let Ok(response) = answered.as_ref()
        && audit.is_read()
        && outcome.result == OutcomeResult::SUCCESS
        && response.body().size_hint().exact().is_none()
    {
        return answered.map(|response| {
            let response = response.map(|body| AuditBody::streamed(body, open));
            identified(response, &id)
        });
    }
    if let Err(error) = open.end(&outcome).await {
        return Ok(refused(error, &id));
    }
    answered.map(|response| identified(response.map(AuditBody::whole), &id))
}

/// Finds out by whom a request is.
async fn begin(config: Arc<Config>, parts: &Parts, id: &HeaderValue) -> Result<Audit, Error> {
    let who = config.who(parts).await;
    if let Err(error) = &who {
        tracing::error!(%error, "the actor of a request could not be looked up");
    }
    let mut context = who?.unwrap_or_else(|| AuditContext::new(Actor::unknown()));
    #[cfg(feature = "opentelemetry")]
    if context.trace.is_none() {
        context.trace = crate::span::current();
    }
    client::head(parts).complete(&mut context, id.to_str().unwrap_or_default(), &config.proxies);
    Ok(Audit::new(config, context, parts.method.clone()))
}

fn refused<R: Body + Default>(error: Error, id: &HeaderValue) -> Response<AuditBody<R>> {
    identified(NotRecorded::from(error).response().map(AuditBody::whole), id)
}

/// Returns `true` for a request of nobody to no route, with which strangers could fill the log.
fn is_stray(audit: &Audit, status: StatusCode) -> bool {
    if !matches!(status, StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED) {
        return false;
    }
    let context = audit.scope().context();
    let has_route = context.request.route.is_some() && status == StatusCode::NOT_FOUND;
    context.actor.kind == ActorKind::UNKNOWN && !has_route
}

/// Returns the response with the id of its request, unless it has one.
fn identified<B>(mut response: Response<B>, id: &HeaderValue) -> Response<B> {
    response.headers_mut().entry(REQUEST_ID).or_insert_with(|| id.clone());
    response
}
