//! Alterations of the fields that a store keeps.

use std::mem;
use std::time::Duration;

use audit_core::{
    Actor, ActorKind, ApiKey, ApiKeyId, Attributes, AuditEvent, EventId, Log, OrganizationId,
    OutcomeResult, Role,
};

/// The actor for whom the event's actor acted; a new one if it is absent.
fn behalf(event: &mut AuditEvent) -> &mut Actor {
    next(&mut event.actor)
}

/// The actor for whom that one acted.
fn principal(event: &mut AuditEvent) -> &mut Actor {
    next(behalf(event))
}

fn next(actor: &mut Actor) -> &mut Actor {
    actor.on_behalf_of.get_or_insert_with(|| Box::new(Actor::new(ActorKind::UNKNOWN)))
}

/// One for each field of an event.
pub(super) const OF_EVENTS: &[fn(&mut AuditEvent)] = &[
    |e| e.log = Log::Organization(OrganizationId::new()),
    |e| e.sequence = e.sequence.next(),
    |e| e.recorded_at = e.recorded_at.saturating_add(Duration::from_nanos(1)),
    |e| e.erased = true,
    |e| e.clock_reading = Some(e.recorded_at),
    |e| e.submitted_by = Some("other".to_owned()),
    |e| e.by_store = true,
    |e| e.id = EventId::new(),
    |e| e.occurred_at = e.occurred_at.saturating_add(Duration::from_nanos(1)),
    |e| e.action = "other".into(),
    |e| e.category = None,
    |e| e.actor.kind = "other".into(),
    |e| e.actor.id = None,
    |e| e.actor.name = None,
    |e| e.actor.email = None,
    |e| e.actor.ip = None,
    |e| e.actor.user_agent = None,
    |e| e.actor.details = None,
    |e| e.actor.organization = None,
    |e| e.actor.organization.iter_mut().for_each(|o| o.name = None),
    |e| e.actor.entity_class = None,
    |e| e.actor.session_id = None,
    |e| e.actor.on_behalf_of = None,
    |e| behalf(e).kind = "other".into(),
    |e| behalf(e).id = None,
    |e| behalf(e).on_behalf_of = None,
    |e| principal(e).kind = "other".into(),
    |e| principal(e).id = None,
    |e| principal(e).name = None,
    |e| principal(e).email = None,
    |e| principal(e).ip = None,
    |e| principal(e).user_agent = None,
    |e| principal(e).details = None,
    |e| principal(e).organization = None,
    |e| principal(e).organization.iter_mut().for_each(|o| o.name = None),
    |e| principal(e).entity_class = None,
    |e| principal(e).session_id = None,
    |e| e.outcome = None,
    |e| e.outcome.iter_mut().for_each(|outcome| outcome.result = OutcomeResult::SUCCESS),
    |e| e.outcome.iter_mut().for_each(|outcome| outcome.code = None),
    |e| e.severity = None,
    |e| drop(e.targets.pop()),
    |e| e.targets.reverse(),
    |e| e.targets.iter_mut().for_each(|target| target.kind = None),
    |e| e.targets.iter_mut().for_each(|target| target.id = None),
    |e| e.targets.iter_mut().for_each(|target| target.name = None),
    |e| e.organization = None,
    |e| e.organization.iter_mut().for_each(|o| o.name = None),
    |e| e.scope.service = None,
    |e| e.scope.product = None,
    |e| e.scope.config = None,
    |e| e.scope.environment = None,
    |e| e.scope.surface = None,
    |e| e.change.old = None,
    |e| e.change.new = None,
    |e| drop(e.change.diff.pop()),
    |e| e.change.diff.iter_mut().for_each(|change| change.old = None),
    |e| e.change.diff.iter_mut().for_each(|change| change.new = None),
    |e| e.change.truncated = false,
    |e| e.change_set_id = None,
    |e| e.message.title = None,
    |e| e.message.text = None,
    |e| e.message.key = None,
    |e| e.message.params = None,
    |e| e.location = None,
    |e| e.reason = None,
    |e| e.request.method = None,
    |e| e.request.path = None,
    |e| e.request.id = None,
    |e| e.trace = None,
    |e| e.trace.iter_mut().for_each(|trace| trace.span_id = None),
    |e| e.attributes = e.attributes.iter().skip(1).collect(),
    |e| drop(e.attributes.insert("plan", "free")),
    |e| e.source = None,
    |e| e.metadata = mem::take(&mut e.metadata).into_iter().skip(1).collect(),
];

/// One for each field of a record that identifies an event's context, which an erasure must keep.
pub(super) const OF_RECORDS: &[fn(&mut AuditEvent)] = &[
    |e| e.actor.id = None,
    |e| e.actor.session_id = None,
    |e| e.actor.on_behalf_of = None,
    |e| e.outcome = None,
    |e| e.outcome.iter_mut().for_each(|outcome| outcome.code = None),
    |e| e.severity = None,
    |e| e.targets.clear(),
    |e| e.request.id = None,
    |e| e.trace = None,
    |e| e.attributes = Attributes::new(),
    |e| e.source = None,
];

/// One for each field of an API key.
pub(super) const OF_KEYS: &[fn(&mut ApiKey)] = &[
    |key| key.id = ApiKeyId::new(),
    |key| key.organization_id = OrganizationId::new(),
    |key| key.role = if key.role == Role::Admin { Role::Member } else { Role::Admin },
    |key| key.email = None,
    |key| key.email.iter_mut().for_each(|email| email.truncate(1)),
    |key| key.created_at = key.created_at.saturating_add(Duration::from_nanos(1)),
    |key| key.revoked_at = Some(key.created_at),
    |key| {
        let mut json = serde_json::to_value(&*key).unwrap();
        json["digest"] = vec![7_u8; 32].into();
        *key = serde_json::from_value(json).unwrap();
    },
];
