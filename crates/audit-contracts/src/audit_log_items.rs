//! Contract B: audit log items by type, product, config and environment.
//!
//! `GET /v1/organizations/{organizationId}/auditlogs`; the body is a bare array of
//! [`AuditLogItem`].
//!
//! | [`AuditLogItem`] | the model |
//! |---|---|
//! | `auditLogId` | [`AuditEvent::sequence`]; of an item that was read, [`NewEvent::source`], of which [`NewEvent::id`] is derived |
//! | `auditLogDateTime` | [`NewEvent::occurred_at`] |
//! | `auditLogTypeEnum` | [`NewEvent::action`]; the known values are [`AuditLogType`]'s |
//! | `changeSetId` | [`NewEvent::change_set_id`] |
//! | `truncated` | [`Change::truncated`](audit_core::Change::truncated) |
//! | `auditLogType` | [`Message::title`](audit_core::Message::title) |
//! | `userEmail`, `userName` | [`Actor::email`], [`Actor::name`] |
//! | `where`, `why` | [`NewEvent::location`], [`NewEvent::reason`] |
//! | `actionTarget` | [`Target::name`] of the first target, else its id, else its type |
//! | `details` | [`Message::text`](audit_core::Message::text) |
//!
//! Choices where the source is silent:
//! - Every key is printed. A nullable key that is absent is read as null.
//! - An item that was read keeps its own `auditLogId`, whatever its number in the log, so that it
//!   is printed as it was read. A log that mixes such items with its own events may print one number
//!   twice.
//! - The actor is a `user` if the item names one, else `unknown`.
//! - A time is printed with milliseconds, rounded down.

use std::borrow::Cow;

use audit_core::{Actor, ActorKind, AuditEvent, ChangeSetId, EventId, NewEvent, Target, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::{Uuid, uuid};

pub use crate::audit_log_types::AuditLogType;
use crate::wire;

/// The system that [`NewEvent::source`] names for an item.
pub const SOURCE: &str = "audit-log-items";

const NAMESPACE: Uuid = uuid!("21ab32e3-81dd-4f61-b771-85ce5404fac3");

/// One item of an organization's audit log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = b::AuditLogItem))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AuditLogItem {
    /// The item's number.
    pub audit_log_id: i64,
    /// The time of the event.
    #[serde(serialize_with = "wire::print::millis")]
    pub audit_log_date_time: Timestamp,
    /// The action.
    pub audit_log_type_enum: AuditLogType,
    /// The id of the change set, shared by the items of one change.
    pub change_set_id: Option<ChangeSetId>,
    /// Whether the details are truncated.
    pub truncated: bool,
    /// The display text of the action.
    pub audit_log_type: Option<String>,
    /// The e-mail address of the user.
    pub user_email: Option<String>,
    /// The name of the user.
    pub user_name: Option<String>,
    /// The location of the action.
    pub r#where: Option<String>,
    /// The reason for the action.
    pub why: Option<String>,
    /// The target of the action.
    pub action_target: Option<String>,
    /// The details.
    pub details: Option<String>,
}

impl AuditLogItem {
    /// Returns the id of the event to which an item with the number `audit_log_id` converts.
    pub fn event_id(audit_log_id: i64) -> EventId {
        EventId::derived(NAMESPACE, audit_log_id.to_string().as_bytes())
    }
}

impl TryFrom<AuditLogItem> for NewEvent {
    type Error = audit_core::Error;

    /// Converts to a valid event. An error names the field of the item.
    fn try_from(item: AuditLogItem) -> audit_core::Result<Self> {
        let named = item.user_email.is_some() || item.user_name.is_some();
        let mut actor = Actor::new(if named { ActorKind::USER } else { ActorKind::UNKNOWN });
        (actor.name, actor.email) = (item.user_name, item.user_email);
        let mut event = NewEvent::new(item.audit_log_type_enum, actor)
            .id(AuditLogItem::event_id(item.audit_log_id))
            .occurred_at(item.audit_log_date_time)
            .source(SOURCE, item.audit_log_id.to_string());
        event.targets.extend(item.action_target.map(Target::named));
        event.change.truncated = item.truncated;
        event.change_set_id = item.change_set_id;
        (event.message.title, event.message.text) = (item.audit_log_type, item.details);
        event.location = item.r#where;
        event.reason = item.why;
        wire::checked(event, |field| match field {
            "action" => "auditLogTypeEnum".into(),
            "actor.email" => "userEmail".into(),
            "actor.name" => "userName".into(),
            "targets[0].name" => "actionTarget".into(),
            "message.title" => "auditLogType".into(),
            "message.text" => "details".into(),
            "location" => "where".into(),
            "reason" => "why".into(),
            other => Cow::Owned(other.to_owned()),
        })
    }
}

impl From<&AuditEvent> for AuditLogItem {
    fn from(event: &AuditEvent) -> Self {
        let foreign = event.source.as_ref().filter(|source| source.system == SOURCE);
        let target = event.targets.first();
        let target = target.and_then(|target| {
            target.name.as_ref().or(target.id.as_ref()).or(target.kind.as_ref()).cloned()
        });
        Self {
            audit_log_id: foreign
                .and_then(|source| source.id.parse().ok())
                .unwrap_or(event.sequence.as_i64()),
            audit_log_date_time: event.occurred_at,
            audit_log_type_enum: AuditLogType::from(event.action.to_string()),
            change_set_id: event.change_set_id,
            truncated: event.change.truncated,
            audit_log_type: event.message.title.clone(),
            user_email: event.actor.email.clone(),
            user_name: event.actor.name.clone(),
            r#where: event.location.clone(),
            why: event.reason.clone(),
            action_target: target,
            details: event.message.text.clone(),
        }
    }
}
