//! The activity: the lean view of an event.

use serde::{Deserialize, Serialize};

use crate::{
    Action, Actor, ActorKind, AuditEvent, EventId, NewEvent, OrganizationRef, Scope, Source,
    Timestamp,
};

/// The lean view of an event: who did what, when, on which service.
///
/// An event converts to an activity. An activity converts to an event, and back to an equal activity.
///
/// ```
/// use audit_core::{Activity, Actor, NewEvent};
///
/// let event = NewEvent::new("service.start", Actor::api("key_1").ip("10.0.0.7"));
/// let activity = Activity::from(&event);
/// assert_eq!(activity.actor_id.as_deref(), Some("key_1"));
/// assert_eq!(Activity::from(&NewEvent::from(activity.clone())), activity);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[non_exhaustive]
pub struct Activity {
    /// The id of the event.
    pub id: EventId,
    /// The time of the event.
    pub created_at: Timestamp,
    /// The action, `type` in JSON.
    #[serde(rename = "type")]
    pub action: Action,
    /// The kind of the actor.
    pub actor_kind: ActorKind,
    /// The actor's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor_id: Option<String>,
    /// Details about the actor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor_details: Option<String>,
    /// The network address of the actor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor_ip: Option<String>,
    /// The organization of the activity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organization: Option<OrganizationRef>,
    /// The service of the activity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_id: Option<String>,
    /// The foreign system that recorded it first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
}

impl Activity {
    /// Creates the activity `id`: an `action` by an actor of this kind.
    pub fn new(
        id: EventId,
        created_at: Timestamp,
        action: impl Into<Action>,
        actor_kind: impl Into<ActorKind>,
    ) -> Self {
        Self {
            id,
            created_at,
            action: action.into(),
            actor_kind: actor_kind.into(),
            actor_id: None,
            actor_details: None,
            actor_ip: None,
            organization: None,
            service_id: None,
            source: None,
        }
    }
}

/// Converts events, with or without a log, to activities: both have the same fields.
macro_rules! lean {
    ($event:expr, $time:expr) => {
        Activity {
            id: $event.id,
            created_at: $time,
            action: $event.action.clone(),
            actor_kind: $event.actor.kind.clone(),
            actor_id: $event.actor.id.clone(),
            actor_details: $event.actor.details.clone(),
            actor_ip: $event.actor.ip.clone(),
            organization: $event.organization.clone(),
            service_id: $event.scope.service.clone(),
            source: $event.source.clone(),
        }
    };
}

impl From<&NewEvent> for Activity {
    fn from(event: &NewEvent) -> Self {
        lean!(event, event.occurred_at.unwrap_or_else(Timestamp::now))
    }
}

impl From<&AuditEvent> for Activity {
    /// Takes the organization of the log if the event names no other.
    fn from(event: &AuditEvent) -> Self {
        let own = || event.log.organization_id().map(OrganizationRef::from);
        let activity: Self = lean!(event, event.occurred_at);
        Self { organization: activity.organization.or_else(own), ..activity }
    }
}

impl From<Activity> for NewEvent {
    fn from(activity: Activity) -> Self {
        let actor = Actor {
            id: activity.actor_id,
            details: activity.actor_details,
            ip: activity.actor_ip,
            ..Actor::new(activity.actor_kind)
        };
        NewEvent {
            organization: activity.organization,
            scope: Scope { service: activity.service_id, ..Scope::default() },
            source: activity.source,
            ..NewEvent::new(activity.action, actor).id(activity.id).occurred_at(activity.created_at)
        }
    }
}
