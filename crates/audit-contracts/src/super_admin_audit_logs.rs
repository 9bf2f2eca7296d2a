//! Contract E: the audit log of super-admins.
//!
//! `GET /super-admins/audit-logs`; the body is [`AuditLogs`].
//!
//! | [`AuditLog`] | the model |
//! |---|---|
//! | `audit_id` | [`NewEvent::id`] |
//! | `super_admin` | [`NewEvent::actor`], a `user`; null if [`Actor::id`] is unknown |
//! | `super_admin.entity_class` | [`Actor::entity_class`] |
//! | `super_admin.entity_id` | [`Actor::id`] |
//! | `super_admin.identifier` | [`Actor::email`], which the parameter `super_admin_email` asks for |
//! | `request_method`, `request_path` | [`RequestInfo::method`](audit_core::RequestInfo::method), [`RequestInfo::path`](audit_core::RequestInfo::path) |
//! | `organization_id`, `organization_name` | [`NewEvent::organization`], else the log's own id |
//! | `metadata` | [`NewEvent::metadata`] |
//! | `created_at` | [`NewEvent::occurred_at`] |
//!
//! Choices where the source is silent:
//! - Every key is printed and required, except that an absent `super_admin` is read as null. The actor
//!   of such an entry is `unknown`.
//! - An entry has no action. In the model it is [`ACTION`]; an event's own action is not printed.
//! - `entity_class` is `unknown` if the model has none; an unlisted value round-trips.
//! - `identifier` is the actor's e-mail address, else name, else id.
//! - A required text that is absent is printed as an empty one.
//! - A time is printed with microseconds.

use std::borrow::Cow;

use audit_core::json::{self, Object};
use audit_core::{
    Actor, ActorKind, AuditEvent, EntityClass, EventId, NewEvent, OrganizationRef, Timestamp,
};
use serde::{Deserialize, Serialize};

use crate::wire;

/// The action of an event that was read from this contract.
pub const ACTION: &str = "super_admin.request";

/// The classes of entities that the source lists for `entity_class`. Others are kept as they are.
pub mod entity_class {
    use audit_core::EntityClass;

    /// The class is not known.
    pub const UNKNOWN: EntityClass = EntityClass::from_static("unknown");
    /// A person or machine identity.
    pub const IDENTITY: EntityClass = EntityClass::from_static("identity");
    /// A credential, such as an API key.
    pub const CREDENTIAL: EntityClass = EntityClass::from_static("credential");
    /// A policy.
    pub const POLICY: EntityClass = EntityClass::from_static("policy");
    /// A resource.
    pub const RESOURCE: EntityClass = EntityClass::from_static("resource");
    /// An application.
    pub const APPLICATION: EntityClass = EntityClass::from_static("application");
    /// An application of the catalogue.
    pub const CANONICAL_APPLICATION: EntityClass =
        EntityClass::from_static("canonical_application");
    /// A sensor.
    pub const SENSOR: EntityClass = EntityClass::from_static("sensor");

    /// Every class, in the order of the source.
    pub const KNOWN: [EntityClass; 8] = [
        UNKNOWN,
        IDENTITY,
        CREDENTIAL,
        POLICY,
        RESOURCE,
        APPLICATION,
        CANONICAL_APPLICATION,
        SENSOR,
    ];
}

/// One entry of the audit log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = e::AuditLog))]
#[serde(deny_unknown_fields)]
pub struct AuditLog {
    /// The entry's id.
    pub audit_id: EventId,
    /// The super-admin who acted; `None` if no longer known.
    pub super_admin: Option<SuperAdmin>,
    /// The HTTP method.
    pub request_method: String,
    /// The path of the endpoint.
    pub request_path: String,
    /// The id of the organization of the action.
    pub organization_id: String,
    /// The name of the organization of the action.
    pub organization_name: String,
    /// Further properties of the request.
    #[serde(deserialize_with = "json::object")]
    pub metadata: Object,
    /// The time of the event.
    #[serde(serialize_with = "wire::print::micros")]
    pub created_at: Timestamp,
}

