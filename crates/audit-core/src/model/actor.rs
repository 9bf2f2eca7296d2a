//! Who acted.

use serde::{Deserialize, Serialize};

use crate::limits::{self, MAX_ID_BYTES, MAX_NAME_BYTES, MAX_TEXT_BYTES};
use crate::{ActorKind, EntityClass, OrganizationRef, Result};

/// Who acted: a person, a key, a service, the system, or nobody that the source could name.
///
/// Every field but the kind is optional, and kept as the source has it: an IP address may carry a
/// port, be a host name, or be nonsense, and is still what was recorded. An empty text is not the
/// same as none.
///
/// ```
/// use audit_core::Actor;
///
/// let actor = Actor::user("u_42").name("Ana").email("ana@example.org").ip("2001:db8::7");
/// assert_eq!(actor.id.as_deref(), Some("u_42"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Actor {
    /// What kind of party acted. 1 to [`MAX_NAME_BYTES`] bytes.
    pub kind: ActorKind,
    /// The actor's id in the service. At most [`MAX_ID_BYTES`] bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The actor's name. At most [`MAX_TEXT_BYTES`] bytes. Personal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The actor's e-mail address. At most [`MAX_ID_BYTES`] bytes. Personal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// The address from which the actor came, as recorded. At most [`MAX_ID_BYTES`] bytes. Personal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip: Option<String>,
    /// The actor's user agent. At most [`MAX_TEXT_BYTES`] bytes. Personal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
    /// Anything more about the actor, in words. At most [`MAX_TEXT_BYTES`] bytes. Personal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<String>,
    /// The actor's own organization, which may be another than the log's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organization: Option<OrganizationRef>,
    /// The class of the entity that the actor is. At most [`MAX_NAME_BYTES`] bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entity_class: Option<EntityClass>,
}

impl Actor {
    /// An actor of `kind` of whom nothing else is known.
    pub fn new(kind: impl Into<ActorKind>) -> Self {
        Self {
            kind: kind.into(),
            id: None,
            name: None,
            email: None,
            ip: None,
            user_agent: None,
            details: None,
            organization: None,
            entity_class: None,
        }
    }

    /// The person `id`.
    pub fn user(id: impl Into<String>) -> Self {
        Self::new(ActorKind::USER).id(id)
    }

    /// The API key or other machine credential `id`.
    pub fn api(id: impl Into<String>) -> Self {
        Self::new(ActorKind::API).id(id)
    }

    /// The system itself.
    pub fn system() -> Self {
        Self::new(ActorKind::SYSTEM)
    }

    /// An actor that the source does not name.
    pub fn unknown() -> Self {
        Self::new(ActorKind::UNKNOWN)
    }

    /// Sets the id.
    #[must_use]
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// Sets the name.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Sets the e-mail address.
    #[must_use]
    pub fn email(mut self, email: impl Into<String>) -> Self {
        self.email = Some(email.into());
        self
    }

    /// Sets the address from which the actor came.
    #[must_use]
    pub fn ip(mut self, ip: impl Into<String>) -> Self {
        self.ip = Some(ip.into());
        self
    }

    /// Sets the user agent.
    #[must_use]
    pub fn user_agent(mut self, user_agent: impl Into<String>) -> Self {
        self.user_agent = Some(user_agent.into());
        self
    }

    /// Sets the details.
    #[must_use]
    pub fn details(mut self, details: impl Into<String>) -> Self {
        self.details = Some(details.into());
        self
    }

    /// Sets the actor's own organization.
    #[must_use]
    pub fn organization(mut self, organization: OrganizationRef) -> Self {
        self.organization = Some(organization);
        self
    }

    /// Sets the class of the entity that the actor is.
    #[must_use]
    pub fn entity_class(mut self, class: impl Into<EntityClass>) -> Self {
        self.entity_class = Some(class.into());
        self
    }

    pub(crate) fn validate(&self) -> Result<()> {
        limits::required(format_args!("actor.kind"), self.kind.as_str(), MAX_NAME_BYTES)?;
        for (field, value, limit) in [
            ("id", &self.id, MAX_ID_BYTES),
            ("name", &self.name, MAX_TEXT_BYTES),
            ("email", &self.email, MAX_ID_BYTES),
            ("ip", &self.ip, MAX_ID_BYTES),
            ("userAgent", &self.user_agent, MAX_TEXT_BYTES),
            ("details", &self.details, MAX_TEXT_BYTES),
        ] {
            limits::optional(format_args!("actor.{field}"), value.as_deref(), limit)?;
        }
        if let Some(class) = &self.entity_class {
            limits::text(format_args!("actor.entityClass"), class.as_str(), MAX_NAME_BYTES)?;
        }
        self.organization.as_ref().map_or(Ok(()), |o| o.validate("actor.organization"))
    }
}
