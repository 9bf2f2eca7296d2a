//! Contract D: the life of an organization, and pages of its audit log by product scope.
//!
//! Below the base `/api`: `GET|POST /organisations` · `GET|PUT|DELETE /organisation` ·
//! `GET /audit-logs`. A body is [`Data`], of the log [`AuditLogs`].
//!
//! | [`AuditLog`] | the model |
//! |---|---|
//! | `id` | [`NewEvent::id`], `log_` and its 32 digits; another text is kept in [`NewEvent::source`] |
//! | `action` | [`NewEvent::action`] |
//! | `email` | [`Actor::email`] of a `user` |
//! | `resourceUID` | [`Target::id`] of the first target |
//! | `details` | [`Message::text`](audit_core::Message::text) |
//! | `createdAt` | [`NewEvent::occurred_at`] |
//!
//! The scope by which the list is asked, `include`, is
//! [`Scope::surface`](audit_core::Scope::surface), and not printed.
//!
//! | [`Organization`] | the model |
//! |---|---|
//! | `id` | [`id`](audit_core::Organization::id), `org_` and its 32 digits; another text is kept as the [`external_id`](audit_core::Organization::external_id) |
//! | `name`, `createdBy`, `createdAt`, `updatedAt` | the fields of the same names |
//!
//! Choices where the source is silent:
//! - `resourceUID`, "if applicable", is omitted if it is absent; a null is read as absent.
//!   Every other field is required.
//! - A time is printed to the second, rounded down.
//! - `email` and `createdBy` are empty where the model has none. `details` is the text, else the
//!   title, else empty.
//! - `settings`, which `PUT` updates, is an open object that replaces the one kept with the
//!   organization; `POST` may give it too. It is not printed.

use std::borrow::Cow;

use audit_core::json::Object;
use audit_core::{
    Actor, ActorKind, AuditEvent, EventId, NewEvent, NewOrganization, OrganizationId,
    OrganizationUpdate, Target, Timestamp,
};
use serde::{Deserialize, Serialize};
use uuid::uuid;

use crate::wire::{self, IdForm};

/// The product scopes that the source lists for `include`. Others are kept as they are.
pub mod surface {
    use audit_core::Surface;

    /// Sign-in, users, teams, roles, organizations, cloud accounts.
    pub const PLATFORM: Surface = Surface::PLATFORM;
    /// Schedules, resource groups, overrides, schedule executions.
    pub const SCHEDULING: Surface = Surface::from_static("scheduling");
    /// Reports, recommendations, anomalies, budgets, billing.
    pub const COST: Surface = Surface::from_static("cost");
    /// Deployment spaces, provisioning jobs, components.
    pub const PROVISIONING: Surface = Surface::from_static("provisioning");
    /// Deploy service activity.
    pub const DEPLOYMENT: Surface = Surface::from_static("deployment");

    /// Every scope, in the order of the source.
    pub const KNOWN: [Surface; 5] = [PLATFORM, SCHEDULING, COST, PROVISIONING, DEPLOYMENT];
}

/// The system that [`NewEvent::source`] names for an entry whose id is not one of ours.
pub const SOURCE: &str = "organisation-audit-logs";

const LOG_ID: IdForm = IdForm {
    system: SOURCE,
    namespace: uuid!("8e7a5589-ffc1-4386-98fd-57a668008e8b"),
    prefix: "log_",
};

const ORGANIZATION_ID: IdForm = IdForm {
    system: SOURCE,
    namespace: uuid!("9b55b7fa-fdc9-4235-9b61-8beea61fcd16"),
    prefix: "org_",
};

/// One entry of the audit log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = d::AuditLog))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AuditLog {
    /// The entry's id.
    pub id: String,
    /// The action: `schedule.created`.
    pub action: String,
    /// The e-mail address of the user who did it.
    pub email: String,
    /// The id of the resource that it was done to.
    #[serde(rename = "resourceUID", default, skip_serializing_if = "Option::is_none")]
    pub resource_uid: Option<String>,
    /// A description for people.
    pub details: String,
    /// The time of the event.
    #[serde(serialize_with = "wire::print::seconds")]
    pub created_at: Timestamp,
}

impl AuditLog {
    /// Returns the id of the event to which an entry with the id `id` converts.
    pub fn event_id(id: &str) -> EventId {
        LOG_ID.event_id(id)
    }
}

impl TryFrom<AuditLog> for NewEvent {
    type Error = audit_core::Error;

    /// Converts to a valid event. An error names the field of the entry.
    fn try_from(log: AuditLog) -> audit_core::Result<Self> {
        let (id, source) = LOG_ID.identify(log.id);
        let actor = Actor::new(ActorKind::USER).email(log.email);
        let mut event = NewEvent::new(log.action, actor)
            .id(id)
            .message(log.details)
            .occurred_at(log.created_at);
        event.targets.extend(log.resource_uid.map(Target::with_id));
        event.source = source;
        wire::checked(event, |field| match field {
            "source.id" => "id".into(),
            "actor.email" => "email".into(),
            "targets[0].id" => "resourceUID".into(),
            "message.text" => "details".into(),
            other => Cow::Owned(other.to_owned()),
        })
    }
}

