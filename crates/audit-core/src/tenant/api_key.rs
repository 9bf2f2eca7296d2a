//! The API key: a credential of an organization. The store keeps only its digest.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::changes::{FINGERPRINT, change_batches};
use crate::backend::Batch;
use crate::limits;
use crate::random::fill_random;
use crate::{
    Action, ApiKeyId, AuditContext, Change, Error, Message, NewEvent, OrganizationId,
    OrganizationRef, Result, Scope, Surface, Target, Timestamp,
};

/// The permissions of the holder of a key. Each role includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Reads the organization and its log.
    Member,
    /// Also updates the organization and appends to its log.
    Admin,
    /// Also reads the platform's log and the log of any one organization.
    SuperAdmin,
}

impl Role {
    /// Every role, from the fewest permissions to the most.
    pub const ALL: [Self; 3] = [Self::Member, Self::Admin, Self::SuperAdmin];

    /// Returns the role's name: `member`, `admin`, `super-admin`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Member => "member",
            Self::Admin => "admin",
            Self::SuperAdmin => "super-admin",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl std::str::FromStr for Role {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::ALL
            .into_iter()
            .find(|role| role.name() == text)
            .ok_or_else(|| Error::malformed("role", "member, admin or super-admin"))
    }
}

/// An API key as stored: without the secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ApiKey {
    /// The key's id, the public half of the credential.
    pub id: ApiKeyId,
    /// The organization to which the key belongs.
    pub organization_id: OrganizationId,
    /// The permissions of its holder.
    pub role: Role,
    /// The e-mail address of its holder; `None` once it was
    /// [forgotten](crate::TenantStore::forget_api_key_holder).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// The time at which it was created.
    pub created_at: Timestamp,
    /// The time at which it was revoked; `None` while it is valid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<Timestamp>,
    /// SHA-256 of the secret. A slower hash is not needed for 256 random bits.
    digest: [u8; 32],
}

/// An API key to create.
///
/// ```
/// use audit_core::{NewApiKey, OrganizationId, Role};
///
/// let new = NewApiKey::new(OrganizationId::new(), Role::Admin, "ana@acme.example");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NewApiKey {
    /// The organization to which the key belongs.
    pub organization_id: OrganizationId,
    /// The permissions of its holder.
    pub role: Role,
    /// The e-mail address of its holder: 3 to [`MAX_ID_BYTES`](limits::MAX_ID_BYTES) bytes, with text
    /// on both sides of its last `@`, without white space and control characters.
    pub email: String,
}

impl NewApiKey {
    /// Creates a request for a key of `organization`, held by `email`.
    pub fn new(organization: OrganizationId, role: Role, email: impl Into<String>) -> Self {
        Self { organization_id: organization, role, email: email.into() }
    }
}

/// The secret half of an API key: the key's id and 256 random bits, as text. It is returned once,
/// when the key is created, and is not stored.
///
/// The text begins with `audit_`, so that secret scanners find it.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKeySecret(String);

const PREFIX: &str = "audit_";

impl ApiKeySecret {
    /// Wraps a secret as its holder presents it.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    fn generate(id: ApiKeyId) -> Result<Self> {
        let mut bytes = [0; 48];
        bytes[..16].copy_from_slice(id.as_bytes());
        fill_random(&mut bytes[16..])?;
        Ok(Self(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes))))
    }

    /// Returns the text, to give to the holder.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Returns the id of the key that the secret belongs to, so that the secret alone finds the key;
    /// `None` if the text does not have the form of a secret.
    pub fn key_id(&self) -> Option<ApiKeyId> {
        let text = self.0.strip_prefix(PREFIX).filter(|text| text.len() == 64)?;
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let id: [u8; 16] = bytes.get(..16)?.try_into().ok()?;
        Some(uuid::Uuid::from_bytes(id).into())
    }

    fn digest(&self) -> [u8; 32] {
        Sha256::digest(self.0.as_bytes()).into()
    }
}

