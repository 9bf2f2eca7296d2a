//! The JSON of this library's events, as an export writes it and as programs write it themselves.
//!
//! The fields that a log adds (`log`, `sequence`, `recordedAt`, `clockReading`, `submittedBy`, `byStore`,
//! `erased`) are ignored. The time can be in any of the [known forms](crate::time).
//!
//! An event without an id gets one that is derived: from its `source` and all of its fields but the
//! metadata, which can be another at each delivery; without a `source`, from all of its fields. The order of
//! keys and the spelling of numbers play no part. So several equal events without an id are one.

use audit_core::{
    AuditEvent, Error, ErrorKind, EventId, NewEvent, Result, Timestamp, Violation, json,
};
use serde_json::Value;
use uuid::Uuid;

use crate::identity::{Digest, Sameness};
use crate::mapping::{Mapped, TIME_SOURCE, TimeOrigin};
use crate::time;

/// The namespace of the ids that are derived from events without one.
const NAMESPACE: Uuid = Uuid::from_u128(0x0b5e_61a7_93c4_4d0e_8f2a_7d41_c6b9_e05d);
/// The fields that a log adds to an event.
const ADDED_BY_LOG: [&str; 7] =
    ["log", "sequence", "recordedAt", "clockReading", "submittedBy", "byStore", "erased"];

/// Reads an event. One without a time gets `received`.
///
/// # Errors
/// Fails with [`ErrorKind::Invalid`] and the field at fault, as [`NewEvent::from_json`] does, and if there
/// is no time.
pub fn read(text: &[u8], received: Option<Timestamp>) -> Result<Mapped> {
    let text = text.trim_ascii();
    let mut event = match parse(text) {
        Err(error) if error.field() == Some("occurredAt") => parse(&with_time(text)?)?,
        read => read?,
    };
    let time = if event.occurred_at.is_some() { TimeOrigin::Record } else { TimeOrigin::Received };
    let value = json::parse(text)?;
    let id_is_derived = value.get("id").is_none();
    if id_is_derived {
        event.id = derived(value);
    }
    if time == TimeOrigin::Received {
        let missing = || Error::invalid("occurredAt", Violation::Missing);
        event.occurred_at = Some(received.ok_or_else(missing)?);
        event.metadata.entry(TIME_SOURCE).or_insert_with(|| "received".into());
    }
    Ok(Mapped { event, time, too_large: Vec::new(), id_is_derived, steps: 0 })
}

fn parse(text: &[u8]) -> Result<NewEvent> {
    match NewEvent::from_json(text) {
        Err(error) if is_added_by_log(&error) => {
            let mut event = json::from_slice::<AuditEvent>(text)?.into_content();
            // Anybody can write it into a file.
            event.submitted_by = None;
            event.validate()?;
            Ok(event)
        }
        read => read,
    }
}

/// Returns `true` if an event was refused because of a field that a log adds.
fn is_added_by_log(error: &Error) -> bool {
    error.kind() == ErrorKind::Invalid
        && error.violation() == Some(&Violation::UnknownField)
        && error.field().is_some_and(|field| ADDED_BY_LOG.contains(&field))
}

/// Returns the event with its time in the form of the model.
fn with_time(text: &[u8]) -> Result<Vec<u8>> {
    let mut value = json::parse(text)?;
    if let Some(stated) = value.get_mut("occurredAt") {
        let time = time::read(stated).map_err(|error| {
            let shown: String = stated.to_string().chars().take(80).collect();
            error.with_field("occurredAt").with_source(shown)
        })?;
        *stated = time.to_string().into();
    }
    serde_json::to_vec(&value).map_err(|error| Error::malformed("", "JSON").with_source(error))
}

fn derived(mut value: Value) -> EventId {
    if let Value::Object(fields) = &mut value
        && fields.contains_key("source")
    {
        fields.remove("metadata");
    }
    let sameness = Sameness { envelope: &[], json_texts: false };
    EventId::derived(NAMESPACE, Digest::of(&value, sameness).as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use audit_core::{Actor, Log, Sequence};

    fn line(rest: &str) -> Vec<u8> {
        format!(r#"{{"action":"a","actor":{{"kind":"user"}}{rest}}}"#).into_bytes()
    }

    #[test]
    fn the_fields_that_a_log_adds_are_ignored() {
        let content = NewEvent::new("a", Actor::user("u")).occurred_at(Timestamp::MAX).message("m");
        let sent = content.clone().submitted_by("key_1");
        let mut event = AuditEvent::new(Log::Platform, Sequence::ZERO.next(), Timestamp::MIN, sent);
        (event.by_store, event.clock_reading) = (true, Some(Timestamp::MAX));
        for line in [serde_json::to_vec(&content).unwrap(), serde_json::to_vec(&event).unwrap()] {
            let read = read(&line, None).unwrap();
            assert_eq!((read.event, read.id_is_derived), (content.clone(), false));
        }
    }

    #[test]
    fn a_time_has_any_form_and_is_not_missing() {
        for time in [r#""2024-03-15 14:48:51""#, "1710514131", r#""20240315T144851Z""#] {
            let read = read(&line(&format!(r#","occurredAt":{time}"#)), None).unwrap();
            assert_eq!(read.event.occurred_at, Some("2024-03-15T14:48:51Z".parse().unwrap()));
            assert_eq!(read.time, TimeOrigin::Record);
        }
        let error = read(&line(r#","occurredAt":"soon""#), None).unwrap_err();
        assert_eq!(error.field(), Some("occurredAt"));
        assert!(error.to_string().contains("soon"), "{error}");
        let error = read(&line(""), None).unwrap_err();
        assert_eq!(
            (error.field(), error.violation()),
            (Some("occurredAt"), Some(&Violation::Missing))
        );
        let received = read(&line(""), Some(Timestamp::MAX)).unwrap();
        assert_eq!(received.event.occurred_at, Some(Timestamp::MAX));
        assert_eq!(received.event.metadata[TIME_SOURCE], "received");
    }

    #[test]
    fn an_id_is_of_the_values_and_of_the_source_first() {
        let id = |rest: &str| read(&line(rest), Some(Timestamp::MIN)).unwrap().event.id;
        let of = r#","source":{"system":"s","id":"1"}"#;
        assert_eq!(id(r#","metadata":{"n":1.0,"m":2}"#), id(r#","metadata": {"m":2,"n":1}"#));
        assert_ne!(id(r#","metadata":{"n":1}"#), id(r#","metadata":{"n":2}"#));
        assert_eq!(
            id(&format!(r#"{of},"metadata":{{"n":1}}"#)),
            id(&format!(r#"{of},"metadata":{{"n":2}}"#))
        );
        assert_ne!(id(&format!(r#"{of},"reason":"r""#)), id(of));
        assert_ne!(id(of), id(""));
    }

    #[test]
    fn an_invalid_event_is_refused_with_its_field() {
        for (rest, field) in [
            (r#","log":"platform","x":1"#, "x"),
            (r#","target":{}"#, "target"),
            (r#","metadata":{"k":1,"k":2}"#, "metadata"),
        ] {
            assert_eq!(read(&line(rest), None).unwrap_err().field(), Some(field));
        }
    }
}
