//! The stored form of an event: the record that stays, and the personal part that can be erased.
//!
//! Both are JSON, written once and never rewritten. The record holds a digest of the personal part,
//! `SHA-256(salt ‖ personal)`, so that whatever proves the record proves the whole, and goes on
//! proving the record when the personal part and its salt are gone.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::json::{self, Object};
use crate::limits::EVENT_BYTES;
use crate::{
    Action, Actor, ActorKind, AuditEvent, Change, ChangeSetId, EntityClass, Error, ErrorKind,
    EventId, Log, Message, NewEvent, OrganizationRef, Request, Result, Scope, Sequence, Source,
    Target, Timestamp, Violation,
};

/// An event as a store keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredEvent {
    /// What an auditor needs for ever: log, number, id, times, action, the ids of those involved,
    /// scope, request, and the digest of the personal part. JSON.
    pub record: Vec<u8>,
    /// What a person may ask to be erased; `None` once it has been.
    pub personal: Option<PersonalPart>,
}

/// The part of an event that can be erased: names, addresses, texts, values, metadata.
#[derive(Clone, PartialEq, Eq)]
pub struct PersonalPart {
    /// Random bytes without which the digest tells nothing of the content.
    pub salt: [u8; 16],
    /// The content. JSON.
    pub bytes: Vec<u8>,
}

impl std::fmt::Debug for PersonalPart {
    /// Shows the size, not the content, which does not belong in logs.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PersonalPart").field("bytes", &self.bytes.len()).finish_non_exhaustive()
    }
}

