//! The caller of a request, and what it may do.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;

use audit_contracts::super_admin_audit_logs;
use audit_core::{
    Actor, AuditContext, AuditStoreExt as _, ErrorKind, Log, NewEvent, Organization,
    OrganizationId, OrganizationRef, Role,
};
use axum::extract::{ConnectInfo, FromRequestParts, OriginalUri, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::Response;
use futures_util::FutureExt as _;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::app::App;
use crate::authenticate::Principal;
use crate::body::{Buffered, JsonBody};
use crate::observe::RequestId;
use crate::rejection::Rejection;

/// The caller of a request. Every handler of a route that needs a credential takes one.
#[derive(Clone, Debug)]
pub(crate) struct Caller(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    principal: Principal,
    /// The request as the authenticator saw it.
    parts: Parts,
}

/// Authenticates a request, counts it against the caller's limits, and adds the [`Caller`].
pub(crate) async fn authenticate(
    State(app): State<App>,
    request: Request,
    next: Next,
) -> Result<Response, Rejection> {
    let (parts, body) = request.into_parts();
    let Some(mut principal) = app.authenticator.authenticate(&parts).await? else {
        return Err(Rejection::unauthorized());
    };
    let allowance = app.rates.take(&principal.id)?;
    let under_way = app.rates.begin(&principal.id)?;
    complete(&mut principal.actor, &parts);
    let span = tracing::Span::current();
    span.record("caller", principal.id.as_str());
    if let Some(id) = principal.organization_id {
        span.record("organization", tracing::field::display(id));
    }
    let caller = Caller(Arc::new(Inner { principal, parts: parts.clone() }));
    let mut request = Request::from_parts(parts, body);
    request.extensions_mut().insert(caller);
    let mut response = next.run(request).await;
    response.headers_mut().extend(allowance.headers());
    // The request is under way until its response is sent.
    Ok(response.map(|body| under_way.with(body)))
}

/// Adds the peer's address and the user agent to the actor, unless the authenticator set them.
fn complete(actor: &mut Actor, parts: &Parts) {
    let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
    if actor.ip.is_none() {
        actor.ip = peer.map(|ConnectInfo(peer)| peer.ip().to_canonical().to_string());
    }
    if actor.user_agent.is_none() {
        actor.user_agent = user_agent(&parts.headers);
    }
}

fn user_agent(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::USER_AGENT)?.as_bytes();
    // A header is bytes; those that are not UTF-8 are replaced.
    Some(String::from_utf8_lossy(value).chars().take(1_024).collect())
}

impl Caller {
    pub(crate) fn request_id(&self) -> Uuid {
        RequestId::of(&self.0.parts.extensions)
    }

    pub(crate) fn email(&self) -> Option<&str> {
        self.0.principal.actor.email.as_deref()
    }

    /// Returns the path that the client requested, including one below which the router is nested.
    pub(crate) fn path(&self) -> &str {
        let Parts { uri, extensions, .. } = &self.0.parts;
        extensions.get().map_or(uri, |OriginalUri(uri)| uri).path()
    }

    /// Returns the caller and the request as the context of a change.
    pub(crate) fn context(&self) -> AuditContext {
        let Inner { principal, parts } = &*self.0;
        AuditContext::new(principal.actor.clone()).request(parts.method.as_str(), self.path())
    }

    /// Fails if the caller has a lesser role.
    pub(crate) fn require(&self, role: Role) -> Result<(), Rejection> {
        if self.0.principal.role >= role {
            return Ok(());
        }
        Err(Rejection::forbidden(role))
    }

    /// Returns the id of the caller's own organization.
    pub(crate) fn own(&self) -> Result<OrganizationId, Rejection> {
        self.0.principal.organization_id.ok_or_else(Rejection::no_organization)
    }

