//! The stored form of an event: the record, which remains, and the personal data, which can be
//! erased.
//!
//! Both are JSON, written once and never rewritten. The record holds a digest of the personal data,
//! `SHA-256(salt ‖ personal)`: a proof of the record proves both, and still proves the record when
//! the personal data and its salt are erased.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::parts::{Personal, Record, VERSION};
use super::{Term, lenient};
use crate::{AuditEvent, Error, ErrorKind, Result, Sequence, Timestamp, json};

/// An event as a store keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoredEvent {
    /// The part that is never erased: log, sequence, ids, times, action, outcome, scope, request,
    /// and the digest of the personal data. JSON.
    pub record: Vec<u8>,
    /// The part that can be erased; `None` once it is.
    pub personal: Option<PersonalData>,
}

/// The bytes of a salt.
pub(super) const SALT_BYTES: usize = 16;

/// The part of an event that can be erased: names, addresses, texts, values, metadata.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PersonalData {
    /// Random bytes. Without them the digest does not reveal the content.
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

impl PersonalData {
    /// Creates the personal data from its stored salt and content.
    pub fn new(salt: [u8; SALT_BYTES], bytes: Vec<u8>) -> Self {
        Self { salt, bytes }
    }

    /// Returns `SHA-256(salt ‖ bytes)`, which the record holds.
    pub fn digest(&self) -> [u8; 32] {
        Sha256::new().chain_update(self.salt).chain_update(&self.bytes).finalize().into()
    }
}

impl StoredEvent {
    /// Creates the event from its stored parts; `personal` is `None` if it is erased.
    pub fn new(record: Vec<u8>, personal: Option<PersonalData>) -> Self {
        Self { record, personal }
    }

    /// Returns the number of bytes of both parts.
    pub fn size(&self) -> usize {
        self.record.len() + self.personal.as_ref().map_or(0, |part| part.bytes.len())
    }

    /// Reads the event back. Fields that a later version wrote are kept, see
    /// [`AuditEvent::unknown_fields`].
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] if the bytes are not of this form, [`ErrorKind::Incompatible`] if
    /// they are of a later format.
    pub fn decode(&self) -> Result<AuditEvent> {
        let (record, mut unknown): (Record<'_>, _) = decode_part(&self.record)?;
        supported(record.v)?;
        let personal = match &self.personal {
            Some(part) => {
                let (personal, of_personal) = decode_part(&part.bytes)?;
                json::merge(&mut unknown, of_personal);
                personal
            }
            None => Personal::default(),
        };
        let (log, sequence, recorded_at) = (record.log, record.sequence, record.recorded_at);
        let (clock_reading, by_store) = (record.clock_reading, record.by_store);
        let event = AuditEvent::new(log, sequence, recorded_at, record.join(personal));
        let event =
            AuditEvent { clock_reading, by_store, erased: self.personal.is_none(), ..event };
        Ok(event.with_unknown_fields(unknown))
    }

    /// Returns the sequence of the event and when it was recorded.
    ///
    /// # Errors
    /// As [`decode`](Self::decode), but notices less.
    pub(super) fn recorded(&self) -> Result<(Sequence, Timestamp)> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Begin {
            v: u8,
            sequence: Sequence,
            recorded_at: Timestamp,
        }
        let (begin, _): (Begin, _) = decode_part(&self.record)?;
        supported(begin.v)?;
        Ok((begin.sequence, begin.recorded_at))
    }

    /// Erases the personal data, and returns the terms that the event had only because of it. Remove
    /// those from the index.
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

    /// Returns whether the personal data has the digest that the record holds; `None` if it is
    /// erased.
    ///
    /// # Errors
    /// As [`decode`](Self::decode).
    pub fn personal_is_intact(&self) -> Result<Option<bool>> {
        let (record, _): (Record<'_>, _) = decode_part(&self.record)?;
        let digest = |part: &PersonalData| URL_SAFE_NO_PAD.encode(part.digest());
        Ok(self.personal.as_ref().map(|part| digest(part) == record.personal))
    }
}