impl fmt::Debug for ApiKeySecret {
    /// Does not print the secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKeySecret(…)")
    }
}

/// The action of a change, its title for people, and its key in a catalogue of messages.
type ChangeKind = (Action, &'static str, &'static str);
const CREATED: ChangeKind = (Action::API_KEY_CREATED, "API key created", "ApiKeyCreated");
const REVOKED: ChangeKind = (Action::API_KEY_REVOKED, "API key revoked", "ApiKeyRevoked");
const FORGOTTEN: ChangeKind =
    (Action::API_KEY_HOLDER_FORGOTTEN, "API key holder forgotten", "ApiKeyHolderForgotten");

impl ApiKey {
    /// The type of the target of a key's events.
    pub(super) const TARGET: &str = "api_key";
    /// The attribute of its events that has its role.
    pub(super) const ROLE: &str = "role";

    /// Returns a digest of the secret's digest, which the key's events declare: so the record of a key
    /// cannot be given another secret unnoticed. It is safe to publish.
    pub(super) fn fingerprint(&self) -> String {
        URL_SAFE_NO_PAD.encode(Sha256::digest(self.digest))
    }
}

// The changes of a key. Computed here, so that every store does the same.
impl ApiKey {
    /// Returns a new key, its secret, and the event of its creation.
    pub fn create(new: NewApiKey, by: AuditContext) -> Result<(Self, ApiKeySecret, NewEvent)> {
        limits::address(format_args!("email"), &new.email)?;
        let id = ApiKeyId::new();
        let secret = ApiKeySecret::generate(id)?;
        let key = Self {
            id,
            organization_id: new.organization_id,
            role: new.role,
            email: Some(new.email),
            created_at: Timestamp::now(),
            revoked_at: None,
            digest: secret.digest(),
        };
        let facts = json!({ "role": key.role, "email": key.email });
        let event = key.event(CREATED, Change::default().with_new(facts), by)?;
        Ok((key, secret, event))
    }

    /// Returns the revoked key and the event of its revocation; `None` if it was revoked before.
    pub fn revoke(&self, by: AuditContext) -> Result<Option<(Self, NewEvent)>> {
        if self.revoked_at.is_some() {
            return Ok(None);
        }
        let key = Self { revoked_at: Some(Timestamp::now()), ..self.clone() };
        let facts = json!({ "role": key.role, "email": key.email });
        let event = key.event(REVOKED, Change::default().with_old(facts), by)?;
        Ok(Some((key, event)))
    }

