//! Contract A: an organization, and the list of what was done in it.
//!
//! `GET /v1/organizations` · `GET|PATCH /v1/organizations/{organizationId}` ·
//! `GET /v1/organizations/{organizationId}/activities` ·
//! `GET /v1/organizations/{organizationId}/activities/{activityId}`
//!
//! | [`Activity`] | the model |
//! |---|---|
//! | `id` | [`NewEvent::id`]; a text that is no hyphenated lower-case UUID is kept in [`NewEvent::source`] |
//! | `createdAt` | [`NewEvent::occurred_at`] |
//! | `type` | [`NewEvent::action`] |
//! | `actorType` | [`Actor::kind`](audit_core::Actor::kind) |
//! | `actorId`, `actorDetails` | [`Actor::id`](audit_core::Actor::id), [`Actor::details`](audit_core::Actor::details) |
//! | `actorIpAddress` | [`Actor::ip`](audit_core::Actor::ip) |
//! | `organizationId` | [`NewEvent::organization`], else the log's own |
//! | `serviceId` | [`Scope::service`](audit_core::Scope::service) |
//!
//! The conversion uses [`audit_core::Activity`], which has exactly these fields.
//!
//! | [`Organization`] | the model |
//! |---|---|
//! | `id`, `createdAt`, `name`, `privateEndpoints` | the [`audit_core::Organization`]'s fields of the same names |
//!
//! Choices where the source is silent:
//! - `id`, `createdAt`, `type` and `actorType` are required, `type` and `actorType` not empty. The
//!   other fields are omitted if the event has no value; a null is read as absent.
//! - The source lists four actor types. Any other is read and printed unchanged: printing an unknown
//!   actor as `system` would be false.
//! - `actorIpAddress` is printed for `user` and `api` only, as the source requires. With another type
//!   it is read and kept in the event.
//! - A time is printed with seconds, with decimals only if they are not zero.
//! - In the platform's log an activity that names no organization has no `organizationId`.

use std::borrow::Cow;

use audit_core::{
    ActorKind, AuditEvent, EventId, NewEvent, OrganizationId, OrganizationRef, OrganizationUpdate,
    Timestamp,
};
use serde::{Deserialize, Serialize};
use uuid::uuid;

use crate::wire::{self, IdForm};

/// The system of [`NewEvent::source`] for an activity whose id is not a UUID.
pub const SOURCE: &str = "organization-activities";

const ACTIVITY_ID: IdForm =
    IdForm { system: SOURCE, namespace: uuid!("e6e73307-4b6e-470b-8736-d95661d32b1f"), prefix: "" };

/// An activity of an organization.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = a::Activity))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Activity {
    /// The activity's id.
    pub id: String,
    /// The time of the event.
    #[serde(serialize_with = "wire::print::shortest")]
    pub created_at: Timestamp,
    /// The action.
    pub r#type: String,
    /// The kind of the actor: `user`, `support`, `system`, `api`.
    pub actor_type: String,
    /// The actor's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor_id: Option<String>,
    /// Details about the actor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor_details: Option<String>,
    /// The actor's IP address, of a `user` or an `api`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor_ip_address: Option<String>,
    /// The organization of the activity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organization_id: Option<String>,
    /// The service of the activity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_id: Option<String>,
}

impl Activity {
    /// Returns the id of the event to which an activity with the id `id` converts.
    pub fn event_id(id: &str) -> EventId {
        ACTIVITY_ID.event_id(id)
    }
}

impl From<Activity> for audit_core::Activity {
    fn from(activity: Activity) -> Self {
        let (id, source) = ACTIVITY_ID.identify(activity.id);
        let mut converted =
            Self::new(id, activity.created_at, activity.r#type, activity.actor_type);
        converted.actor_id = activity.actor_id;
        converted.actor_details = activity.actor_details;
        converted.actor_ip = activity.actor_ip_address;
        converted.organization = activity.organization_id.map(OrganizationRef::new);
        converted.service_id = activity.service_id;
        converted.source = source;
        converted
    }
}

impl From<audit_core::Activity> for Activity {
    fn from(activity: audit_core::Activity) -> Self {
        let has_address = [ActorKind::USER, ActorKind::API].contains(&activity.actor_kind);
        Self {
            id: ACTIVITY_ID.event_id_text(activity.id, activity.source.as_ref()),
            created_at: activity.created_at,
            r#type: activity.action.to_string(),
            actor_type: activity.actor_kind.to_string(),
            actor_id: activity.actor_id,
            actor_details: activity.actor_details,
            actor_ip_address: activity.actor_ip.filter(|_| has_address),
            organization_id: activity.organization.map(|organization| organization.id),
            service_id: activity.service_id,
        }
    }
}

impl TryFrom<Activity> for NewEvent {
    type Error = audit_core::Error;

