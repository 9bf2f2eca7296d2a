//! The formats of records, and the conversion of a record to an event.

use std::str::FromStr;

use audit_core::{
    AuditEvent, Error, ErrorKind, EventId, NewEvent, Result, Timestamp, Violation, json,
};
use audit_import::{Format, TIME_SOURCE};
use serde::Deserialize;
use serde::de::IgnoredAny;
use uuid::Uuid;

/// The format of records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// The JSON of events.
    Native,
    /// The format of another system.
    Foreign(Format),
}

const NATIVE: &str = "native";

/// A record as an event.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) event: NewEvent,
    /// `true` if the id was derived from the content: then equal ids are deliveries of one record,
    /// even if their envelopes differ. A stated id can belong to other content, which is a
    /// conflict.
    id_is_derived: bool,
    /// `true` if the record has a time of its own.
    states_time: bool,
}

impl Source {
    /// Returns the names of all formats.
    pub(crate) fn names() -> Vec<&'static str> {
        Format::ALL.iter().map(|format| format.name()).chain([NATIVE]).collect()
    }

    /// Reads one record. A record without a time gets `received`.
    pub(crate) fn read(self, line: &[u8], received: Timestamp) -> Result<Record> {
        match self {
            Self::Native => native(line.trim_ascii(), received),
            Self::Foreign(format) => {
                let event = format.read_received(line, received)?;
                Ok(Record { event, id_is_derived: true, states_time: true })
            }
        }
    }
}

impl FromStr for Source {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        if name == NATIVE { Ok(Self::Native) } else { name.parse().map(Self::Foreign) }
    }
}

impl Record {
    /// Returns `true` if `recorded`, the event that the log has under this record's id, is this
    /// record.
    pub(crate) fn matches(&self, recorded: &NewEvent) -> bool {
        if self.id_is_derived {
            return true;
        }
        let mut recorded = recorded.clone();
        recorded.submitted_by = None;
        if recorded == self.event {
            return true;
        }
        // The time of receipt is not part of the record.
        let mut event = self.event.clone();
        event.occurred_at = recorded.occurred_at;
        !self.states_time && recorded == event
    }
}

/// The fields that decide how a line becomes an event.
#[derive(Deserialize)]
struct Stated {
    id: Option<IgnoredAny>,
}

/// The namespace of the ids that are derived from lines.
const NAMESPACE: Uuid = Uuid::from_u128(0x0b5e_61a7_93c4_4d0e_8f2a_7d41_c6b9_e05d);
/// The fields that a log adds to an event.
const ADDED_BY_LOG: [&str; 7] =
    ["log", "sequence", "recordedAt", "clockReading", "submittedBy", "byStore", "erased"];

fn native(line: &[u8], received: Timestamp) -> Result<Record> {
    let mut event = match NewEvent::from_json(line) {
        Err(error) if is_added_by_log(&error) => {
            let mut event = json::from_slice::<AuditEvent>(line)?.into_content();
            // Anybody can write it into a file.
            event.submitted_by = None;
            event.validate()?;
            event
        }
        read => read?,
    };
    let stated: Stated = json::from_slice(line)?;
    if stated.id.is_none() {
        event.id = EventId::derived(NAMESPACE, line);
    }
    let states_time = event.occurred_at.is_some();
    if !states_time {
        event.occurred_at = Some(received);
        event.metadata.entry(TIME_SOURCE).or_insert_with(|| "received".into());
    }
    Ok(Record { event, id_is_derived: stated.id.is_none(), states_time })
}

/// Returns `true` if a line was refused because of a field that a log adds.
fn is_added_by_log(error: &Error) -> bool {
    error.kind() == ErrorKind::Invalid
        && error.violation() == Some(&Violation::UnknownField)
        && error.field().is_some_and(|field| ADDED_BY_LOG.contains(&field))
}

#[cfg(test)]
mod tests {
    use super::*;
    use audit_core::{Actor, Log, Sequence};

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn every_name_is_parsed() {
        let sources: Vec<Source> =
            Source::names().into_iter().map(|name| name.parse().unwrap()).collect();
        let foreign = Format::ALL.iter().copied().map(Source::Foreign);
        assert!(sources.into_iter().eq(foreign.chain([Source::Native])));
        assert!("syslog".parse::<Source>().is_err());
    }

    #[test]
    fn the_fields_that_a_log_adds_are_ignored() {
        let content = NewEvent::new("a", Actor::user("u")).occurred_at(Timestamp::MAX).message("m");
        let sent = content.clone().submitted_by("key_1");
        let mut event =
            AuditEvent::new(Log::Platform, Sequence::ZERO.next(), Timestamp::MIN, sent.clone());
        (event.by_store, event.clock_reading) = (true, Some(Timestamp::MAX));
        for line in [serde_json::to_vec(&content).unwrap(), serde_json::to_vec(&event).unwrap()] {
            let record = Source::Native.read(&line, Timestamp::MIN).unwrap();
            assert_eq!(record.event, content);
            assert!(record.matches(&content) && record.matches(&sent));
            assert!(!record.matches(&content.clone().reason("another")));
        }
    }

    #[test]
    fn a_line_without_id_or_time_is_the_same_event_each_time() {
        let line = br#"{"action":"a","actor":{"kind":"user"}}"#;
        let read = |time| Source::Native.read(line, at(time)).unwrap();
        let (first, again) = (read("2024-01-01T00:00:00Z"), read("2025-01-01T00:00:00Z"));
        assert_eq!(first.event.id, again.event.id);
        assert_eq!(first.event.occurred_at, Some(at("2024-01-01T00:00:00Z")));
        assert_eq!(first.event.metadata[TIME_SOURCE], "received");
        assert!(again.matches(&first.event));

        let line = br#"{"id":"3fa85f64-5717-4562-b3fc-2c963f66afa6","action":"a","actor":{"kind":"user"}}"#;
        let read = |time| Source::Native.read(line, at(time)).unwrap();
        let (first, again) = (read("2024-01-01T00:00:00Z"), read("2025-01-01T00:00:00Z"));
        assert!(again.matches(&first.event));
        assert!(!again.matches(&first.event.reason("")));
    }

    #[test]
    fn an_invalid_line_is_refused_with_its_field() {
        for (line, field) in [
            (&br#"{"action":"a","actor":{"kind":"user"},"log":"platform","x":1}"#[..], "x"),
            (br#"{"action":"a","actor":{"kind":"user","log":1}}"#, "actor.log"),
            (br#"{"action":"","actor":{"kind":"user"}}"#, "action"),
            (br#"{"action":"a","actor":{"kind":"user"},"metadata":{"k":1,"k":2}}"#, "metadata"),
        ] {
            let error = Source::Native.read(line, Timestamp::MIN).unwrap_err();
            assert_eq!(error.field(), Some(field));
        }
    }
}
