//! The middleware: what `audit-tower` is for axum. Copy it into your service.

use std::sync::Arc;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::error::ErrorInternalServerError;
use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error, HttpResponse, ResponseError, web};
use audit_core::{
    Actor, AuditContext, AuditStore, AuditStoreExt as _, ContextScope, IntoEvent, Log, NewEvent,
    Outcome, OutcomeResult, Receipt,
};
use audit_request::{
    Headers, REQUEST_ID, RequestHead, TrustedProxies, action_of, is_change, outcome_of,
};

type Who = dyn Fn(&ServiceRequest) -> Option<AuditContext> + Send + Sync;

/// Where the events of the service go, and by whom a request is. One for the whole service, in its
/// `app_data`.
#[derive(Clone)]
pub struct Audit {
    store: Arc<dyn AuditStore>,
    who: Arc<Who>,
    proxies: TrustedProxies,
}

impl Audit {
    /// Records in `store`. `who` returns by whom a request is, and the log of its tenant.
    pub fn new(
        store: Arc<dyn AuditStore>,
        who: impl Fn(&ServiceRequest) -> Option<AuditContext> + Send + Sync + 'static,
    ) -> Self {
        Self { store, who: Arc::new(who), proxies: TrustedProxies::default() }
    }

    /// Records an action of the running request. The event is durable when this returns, also if the
    /// client hangs up meanwhile.
    pub async fn record(&self, action: impl IntoEvent) -> Result<Receipt, NotRecorded> {
        let event = NewEvent::here(action)?.outcome(Outcome::success());
        let log = AuditContext::current().map_or(Log::Platform, |context| log_of(&context));
        Ok(self.store.record(log, event).await?)
    }
}

fn log_of(context: &AuditContext) -> Log {
    context.log.unwrap_or(Log::Platform)
}

/// Runs the handler in the context of its request, and records a change whose handler recorded nothing.
pub async fn audited(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let audit = request.app_data::<web::Data<Audit>>().cloned();
    let audit = audit.ok_or_else(|| ErrorInternalServerError("no `Audit` is in the app data"))?;
    let (context, id) = context_of(&audit, &request);
    let scope = ContextScope::new(context);
    let open = Open { audit, scope: scope.clone(), is_open: is_change(request.method().as_str()) };
    let answered = scope.enter(next.call(request)).await;
    let status = match &answered {
        Ok(response) => response.status(),
        Err(error) => error.as_response_error().status_code(),
    };
    open.end(outcome_of(status.as_u16())).await?;
    let mut response = answered?;
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(HeaderName::from_static(REQUEST_ID), id);
    }
    Ok(response)
}

/// Returns the context of a request, and its id.
fn context_of(audit: &Audit, request: &ServiceRequest) -> (AuditContext, String) {
    let (headers, route) = (ActixHeaders(request.headers()), request.match_pattern());
    let head = RequestHead::new(request.method().as_str(), request.path(), &headers)
        .route(route.as_deref())
        .peer(request.peer_addr().map(|peer| peer.ip()));
    let mut context = (audit.who)(request).unwrap_or_else(|| AuditContext::new(Actor::unknown()));
    let id = head.id_or_new();
    head.complete(&mut context, &id, &audit.proxies);
    (context, id)
}

struct ActixHeaders<'h>(&'h HeaderMap);

impl Headers for ActixHeaders<'_> {
    fn each<'a>(&'a self, name: &str, visit: &mut dyn FnMut(&'a [u8])) {
        self.0.get_all(name).for_each(|value| visit(value.as_bytes()));
    }
}

/// A request that has not ended. If it is dropped, its client has hung up, or its handler panicked.
struct Open {
    audit: web::Data<Audit>,
    scope: ContextScope,
    is_open: bool,
}

impl Open {
    async fn end(mut self, outcome: Outcome) -> Result<(), NotRecorded> {
        if let Some((log, event)) = self.close(outcome) {
            self.audit.store.record(log, event).await?;
        }
        Ok(())
    }

    /// Returns the event of a request whose handler recorded nothing. What the handler made for a
    /// transaction is not in the log if the request failed.
    fn close(&mut self, outcome: Outcome) -> Option<(Log, NewEvent)> {
        let is_open = std::mem::replace(&mut self.is_open, false);
        let is_success = outcome.result == OutcomeResult::SUCCESS;
        if !is_open || (is_success && !self.scope.events().is_empty()) {
            return None;
        }
        let context = self.scope.context();
        let action = action_of(context.request.method.as_deref().unwrap_or_default());
        Some((log_of(&context), context.new_event(action).outcome(outcome)))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let outcome = Outcome::new(OutcomeResult::UNKNOWN).code("cancelled");
        if let Some((log, event)) = self.close(outcome) {
            // It is carried through, and nobody waits for it.
            drop(self.audit.store.submit(log, vec![event]));
        }
    }
}

/// The client gets 503 in place of the response if an event cannot be recorded.
#[derive(Debug)]
pub struct NotRecorded(audit_core::Error);

impl From<audit_core::Error> for NotRecorded {
    fn from(error: audit_core::Error) -> Self {
        Self(error)
    }
}

impl std::fmt::Display for NotRecorded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the action could not be recorded")
    }
}

impl ResponseError for NotRecorded {
    fn status_code(&self) -> StatusCode {
        if self.0.is_retryable() {
            StatusCode::SERVICE_UNAVAILABLE
        } else {
            StatusCode::INTERNAL_SERVER_ERROR
        }
    }

    fn error_response(&self) -> HttpResponse {
        eprintln!("an event could not be recorded: {}", self.0);
        HttpResponse::build(self.status_code()).finish()
    }
}