impl From<&AuditEvent> for AuditLog {
    fn from(event: &AuditEvent) -> Self {
        Self {
            id: LOG_ID.event_id_text(event.id, event.source.as_ref()),
            action: event.action.to_string(),
            email: event.actor.email.clone().unwrap_or_default(),
            resource_uid: event.targets.first().and_then(|target| target.id.clone()),
            details: wire::text(event),
            created_at: event.occurred_at,
        }
    }
}

/// An organization.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = d::Organization))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Organization {
    /// The organization's id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The e-mail address of its creator.
    pub created_by: String,
    /// When it was created.
    #[serde(serialize_with = "wire::print::seconds")]
    pub created_at: Timestamp,
    /// When it was last changed.
    #[serde(serialize_with = "wire::print::seconds")]
    pub updated_at: Timestamp,
}

impl Organization {
    /// Returns the id in the model of the organization with the id `id`.
    pub fn organization_id(id: &str) -> OrganizationId {
        ORGANIZATION_ID.read(id).0.into()
    }
}

impl From<Organization> for audit_core::Organization {
    /// Converts to an organization without private endpoints and settings.
    fn from(organization: Organization) -> Self {
        let (id, ours) = ORGANIZATION_ID.read(&organization.id);
        let mut converted = Self::new(id.into(), organization.name, organization.created_at);
        converted.external_id = (!ours).then_some(organization.id);
        converted.created_by = Some(organization.created_by);
        converted.updated_at = organization.updated_at;
        converted
    }
}

impl From<audit_core::Organization> for Organization {
    fn from(organization: audit_core::Organization) -> Self {
        Self {
            id: organization
                .external_id
                .unwrap_or_else(|| ORGANIZATION_ID.write(organization.id.as_uuid())),
            name: organization.name,
            created_by: organization.created_by.unwrap_or_default(),
            created_at: organization.created_at,
            updated_at: organization.updated_at,
        }
    }
}

/// The body of `POST /organisations`. A null is refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = d::CreateOrganization))]
#[serde(deny_unknown_fields)]
pub struct CreateOrganization {
    /// The name.
    #[cfg_attr(feature = "openapi", schema(min_length = 1))]
    pub name: String,
    /// Settings to keep with the organization.
    #[serde(
        default,
        deserialize_with = "wire::given_object",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(nullable = false, value_type = audit_core::openapi::JsonObject))]
    pub settings: Option<Object>,
}

impl From<CreateOrganization> for NewOrganization {
    /// Converts to a request without a creator, who is taken from the caller's credential.
    fn from(body: CreateOrganization) -> Self {
        Self::new(body.name).settings(body.settings.unwrap_or_default())
    }
}

/// The body of `PUT /organisation`: what is left out stays, and a null is refused.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = d::UpdateOrganization))]
#[serde(deny_unknown_fields)]
pub struct UpdateOrganization {
    /// The new name.
    #[serde(default, deserialize_with = "wire::given", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false, min_length = 1))]
    pub name: Option<String>,
    /// The new settings, as a whole.
    #[serde(
        default,
        deserialize_with = "wire::given_object",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(nullable = false, value_type = audit_core::openapi::JsonObject))]
    pub settings: Option<Object>,
}

impl From<UpdateOrganization> for OrganizationUpdate {
    fn from(body: UpdateOrganization) -> Self {
        let mut update = Self::default();
        (update.name, update.settings) = (body.name, body.settings);
        update
    }
}

/// The body of an answer about organizations.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = d::Data))]
#[serde(deny_unknown_fields)]
pub struct Data<T> {
    /// The answer.
    pub data: T,
}

/// One page of the audit log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = d::AuditLogs))]
#[serde(deny_unknown_fields)]
pub struct AuditLogs {
    /// The entries, the latest first.
    pub data: Vec<AuditLog>,
    /// Which page this is.
    pub pagination: Pagination,
}

/// Which page of how many entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = d::Pagination))]
#[serde(deny_unknown_fields)]
pub struct Pagination {
    /// The page's number, from 1.
    pub page: u64,
    /// How many entries a page holds at most.
    pub limit: u64,
    /// How many entries match the filter.
    pub total: u64,
}

/// The body of an answer that fails. The source shows none; this form is ours.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = d::Failed))]
#[serde(deny_unknown_fields)]
pub struct Failed {
    /// The error.
    pub error: Failure,
}

/// The description of an error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = d::Failure))]
#[serde(deny_unknown_fields)]
pub struct Failure {
    /// A message.
    pub message: String,
}
