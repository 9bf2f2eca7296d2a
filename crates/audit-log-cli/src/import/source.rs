//! The formats of records, and the conversion of a text to events.

use std::path::Path;

use audit_core::{NewEvent, Result, Timestamp};
use audit_import::{Builtin, Mapped, Mapping, TimeOrigin, native};

/// The format of records.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Source {
    /// The JSON of events.
    Native,
    /// That of another system.
    Foreign(&'static Mapping),
}

const NATIVE: &str = "native";

impl Source {
    /// Returns the format of this name, or that of the mapping in the file of this name.
    pub(crate) fn find(name: &str) -> Result<Self, String> {
        if name == NATIVE {
            return Ok(Self::Native);
        }
        if let Some(mapping) = Mapping::builtin(name) {
            return Ok(Self::Foreign(mapping));
        }
        if Path::new(name).extension().is_none_or(|extension| extension != "toml") {
            return Err(format!(
                "neither a known format nor the file of a mapping, which ends in .toml\n  \
                 [possible values: {}]",
                Self::names().join(", ")
            ));
        }
        let text = std::fs::read_to_string(name).map_err(|error| error.to_string())?;
        let mapping = Mapping::parse(&text).map_err(|error| error.to_string())?;
        // It is used until the program ends.
        Ok(Self::Foreign(Box::leak(Box::new(mapping))))
    }

    /// Returns the names of all formats that come with the program.
    pub(crate) fn names() -> Vec<&'static str> {
        Builtin::all().iter().map(Builtin::name).chain([NATIVE]).collect()
    }

    /// Reads the records of one text. A record without a time gets `received`.
    pub(crate) fn read(self, text: &[u8], received: Option<Timestamp>) -> Vec<Result<Mapped>> {
        match self {
            Self::Native => vec![native::read(text, received)],
            Self::Foreign(mapping) => mapping.read(text, received),
        }
    }
}

/// Returns `true` if `recorded`, the event that the log has under the record's id, is the record.
pub(crate) fn matches(record: &Mapped, recorded: &NewEvent) -> bool {
    if record.id_is_derived {
        return true;
    }
    let mut recorded = recorded.clone();
    recorded.submitted_by = None;
    if recorded == record.event {
        return true;
    }
    // The time of receipt is not part of the record.
    let mut event = record.event.clone();
    event.occurred_at = recorded.occurred_at;
    record.time == TimeOrigin::Received && recorded == event
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_a_format() {
        for name in Source::names() {
            assert!(Source::find(name).is_ok(), "{name}");
        }
        assert!(Source::find("syslog").unwrap_err().contains("[possible values: "));
        assert!(Source::find("no-such.toml").is_err());
    }

    #[test]
    fn the_time_of_receipt_is_not_part_of_a_record() {
        let line = br#"{"id":"3fa85f64-5717-4562-b3fc-2c963f66afa6","action":"a","actor":{"kind":"user"}}"#;
        let read = |time| native::read(line, Some(time)).unwrap();
        let (first, again) = (read(Timestamp::MIN), read(Timestamp::MAX));
        assert!(matches(&again, &first.event));
        assert!(!matches(&again, &first.event.reason("")));
    }
}
