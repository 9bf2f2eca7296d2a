//! The login: who may send requests.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use audit_core::{ActorKind, OrganizationId};
use audit_tower::{Audit, NotRecorded};
use axum::Json;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use uuid::Uuid;

use crate::actions::Sales;

/// The namespace of the tenants' logs: generated once for this service, and never changed.
const TENANTS: Uuid = Uuid::from_u128(0x6a4f_7c1e_2b7d_4f0a_9c35_d1b8_0e64_a2f7);

/// A user, and the number of its tenant.
#[derive(Clone, Debug)]
pub(crate) struct User {
    pub(crate) name: String,
    pub(crate) tenant: i64,
}

/// The users who are logged in, by their tokens. A real service has a table of them, and hashes of passwords.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sessions(Arc<Mutex<HashMap<String, User>>>);

#[derive(Deserialize)]
pub(crate) struct Credentials {
    name: String,
    password: String,
}

/// Returns the log of a tenant.
pub(crate) fn log_of(tenant: i64) -> OrganizationId {
    OrganizationId::derived(TENANTS, &tenant.to_be_bytes())
}

/// Logs a user in. A login that is denied is recorded by the layer, by the policy of the route.
pub(crate) async fn login(
    audit: Audit,
    State(sessions): State<Sessions>,
    Json(Credentials { name, password }): Json<Credentials>,
) -> Result<Response, NotRecorded> {
    let users = [("ana", "correct horse", 1), ("ben", "battery staple", 2)];
    let known = users.iter().find(|known| (known.0, known.1) == (name.as_str(), &*password));
    let Some(&(_, _, tenant)) = known else { return Ok(StatusCode::UNAUTHORIZED.into_response()) };
    audit.amend(|context| {
        context.actor.kind = ActorKind::USER;
        context.actor.id = Some(name.clone());
        context.log = Some(log_of(tenant).into());
    });
    audit.record(Sales::UserLogin).await?;
    let token = Uuid::new_v4().to_string();
    let mut sessions = sessions.0.lock().unwrap_or_else(PoisonError::into_inner);
    sessions.insert(token.clone(), User { name, tenant });
    Ok(token.into_response())
}

/// Puts the user into the extensions of the request.
pub(crate) async fn identify(
    State(sessions): State<Sessions>,
    mut request: Request,
    next: Next,
) -> Response {
    let token = request.headers().get(header::AUTHORIZATION);
    let token = token.and_then(|token| token.to_str().ok()?.strip_prefix("Bearer "));
    let user = token.and_then(|token| {
        sessions.0.lock().unwrap_or_else(PoisonError::into_inner).get(token).cloned()
    });
    if let Some(user) = user {
        request.extensions_mut().insert(user);
    }
    next.run(request).await
}

/// Rejects requests of nobody.
pub(crate) async fn require_user(request: Request, next: Next) -> Result<Response, StatusCode> {
    let is_known = request.extensions().get::<User>().is_some();
    if is_known { Ok(next.run(request).await) } else { Err(StatusCode::UNAUTHORIZED) }
}
