//! Shared by the suites: values to generate, and the conversion of a record to the model and back.

use std::fmt::Debug;

use audit_core::json::{self, Object};
use audit_core::{
    AuditEvent, Error, Log, NewEvent, OrganizationId, Sequence, Timestamp, backend::PreparedEvent,
};
use proptest::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use uuid::Uuid;

/// Any text, often empty or awkward.
pub(crate) fn text() -> BoxedStrategy<String> {
    prop_oneof![
        2 => Just(String::new()),
        2 => prop::sample::select(vec![
            "null", "*", "%", ".", "%2E", "%25", "%2A", "\0", "\u{feff}", "지불", "🦀", "\\\"", " ",
            "7D94882A-EE8E-4741-B461-4FDBC731362B", "log_001", "a@b.example",
        ]).prop_map(str::to_owned),
        6 => any::<String>(),
        2 => "[a-z]{1,6}(\\.[a-zA-Z%*]{0,6}){0,3}",
        1 => Just("long é ".repeat(100)),
    ]
    .boxed()
}

/// Values of an action.
pub(crate) fn action() -> BoxedStrategy<String> {
    let valid = |text: &String| {
        !text.is_empty()
            && text.len() <= 256
            && text.split('.').count() <= 16
            && !text.contains('*')
    };
    text().prop_filter("an action", valid).boxed()
}

/// A text of at most as many bytes as a term of a vocabulary, `limits::MAX_NAME_BYTES`.
pub(crate) fn term() -> BoxedStrategy<String> {
    text().prop_filter("a term", |text| text.len() <= 256).boxed()
}

/// An id as any of the contracts or a service writes it.
pub(crate) fn id_text() -> BoxedStrategy<String> {
    prop_oneof![
        text(),
        uuid().prop_map(|id| id.to_string()),
        uuid().prop_map(|id| format!("log_{}", id.simple())),
        uuid().prop_map(|id| format!("org_{}", id.simple())),
    ]
    .boxed()
}

pub(crate) fn uuid() -> BoxedStrategy<Uuid> {
    prop_oneof![1 => Just(Uuid::nil()), 9 => any::<u128>().prop_map(Uuid::from_u128)].boxed()
}

pub(crate) fn nullable<T: Clone + Debug + 'static>(
    value: impl Strategy<Value = T> + 'static,
) -> BoxedStrategy<Option<T>> {
    prop::option::of(value).boxed()
}

/// Times of which every one is a multiple of `unit` microseconds.
pub(crate) fn time(unit: i64) -> BoxedStrategy<Timestamp> {
    // Rounded down to its second, the first is still within the range.
    let (min, max) = (Timestamp::MIN.as_micros() + 1_000_000, Timestamp::MAX.as_micros());
    prop_oneof![Just(0), Just(min), Just(max), Just(-1), -5_000_000..5_000_000_i64, min..=max]
        .prop_map(move |micros| Timestamp::from_micros(micros.div_euclid(unit) * unit).unwrap())
        .boxed()
}

pub(crate) fn value() -> BoxedStrategy<Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        Just(Value::from(u64::MAX)),
        any::<f64>().prop_filter("a number of JSON", |n| n.is_finite()).prop_map(Value::from),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |below| {
        prop_oneof![
            prop::collection::vec(below.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(text(), below, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
    .boxed()
}

pub(crate) fn object() -> BoxedStrategy<Object> {
    prop::collection::btree_map(text(), value(), 0..4)
        .prop_map(|map| map.into_iter().collect())
        .boxed()
}

pub(crate) fn log() -> BoxedStrategy<Log> {
    prop_oneof![
        Just(Log::Platform),
        uuid().prop_map(|id| Log::organization(OrganizationId::from(id)))
    ]
    .boxed()
}

/// A place in a log: the log, the event's number, and when it was taken in.
pub(crate) fn place() -> BoxedStrategy<(Log, Sequence, Timestamp)> {
    (log(), 1..=Sequence::MAX.get(), time(1))
        .prop_map(|(log, sequence, time)| (log, Sequence::new(sequence).unwrap(), time))
        .boxed()
}

/// Takes `record` through JSON, the model and the stored form, and gives back what comes out.
pub(crate) fn through_the_model<R>(record: &R, place: (Log, Sequence, Timestamp)) -> R
where
    R: Serialize + DeserializeOwned + PartialEq + Debug,
    NewEvent: TryFrom<R, Error = Error>,
    for<'a> R: From<&'a AuditEvent>,
{
    let text = serde_json::to_vec(record).unwrap();
    let read: R = json::from_slice(&text).unwrap();
    assert_eq!(&read, record, "read back from its own JSON");
    let content = NewEvent::try_from(read).unwrap();

    let (log, sequence, recorded_at) = place;
    let event = AuditEvent::new(log, sequence, recorded_at, content.clone());
    let stored = PreparedEvent::new(&content).unwrap().into_stored(log, sequence, recorded_at);
    assert_eq!(stored.decode().unwrap(), event, "through the stored form");
    R::from(&event)
}

/// Prints the record, and checks that it can be read again and then prints the same.
pub(crate) fn printed<R: Serialize + DeserializeOwned>(record: &R) -> Value {
    let text = serde_json::to_vec(record).unwrap();
    let again: R = json::from_slice(&text).unwrap();
    assert_eq!(serde_json::to_vec(&again).unwrap(), text);
    json::parse(&text).unwrap()
}
