//! The stored form of an event: the record that stays, and the personal part that can be erased.
//!
//! Both are JSON, written once and never rewritten. The record holds a digest of the personal part,
//! `SHA-256(salt ‖ personal)`, so that whatever proves the record proves the whole, and goes on
//! proving the record when the personal part and its salt are gone.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::Term;
use crate::json::Object;
use crate::limits::MAX_EVENT_BYTES;
use crate::random::fill_random;
use crate::{
    Action, Actor, ActorKind, AuditEvent, Change, ChangeSetId, EntityClass, Error, ErrorKind,
    EventId, Log, Message, NewEvent, OrganizationRef, RequestInfo, Result, Scope, Sequence, Source,
    Target, Timestamp, Violation,
};

/// An event as a store keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredEvent {
    /// What an auditor needs for ever: log, number, id, times, action, the ids of those involved,
    /// scope, request, and the digest of the personal part. JSON.
    pub record: Vec<u8>,
    /// What a person may ask to be erased; `None` once it has been.
    pub personal: Option<PersonalData>,
}

/// The bytes of a salt.
pub(crate) const SALT_BYTES: usize = 16;

/// The part of an event that can be erased: names, addresses, texts, values, metadata.
#[derive(Clone, PartialEq, Eq)]
pub struct PersonalData {
    /// Random bytes without which the digest tells nothing of the content.
    pub salt: [u8; SALT_BYTES],
    /// The content. JSON.
    pub bytes: Vec<u8>,
}

impl std::fmt::Debug for PersonalData {
    /// Shows the size, not the content, which does not belong in logs.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PersonalData").field("bytes", &self.bytes.len()).finish_non_exhaustive()
    }
}

/// An event that has been checked and encoded, but for the place that it will be given.
#[derive(Clone, Debug)]
pub struct PreparedEvent {
    content: NewEvent,
    personal: PersonalData,
    /// The record without what [`begin`] adds.
    rest: Vec<u8>,
}

/// The record, as its JSON says. Texts are borrowed when it is written.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Record<'a> {
    // Known only when the event has its place: written by `begin`.
    #[serde(skip_serializing)]
    v: u8,
    #[serde(skip_serializing)]
    log: Log,
    #[serde(skip_serializing)]
    sequence: Sequence,
    #[serde(skip_serializing)]
    recorded_at: Timestamp,

    id: EventId,
    occurred_at: Timestamp,
    action: Cow<'a, Action>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    category: Option<Cow<'a, str>>,
    actor: RecordedActor<'a>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    targets: Vec<RecordedTarget<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    organization: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Scope::is_empty")]
    scope: Cow<'a, Scope>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    change_set_id: Option<ChangeSetId>,
    #[serde(default, skip_serializing_if = "RequestInfo::is_empty")]
    request: Cow<'a, RequestInfo>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    source: Option<Cow<'a, Source>>,
    /// The digest of the personal part, base64url.
    personal: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RecordedActor<'a> {
    kind: Cow<'a, ActorKind>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    organization: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    entity_class: Option<Cow<'a, EntityClass>>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RecordedTarget<'a> {
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    kind: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id: Option<Cow<'a, str>>,
}

/// The personal part, as its JSON says.
#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Personal<'a> {
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
    #[serde(default, skip_serializing_if = "Option::is_none")]
    actor_organization_name: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    organization_name: Option<Cow<'a, str>>,
    /// One for each target, or none at all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    target_names: Vec<Option<Cow<'a, str>>>,
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

#[allow(clippy::ref_option)] // so it stands in the model
fn borrowed(text: &Option<String>) -> Option<Cow<'_, str>> {
    text.as_deref().map(Cow::Borrowed)
}

fn owned(text: Option<Cow<'_, str>>) -> Option<String> {
    text.map(Cow::into_owned)
}

impl<'a> Personal<'a> {
    fn of(content: &'a NewEvent) -> Self {
        let named = content.targets.iter().any(|target| target.name.is_some());
        let target_names = || content.targets.iter().map(|target| borrowed(&target.name)).collect();
        let name_of = |o: &'a Option<OrganizationRef>| o.as_ref().and_then(|o| borrowed(&o.name));
        Self {
            name: borrowed(&content.actor.name),
            email: borrowed(&content.actor.email),
            ip: borrowed(&content.actor.ip),
            user_agent: borrowed(&content.actor.user_agent),
            details: borrowed(&content.actor.details),
            actor_organization_name: name_of(&content.actor.organization),
            organization_name: name_of(&content.organization),
            target_names: if named { target_names() } else { Vec::new() },
            change: Cow::Borrowed(&content.change),
            message: Cow::Borrowed(&content.message),
            location: borrowed(&content.location),
            reason: borrowed(&content.reason),
            metadata: Cow::Borrowed(&content.metadata),
        }
    }
}

