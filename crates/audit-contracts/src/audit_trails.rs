//! Contract C: audit trails, a feed with a continuation token.
//!
//! `GET /api/v1.0/organizations/{organizationGuid}/audit-trails`; the body is [`AuditTrails`], of
//! an error [`Problem`].
//!
//! | [`AuditTrail`] | the model |
//! |---|---|
//! | `id` | [`NewEvent::id`]; a text that is not a hyphenated lower-case UUID is kept in [`NewEvent::source`] |
//! | `organizationId` | [`NewEvent::organization`], else the log's own |
//! | `auditEvent` | [`NewEvent::category`] |
//! | `auditEntity`, `auditAction` | [`NewEvent::action`], joined by a dot |
//! | `coreEntity`, `coreEntityId` | [`Target::kind`], [`Target::id`] of the first target |
//! | `contractedEntity`, `contractedEntityId` | the same of the second target; both null if it is absent |
//! | `timestamp` | [`NewEvent::occurred_at`] |
//! | `oldValue`, `newValue` | [`Change::old`](audit_core::Change::old), [`Change::new`](audit_core::Change::new) |
//! | `diff[].prop`, `.oldVal`, `.newVal` | [`FieldChange::field`], `.old`, `.new` |
//! | `author.authorId`, `.authorName`, `.ipAddress` | [`Actor::id`], [`Actor::name`], [`Actor::ip`] of a `user` |
//! | `author.authorOrgId`, `.authorOrgName` | [`Actor::organization`] |
//! | `message.logMessage`, `.logMessageKey`, `.logMessageParams` | [`Message::text`](audit_core::Message::text), `.key`, `.params` |
//!
//! The action is split at its last dot. So that nothing is lost, the model has `%2E` for a dot of the
//! `auditAction`. It has `%2A` for a `*` of either part, which an action must not contain, and `%25`
//! for a `%`.
//!
//! Choices where the source is silent:
//! - Every key is printed. A nullable key that is absent is read as null; every other key is
//!   required.
//! - A time is printed with seconds, with decimals only if they are not zero, and `+00:00`.
//!
//! How an event that was not read from this contract is printed:
//! - An id that must be a UUID but is not is printed as its UUIDv5 in a namespace of this crate; an
//!   absent id as the nil UUID.
//! - An action without a dot is printed as `auditAction`, with an empty `auditEntity`.
//! - `authorName` is the actor's name, else e-mail address, else id, else kind. `authorOrgId` is the
//!   log's organization if the actor names none.
//! - `logMessage` is the text, else the title.
//! - An old or new value that is neither an object nor null is printed as `{"value": …}`.
//! - A required text that is absent is printed as an empty one. Targets after the second are not
//!   printed.

use std::borrow::Cow;

use audit_core::json::{self, Object};
use audit_core::limits::MAX_ACTION_SEGMENTS;
use audit_core::{
    Actor, ActorKind, AuditEvent, Error, EventId, FieldChange, NewEvent, OrganizationRef, Result,
    Target, Timestamp, Violation,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::{Uuid, uuid};

use crate::wire::{self, IdForm};

/// The system of [`NewEvent::source`] for a record whose id is not a UUID.
pub const SOURCE: &str = "audit-trails";

const TRAIL_ID: IdForm =
    IdForm { system: SOURCE, namespace: uuid!("12e25bf2-3304-434f-b250-f630f7ade99a"), prefix: "" };

/// One batch of the feed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = c::AuditTrails))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AuditTrails {
    /// The token of the next batch.
    pub continuation_token: Option<String>,
    /// The records, fewer than 100.
    pub response_data: Option<Vec<AuditTrail>>,
}

/// One record of the feed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = c::AuditTrail))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AuditTrail {
    /// The record's id.
    pub id: String,
    /// The organization of the record.
    pub organization_id: String,
    /// The category: `CoreEntityChange`.
    pub audit_event: String,
    /// The type of the object acted upon: `Organization`.
    pub audit_entity: String,
    /// The action: `Updated`.
    pub audit_action: String,
    /// The type of the core entity.
    pub core_entity: String,
    /// The id of the core entity.
    pub core_entity_id: Uuid,
    /// The type of the contracted entity.
    pub contracted_entity: Option<String>,
    /// The id of the contracted entity.
    pub contracted_entity_id: Option<Uuid>,
    /// The time of the event.
    #[serde(serialize_with = "wire::print::shortest_with_offset")]
    pub timestamp: Timestamp,
    /// The value before the change.
    #[serde(default, deserialize_with = "wire::nullable_object")]
    pub old_value: Option<Object>,
    /// The value after the change.
    #[serde(default, deserialize_with = "wire::nullable_object")]
    pub new_value: Option<Object>,
    /// The changed fields.
    pub diff: Vec<Difference>,
    /// The author.
    pub author: Author,
    /// The message.
    pub message: LogMessage,
}