    /// Returns the key without the address of its holder, and the event of that; `None` if it has
    /// none.
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid), with the field `revokedAt`, if the key is not revoked:
    /// further events would name its holder again.
    pub fn forget_holder(&self, by: AuditContext) -> Result<Option<(Self, NewEvent)>> {
        if self.revoked_at.is_none() {
            return Err(Error::malformed("revokedAt", "that of a revoked key"));
        }
        if self.email.is_none() {
            return Ok(None);
        }
        let key = Self { email: None, ..self.clone() };
        let event = key.event(FORGOTTEN, Change::default(), by)?;
        Ok(Some((key, event)))
    }

    /// Returns `true` if `secret` is this key's and the key is not revoked. Takes the same time for
    /// any secret.
    pub fn accepts(&self, secret: &ApiKeySecret) -> bool {
        bool::from(self.digest.ct_eq(&secret.digest())) && self.revoked_at.is_none()
    }

    /// Returns the batches in which a store appends the event of a change: to the log of the key's
    /// organization, and to the platform's.
    pub fn batches(&self, event: NewEvent) -> Result<[Batch; 2]> {
        change_batches(self.organization_id, event)
    }

    fn event(&self, kind: ChangeKind, change: Change, by: AuditContext) -> Result<NewEvent> {
        let (action, title, key) = kind;
        let event = NewEvent {
            organization: Some(OrganizationRef::from(self.organization_id)),
            scope: Scope::default().surface(Surface::PLATFORM),
            change,
            message: Message {
                title: Some(title.to_owned()),
                text: Some(match &self.email {
                    Some(email) => format!("{title}: {} for {email}", self.role),
                    None => format!("{title}: {}", self.role),
                }),
                key: Some(key.to_owned()),
                params: None,
            },
            ..by.event(action)
        }
        .add_target(Target::new(Self::TARGET, self.id.to_string()))
        .attribute(Self::ROLE, self.role.name())
        .attribute(FINGERPRINT, self.fingerprint());
        event.validate()?;
        Ok(event)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Actor;

    fn create() -> (ApiKey, ApiKeySecret) {
        let new = NewApiKey::new(OrganizationId::new(), Role::Admin, "ana@acme.example");
        let (key, secret, _) = ApiKey::create(new, Actor::system().into()).unwrap();
        (key, secret)
    }

    #[test]
    fn a_key_accepts_its_own_secret_until_it_is_revoked() {
        let ((key, secret), (other, foreign)) = (create(), create());
        assert_eq!(secret.key_id(), Some(key.id));
        assert!(key.accepts(&secret) && other.accepts(&foreign));
        assert!(!key.accepts(&foreign));
        let mut altered = secret.expose().to_owned();
        altered.replace_range(20..21, if &altered[20..21] == "A" { "B" } else { "A" });
        for text in [altered.as_str(), "", "audit_", &secret.expose()[..60]] {
            assert!(!key.accepts(&ApiKeySecret::new(text)), "{text}");
        }
        let (revoked, _) = key.revoke(Actor::system().into()).unwrap().unwrap();
        assert!(!revoked.accepts(&secret));
        assert!(revoked.revoke(Actor::system().into()).unwrap().is_none());
    }

    #[test]
    fn the_secret_stands_nowhere() {
        let new = NewApiKey::new(OrganizationId::new(), Role::Member, "a@b.example");
        let (key, secret, event) = ApiKey::create(new, Actor::system().into()).unwrap();
        let random = &secret.expose()[PREFIX.len() + 22..];
        for text in [
            format!("{key:?} {secret:?} {event:?}"),
            serde_json::to_string(&key).unwrap(),
            serde_json::to_string(&event).unwrap(),
        ] {
            assert!(!text.contains(random), "{text}");
        }
    }

    #[test]
    fn what_is_no_secret_names_no_key() {
        for text in ["", "audit_", "audit_é", &format!("audit_{}", "*".repeat(64))] {
            assert_eq!(ApiKeySecret::new(text).key_id(), None);
        }
    }

    #[test]
    fn a_key_is_for_somebody_who_can_be_searched() {
        let create = |email: &str| {
            let new = NewApiKey::new(OrganizationId::new(), Role::Member, email);
            ApiKey::create(new, Actor::system().into())
        };
        for email in ["", "ops", " ", "a b", "@", "a@", "@b", "a b@c", "a@b c", "a@b\n", "a\0@b"] {
            assert_eq!(create(email).unwrap_err().field(), Some("email"), "{email:?}");
        }
        for email in ["a@b", "trial@localhost", "a@b@c", "東京@例え.jp", "o'hara+x@acme.example"]
        {
            assert!(create(email).is_ok(), "{email:?}");
        }
    }

    #[test]
    fn the_holder_of_a_revoked_key_is_forgotten_once() {
        let (key, _) = create();
        let by = || AuditContext::from(Actor::system());
        assert_eq!(key.forget_holder(by()).unwrap_err().field(), Some("revokedAt"));
        let (revoked, _) = key.revoke(by()).unwrap().unwrap();
        let (forgotten, event) = revoked.forget_holder(by()).unwrap().unwrap();
        let text = serde_json::to_string(&(&forgotten, &event)).unwrap();
        assert!(!text.contains("ana@"), "{text}");
        assert!(forgotten.forget_holder(by()).unwrap().is_none());
    }
}
