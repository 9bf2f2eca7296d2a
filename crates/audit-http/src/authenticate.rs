//! The credential of a request, and whom it names.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use audit_core::{
    Actor, ApiKeyId, ApiKeySecret, EntityClass, ErrorKind, OrganizationId, Result, Role,
    TenantStore,
};
use axum::http::{HeaderMap, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Whom a credential names.
#[derive(Clone, Debug)]
pub struct Principal {
    /// What the rate limit counts by: the id of the key or the user.
    pub id: String,
    /// The caller's organization.
    pub organization_id: OrganizationId,
    /// What the caller may do.
    pub role: Role,
    /// The caller as the events of its changes name it, with its e-mail address.
    pub actor: Actor,
}

/// Tells whom a request is from. A service that has a login of its own implements it; one that has
/// none takes [`ApiKeyAuthenticator`].
#[async_trait]
pub trait Authenticator: Debug + Send + Sync + 'static {
    /// The principal whom the request's headers name; `None` if they name nobody.
    ///
    /// # Behavior
    /// - MUST take the organization and the role from the credential alone.
    /// - MUST return `None` for a credential that is absent, malformed, wrong or revoked, and take
    ///   care that the answer's time does not tell which.
    /// - MUST return an error only where it cannot tell, for example because a store is away.
    async fn authenticate(&self, headers: &HeaderMap) -> Result<Option<Principal>>;
}

/// Knows callers by API keys that are kept, hashed, in the store.
///
/// A key is shown as HTTP Basic with `keyId:secret` (RFC 7617), or as a Bearer token (RFC 6750),
/// which is the secret, or `keyId:secret`.
#[derive(Debug)]
pub struct ApiKeyAuthenticator {
    keys: Arc<dyn TenantStore>,
}

impl ApiKeyAuthenticator {
    /// Knows the keys of a store.
    pub fn new(keys: Arc<dyn TenantStore>) -> Self {
        Self { keys }
    }
}

#[async_trait]
impl Authenticator for ApiKeyAuthenticator {
    async fn authenticate(&self, headers: &HeaderMap) -> Result<Option<Principal>> {
        let Some((id, secret)) = credential(headers) else { return Ok(None) };
        let key = match self.keys.api_key(id).await {
            Ok(key) if key.accepts(&secret) => key,
            Ok(_) => return Ok(None),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let id = key.id.to_string();
        let actor = Actor::api(id.clone()).email(key.email).entity_class(EntityClass::CREDENTIAL);
        Ok(Some(Principal { id, organization_id: key.organization_id, role: key.role, actor }))
    }
}

/// The key's id and the secret that the headers show.
fn credential(headers: &HeaderMap) -> Option<(ApiKeyId, ApiKeySecret)> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let value = values.next()?.to_str().ok()?;
    if values.next().is_some() {
        return None; // two credentials are none
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