/// A changed field.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = c::Difference))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Difference {
    /// The field's name.
    pub prop: String,
    /// The value before; `None` is printed as null.
    #[serde(default, deserialize_with = "json::present")]
    pub old_val: Option<Value>,
    /// The value after; `None` is printed as null.
    #[serde(default, deserialize_with = "json::present")]
    pub new_val: Option<Value>,
}

/// The author, perhaps from another organization.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = c::Author))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Author {
    /// The author's id.
    pub author_id: Uuid,
    /// The author's name.
    pub author_name: String,
    /// The id of the author's own organization.
    pub author_org_id: Uuid,
    /// The name of the author's own organization.
    pub author_org_name: String,
    /// The address from which the author came.
    pub ip_address: String,
}

/// The message of a record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = c::LogMessage))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LogMessage {
    /// The message.
    pub log_message: String,
    /// The key of the message in a catalogue.
    pub log_message_key: Option<String>,
    /// The parameters of the message, as one text.
    pub log_message_params: Option<String>,
}

/// The body of an error, `application/problem+json` (RFC 9457). Unknown members are ignored, as the RFC
/// requires.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = c::Problem))]
pub struct Problem {
    /// A URI of the problem type.
    pub r#type: Option<String>,
    /// A summary of the problem type.
    pub title: Option<String>,
    /// The HTTP status.
    pub status: Option<i32>,
    /// An explanation of this problem.
    pub detail: Option<String>,
    /// A URI of this problem.
    pub instance: Option<String>,
}

impl AuditTrail {
    /// The highest number of records of one batch.
    pub const BATCH: usize = 99;

    /// Returns the id of the event to which a record with the id `id` converts.
    pub fn event_id(id: &str) -> EventId {
        TRAIL_ID.event_id(id)
    }
}

impl TryFrom<AuditTrail> for NewEvent {
    type Error = Error;

    /// Converts to a valid event. An error names the field of the record.
    fn try_from(trail: AuditTrail) -> Result<Self> {
        let segments = trail.audit_entity.split('.').count() + 1;
        if segments > MAX_ACTION_SEGMENTS {
            let violation =
                Violation::TooMany { limit: MAX_ACTION_SEGMENTS - 1, actual: segments - 1 };
            return Err(Error::invalid("auditEntity", violation));
        }
        let longer = if trail.audit_entity.len() > trail.audit_action.len() {
            "auditEntity"
        } else {
            "auditAction"
        };
        let (id, source) = TRAIL_ID.identify(trail.id);
        let core = Target::new(trail.core_entity, trail.core_entity_id.to_string());
        let contracted_id = trail.contracted_entity_id.map(|id| id.to_string());
        let contracted = Target::from_parts(trail.contracted_entity, contracted_id, None);
        let action = joined(&trail.audit_entity, &trail.audit_action);
        let mut event = NewEvent::new(action, trail.author.into())
            .id(id)
            .occurred_at(trail.timestamp)
            .category(trail.audit_event)
            .add_target(core)
            .organization(OrganizationRef::new(trail.organization_id))
            .message(trail.message.log_message);
        event.targets.extend(contracted);
        event.change.old = trail.old_value.map(Value::Object);
        event.change.new = trail.new_value.map(Value::Object);
        event.change.diff = trail.diff.into_iter().map(Into::into).collect();
        event.message.key = trail.message.log_message_key;
        event.message.params = trail.message.log_message_params;
        event.source = source;
        wire::checked(event, |field| wire_name(field, longer))
    }
}

