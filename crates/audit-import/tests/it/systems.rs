//! A record of each further system, made after its vendor's documentation: where its values go.

use audit_import::{Builtin, Mapping};
use serde_json::Value;

use crate::coverage;

mod access;
mod auth0;
mod azure;
mod google;
mod google_cloud;
mod microsoft;
mod salesforce;
mod services;
mod windows;

/// Checks that a record is known as one of this system, and of no other.
pub(crate) fn known_as(system: &str, record: &Value) {
    let text = record.to_string();
    let recognizes =
        |name: &str| Mapping::builtin(name).unwrap().recognizes(text.as_bytes()).unwrap();
    let names = Builtin::all().iter().map(Builtin::name).filter(|name| recognizes(name));
    assert_eq!(names.collect::<Vec<_>>(), [system], "{record}");
    assert_eq!(Mapping::guess(text.as_bytes()).map(Mapping::system), Some(system), "the guess");
}

/// Returns the events of a text as JSON, without their ids and metadata.
fn events(system: &str, record: &Value) -> Vec<Value> {
    let mapping = Mapping::builtin(system).unwrap();
    known_as(system, record);
    let events = mapping.read(record.to_string().as_bytes(), None);
    let fields = |event: audit_core::NewEvent| {
        let mut fields = serde_json::to_value(event).unwrap();
        for key in ["id", "metadata"] {
            fields.as_object_mut().unwrap().remove(key);
        }
        fields
    };
    events.into_iter().map(|mapped| fields(mapped.unwrap().event)).collect()
}

/// Checks the one event of a record, and that it has every value of the record.
fn check(system: &str, record: &Value, expected: &Value) {
    assert_eq!(events(system, record), std::slice::from_ref(expected), "{system}");
    let mapping = Mapping::builtin(system).unwrap();
    let event = mapping.read_one(record.to_string().as_bytes(), None).unwrap();
    assert_eq!(coverage::missing(record, &event), Vec::<String>::new(), "{system}");
}

/// Returns what the one event of a record has at these places of its JSON.
fn parts<const N: usize>(system: &str, record: &Value, places: [&str; N]) -> [Value; N] {
    let events = events(system, record);
    assert_eq!(events.len(), 1, "{system}");
    places.map(|place| events[0].pointer(place).cloned().unwrap_or_default())
}
