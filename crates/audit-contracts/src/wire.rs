//! Shared by the contracts: the forms of ids and times, and the names of fields in errors.

use std::borrow::Cow;

use audit_core::json::{self, Object};
use audit_core::{AuditEvent, Error, EventId, Log, NewEvent, Result, Source};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use uuid::{Uuid, uuid};

/// The form of a contract's ids. An id of this model is a UUID in one fixed form. Any other text is
/// foreign, and maps to the UUIDv5 of its bytes in the contract's own namespace.
pub(crate) struct IdForm {
    /// The source system under which a foreign event id is kept.
    pub(crate) system: &'static str,
    pub(crate) namespace: Uuid,
    /// The prefix of the 32 hexadecimal digits; empty for the hyphenated form.
    pub(crate) prefix: &'static str,
}

impl IdForm {
    pub(crate) fn write(&self, id: &Uuid) -> String {
        if self.prefix.is_empty() {
            id.hyphenated().to_string()
        } else {
            format!("{}{}", self.prefix, id.simple())
        }
    }

    /// Returns the UUID to which `text` maps, and whether it has the form that [`Self::write`] writes.
    pub(crate) fn read(&self, text: &str) -> (Uuid, bool) {
        let ours = text
            .strip_prefix(self.prefix)
            .and_then(|digits| Uuid::try_parse(digits).ok())
            .filter(|id| self.write(id) == text);
        match ours {
            Some(id) => (id, true),
            None => (Uuid::new_v5(&self.namespace, text.as_bytes()), false),
        }
    }

    pub(crate) fn event_id(&self, text: &str) -> EventId {
        self.read(text).0.into()
    }

    /// Returns the event's id, and a source that keeps the text if the id alone does not.
    pub(crate) fn identify(&self, text: String) -> (EventId, Option<Source>) {
        let (id, ours) = self.read(&text);
        (id.into(), (!ours).then(|| Source::new(self.system, text)))
    }

    /// Returns the id of an event, as its source wrote it or in the contract's form.
    pub(crate) fn event_id_text(&self, id: EventId, source: Option<&Source>) -> String {
        match source {
            Some(source) if source.system == self.system => source.id.clone(),
            _ => self.write(id.as_uuid()),
        }
    }
}

/// The namespace of the UUIDs to which ids that are not UUIDs map.
const OPAQUE_IDS: Uuid = uuid!("127a1083-b7be-4886-8b47-2eff4c267c40");

/// Returns an id as a UUID: itself if it is one, else its UUIDv5.
pub(crate) fn uuid_of(id: &str) -> Uuid {
    Uuid::try_parse(id).unwrap_or_else(|_| Uuid::new_v5(&OPAQUE_IDS, id.as_bytes()))
}

/// Returns the id of the organization of an event: the one that it names, else that of its log;
/// `None` only in the platform's log.
pub(crate) fn organization_id(event: &AuditEvent) -> Option<String> {
    match (&event.organization, event.log) {
        (Some(organization), _) => Some(organization.id.clone()),
        (None, Log::Organization(id)) => Some(id.to_string()),
        (None, Log::Platform) => None,
    }
}

/// Returns the message of an event: its text, else its title, else an empty text.
pub(crate) fn text(event: &AuditEvent) -> String {
    event.message.text.as_ref().or(event.message.title.as_ref()).cloned().unwrap_or_default()
}

/// Checks the limits of `event`. An error names the field by `wire_name` of its name in the model.
pub(crate) fn checked(
    event: NewEvent,
    wire_name: impl FnOnce(&str) -> Cow<'static, str>,
) -> Result<NewEvent> {
    match event.validate() {
        Ok(()) => Ok(event),
        Err(error) => Err(renamed(error, wire_name)),
    }
}

fn renamed(error: Error, wire_name: impl FnOnce(&str) -> Cow<'static, str>) -> Error {
    match error.field().map(wire_name) {
        Some(name) => error.with_field(name),
        None => error,
    }
}

/// Reads an optional field that may be absent but not null.
pub(crate) fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// Reads an optional JSON object that may be absent but not null.
pub(crate) fn given_object<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Object>, D::Error> {
    json::object(deserializer).map(Some)
}

/// Reads a JSON object or null.
pub(crate) fn nullable_object<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Object>, D::Error> {
    match json::present(deserializer)? {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Object(object)) => Ok(Some(object)),
        Some(_) => Err(D::Error::custom("invalid type: expected an object or null")),
    }
}

