//! Where records are from, and how one becomes an event.

use std::str::FromStr;

use audit_core::{
    AuditEvent, Error, ErrorKind, EventId, NewEvent, Result, Timestamp, Violation, json,
};
use audit_import::{Format, TIME_SOURCE};
use serde::Deserialize;
use serde::de::IgnoredAny;
use uuid::Uuid;

/// Where records are from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// This system: the model's own JSON.
    Native,
    /// Another system.
    Foreign(Format),
}

const NATIVE: &str = "native";

/// A record as an event.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) event: NewEvent,
    /// Whether the id was derived from the content, so that equal ids are deliveries of one record
    /// whatever their envelopes say. Another's id may stand by other content, which is a conflict.
    id_is_derived: bool,
    states_time: bool,
}

impl Source {
    pub(crate) fn names() -> Vec<&'static str> {
        Format::ALL.iter().map(|format| format.name()).chain([NATIVE]).collect()
    }

    /// Reads one record; one that states no time is taken to have happened at `received`.
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
    /// Whether the log, which holds `held` under this record's id, holds this record.
    pub(crate) fn is_held(&self, held: &NewEvent) -> bool {
        if self.id_is_derived {
            return true;
        }
        let event = &self.event;
        // The time of receipt is no part of the record.
        *held == *event
            || !self.states_time
                && *held == NewEvent { occurred_at: held.occurred_at, ..event.clone() }
    }
}

/// Whether a line has an id.
#[derive(Deserialize)]
struct Stated {
    id: Option<IgnoredAny>,
}

/// The namespace of the ids of lines that have none.
const NAMESPACE: Uuid = Uuid::from_u128(0x0b5e_61a7_93c4_4d0e_8f2a_7d41_c6b9_e05d);
/// What a log adds to an event.
const OF_LOG: [&str; 4] = ["log", "sequence", "recordedAt", "erased"];

fn native(line: &[u8], received: Timestamp) -> Result<Record> {
    let mut event = match NewEvent::from_json(line) {
        Err(error) if is_reserved(&error) => {
            let event = json::from_slice::<AuditEvent>(line)?.into_content();
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

/// Whether a line was refused for what a log adds alone.
fn is_reserved(error: &Error) -> bool {
    error.kind() == ErrorKind::Invalid
        && error.violation() == Some(&Violation::UnknownField)
        && error.field().is_some_and(|field| OF_LOG.contains(&field))
}

#[cfg(test)]
mod tests {
    use super::*;
    use audit_core::{Actor, Log, Sequence};

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn every_name_is_of_a_source() {
        let sources: Vec<Source> =
            Source::names().into_iter().map(|name| name.parse().unwrap()).collect();
        let foreign = Format::ALL.iter().copied().map(Source::Foreign);
        assert!(sources.into_iter().eq(foreign.chain([Source::Native])));
        assert!("syslog".parse::<Source>().is_err());
    }

    #[test]
    fn an_event_of_a_log_is_its_content() {
        let content = NewEvent::new("a", Actor::user("u")).occurred_at(Timestamp::MAX).message("m");
        let event =
            AuditEvent::new(Log::Platform, Sequence::ZERO.next(), Timestamp::MIN, content.clone());
        for line in [serde_json::to_vec(&content).unwrap(), serde_json::to_vec(&event).unwrap()] {
            let record = Source::Native.read(&line, Timestamp::MIN).unwrap();
            assert_eq!(record.event, content);
            assert!(record.is_held(&content));
            assert!(!record.is_held(&content.clone().reason("another")));
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
        assert!(again.is_held(&first.event));

        let line = br#"{"id":"3fa85f64-5717-4562-b3fc-2c963f66afa6","action":"a","actor":{"kind":"user"}}"#;
        let read = |time| Source::Native.read(line, at(time)).unwrap();
        let (first, again) = (read("2024-01-01T00:00:00Z"), read("2025-01-01T00:00:00Z"));
        assert!(again.is_held(&first.event));
        assert!(!again.is_held(&NewEvent { reason: Some(String::new()), ..first.event }));
    }

    #[test]
    fn what_is_unknown_is_refused_with_its_field() {
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