fn wire_name(field: &str, action: &'static str) -> Cow<'static, str> {
    match field {
        "source.id" => "id".into(),
        "organization.id" => "organizationId".into(),
        "category" => "auditEvent".into(),
        "action" => action.into(),
        "targets[0].type" => "coreEntity".into(),
        "targets[1].type" => "contractedEntity".into(),
        "change.old" => "oldValue".into(),
        "change.new" => "newValue".into(),
        "actor.name" => "author.authorName".into(),
        "actor.ip" => "author.ipAddress".into(),
        "actor.organization.name" => "author.authorOrgName".into(),
        "message.text" => "message.logMessage".into(),
        "message.key" => "message.logMessageKey".into(),
        "message.params" => "message.logMessageParams".into(),
        other => {
            let field = other.strip_prefix("change.").unwrap_or(other);
            Cow::Owned(match field.rsplit_once("].") {
                Some((place, "field")) => format!("{place}].prop"),
                Some((place, "old")) => format!("{place}].oldVal"),
                Some((place, "new")) => format!("{place}].newVal"),
                _ => field.to_owned(),
            })
        }
    }
}

impl From<Author> for Actor {
    fn from(author: Author) -> Self {
        let organization = OrganizationRef::new(author.author_org_id.to_string());
        Actor::new(ActorKind::USER)
            .id(author.author_id.to_string())
            .name(author.author_name)
            .ip(author.ip_address)
            .organization(organization.name(author.author_org_name))
    }
}

impl From<Difference> for FieldChange {
    fn from(difference: Difference) -> Self {
        Self::new(difference.prop, difference.old_val, difference.new_val)
    }
}

impl From<&AuditEvent> for AuditTrail {
    fn from(event: &AuditEvent) -> Self {
        let (audit_entity, audit_action) = split(event.action.as_str());
        let (core, contracted) = (event.targets.first(), event.targets.get(1));
        let kind = |target: Option<&Target>| target.and_then(|target| target.kind.clone());
        let id = |target: Option<&Target>| {
            target.and_then(|target| target.id.as_deref()).map(wire::uuid_of)
        };
        Self {
            id: TRAIL_ID.event_id_text(event.id, event.source.as_ref()),
            organization_id: wire::organization_id(event).unwrap_or_default(),
            audit_event: event.category.clone().unwrap_or_default(),
            audit_entity,
            audit_action,
            core_entity: kind(core).unwrap_or_default(),
            core_entity_id: id(core).unwrap_or_default(),
            contracted_entity: kind(contracted),
            contracted_entity_id: id(contracted),
            timestamp: event.occurred_at,
            old_value: event.change.old.as_ref().and_then(object),
            new_value: event.change.new.as_ref().and_then(object),
            diff: event.change.diff.iter().map(Difference::from).collect(),
            author: Author::of(event),
            message: LogMessage {
                log_message: wire::text(event),
                log_message_key: event.message.key.clone(),
                log_message_params: event.message.params.clone(),
            },
        }
    }
}

impl Author {
    fn of(event: &AuditEvent) -> Self {
        let actor = &event.actor;
        let organization = actor.organization.as_ref();
        let own = || event.log.organization_id().map(Uuid::from);
        let name = actor.name.as_ref().or(actor.email.as_ref()).or(actor.id.as_ref());
        Self {
            author_id: actor.id.as_deref().map(wire::uuid_of).unwrap_or_default(),
            author_name: name.map_or_else(|| actor.kind.to_string(), Clone::clone),
            author_org_id: organization
                .map(|organization| wire::uuid_of(&organization.id))
                .or_else(own)
                .unwrap_or_default(),
            author_org_name: organization
                .and_then(|organization| organization.name.clone())
                .unwrap_or_default(),
            ip_address: actor.ip.clone().unwrap_or_default(),
        }
    }
}

impl From<&FieldChange> for Difference {
    fn from(change: &FieldChange) -> Self {
        Self {
            prop: change.field.clone(),
            old_val: change.old.clone(),
            new_val: change.new.clone(),
        }
    }
}

/// Returns a value as the object or null that the contract requires.
fn object(value: &Value) -> Option<Object> {
    match value {
        Value::Null => None,
        Value::Object(object) => Some(object.clone()),
        other => Some(Object::from_iter([("value".to_owned(), other.clone())])),
    }
}

fn joined(entity: &str, action: &str) -> String {
    let escaped = |text: &str| text.replace('%', "%25").replace('*', "%2A");
    format!("{}.{}", escaped(entity), escaped(action).replace('.', "%2E"))
}

fn split(action: &str) -> (String, String) {
    // `%25` last, so that the `%` it yields does not start an escape.
    let plain = |text: &str| text.replace("%2A", "*").replace("%2E", ".").replace("%25", "%");
    let (entity, action) = action.rsplit_once('.').unwrap_or(("", action));
    (plain(entity), plain(action))
}
