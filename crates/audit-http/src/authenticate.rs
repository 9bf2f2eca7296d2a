//! The credential of a request, and its principal.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use audit_contracts::super_admin_audit_logs::entity_class;
use audit_core::{
    Actor, ApiKeyId, ApiKeySecret, ErrorKind, OrganizationId, Result, Role, TenantStore,
};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The caller that a credential names.
///
/// The router trusts it: its organization may read and write its own log whether or not a store of
/// organizations knows it. So a service's own tenants need no record in the audit store.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Principal {
    /// The id of the key or the user, by which the rate limit counts, and which each event has that
    /// the caller sends or causes. 1 to 1,024 bytes.
    pub id: String,
    /// The caller's organization. `None` for a caller without one, such as an operator of the
    /// platform.
    pub organization_id: Option<OrganizationId>,
    /// The role, which determines the rights of the caller.
    pub role: Role,
    /// The caller as the actor of the events that record its changes. Its e-mail address is the
    /// creator of the organizations that it creates.
    pub actor: Actor,
}

impl Principal {
    /// Creates the principal `id` without an organization.
    pub fn new(id: impl Into<String>, role: Role, actor: Actor) -> Self {
        Self { id: id.into(), organization_id: None, role, actor }
    }

    /// Returns `true` if the credential of `before` has the same rights now.
    pub(crate) fn is_still(&self, before: &Self) -> bool {
        self.id == before.id
            && self.organization_id == before.organization_id
            && self.role == before.role
    }

    /// Sets the caller's organization.
    #[must_use]
    pub fn organization(mut self, id: impl Into<OrganizationId>) -> Self {
        self.organization_id = Some(id.into());
        self
    }
}

/// Finds the principal of a request. Implemented by a service that has its own login; others use
/// [`ApiKeyAuthenticator`].
///
/// ```
/// use audit_core::{Actor, OrganizationId, Role};
/// use audit_http::{Authenticator, Principal};
/// use axum::http::request::Parts;
///
/// /// A user that the service's own middleware has logged in.
/// #[derive(Clone, Debug)]
/// struct User { id: String, organization: OrganizationId }
///
/// #[derive(Debug)]
/// struct Session;
///
/// #[async_trait::async_trait]
/// impl Authenticator for Session {
///     async fn authenticate(&self, parts: &Parts) -> audit_core::Result<Option<Principal>> {
///         let user = parts.extensions.get::<User>();
///         Ok(user.map(|user| {
///             Principal::new(&user.id, Role::Member, Actor::user(&user.id))
///                 .organization(user.organization)
///         }))
///     }
/// }
/// ```
#[async_trait]
pub trait Authenticator: Debug + Send + Sync + 'static {
    /// Returns the principal of a request, `None` if it has no valid credential. `parts` are the
    /// request's method, URI, headers and extensions.
    ///
    /// # Behavior
    /// - MUST take the organization and the role from the credential alone.
    /// - MUST return `None` for a credential that is absent, malformed, wrong or revoked. The time
    ///   that this takes MUST NOT reveal which.
    /// - MUST return an error only if it cannot decide, for example because a store is unavailable,
    ///   or if the organization of a valid credential was deleted:
    ///   [`NotFound`](ErrorKind::NotFound), which is then the answer of every route.
    /// - MUST accept the same parts again: a stream of events asks before each page, and any request
    ///   after it has waited.
    async fn authenticate(&self, parts: &Parts) -> Result<Option<Principal>>;
}

#[async_trait]
impl<T: Authenticator + ?Sized> Authenticator for Arc<T> {
    async fn authenticate(&self, parts: &Parts) -> Result<Option<Principal>> {
        (**self).authenticate(parts).await
    }
}

/// Authenticates callers by API keys, which the store keeps hashed.
///
/// A key of a deleted organization gets 404 from every route, whatever its role.
///
/// Reads a key from HTTP Basic as `keyId:secret` (RFC 7617), or from a Bearer token (RFC 6750) that
/// is the secret or `keyId:secret`.
#[derive(Debug)]
pub struct ApiKeyAuthenticator {
    store: Arc<dyn TenantStore>,
}

impl ApiKeyAuthenticator {
    /// Accepts the keys in `store`.
    pub fn new(store: impl TenantStore) -> Self {
        Self { store: Arc::new(store) }
    }
}

#[async_trait]
impl Authenticator for ApiKeyAuthenticator {
    async fn authenticate(&self, parts: &Parts) -> Result<Option<Principal>> {
        let Some((id, secret)) = credential(&parts.headers) else { return Ok(None) };
        let Some(key) = found(self.store.api_key(id).await)? else { return Ok(None) };
        if !key.accepts(&secret) {
            return Ok(None);
        }
        let organization = self.store.organization(key.organization_id).await?;
        let id = key.id.to_string();
        let mut actor = Actor::api(id.clone()).entity_class(entity_class::CREDENTIAL);
        actor.email = key.email;
        Ok(Some(Principal { id, organization_id: Some(organization.id), role: key.role, actor }))
    }
}

/// Returns `None` if the store does not have it.
fn found<T>(result: Result<T>) -> Result<Option<T>> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Returns the key's id and the secret in the headers.
fn credential(headers: &HeaderMap) -> Option<(ApiKeyId, ApiKeySecret)> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let value = values.next()?.to_str().ok()?;
    if values.next().is_some() {
        return None; // ambiguous
    }
    let (scheme, rest) = value.split_once(' ')?;
    let rest = rest.trim();
    if scheme.eq_ignore_ascii_case("Bearer") {
        if let Some((id, secret)) = rest.split_once(':') {
            return pair(id, secret);
        }
        let secret = ApiKeySecret::new(rest);
        return secret.key_id().map(|id| (id, secret));
    }
    if !scheme.eq_ignore_ascii_case("Basic") {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(rest).ok()?).ok()?;
    let (id, secret) = decoded.split_once(':')?;
    pair(id, secret)
}

fn pair(id: &str, secret: &str) -> Option<(ApiKeyId, ApiKeySecret)> {
    Some((id.parse().ok()?, ApiKeySecret::new(secret)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn headers(value: &str) -> HeaderMap {
        HeaderMap::from_iter([(header::AUTHORIZATION, HeaderValue::from_str(value).unwrap())])
    }

    #[test]
    fn each_form_of_a_key_is_read() {
        let id = ApiKeyId::new();
        let basic = STANDARD.encode(format!("{id}:s:ecret"));
        for value in
            [format!("Basic {basic}"), format!("basic  {basic}"), format!("Bearer {id}:s:ecret")]
        {
            let (found, secret) = credential(&headers(&value)).unwrap();
            assert_eq!((found, secret.expose()), (id, "s:ecret"));
        }
        let mut two = headers(&format!("Basic {basic}"));
        two.append(header::AUTHORIZATION, HeaderValue::from_static("Bearer x"));
        assert!(credential(&two).is_none());
        for value in ["", "Basic", "Basic ", "Basic ****", "Basic eA==", "Digest x", "Bearer x"] {
            assert!(credential(&headers(value)).is_none(), "{value}");
        }
    }
}