fn supported(version: u8) -> Result<()> {
    if version == VERSION {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Incompatible).with_context("reading an event"))
}

/// Reads a part, and the fields of it that this version does not know. Only a part that has such
/// fields is read a second time.
fn decode_part<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<(T, Value)> {
    let corrupt = || Error::new(ErrorKind::Corrupt).with_context("reading an event");
    let text = std::str::from_utf8(bytes).map_err(|source| corrupt().with_source(source))?;
    let read = match serde_json::from_str(text) {
        Err(error) if error.is_data() => lenient::from_str(text),
        read => read.map(|part| (part, Value::Null)),
    };
    read.map_err(|source| corrupt().with_source(source))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::PreparedEvent;
    use crate::limits::MAX_EVENT_BYTES;
    use crate::{
        Actor, Change, ChangeSetId, EntityClass, Log, NewEvent, OrganizationRef, Outcome, Scope,
        Sequence, Severity, Target, Timestamp, Trace, Violation,
    };
    use serde_json::json;

    fn full() -> NewEvent {
        let organization = || OrganizationRef::new("org_1").name("Acme");
        NewEvent::new(
            "invoice.paid",
            Actor::user("u_1")
                .name("Ana Lim")
                .email("ana@example.org")
                .ip("[::1]:80")
                .user_agent("curl")
                .details("on call")
                .organization(organization())
                .entity_class(EntityClass::from_static("identity"))
                .session_id("sess_1")
                .on_behalf_of(
                    Actor::api("key_1")
                        .on_behalf_of(Actor::user("u_2").name("Bo Chen").email("bo@example.org")),
                ),
        )
        .occurred_at(Timestamp::from_nanos(1_710_514_131_123_456_789))
        .category("billing")
        .target("invoice", "i_1")
        .add_target(Target::named("March"))
        .organization(organization())
        .scope(Scope::default().service("s").surface(crate::Surface::from_static("cost")))
        .change(Change::of(&json!({"a": 1}), &json!({"a": 0.1})).unwrap().with_old(json!(null)))
        .change_set_id(ChangeSetId::new())
        .message("paid \u{0} \u{feff} 지불")
        .location("Berlin")
        .reason("is due")
        .request("POST", "/invoices/9/pay")
        .route("/invoices/{id}/pay")
        .request_id("req_1")
        .trace(
            Trace::from_traceparent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
                .unwrap(),
        )
        .outcome(Outcome::failure().code("card_declined"))
        .severity(Severity::MEDIUM)
        .attribute("plan", "pro")
        .attribute("region", "eu")
        .source("legacy", "42")
        .metadata("a.b $", json!([u64::MAX, i64::MIN, 1.0, null]))
    }

    fn stored(content: &NewEvent) -> StoredEvent {
        let sequence = Sequence::new(9).unwrap();
        PreparedEvent::new(content).unwrap().into_stored(Log::Platform, sequence, Timestamp::now())
    }

    #[test]
    fn every_field_comes_back() {
        let content = full();
        let event = stored(&content).decode().unwrap();
        assert_eq!((event.log, event.sequence.get()), (Log::Platform, 9));
        assert!(event.has_content(&content));
        assert_eq!(event.into_content(), content);
    }

    #[test]
    fn erased_the_record_stays_and_nothing_personal_does() {
        let mut stored = stored(&full());
        assert_eq!(stored.personal_is_intact().unwrap(), Some(true));
        let gone = stored.erase().unwrap();
        assert_eq!(
            gone.iter().map(Term::value).collect::<Vec<_>>(),
            [&b"ana@example.org"[..], b"[::1]:80"]
        );
        assert!(stored.erase().unwrap().is_empty());
        let event = stored.decode().unwrap();
        assert!(event.erased);
        assert_eq!(event.actor.id.as_deref(), Some("u_1"));
        assert_eq!(event.targets[0], Target::new("invoice", "i_1"));
        assert_eq!(event.actor.session_id.as_deref(), Some("sess_1"));
        let behalf = event.actor.on_behalf_of.as_ref().unwrap();
        assert_eq!(**behalf, Actor::api("key_1").on_behalf_of(Actor::user("u_2")));
        let full = full();
        assert_eq!((&event.outcome, &event.severity), (&full.outcome, &full.severity));
        assert_eq!((&event.request, event.trace), (&full.request, full.trace));
        assert_eq!(event.attributes, full.attributes);
        let text = String::from_utf8(stored.record).unwrap() + &format!("{event:?}");
        for personal in [
            "Ana Lim", "ana@", "Bo Chen", "bo@", "[::1]", "curl", "on call", "March", "Acme",
            "Berlin", "is due",
        ] {
            assert!(!text.contains(personal), "{personal}");
        }
    }

    #[test]
    fn what_a_later_version_adds_is_kept_and_printed() {
        let later = |known: &[u8], added: Value| {
            let mut value = serde_json::from_slice(known).unwrap();
            json::merge(&mut value, added);
            serde_json::to_vec(&value).unwrap()
        };
        let mut stored = stored(&full());
        let before = stored.decode().unwrap();
        assert!(before.unknown_fields().is_empty());
        let of_record = json!({
            "geo": {"cell": 7},
            "actor": {"device": "d_1", "onBehalfOf": {"onBehalfOf": {"device": "d_2"}}},
            "targets": [{}, {"version": 3}],
            "scope": {"region": "eu"},
            "trace": {"flags": 1},
        });
        let of_personal = json!({
            "note": [1], "actor": {"phone": "555-0199"}, "targets": [{"alias": "x"}, {}],
        });
        stored.record = later(&stored.record, of_record.clone());
        let part = stored.personal.as_mut().unwrap();
        part.bytes = later(&part.bytes, of_personal);
        let event = stored.decode().unwrap();
        assert!(
            event.has_content(&before.clone().into_content()),
            "what is known is read as it was"
        );
        let printed = serde_json::to_value(&event).unwrap();
        assert_eq!(printed["geo"], json!({"cell": 7}));
        assert_eq!(printed["actor"]["device"], "d_1");
        assert_eq!(printed["actor"]["name"], "Ana Lim");
        assert_eq!(printed["actor"]["phone"], "555-0199");
        assert_eq!(printed["actor"]["onBehalfOf"]["onBehalfOf"]["device"], "d_2");
        assert_eq!(printed["targets"][0]["alias"], "x");
        assert_eq!(printed["targets"][1], json!({"name": "March", "version": 3}));
        assert_eq!(printed["scope"]["region"], "eu");
        assert_eq!(printed["trace"]["flags"], 1);
        assert_eq!(printed["note"], json!([1]));

        stored.erase().unwrap();
        let event = stored.decode().unwrap();
        let erased = serde_json::to_string(&event).unwrap();
        assert!(!erased.contains("555-0199") && erased.contains("d_2"), "{erased}");
    }

    #[test]
    fn an_altered_personal_part_is_noticed() {
        let mut stored = stored(&full());
        let part = stored.personal.as_mut().unwrap();
        part.bytes.push(b' ');
        assert_eq!(stored.personal_is_intact().unwrap(), Some(false));
    }

    #[test]
    fn an_event_of_more_than_a_mebibyte_is_refused() {
        let metadata = |bytes| full().metadata("x", "x".repeat(bytes));
        assert!(PreparedEvent::new(&metadata(MAX_EVENT_BYTES - 4_096)).is_ok());
        let error = PreparedEvent::new(&metadata(MAX_EVENT_BYTES)).unwrap_err();
        assert!(matches!(
            error.violation(),
            Some(Violation::TooLong { limit: MAX_EVENT_BYTES, .. })
        ));
    }

    #[test]
    fn damage_is_an_error_of_its_own() {
        let mut stored = stored(&full());
        stored.record.truncate(20);
        assert_eq!(stored.decode().unwrap_err().kind(), ErrorKind::Corrupt);
    }
}
