//! The log in the path of a request, if its caller may use it.

use audit_core::{Log, Role};
use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use crate::app::App;
use crate::caller::Caller;
use crate::params::PathParams;
use crate::rejection::Rejection;

/// The path parameter of an organization's log. The path of the platform's log has none.
const ORGANIZATION: &str = "organizationId";

/// The log in the path, for reading: the caller's own or, for a super-admin, any.
#[derive(Clone, Copy, Debug)]
pub(super) struct ReadLog(pub(super) Log);

impl FromRequestParts<App> for ReadLog {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Rejection> {
        let caller = Caller::from_request_parts(parts, app).await?;
        let path = PathParams::from_request_parts(parts, app).await?;
        if !path.has(ORGANIZATION) {
            return Ok(Self(caller.platform()?));
        }
        Ok(Self(caller.log(app, path.organization(ORGANIZATION)?).await?))
    }
}

/// The log in the path, for appending: an admin's own or, for a super-admin, the platform's.
#[derive(Clone, Copy, Debug)]
pub(super) struct AppendLog(pub(super) Log);

impl FromRequestParts<App> for AppendLog {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Rejection> {
        let caller = Caller::from_request_parts(parts, app).await?;
        let path = PathParams::from_request_parts(parts, app).await?;
        if !path.has(ORGANIZATION) {
            return Ok(Self(caller.platform()?));
        }
        let id = path.organization(ORGANIZATION)?;
        caller.require_own(id)?;
        caller.require(Role::Admin)?;
        Ok(Self(id.into()))
    }
}
