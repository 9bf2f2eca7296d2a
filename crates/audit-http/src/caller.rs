//! Whom a request is from, and what is open to it.

use std::net::SocketAddr;
use std::sync::Arc;

use audit_core::{
    Actor, AuditContext, AuditStoreExt as _, ErrorKind, Log, NewEvent, Organization,
    OrganizationId, OrganizationRef, RequestInfo, Role, TenantStore,
};
use axum::extract::{ConnectInfo, FromRequestParts, OriginalUri, Request, State};
use axum::http::{HeaderMap, header, request::Parts};
use axum::middleware::Next;
use axum::response::Response;
use uuid::Uuid;

use crate::fault::Fault;
use crate::observe::RequestId;
use crate::{App, Principal};

/// Whom a request is from. Every handler of a route that is not public takes one.
#[derive(Clone, Debug)]
pub(crate) struct Caller(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    principal: Principal,
    request_id: Uuid,
    method: String,
    path: String,
}

/// Lets pass whom the authenticator knows, within their rate, and tells the handler who it is.
pub(crate) async fn authenticate(
    State(app): State<App>,
    mut request: Request,
    next: Next,
) -> Result<Response, Fault> {
    let Some(mut principal) = app.authenticator.authenticate(request.headers()).await? else {
        return Err(Fault::unauthorized());
    };
    let allowance = app.rates.take(&principal.id)?;
    let under_way = app.rates.begin(&principal.id)?;
    complete(&mut principal.actor, &request);
    let caller = Caller(Arc::new(Inner {
        principal,
        request_id: RequestId::of(request.extensions()),
        method: request.method().to_string(),
        path: path(&request).to_owned(),
    }));
    tracing::Span::current()
        .record("organization", tracing::field::display(caller.organization_id()))
        .record("caller", caller.0.principal.id.as_str());
    request.extensions_mut().insert(caller);
    let mut response = next.run(request).await;
    allowance.tell(response.headers_mut());
    // It is under way until its answer is sent.
    Ok(response.map(|body| under_way.with(body)))
}

/// The path as the client asked for it, also where the router is nested below another.
fn path(request: &Request) -> &str {
    let original = request.extensions().get::<OriginalUri>();
    original.map_or_else(|| request.uri(), |OriginalUri(uri)| uri).path()
}

/// Adds where the request came from, where the authenticator did not say.
fn complete(actor: &mut Actor, request: &Request) {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
    if actor.ip.is_none() {
        actor.ip = peer.map(|ConnectInfo(peer)| peer.ip().to_canonical().to_string());
    }
    if actor.user_agent.is_none() {
        actor.user_agent = user_agent(request.headers());
    }
}

fn user_agent(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::USER_AGENT)?.as_bytes();
    // A header is bytes; what is no text is kept as far as it can be.
    Some(String::from_utf8_lossy(value).chars().take(1_024).collect())
}

impl Caller {
    pub(crate) fn organization_id(&self) -> OrganizationId {
        self.0.principal.organization_id
    }

    pub(crate) fn request_id(&self) -> Uuid {
        self.0.request_id
    }

    pub(crate) fn email(&self) -> Option<&str> {
        self.0.principal.actor.email.as_deref()
    }

    /// The path of the request.
    pub(crate) fn path(&self) -> &str {
        &self.0.path
    }

    /// The caller as the one who makes a change.
    pub(crate) fn attribution(&self) -> AuditContext {
        let Inner { principal, method, path, .. } = &*self.0;
        AuditContext::new(principal.actor.clone()).request(method, path)
    }

    /// Refuses a caller of a lesser role.
    pub(crate) fn require(&self, role: Role) -> Result<(), Fault> {
        if self.0.principal.role >= role {
            return Ok(());
        }
        Err(Fault::forbidden(role))
    }

    /// The caller's own organization, if that is `id`. Another's, one that does not exist and one
    /// that was deleted are all the same.
    pub(crate) async fn own(
        &self,
        store: &dyn TenantStore,
        id: OrganizationId,
    ) -> Result<Organization, Fault> {
        if id != self.organization_id() {
            return Err(Fault::no_organization());
        }
        self.current(store).await
    }

    /// The caller's own organization.
    pub(crate) async fn current(&self, store: &dyn TenantStore) -> Result<Organization, Fault> {
        store.organization(self.organization_id()).await.map_err(|error| match error.kind() {
            ErrorKind::NotFound => Fault::no_organization(),
            _ => error.into(),
        })
    }

    /// The organizations that the caller belongs to: one, unless it was deleted.
    pub(crate) async fn organizations(
        &self,
        store: &dyn TenantStore,
    ) -> Result<Vec<Organization>, Fault> {
        match store.organization(self.organization_id()).await {
            Ok(organization) => Ok(vec![organization]),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(error.into()),
        }
    }

    /// The log of the organization `id`: the caller's own, or, for a super-admin, any, also of one
    /// that was deleted. That a super-admin looks into the log of another is itself an event.
    pub(crate) async fn log(
        &self,
        store: &dyn TenantStore,
        id: OrganizationId,
    ) -> Result<Log, Fault> {
        if self.0.principal.role < Role::SuperAdmin {
            self.own(store, id).await?;
            return Ok(id.into());
        }
        let name = match store.organization(id).await {
            Ok(organization) => Some(organization.name),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(error.into()),
        };
        if name.is_none() && store.head(id.into()).await?.size.get() == 0 {
            return Err(Fault::no_organization());
        }
        if id != self.organization_id() {
            self.tell_platform(store, OrganizationRef { name, ..id.into() }).await?;
        }
        Ok(id.into())
    }

    /// Whether the caller's credential still gives what it gave, and the log is still open to it.
    pub(crate) async fn may_still_read(&self, app: &App, headers: &HeaderMap, log: Log) -> bool {
        let principal = &self.0.principal;
        let Ok(Some(now)) = app.authenticator.authenticate(headers).await else { return false };
        let is_same = now.role == principal.role
            && now.organization_id == principal.organization_id
            && now.id == principal.id;
        is_same
            && match log {
                Log::Platform => true,
                _ if now.role == Role::SuperAdmin => true,
                Log::Organization(id) => self.own(&*app.store, id).await.is_ok(),
            }
    }

    async fn tell_platform(
        &self,
        store: &dyn TenantStore,
        organization: OrganizationRef,
    ) -> Result<(), Fault> {
        let Inner { principal, method, path, .. } = &*self.0;
        let event = NewEvent {
            organization: Some(organization),
            request: RequestInfo::new(method, path),
            ..NewEvent::new(
                audit_contracts::super_admin_audit_logs::ACTION,
                principal.actor.clone(),
            )
        };
        store.record(Log::Platform, event).await?;
        Ok(())
    }

    /// The platform's log, for super-admins.
    pub(crate) fn platform(&self) -> Result<Log, Fault> {
        self.require(Role::SuperAdmin)?;
        Ok(Log::Platform)
    }
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Fault> {
        // Absent only if a route was put outside the guarded ones: then nobody gets in.
        parts.extensions.get().cloned().ok_or_else(Fault::unauthorized)
    }
}
