//! The two parts of an event as JSON: the record, and the personal data.
//!
//! Both have the shape of the event's own JSON, and no field is in both, so that the two merged are
//! the event. `docs/format.md` describes the bytes.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::RecordedTime;
use crate::json::Object;
use crate::{
    Action, Actor, ActorKind, Attributes, Change, ChangeSetId, EntityClass, EventId, Log, Message,
    NewEvent, OrganizationRef, Outcome, RequestInfo, Scope, Sequence, Severity, Source, Target,
    Timestamp, Trace,
};

/// The number of the format that this version writes, and the highest that it reads.
pub(super) const VERSION: u8 = 1;

/// The writer of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Writer {
    /// A caller appends it.
    Caller,
    /// The store records a change that it makes.
    Store,
}

/// The record. Texts are borrowed when it is written.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Record<'a> {
    // Known only once the event has its sequence: written by `begin`.
    #[serde(skip_serializing)]
    pub(super) v: u8,
    #[serde(skip_serializing)]
    pub(super) log: Log,
    #[serde(skip_serializing)]
    pub(super) sequence: Sequence,
    #[serde(skip_serializing)]
    pub(super) recorded_at: Timestamp,
    #[serde(default, skip_serializing)]
    pub(super) clock_reading: Option<Timestamp>,

    id: EventId,
    occurred_at: Timestamp,
    action: Cow<'a, Action>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    category: Option<Cow<'a, str>>,
    actor: RecordedActor<'a>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    outcome: Option<Cow<'a, Outcome>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    severity: Option<Cow<'a, Severity>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    targets: Vec<RecordedTarget<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    organization: Option<RecordedOrganization<'a>>,
    #[serde(default, skip_serializing_if = "Scope::is_empty")]
    scope: Cow<'a, Scope>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    change_set_id: Option<ChangeSetId>,
    #[serde(default, skip_serializing_if = "RequestInfo::is_empty")]
    request: Cow<'a, RequestInfo>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    trace: Option<Trace>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    source: Option<Cow<'a, Source>>,
    #[serde(default, skip_serializing_if = "Attributes::is_empty")]
    attributes: Cow<'a, Attributes>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    submitted_by: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) by_store: bool,
    /// The digest of the personal data, base64url without padding. Is the last field.
    #[serde(borrow)]
    pub(super) personal: Cow<'a, str>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RecordedActor<'a> {
    kind: Cow<'a, ActorKind>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    organization: Option<RecordedOrganization<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    entity_class: Option<Cow<'a, EntityClass>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    session_id: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    on_behalf_of: Option<Box<RecordedActor<'a>>>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RecordedTarget<'a> {
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    kind: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id: Option<Cow<'a, str>>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RecordedOrganization<'a> {
    id: Cow<'a, str>,
}

/// The personal data. Texts are borrowed when it is written.
#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Personal<'a> {
    #[serde(default, skip_serializing_if = "PersonalActor::is_empty")]
    actor: PersonalActor<'a>,
    /// One for each target, or none at all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    targets: Vec<Named<'a>>,
    #[serde(default, skip_serializing_if = "Named::is_empty")]
    organization: Named<'a>,
    #[serde(default, skip_serializing_if = "Change::is_empty")]
    change: Cow<'a, Change>,
    #[serde(default, skip_serializing_if = "Message::is_empty")]
    message: Cow<'a, Message>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    location: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Object::is_empty")]
    metadata: Cow<'a, Object>,
}

#[derive(Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PersonalActor<'a> {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    email: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ip: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    user_agent: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    details: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Named::is_empty")]
    organization: Named<'a>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    on_behalf_of: Option<Box<PersonalActor<'a>>>,
}

/// The name of a thing whose id is in the record.
#[derive(Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Named<'a> {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<Cow<'a, str>>,
}

#[allow(clippy::ref_option)] // as the model's fields are
fn borrowed(text: &Option<String>) -> Option<Cow<'_, str>> {
    text.as_deref().map(Cow::Borrowed)
}

fn owned(text: Option<Cow<'_, str>>) -> Option<String> {
    text.map(Cow::into_owned)
}

impl<'a> Record<'a> {
    /// Returns the record of `content`, without what [`begin`] adds.
    pub(super) fn of(
        content: &'a NewEvent,
        writer: Writer,
        occurred_at: Timestamp,
        digest: String,
    ) -> Self {
        Self {
            v: VERSION,
            log: Log::Platform,
            sequence: Sequence::ZERO,
            recorded_at: Timestamp::MIN,
            clock_reading: None,
            id: content.id,
            occurred_at,
            action: Cow::Borrowed(&content.action),
            category: borrowed(&content.category),
            actor: RecordedActor::of(&content.actor),
            outcome: content.outcome.as_ref().map(Cow::Borrowed),
            severity: content.severity.as_ref().map(Cow::Borrowed),
            targets: content.targets.iter().map(RecordedTarget::of).collect(),
            organization: content.organization.as_ref().map(RecordedOrganization::of),
            scope: Cow::Borrowed(&content.scope),
            change_set_id: content.change_set_id,
            request: Cow::Borrowed(&content.request),
            trace: content.trace,
            source: content.source.as_ref().map(Cow::Borrowed),
            attributes: Cow::Borrowed(&content.attributes),
            submitted_by: borrowed(&content.submitted_by),
            by_store: writer == Writer::Store,
            personal: Cow::Owned(digest),
        }
    }

