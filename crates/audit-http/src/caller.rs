//! The caller of a request, and its rights.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};

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
use tokio::time::timeout;
use uuid::Uuid;

use crate::answer::Reading;
use crate::app::App;
use crate::authenticate::Principal;
use crate::body::{Buffered, JsonBody};
use crate::observe::RequestId;
use crate::places::{Holder, Place, Purpose};
use crate::rejection::Rejection;
use crate::share::Tenant;

/// The caller of a request. Every handler of a route that needs a credential takes one.
#[derive(Clone, Debug)]
pub(crate) struct Caller(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    principal: Principal,
    holder: Holder,
    /// The place of the request, while it is worked on.
    place: Mutex<Option<Place>>,
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
    let holder = Holder { tenant: principal.organization_id, caller: principal.id.as_str().into() };
    let allowance = app.rates.take(&holder)?;
    let place = Mutex::new(Some(app.places.enter(Purpose::Work, &holder)?));
    complete(&mut principal.actor, &parts);
    let span = tracing::Span::current();
    span.record("caller", principal.id.as_str());
    if let Some(id) = principal.organization_id {
        span.record("organization", tracing::field::display(id));
    }
    let caller = Caller(Arc::new(Inner { principal, holder, place, parts: parts.clone() }));
    let mut request = Request::from_parts(parts, body);
    request.extensions_mut().insert(caller.clone());
    let mut response = next.run(request).await;
    // What is left to do is to send the response, whose memory is counted by itself.
    drop(caller.leave());
    response.headers_mut().extend(allowance.headers());
    Ok(response)
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

    /// Returns the organization for which the request counts.
    pub(crate) fn tenant(&self) -> Tenant {
        self.0.holder.tenant
    }

    fn leave(&self) -> Option<Place> {
        self.0.place.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Waits for `wait` without a place for work, in one for `purpose`; then for one for work again.
    /// Fails if there is no place to wait in.
    pub(crate) async fn waiting<T>(
        &self,
        app: &App,
        purpose: Purpose,
        wait: impl Future<Output = T>,
    ) -> Result<T, Rejection> {
        let waiting = app.places.enter(purpose, &self.0.holder)?;
        drop(self.leave());
        let result = wait.await;
        let place = app.places.resume(&self.0.holder).await;
        *self.0.place.lock().unwrap_or_else(PoisonError::into_inner) = Some(place);
        drop(waiting);
        Ok(result)
    }

    /// Waits for the memory for an answer of about `expected` bytes.
    pub(crate) async fn memory(&self, app: &App, expected: usize) -> Result<Reading, Rejection> {
        let tenant = self.tenant();
        match app.answers.try_memory(tenant, expected) {
            Some(memory) => Ok(memory),
            None => {
                self.waiting(app, Purpose::Transfer, app.answers.memory(tenant, expected)).await
            }
        }
    }

    /// Waits for a turn to read events for an answer, and for the memory for them.
    pub(crate) async fn reading(&self, app: &App) -> Result<Reading, Rejection> {
        let tenant = self.tenant();
        loop {
            if let Some(reading) = app.answers.turn(tenant).await {
                return Ok(reading);
            }
            drop(self.waiting(app, Purpose::Transfer, app.answers.memory(tenant, 0)).await?);
        }
    }

    /// Waits for a turn to read the next piece of an answer that has begun, and for a place. Fails
    /// if there is no memory in time, for example because the pieces before are kept.
    pub(crate) async fn reading_on(&self, app: &App) -> audit_core::Result<(Place, Reading)> {
        let tenant = self.tenant();
        let reading = async {
            loop {
                let place = app.places.resume(&self.0.holder).await;
                if let Some(reading) = app.answers.turn(tenant).await {
                    return (place, reading);
                }
                drop(place);
                drop(app.answers.memory(tenant, 0).await);
            }
        };
        timeout(app.options.request_timeout, reading).await.map_err(|_| {
            audit_core::Error::new(ErrorKind::Overloaded).with_context("no memory for an answer")
        })
    }

    /// Takes the place of a stream, beside the one for work.
    pub(crate) fn begin_stream(&self, app: &App) -> Result<Place, Rejection> {
        app.places.enter(Purpose::Follow, &self.0.holder)
    }

    /// Returns the path that the client requested, including one below which the router is nested.
    pub(crate) fn path(&self) -> &str {
        let Parts { uri, extensions, .. } = &self.0.parts;
        extensions.get().map_or(uri, |OriginalUri(uri)| uri).path()
    }

    /// Returns the caller and the request as the context of a change.
    pub(crate) fn context(&self) -> AuditContext {
        let Inner { principal, parts, .. } = &*self.0;
        AuditContext::new(principal.actor.clone())
            .request(parts.method.as_str(), self.path())
            .submitted_by(&principal.id)
    }

    /// Marks an event of the request's body with the caller's credential.
    pub(crate) fn submit(&self, event: NewEvent) -> NewEvent {
        event.submitted_by(&self.0.principal.id)
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
        let Inner { principal, parts, .. } = &*self.0;
        let event = NewEvent::new(super_admin_audit_logs::ACTION, principal.actor.clone())
            .organization(read)
            .request(parts.method.as_str(), self.path())
            .submitted_by(&principal.id);
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
        let mut receiving = pin!(body.receive(&app.bodies, self.tenant()));
        if let Some(received) = receiving.as_mut().now_or_never() {
            return received?.parse();
        }
        let received = self.waiting(app, Purpose::Transfer, receiving).await??;
        self.confirm(app).await?;
        received.parse()
    }

    /// Authenticates the caller again, before a request continues that has waited.
    pub(crate) async fn confirm(&self, app: &App) -> Result<(), Rejection> {
        let Inner { principal, parts, .. } = &*self.0;
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