impl<'a> Record<'a> {
    /// The record of `content` without its place.
    fn of(content: &'a NewEvent, personal: &PersonalData) -> Self {
        let actor = &content.actor;
        let id_of = |o: &'a Option<OrganizationRef>| {
            o.as_ref().map(|organization| Cow::Borrowed(organization.id.as_str()))
        };
        let target = |target: &'a Target| RecordedTarget {
            kind: borrowed(&target.kind),
            id: borrowed(&target.id),
        };
        Self {
            v: VERSION,
            log: Log::Platform,
            sequence: Sequence::ZERO,
            recorded_at: Timestamp::MIN,
            id: content.id,
            occurred_at: content.occurred_at,
            action: Cow::Borrowed(&content.action),
            category: borrowed(&content.category),
            actor: RecordedActor {
                kind: Cow::Borrowed(&actor.kind),
                id: borrowed(&actor.id),
                organization: id_of(&actor.organization),
                entity_class: actor.entity_class.as_ref().map(Cow::Borrowed),
            },
            targets: content.targets.iter().map(target).collect(),
            organization: id_of(&content.organization),
            scope: Cow::Borrowed(&content.scope),
            change_set_id: content.change_set_id,
            request: Cow::Borrowed(&content.request),
            source: content.source.as_ref().map(Cow::Borrowed),
            personal: URL_SAFE_NO_PAD.encode(personal.digest()),
        }
    }
}

const VERSION: u8 = 1;