    /// Fails unless `id` is the caller's own organization, with the same answer for the
    /// organization of another and for one that does not exist.
    pub(crate) fn require_own(&self, id: OrganizationId) -> Result<(), Rejection> {
        if self.own()? == id { Ok(()) } else { Err(Rejection::no_organization()) }
    }

    /// Returns the caller's own organization. Fails if the store does not have it.
    pub(crate) async fn organization(&self, app: &App) -> Result<Organization, Rejection> {
        let organization = app.tenants()?.organization(self.own()?).await;
        organization.map_err(|error| match error.kind() {
            ErrorKind::NotFound => Rejection::no_organization(),
            _ => error.into(),
        })
    }

    /// Returns the organizations to which the caller belongs: one at most.
    pub(crate) async fn organizations(&self, app: &App) -> Result<Vec<Organization>, Rejection> {
        let Some(id) = self.0.principal.organization_id else { return Ok(Vec::new()) };
        match app.tenants()?.organization(id).await {
            Ok(organization) => Ok(vec![organization]),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(error.into()),
        }
    }

    /// Returns the platform's log. Fails unless the caller is a super-admin.
    pub(crate) fn platform(&self) -> Result<Log, Rejection> {
        self.require(Role::SuperAdmin)?;
        Ok(Log::Platform)
    }

    /// Returns the log of the organization `id` for reading: the caller's own or, for a
    /// super-admin, any, including those of deleted organizations. If a super-admin reads the log
    /// of another organization, first appends an event of that to the platform's log.
    pub(crate) async fn log(&self, app: &App, id: OrganizationId) -> Result<Log, Rejection> {
        let Principal { organization_id, role, .. } = &self.0.principal;
        if *organization_id == Some(id) {
            return Ok(id.into());
        }
        if *role < Role::SuperAdmin {
            return Err(Rejection::no_organization());
        }
        let organization = match &app.options.tenants {
            Some(tenants) => tenants.organization(id).await.map(Some),
            None => Ok(None),
        };
        let name = match organization {
            Ok(organization) => organization.map(|organization| organization.name),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(error.into()),
        };
        if name.is_none() && app.store.head(id.into()).await?.size.get() == 0 {
            return Err(Rejection::no_organization());
        }
        let mut read = OrganizationRef::from(id);
        read.name = name;
        self.record_read(app, read).await?;
        Ok(id.into())
    }

    async fn record_read(&self, app: &App, read: OrganizationRef) -> Result<(), Rejection> {
        let Inner { principal, parts } = &*self.0;
        let event = NewEvent::new(super_admin_audit_logs::ACTION, principal.actor.clone())
            .organization(read)
            .request(parts.method.as_str(), self.path());
        app.store.record(Log::Platform, event).await?;
        Ok(())
    }

    /// Reads a body. Authenticates the caller again unless the whole body was there: the credential
    /// may have been revoked while it arrived.
    pub(crate) async fn read<T: DeserializeOwned>(
        &self,
        app: &App,
        body: JsonBody,
    ) -> Result<Buffered<T>, Rejection> {
        let mut reading = pin!(body.read(&app.bodies));
        if let Some(body) = reading.as_mut().now_or_never() {
            return body;
        }
        let body = reading.await?;
        self.confirm(app).await?;
        Ok(body)
    }

    /// Authenticates the caller again, before a request continues that has waited.
    pub(crate) async fn confirm(&self, app: &App) -> Result<(), Rejection> {
        let Inner { principal, parts } = &*self.0;
        match app.authenticator.authenticate(parts).await? {
            Some(now) if now.is_still(principal) => Ok(()),
            _ => Err(Rejection::unauthorized()),
        }
    }

    /// Returns `true` if the credential of the request still has the same principal, so that a
    /// stream may go on.
    pub(crate) async fn is_still_valid(&self, app: &App) -> bool {
        self.confirm(app).await.is_ok()
    }
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Rejection> {
        // Absent only if a route is not guarded. Then every caller is rejected.
        parts.extensions.get().cloned().ok_or_else(Rejection::unauthorized)
    }
}