/// An event that has been checked and is ready to be given its place.
#[derive(Clone, Debug)]
pub struct PreparedEvent {
    content: NewEvent,
    personal: PersonalPart,
    size: usize,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Record {
    /// The version of this form.
    v: u8,
    log: Log,
    sequence: Sequence,
    id: EventId,
    occurred_at: Timestamp,
    recorded_at: Timestamp,
    action: Action,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    category: Option<String>,
    actor: RecordedActor,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    targets: Vec<Target>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    organization: Option<String>,
    #[serde(default, skip_serializing_if = "Scope::is_empty")]
    scope: Scope,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    change_set_id: Option<ChangeSetId>,
    #[serde(default, skip_serializing_if = "Request::is_empty")]
    request: Request,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    source: Option<Source>,
    /// The digest of the personal part, base64url.
    personal: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RecordedActor {
    kind: ActorKind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    organization: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    entity_class: Option<EntityClass>,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Personal {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ip: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    user_agent: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    details: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    actor_organization_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    organization_name: Option<String>,
    /// One for each target, or none at all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    target_names: Vec<Option<String>>,
    #[serde(default, skip_serializing_if = "Change::is_empty")]
    change: Change,
    #[serde(default, skip_serializing_if = "Message::is_empty")]
    message: Message,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    place: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(default, skip_serializing_if = "Object::is_empty", deserialize_with = "json::object")]
    metadata: Object,
}

impl Personal {
    fn of(content: &NewEvent) -> Self {
        let named = content.targets.iter().any(|target| target.name.is_some());
        let names = || content.targets.iter().map(|target| target.name.clone()).collect();
        let name_of = |o: &Option<OrganizationRef>| o.as_ref().and_then(|o| o.name.clone());
        Self {
            name: content.actor.name.clone(),
            email: content.actor.email.clone(),
            ip: content.actor.ip.clone(),
            user_agent: content.actor.user_agent.clone(),
            details: content.actor.details.clone(),
            actor_organization_name: name_of(&content.actor.organization),
            organization_name: name_of(&content.organization),
            target_names: if named { names() } else { Vec::new() },
            change: content.change.clone(),
            message: content.message.clone(),
            place: content.place.clone(),
            reason: content.reason.clone(),
            metadata: content.metadata.clone(),
        }
    }
}

impl PreparedEvent {
    /// Checks `content` and writes its personal part.
    pub fn new(content: NewEvent) -> Result<Self> {
        content.validate()?;
        let mut salt = [0; 16];
        crate::token::fill_random(&mut salt)?;
        let personal = PersonalPart { salt, bytes: encode(&Personal::of(&content))? };
        let mut prepared = Self { content, personal, size: 0 };
        // The longest record that the event can get, wherever its place will be.
        let record =
            prepared.record(Log::organization(uuid::Uuid::max()), Sequence::MAX, Timestamp::MAX)?;
        prepared.size = record.len() + prepared.personal.bytes.len();
        if prepared.size > EVENT_BYTES {
            let violation = Violation::TooLong { limit: EVENT_BYTES, actual: prepared.size };
            return Err(Error::invalid("", violation));
        }
        Ok(prepared)
    }

    /// What the caller gave.
    pub fn content(&self) -> &NewEvent {
        &self.content
    }

    /// The most bytes that the event takes as stored, at most
    /// [`EVENT_BYTES`].
    pub fn size(&self) -> usize {
        self.size
    }

    /// The stored form at a place in `log`.
    pub fn seal(self, log: Log, sequence: Sequence, recorded_at: Timestamp) -> Result<StoredEvent> {
        let record = self.record(log, sequence, recorded_at)?;
        Ok(StoredEvent { record, personal: Some(self.personal) })
    }

    fn record(&self, log: Log, sequence: Sequence, recorded_at: Timestamp) -> Result<Vec<u8>> {
        let NewEvent { actor, .. } = &self.content;
        let id_of = |o: &Option<OrganizationRef>| o.as_ref().map(|o| o.id.clone());
        encode(&Record {
            v: VERSION,
            log,
            sequence,
            id: self.content.id,
            occurred_at: self.content.occurred_at,
            recorded_at,
            action: self.content.action.clone(),
            category: self.content.category.clone(),
            actor: RecordedActor {
                kind: actor.kind.clone(),
                id: actor.id.clone(),
                organization: id_of(&actor.organization),
                entity_class: actor.entity_class.clone(),
            },
            targets: self
                .content
                .targets
                .iter()
                .map(|target| Target {
                    kind: target.kind.clone(),
                    id: target.id.clone(),
                    name: None,
                })
                .collect(),
            organization: id_of(&self.content.organization),
            scope: self.content.scope.clone(),
            change_set_id: self.content.change_set_id,
            request: self.content.request.clone(),
            source: self.content.source.clone(),
            personal: URL_SAFE_NO_PAD.encode(self.personal.digest()),
        })
    }
}

const VERSION: u8 = 1;

impl PersonalPart {
    /// `SHA-256(salt ‖ bytes)`, which the record holds.
    pub fn digest(&self) -> [u8; 32] {
        Sha256::new().chain_update(self.salt).chain_update(&self.bytes).finalize().into()
    }
}

impl StoredEvent {
    /// Reads the event back.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] if the bytes are not of this form, [`ErrorKind::Incompatible`] if
    /// they are of a later version.
    pub fn open(&self) -> Result<AuditEvent> {
        let record: Record = decode(&self.record)?;
        if record.v != VERSION {
            return Err(Error::new(ErrorKind::Incompatible).with_context("reading an event"));
        }
        let (personal, erased) = match &self.personal {
            Some(part) => (decode(&part.bytes)?, false),
            None => (Personal::default(), true),
        };
        let mut names = personal.target_names.into_iter();
        let content = NewEvent {
            id: record.id,
            occurred_at: record.occurred_at,
            action: record.action,
            category: record.category,
            actor: Actor {
                kind: record.actor.kind,
                id: record.actor.id,
                name: personal.name,
                email: personal.email,
                ip: personal.ip,
                user_agent: personal.user_agent,
                details: personal.details,
                organization: record
                    .actor
                    .organization
                    .map(|id| OrganizationRef { id, name: personal.actor_organization_name }),
                entity_class: record.actor.entity_class,
            },
            targets: record
                .targets
                .into_iter()
                .map(|target| Target { name: names.next().flatten(), ..target })
                .collect(),
            organization: record
                .organization
                .map(|id| OrganizationRef { id, name: personal.organization_name }),
            scope: record.scope,
            change: personal.change,
            change_set_id: record.change_set_id,
            message: personal.message,
            place: personal.place,
            reason: personal.reason,
            request: record.request,
            source: record.source,
            metadata: personal.metadata,
        };
        let event = AuditEvent::new(record.log, record.sequence, record.recorded_at, content);
        Ok(AuditEvent { erased, ..event })
    }

    /// Whether the record's digest is that of the personal part; `None` once that is erased.
    pub fn personal_is_intact(&self) -> Result<Option<bool>> {
        let record: Record = decode(&self.record)?;
        let digest = |part: &PersonalPart| URL_SAFE_NO_PAD.encode(part.digest());
        Ok(self.personal.as_ref().map(|part| digest(part) == record.personal))
    }
}

fn encode(value: &impl Serialize) -> Result<Vec<u8>> {
    serde_json::to_vec(value).map_err(|source| {
        Error::new(ErrorKind::Invalid).with_context("writing an event").with_source(source)
    })
}

fn decode<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T> {
    serde_json::from_slice(bytes).map_err(|source| {
        Error::new(ErrorKind::Corrupt).with_context("reading an event").with_source(source)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn full() -> NewEvent {
        let organization = || OrganizationRef::new("org_1").name("Acme");
        NewEvent::new(
            "invoice.paid",
            Actor::user("u_1")
                .name("Ana")
                .email("ana@example.org")
                .ip("[::1]:80")
                .user_agent("curl")
                .details("on call")
                .organization(organization())
                .entity_class(EntityClass::IDENTITY),
        )
        .category("billing")
        .target("invoice", "i_1")
        .add_target(Target::named("March"))
        .organization(organization())
        .scope(Scope::default().service("s").surface(crate::Surface::COST))
        .change(Change::between(&json!({"a": 1}), &json!({"a": 0.1})).with_old(json!(null)))
        .change_set_id(ChangeSetId::new())
        .message("paid \u{0} \u{feff} 지불")
        .place("Berlin")
        .reason("due")
        .request("POST", "/pay")
        .source("legacy", "42")
        .metadata("a.b $", json!([u64::MAX, i64::MIN, 1.0, null]))
    }

    fn stored(content: NewEvent) -> StoredEvent {
        let sequence = Sequence::new(9).unwrap();
        PreparedEvent::new(content)
            .unwrap()
            .seal(Log::Platform, sequence, Timestamp::now())
            .unwrap()
    }

    #[test]
    fn every_field_comes_back() {
        let content = full();
        let event = stored(content.clone()).open().unwrap();
        assert_eq!((event.log, event.sequence.get()), (Log::Platform, 9));
        assert!(event.has_content(&content));
        assert_eq!(event.into_content(), content);
    }

    #[test]
    fn erased_the_record_stays_and_nothing_personal_does() {
        let mut stored = stored(full());
        assert_eq!(stored.personal_is_intact().unwrap(), Some(true));
        stored.personal = None;
        let event = stored.open().unwrap();
        assert!(event.erased);
        assert_eq!(event.actor.id.as_deref(), Some("u_1"));
        assert_eq!(event.targets[0], Target::new("invoice", "i_1"));
        let text = String::from_utf8(stored.record).unwrap() + &format!("{event:?}");
        for personal in
            ["Ana", "ana@", "[::1]", "curl", "on call", "March", "Acme", "Berlin", "due"]
        {
            assert!(!text.contains(personal), "{personal}");
        }
    }

    #[test]
    fn an_altered_personal_part_is_noticed() {
        let mut stored = stored(full());
        let part = stored.personal.as_mut().unwrap();
        part.bytes.push(b' ');
        assert_eq!(stored.personal_is_intact().unwrap(), Some(false));
    }

    #[test]
    fn an_event_of_more_than_a_mebibyte_is_refused() {
        let metadata = |bytes| full().metadata("x", "x".repeat(bytes));
        assert!(PreparedEvent::new(metadata(EVENT_BYTES - 4_096)).is_ok());
        let error = PreparedEvent::new(metadata(EVENT_BYTES)).unwrap_err();
        assert!(matches!(error.violation(), Some(Violation::TooLong { limit: EVENT_BYTES, .. })));
    }

    #[test]
    fn damage_is_an_error_of_its_own() {
        let mut stored = stored(full());
        stored.record.truncate(20);
        assert_eq!(stored.open().unwrap_err().kind(), ErrorKind::Corrupt);
    }
}