/// How a record begins, up to the comma behind its place. None of it needs an escape.
fn begin(log: Log, sequence: Sequence, recorded_at: Timestamp) -> String {
    format!(r#"{{"v":{VERSION},"log":"{log}","sequence":{sequence},"recordedAt":"{recorded_at}","#)
}

/// The most bytes that [`begin`] gives.
const BEGIN_BYTES: usize = 140;

impl PreparedEvent {
    /// Checks `content` and encodes it.
    pub fn new(content: NewEvent) -> Result<Self> {
        let mut salt = [0; SALT_BYTES];
        fill_random(&mut salt)?;
        Self::with_salt(content, salt)
    }

    /// The same with this salt, of random bytes that no other event has.
    pub(crate) fn with_salt(content: NewEvent, salt: [u8; SALT_BYTES]) -> Result<Self> {
        content.validate()?;
        let personal = PersonalData { salt, bytes: encode(&Personal::of(&content))? };
        let rest = encode(&Record::of(&content, &personal))?;
        let prepared = Self { content, personal, rest };
        if prepared.size() > MAX_EVENT_BYTES {
            let violation = Violation::TooLong { limit: MAX_EVENT_BYTES, actual: prepared.size() };
            return Err(Error::invalid("", violation));
        }
        Ok(prepared)
    }

    /// What the caller gave.
    pub fn content(&self) -> &NewEvent {
        &self.content
    }

    /// The most bytes that the event takes as stored, at most
    /// [`MAX_EVENT_BYTES`].
    pub fn size(&self) -> usize {
        BEGIN_BYTES + self.rest.len() + self.personal.bytes.len()
    }

    /// The stored form at a place in `log`. Nothing is encoded again, so it can be done under a
    /// lock.
    pub fn into_stored(self, log: Log, sequence: Sequence, recorded_at: Timestamp) -> StoredEvent {
        // The comma takes the place of the rest's first brace.
        let rest = self.rest.strip_prefix(b"{").unwrap_or(&self.rest);
        let record = [begin(log, sequence, recorded_at).as_bytes(), rest].concat();
        StoredEvent { record, personal: Some(self.personal) }
    }
}

impl PersonalData {
    /// `SHA-256(salt ‖ bytes)`, which the record holds.
    pub fn digest(&self) -> [u8; 32] {
        Sha256::new().chain_update(self.salt).chain_update(&self.bytes).finalize().into()
    }
}

impl StoredEvent {
    /// The bytes of both parts.
    pub fn size(&self) -> usize {
        self.record.len() + self.personal.as_ref().map_or(0, |part| part.bytes.len())
    }

    /// Reads the event back.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] if the bytes are not of this form, [`ErrorKind::Incompatible`] if
    /// they are of a later version.
    pub fn decode(&self) -> Result<AuditEvent> {
        let record: Record<'_> = decode_part(&self.record)?;
        if record.v != VERSION {
            return Err(Error::new(ErrorKind::Incompatible).with_context("reading an event"));
        }
        let (personal, erased): (Personal<'_>, _) = match &self.personal {
            Some(part) => (decode_part(&part.bytes)?, false),
            None => (Personal::default(), true),
        };
        let organization = |id: Option<Cow<'_, str>>, name: Option<Cow<'_, str>>| {
            id.map(|id| OrganizationRef { id: id.into_owned(), name: owned(name) })
        };
        let mut names = personal.target_names.into_iter();
        let content = NewEvent {
            id: record.id,
            occurred_at: record.occurred_at,
            action: record.action.into_owned(),
            category: owned(record.category),
            actor: Actor {
                kind: record.actor.kind.into_owned(),
                id: owned(record.actor.id),
                name: owned(personal.name),
                email: owned(personal.email),
                ip: owned(personal.ip),
                user_agent: owned(personal.user_agent),
                details: owned(personal.details),
                organization: organization(
                    record.actor.organization,
                    personal.actor_organization_name,
                ),
                entity_class: record.actor.entity_class.map(Cow::into_owned),
            },
            targets: record
                .targets
                .into_iter()
                .map(|target| Target {
                    kind: owned(target.kind),
                    id: owned(target.id),
                    name: owned(names.next().flatten()),
                })
                .collect(),
            organization: organization(record.organization, personal.organization_name),
            scope: record.scope.into_owned(),
            change: personal.change.into_owned(),
            change_set_id: record.change_set_id,
            message: personal.message.into_owned(),
            location: owned(personal.location),
            reason: owned(personal.reason),
            request: record.request.into_owned(),
            source: record.source.map(Cow::into_owned),
            metadata: personal.metadata.into_owned(),
        };
        let event = AuditEvent::new(record.log, record.sequence, record.recorded_at, content);
        Ok(AuditEvent { erased, ..event })
    }

    /// Erases the personal part, and returns the terms under which the event is found no longer.
    /// Those are to be taken out of the index.
    ///
    /// # Errors
    /// As [`decode`](Self::decode); nothing is erased then.
    pub fn erase(&mut self) -> Result<Vec<Term>> {
        if self.personal.is_none() {
            return Ok(Vec::new());
        }
        let mut gone = Term::of_stored(&self.decode()?);
        let left = Self { record: self.record.clone(), personal: None };
        let kept = Term::of_stored(&left.decode()?);
        gone.retain(|term| !kept.contains(term));
        self.personal = None;
        Ok(gone)
    }

    /// Whether the record's digest is that of the personal part; `None` once that is erased.
    pub fn personal_is_intact(&self) -> Result<Option<bool>> {
        let record: Record<'_> = decode_part(&self.record)?;
        let digest = |part: &PersonalData| URL_SAFE_NO_PAD.encode(part.digest());
        Ok(self.personal.as_ref().map(|part| digest(part) == record.personal))
    }
}

fn encode(value: &impl Serialize) -> Result<Vec<u8>> {
    serde_json::to_vec(value).map_err(|source| {
        Error::new(ErrorKind::Invalid).with_context("writing an event").with_source(source)
    })
}

fn decode_part<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T> {
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
                .entity_class(EntityClass::from_static("identity")),
        )
        .category("billing")
        .target("invoice", "i_1")
        .add_target(Target::named("March"))
        .organization(organization())
        .scope(Scope::default().service("s").surface(crate::Surface::from_static("cost")))
        .change(Change::between(&json!({"a": 1}), &json!({"a": 0.1})).with_old(json!(null)))
        .change_set_id(ChangeSetId::new())
        .message("paid \u{0} \u{feff} 지불")
        .location("Berlin")
        .reason("due")
        .request("POST", "/pay")
        .source("legacy", "42")
        .metadata("a.b $", json!([u64::MAX, i64::MIN, 1.0, null]))
    }

    fn stored(content: NewEvent) -> StoredEvent {
        let sequence = Sequence::new(9).unwrap();
        PreparedEvent::new(content).unwrap().into_stored(Log::Platform, sequence, Timestamp::now())
    }

    #[test]
    fn every_field_comes_back() {
        let content = full();
        let event = stored(content.clone()).decode().unwrap();
        assert_eq!((event.log, event.sequence.get()), (Log::Platform, 9));
        assert!(event.has_content(&content));
        assert_eq!(event.into_content(), content);
    }

    #[test]
    fn erased_the_record_stays_and_nothing_personal_does() {
        let mut stored = stored(full());
        assert_eq!(stored.personal_is_intact().unwrap(), Some(true));
        let gone = stored.erase().unwrap();
        assert_eq!(gone.iter().map(Term::value).collect::<Vec<_>>(), [b"ana@example.org"]);
        assert!(stored.erase().unwrap().is_empty());
        let event = stored.decode().unwrap();
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
    fn the_place_is_never_longer_than_is_reckoned() {
        let log = Log::organization(uuid::Uuid::max());
        assert!(begin(log, Sequence::MAX, Timestamp::MAX).len() <= BEGIN_BYTES);
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
        assert!(PreparedEvent::new(metadata(MAX_EVENT_BYTES - 4_096)).is_ok());
        let error = PreparedEvent::new(metadata(MAX_EVENT_BYTES)).unwrap_err();
        assert!(matches!(
            error.violation(),
            Some(Violation::TooLong { limit: MAX_EVENT_BYTES, .. })
        ));
    }

    #[test]
    fn damage_is_an_error_of_its_own() {
        let mut stored = stored(full());
        stored.record.truncate(20);
        assert_eq!(stored.decode().unwrap_err().kind(), ErrorKind::Corrupt);
    }
}