    /// Returns the event that has this record and this personal data.
    pub(super) fn join(self, personal: Personal<'_>) -> NewEvent {
        let mut names = personal.targets.into_iter();
        let targets = self.targets.into_iter();
        NewEvent {
            occurred_at: Some(self.occurred_at),
            submitted_by: owned(self.submitted_by),
            id: self.id,
            action: self.action.into_owned(),
            category: owned(self.category),
            actor: self.actor.join(personal.actor),
            outcome: self.outcome.map(Cow::into_owned),
            severity: self.severity.map(Cow::into_owned),
            targets: targets.map(|target| target.join(names.next().unwrap_or_default())).collect(),
            organization: self.organization.map(|own| own.join(personal.organization)),
            scope: self.scope.into_owned(),
            change: personal.change.into_owned(),
            change_set_id: self.change_set_id,
            message: personal.message.into_owned(),
            location: owned(personal.location),
            reason: owned(personal.reason),
            request: self.request.into_owned(),
            trace: self.trace,
            source: self.source.map(Cow::into_owned),
            attributes: self.attributes.into_owned(),
            metadata: personal.metadata.into_owned(),
        }
    }
}

impl<'a> RecordedActor<'a> {
    fn of(actor: &'a Actor) -> Self {
        Self {
            kind: Cow::Borrowed(&actor.kind),
            id: borrowed(&actor.id),
            organization: actor.organization.as_ref().map(RecordedOrganization::of),
            entity_class: actor.entity_class.as_ref().map(Cow::Borrowed),
            session_id: borrowed(&actor.session_id),
            on_behalf_of: actor.on_behalf_of.as_deref().map(|actor| Box::new(Self::of(actor))),
        }
    }

    fn join(self, personal: PersonalActor<'_>) -> Actor {
        let behalf = personal.on_behalf_of.map(|actor| *actor);
        Actor {
            kind: self.kind.into_owned(),
            id: owned(self.id),
            name: owned(personal.name),
            email: owned(personal.email),
            ip: owned(personal.ip),
            user_agent: owned(personal.user_agent),
            details: owned(personal.details),
            organization: self.organization.map(|own| own.join(personal.organization)),
            entity_class: self.entity_class.map(Cow::into_owned),
            session_id: owned(self.session_id),
            on_behalf_of: self
                .on_behalf_of
                .map(|actor| Box::new(actor.join(behalf.unwrap_or_default()))),
        }
    }
}

impl<'a> RecordedTarget<'a> {
    fn of(target: &'a Target) -> Self {
        Self { kind: borrowed(&target.kind), id: borrowed(&target.id) }
    }

    fn join(self, personal: Named<'_>) -> Target {
        Target { kind: owned(self.kind), id: owned(self.id), name: owned(personal.name) }
    }
}

impl<'a> RecordedOrganization<'a> {
    fn of(organization: &'a OrganizationRef) -> Self {
        Self { id: Cow::Borrowed(&organization.id) }
    }

    fn join(self, personal: Named<'_>) -> OrganizationRef {
        OrganizationRef { id: self.id.into_owned(), name: owned(personal.name) }
    }
}

impl<'a> Personal<'a> {
    /// Returns the personal data of `content`.
    pub(super) fn of(content: &'a NewEvent) -> Self {
        let named = content.targets.iter().any(|target| target.name.is_some());
        let targets = content.targets.iter().filter(|_| named);
        Self {
            actor: PersonalActor::of(&content.actor),
            targets: targets.map(|target| Named { name: borrowed(&target.name) }).collect(),
            organization: Named::of(content.organization.as_ref()),
            change: Cow::Borrowed(&content.change),
            message: Cow::Borrowed(&content.message),
            location: borrowed(&content.location),
            reason: borrowed(&content.reason),
            metadata: Cow::Borrowed(&content.metadata),
        }
    }
}

impl<'a> PersonalActor<'a> {
    fn of(actor: &'a Actor) -> Self {
        let behalf = actor.on_behalf_of.as_deref().map(Self::of);
        Self {
            name: borrowed(&actor.name),
            email: borrowed(&actor.email),
            ip: borrowed(&actor.ip),
            user_agent: borrowed(&actor.user_agent),
            details: borrowed(&actor.details),
            organization: Named::of(actor.organization.as_ref()),
            on_behalf_of: behalf.filter(|actor| !actor.is_empty()).map(Box::new),
        }
    }

    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl<'a> Named<'a> {
    fn of(organization: Option<&'a OrganizationRef>) -> Self {
        Self { name: organization.and_then(|organization| borrowed(&organization.name)) }
    }

    fn is_empty(&self) -> bool {
        self.name.is_none()
    }
}

/// Returns the begin of a record, up to and with the comma after its time. It needs no escapes.
pub(super) fn begin(log: Log, sequence: Sequence, time: RecordedTime) -> String {
    let RecordedTime { recorded_at, clock_reading } = time;
    let begin = format!(
        r#"{{"v":{VERSION},"log":"{log}","sequence":{sequence},"recordedAt":"{recorded_at}","#
    );
    match clock_reading {
        Some(reading) => format!(r#"{begin}"clockReading":"{reading}","#),
        None => begin,
    }
}

/// The most bytes that [`begin`] returns.
pub(super) const BEGIN_BYTES: usize = 190;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_begin_is_never_longer_than_its_bound() {
        let log = Log::organization(uuid::Uuid::max());
        let (recorded_at, clock_reading) = (Timestamp::MAX, Some(Timestamp::MAX));
        let time = RecordedTime { recorded_at, clock_reading };
        assert!(begin(log, Sequence::MAX, time).len() <= BEGIN_BYTES);
    }
}
