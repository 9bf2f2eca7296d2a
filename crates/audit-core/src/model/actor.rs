//! The actor: who performed an action.

use serde::{Deserialize, Serialize};

use crate::limits::{self, MAX_ID_BYTES, MAX_NAME_BYTES, MAX_ON_BEHALF_OF, MAX_TEXT_BYTES};
use crate::{ActorKind, EntityClass, Error, OrganizationRef, Result, Violation};

/// The actor of an action: a person, a key, a service, the system, or a party that the source does
/// not name.
///
/// Every field except the kind is optional and is kept as given: an IP address may carry a port or
/// be a host name. An empty text differs from an absent one.
///
/// ```
/// use audit_core::Actor;
///
/// let actor = Actor::user("u_42").name("Ana").email("ana@example.org").ip("2001:db8::7");
/// assert_eq!(actor.id.as_deref(), Some("u_42"));
///
/// // A member of the support staff, in the session of that person.
/// let support = Actor::new("support").id("s_7").on_behalf_of(actor).session_id("sess_1");
/// assert_eq!(support.on_behalf_of.as_ref().and_then(|user| user.id.as_deref()), Some("u_42"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[non_exhaustive]
pub struct Actor {
    /// The kind of party. 1 to [`MAX_NAME_BYTES`] bytes.
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
    /// The network address of the actor. At most [`MAX_ID_BYTES`] bytes. Personal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip: Option<String>,
    /// The actor's user agent. At most [`MAX_TEXT_BYTES`] bytes. Personal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
    /// More about the actor, as text. At most [`MAX_TEXT_BYTES`] bytes. Personal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<String>,
    /// The actor's own organization, which may differ from the log's. The name is personal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organization: Option<OrganizationRef>,
    /// The class of the actor in an identity graph. At most [`MAX_NAME_BYTES`] bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entity_class: Option<EntityClass>,
    /// The id of the session in which the actor acted. At most [`MAX_ID_BYTES`] bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_id: Option<String>,
    /// The actor for whom this one acted: a user for whom support staff, an agent or a service
    /// acted. Nested at most [`MAX_ON_BEHALF_OF`] deep.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(no_recursion))]
    pub on_behalf_of: Option<Box<Actor>>,
}

impl Actor {
    /// Returns an actor of `kind`, with every other field absent.
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
            session_id: None,
            on_behalf_of: None,
        }
    }

    /// Returns the person `id`.
    pub fn user(id: impl Into<String>) -> Self {
        Self::new(ActorKind::USER).id(id)
    }

    /// Returns the API key or other machine credential `id`.
    pub fn api(id: impl Into<String>) -> Self {
        Self::new(ActorKind::API).id(id)
    }

    /// Returns the system itself.
    pub fn system() -> Self {
        Self::new(ActorKind::SYSTEM)
    }

    /// Returns an actor that the source does not name.
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

    /// Sets the network address of the actor.
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

    /// Sets the class of the actor in an identity graph.
    #[must_use]
    pub fn entity_class(mut self, class: impl Into<EntityClass>) -> Self {
        self.entity_class = Some(class.into());
        self
    }

    /// Sets the id of the session in which the actor acted.
    #[must_use]
    pub fn session_id(mut self, id: impl Into<String>) -> Self {
        self.session_id = Some(id.into());
        self
    }

    /// Sets the actor for whom this one acted.
    #[must_use]
    pub fn on_behalf_of(mut self, actor: Self) -> Self {
        self.on_behalf_of = Some(Box::new(actor));
        self
    }

    /// Returns this actor, then the actor for whom it acted, and so on to the last.
    ///
    /// ```
    /// use audit_core::Actor;
    ///
    /// let actor = Actor::api("agent_1").on_behalf_of(Actor::user("u_1"));
    /// let ids: Vec<_> = actor.chain().filter_map(|actor| actor.id.as_deref()).collect();
    /// assert_eq!(ids, ["agent_1", "u_1"]);
    /// ```
    pub fn chain(&self) -> impl Iterator<Item = &Self> {
        std::iter::successors(Some(self), |actor| actor.on_behalf_of.as_deref())
    }

    pub(crate) fn validate(&self) -> Result<()> {
        /// The names of the actors of a chain, as errors give them.
        const PATHS: [&str; MAX_ON_BEHALF_OF + 1] = [
            "actor",
            "actor.onBehalfOf",
            "actor.onBehalfOf.onBehalfOf",
            "actor.onBehalfOf.onBehalfOf.onBehalfOf",
            "actor.onBehalfOf.onBehalfOf.onBehalfOf.onBehalfOf",
        ];
        let mut actors = self.chain();
        for (path, actor) in PATHS.into_iter().zip(actors.by_ref()) {
            actor.validate_fields(path)?;
        }
        if actors.next().is_some() {
            let path = format!("{}.onBehalfOf", PATHS[MAX_ON_BEHALF_OF]);
            return Err(Error::invalid(path, Violation::TooDeep { limit: MAX_ON_BEHALF_OF }));
        }
        Ok(())
    }

    fn validate_fields(&self, path: &str) -> Result<()> {
        limits::required(format_args!("{path}.kind"), self.kind.as_str(), MAX_NAME_BYTES)?;
        for (field, value, limit) in [
            ("id", &self.id, MAX_ID_BYTES),
            ("name", &self.name, MAX_TEXT_BYTES),
            ("email", &self.email, MAX_ID_BYTES),
            ("ip", &self.ip, MAX_ID_BYTES),
            ("userAgent", &self.user_agent, MAX_TEXT_BYTES),
            ("details", &self.details, MAX_TEXT_BYTES),
            ("sessionId", &self.session_id, MAX_ID_BYTES),
        ] {
            limits::optional(format_args!("{path}.{field}"), value.as_deref(), limit)?;
        }
        let class = self.entity_class.as_ref().map(EntityClass::as_str);
        limits::optional(format_args!("{path}.entityClass"), class, MAX_NAME_BYTES)?;
        match &self.organization {
            Some(organization) => organization.validate(&format!("{path}.organization")),
            None => Ok(()),
        }
    }
}