/// The forms in which contracts print a time, each for `#[serde(serialize_with)]`. A finer time is
/// rounded down; the event keeps it exactly.
#[allow(clippy::trivially_copy_pass_by_ref)] // serde passes a reference
pub(crate) mod print {
    use audit_core::Timestamp;
    use serde::Serializer;

    /// Prints `2024-03-15T14:48:51Z`.
    pub(crate) fn seconds<S: Serializer>(
        time: &Timestamp,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let (seconds, _) = parts(*time);
        serializer.collect_str(&format_args!("{seconds}Z"))
    }

    /// Prints `2024-03-15T14:48:51.033Z`.
    pub(crate) fn millis<S: Serializer>(
        time: &Timestamp,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let (seconds, micros) = parts(*time);
        serializer.collect_str(&format_args!("{seconds}.{}Z", &micros[..3]))
    }

    /// Prints `2024-03-15T14:48:51Z` or `2024-03-15T14:48:51.5Z`.
    pub(crate) fn shortest<S: Serializer>(
        time: &Timestamp,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{}Z", without_zeros(*time)))
    }

    /// Prints `2024-03-15T14:48:51+00:00` or `2024-03-15T14:48:51.5+00:00`.
    pub(crate) fn shortest_with_offset<S: Serializer>(
        time: &Timestamp,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{}+00:00", without_zeros(*time)))
    }

    fn without_zeros(time: Timestamp) -> String {
        let (seconds, micros) = parts(time);
        match micros.trim_end_matches('0') {
            "" => seconds,
            fraction => format!("{seconds}.{fraction}"),
        }
    }

    /// `2024-03-15T14:48:51.033441Z`
    pub(crate) fn micros<S: Serializer>(
        time: &Timestamp,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let (seconds, micros) = parts(*time);
        serializer.collect_str(&format_args!("{seconds}.{micros}Z"))
    }

    /// Returns the time to the second, and the six digits of its microseconds.
    fn parts(time: Timestamp) -> (String, String) {
        let mut seconds = time.to_string();
        let fraction = seconds.split_off("0000-00-00T00:00:00".len());
        (seconds, fraction.chars().skip(1).take(6).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use audit_core::Timestamp;
    use proptest::prelude::*;
    use serde_json::value::Serializer as Json;

    const FORMS: [IdForm; 2] = [
        IdForm { system: "plain", namespace: Uuid::from_u128(1), prefix: "" },
        IdForm { system: "prefixed", namespace: Uuid::from_u128(2), prefix: "log_" },
    ];

    #[test]
    fn times_round_down_on_both_sides_of_1970() {
        let print = |text: &str| {
            let time: Timestamp = text.parse().unwrap();
            [
                print::micros(&time, Json).unwrap(),
                print::seconds(&time, Json).unwrap(),
                print::millis(&time, Json).unwrap(),
                print::shortest(&time, Json).unwrap(),
                print::shortest_with_offset(&time, Json).unwrap(),
            ]
        };
        assert_eq!(
            print("1969-12-31T23:59:59.999900999Z"),
            [
                "1969-12-31T23:59:59.999900Z",
                "1969-12-31T23:59:59Z",
                "1969-12-31T23:59:59.999Z",
                "1969-12-31T23:59:59.9999Z",
                "1969-12-31T23:59:59.9999+00:00",
            ]
        );
        assert_eq!(
            print("1677-09-22T00:00:00Z"),
            [
                "1677-09-22T00:00:00.000000Z",
                "1677-09-22T00:00:00Z",
                "1677-09-22T00:00:00.000Z",
                "1677-09-22T00:00:00Z",
                "1677-09-22T00:00:00+00:00",
            ]
        );
    }

    #[test]
    fn only_the_exact_form_is_ours() {
        let id = uuid!("7d94882a-ee8e-4741-b461-4fdbc731362b");
        for form in FORMS {
            assert_eq!(form.read(&form.write(&id)), (id, true));
            for foreign in [
                "7D94882A-EE8E-4741-B461-4FDBC731362B",
                "7d94882aee8e4741b4614fdbc731362b",
                "log_7d94882a-ee8e-4741-b461-4fdbc731362b",
                "log_001",
                "",
            ] {
                assert!(!form.read(foreign).1, "{foreign}");
            }
        }
    }

    proptest! {
        #[test]
        fn every_id_text_comes_back(text in ".*|log_[0-9a-f]{32}") {
            for form in FORMS {
                let (id, source) = form.identify(text.clone());
                prop_assert_eq!(form.event_id_text(id, source.as_ref()), text.clone());
                prop_assert_eq!(form.event_id(&text), id);
            }
        }
    }
}