    /// Converts to a valid event. An error names the field of the activity.
    fn try_from(activity: Activity) -> audit_core::Result<Self> {
        wire::checked(audit_core::Activity::from(activity).into(), |field| match field {
            "source.id" => "id".into(),
            "action" => "type".into(),
            "actor.kind" => "actorType".into(),
            "actor.id" => "actorId".into(),
            "actor.details" => "actorDetails".into(),
            "actor.ip" => "actorIpAddress".into(),
            "organization.id" => "organizationId".into(),
            "scope.service" => "serviceId".into(),
            other => Cow::Owned(other.to_owned()),
        })
    }
}

impl From<&AuditEvent> for Activity {
    fn from(event: &AuditEvent) -> Self {
        audit_core::Activity::from(event).into()
    }
}

/// An organization.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = a::Organization))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Organization {
    /// The organization's id.
    pub id: OrganizationId,
    /// The time at which it was created.
    #[serde(serialize_with = "wire::print::shortest")]
    pub created_at: Timestamp,
    /// Its name.
    pub name: String,
    /// Its private endpoints.
    pub private_endpoints: Vec<PrivateEndpoint>,
}

/// A private connection from a customer's cloud network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = a::PrivateEndpoint))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PrivateEndpoint {
    /// The endpoint's id in its cloud.
    #[cfg_attr(feature = "openapi", schema(min_length = 1))]
    pub id: String,
    /// A description.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The cloud: `aws`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cloud_provider: Option<String>,
    /// The cloud's region: `us-east-1`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
}

/// The body of `PATCH`. An absent field stays unchanged; a null is an error.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = a::UpdateOrganization))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UpdateOrganization {
    /// The new name.
    #[serde(default, deserialize_with = "wire::given", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false, min_length = 1))]
    pub name: Option<String>,
    /// The private endpoints to remove and to add.
    #[serde(default, deserialize_with = "wire::given", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub private_endpoints: Option<PrivateEndpointChanges>,
}

/// Changes to the private endpoints. Removals are applied first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = a::PrivateEndpointChanges))]
#[serde(deny_unknown_fields)]
pub struct PrivateEndpointChanges {
    /// The endpoints to remove, by `id`; other fields are ignored.
    #[serde(default)]
    pub remove: Vec<PrivateEndpoint>,
    /// The endpoints to add.
    #[serde(default)]
    pub add: Vec<PrivateEndpoint>,
}

impl From<PrivateEndpoint> for audit_core::PrivateEndpoint {
    fn from(endpoint: PrivateEndpoint) -> Self {
        let mut converted = Self::new(endpoint.id);
        converted.description = endpoint.description;
        converted.cloud_provider = endpoint.cloud_provider;
        converted.region = endpoint.region;
        converted
    }
}

impl From<audit_core::PrivateEndpoint> for PrivateEndpoint {
    fn from(endpoint: audit_core::PrivateEndpoint) -> Self {
        let audit_core::PrivateEndpoint { id, description, cloud_provider, region, .. } = endpoint;
        Self { id, description, cloud_provider, region }
    }
}

impl From<Organization> for audit_core::Organization {
    /// Converts to an organization as of its creation: without settings and creator, never updated.
    fn from(organization: Organization) -> Self {
        let endpoints = organization.private_endpoints;
        let mut converted = Self::new(organization.id, organization.name, organization.created_at);
        converted.private_endpoints = endpoints.into_iter().map(Into::into).collect();
        converted
    }
}

impl From<audit_core::Organization> for Organization {
    fn from(organization: audit_core::Organization) -> Self {
        Self {
            id: organization.id,
            created_at: organization.created_at,
            name: organization.name,
            private_endpoints: organization.private_endpoints.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<UpdateOrganization> for OrganizationUpdate {
    fn from(update: UpdateOrganization) -> Self {
        let PrivateEndpointChanges { remove, add } = update.private_endpoints.unwrap_or_default();
        let removed = remove.into_iter().map(|endpoint| endpoint.id);
        let removed = removed.fold(Self::default(), Self::remove_endpoint);
        let mut converted = add.into_iter().map(Into::into).fold(removed, Self::add_endpoint);
        converted.name = update.name;
        converted
    }
}

/// The body of a success.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = a::Success))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Success<T> {
    /// The HTTP status.
    pub status: u16,
    /// The id of the request.
    pub request_id: uuid::Uuid,
    /// The result.
    pub result: T,
    /// The cursor of the next page, if any. The source has no pages; this field is an addition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// The body of an error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = a::Failure))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Failure {
    /// The HTTP status.
    pub status: u16,
    /// A message.
    pub error: String,
    /// The id of the request.
    pub request_id: uuid::Uuid,
}