/// The actor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = e::SuperAdmin))]
#[serde(deny_unknown_fields)]
pub struct SuperAdmin {
    /// The class of the entity that the super-admin is.
    pub entity_class: EntityClass,
    /// The super-admin's id.
    pub entity_id: String,
    /// The super-admin's e-mail address.
    pub identifier: String,
}

impl TryFrom<AuditLog> for NewEvent {
    type Error = audit_core::Error;

    /// Converts to a valid event. An error names the field of the entry.
    fn try_from(log: AuditLog) -> audit_core::Result<Self> {
        let organization = OrganizationRef::new(log.organization_id).name(log.organization_name);
        let actor = log.super_admin.map_or_else(Actor::unknown, Actor::from);
        let mut event = NewEvent::new(ACTION, actor)
            .id(log.audit_id)
            .occurred_at(log.created_at)
            .organization(organization)
            .request(log.request_method, log.request_path);
        event.metadata = log.metadata;
        wire::checked(event, |field| match field {
            "actor.entityClass" => "super_admin.entity_class".into(),
            "actor.id" => "super_admin.entity_id".into(),
            "actor.email" => "super_admin.identifier".into(),
            "request.method" => "request_method".into(),
            "request.path" => "request_path".into(),
            "organization.id" => "organization_id".into(),
            "organization.name" => "organization_name".into(),
            other => Cow::Owned(other.to_owned()),
        })
    }
}

impl From<SuperAdmin> for Actor {
    fn from(admin: SuperAdmin) -> Self {
        Actor::new(ActorKind::USER)
            .id(admin.entity_id)
            .email(admin.identifier)
            .entity_class(admin.entity_class)
    }
}

impl From<&AuditEvent> for AuditLog {
    fn from(event: &AuditEvent) -> Self {
        let name = event.organization.as_ref().and_then(|organization| organization.name.clone());
        Self {
            audit_id: event.id,
            super_admin: SuperAdmin::of(&event.actor),
            request_method: event.request.method.clone().unwrap_or_default(),
            request_path: event.request.path.clone().unwrap_or_default(),
            organization_id: wire::organization_id(event).unwrap_or_default(),
            organization_name: name.unwrap_or_default(),
            metadata: event.metadata.clone(),
            created_at: event.occurred_at,
        }
    }
}

impl SuperAdmin {
    fn of(actor: &Actor) -> Option<Self> {
        let id = actor.id.as_ref()?;
        let identifier = actor.email.as_ref().or(actor.name.as_ref()).unwrap_or(id);
        Some(Self {
            entity_class: actor.entity_class.clone().unwrap_or(entity_class::UNKNOWN),
            entity_id: id.clone(),
            identifier: identifier.clone(),
        })
    }
}

/// The body of every response.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = e::AuditLogs))]
#[serde(deny_unknown_fields)]
pub struct AuditLogs {
    /// The position of this page in the log.
    pub meta: Meta,
    /// The errors; empty in a success.
    pub errors: Vec<Failure>,
    /// The entries, newest first; absent from an error.
    #[serde(default, deserialize_with = "wire::given", skip_serializing_if = "Option::is_none")]
    pub result: Option<Vec<AuditLog>>,
}

/// The metadata of a response.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = e::Meta))]
#[serde(deny_unknown_fields)]
pub struct Meta {
    /// The position of this page in the log.
    pub pagination: Pagination,
}

/// The position of a page, and the total.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = e::Pagination))]
#[serde(deny_unknown_fields)]
pub struct Pagination {
    /// The highest number of entries of the page.
    pub limit: u64,
    /// The number of entries skipped.
    pub offset: u64,
    /// The number of entries that match the filter.
    pub total_count: u64,
}

/// An error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = e::Failure))]
#[serde(deny_unknown_fields)]
pub struct Failure {
    /// The HTTP status.
    pub httpcode: u16,
    /// A message.
    pub message: String,
}
