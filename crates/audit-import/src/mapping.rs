//! A mapping: how the records of one system become events.

use std::fmt;

use audit_core::limits::MAX_ID_BYTES;
use audit_core::{Error, EventId, NewEvent, Result, Source, Timestamp, Violation, json};
use serde_json::Value;
use uuid::Uuid;

use crate::assemble::assemble;
use crate::identity::{Digest, Sameness};
use crate::layout::{Layout, Mark};
use crate::place::{Keys, Place, View, field};
use crate::record::Record;
use crate::{load, time};

/// The metadata key that names the source of an event's time if the record has none.
pub const TIME_SOURCE: &str = "occurredAtSource";

/// The metadata key under which an event has what was around its record in a delivery.
pub const DELIVERY: &str = "delivery";

/// The most deliveries within one another: a record as a text in an envelope in a page.
const MAX_DELIVERIES: usize = 4;

/// How the records of one system become events. See [the format](crate#the-format-of-a-mapping).
#[derive(Debug)]
pub struct Mapping {
    system: String,
    title: String,
    namespace: Uuid,
    layout: Layout,
}

/// An event that a mapping made of a record.
#[derive(Clone, Debug, PartialEq)]
pub struct Mapped {
    /// The event.
    pub event: NewEvent,
    /// Where the event's time comes from.
    pub time: TimeOrigin,
    /// The fields of the model whose values are over their limits. The values are in the metadata.
    pub too_large: Vec<String>,
    /// Whether the id was derived from the content. Then equal ids are deliveries of one record, even if
    /// their envelopes differ. An id that was stated can belong to other content, which is a conflict.
    pub id_is_derived: bool,
    /// The steps that the mapping's program took on the record, of
    /// [`MAX_PREPARE_STEPS`](crate::limits::MAX_PREPARE_STEPS); 0 without a program.
    pub steps: u64,
}

/// A record as it was delivered, before a program rewrote it.
struct Delivered {
    content: Digest,
    /// The steps that the program took.
    steps: u64,
}

/// What belongs to one event beside its fields.
struct Part {
    content: Digest,
    delivery: Option<Value>,
    /// The number of the part of a record that was split, from 0.
    number: usize,
    keys: Option<Keys>,
    steps: u64,
}

/// Where the time of an event comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TimeOrigin {
    /// The record itself.
    Record,
    /// This field, which a system that passed the record on has added.
    Carrier(String),
    /// The time of receipt that the caller gave.
    Received,
}

impl Mapping {
    /// Reads a mapping from its TOML text.
    ///
    /// ```
    /// use audit_import::Mapping;
    ///
    /// let mapping = Mapping::parse(r#"
    ///     system = "shop"
    ///     marks = ["/did", "/at"]
    ///     time = "/at"
    ///     action = "shop.{/did}"
    ///     actor = { kind = { const = "user" }, id = "/who/id" }
    /// "#)?;
    /// let record = br#"{"did":"buy","at":1710514131,"who":{"id":"u_7"}}"#;
    /// let event = mapping.read_one(record, None)?;
    /// assert_eq!(event.action.as_str(), "shop.buy");
    /// # Ok::<(), audit_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// Fails with [`ErrorKind::Invalid`](audit_core::ErrorKind::Invalid) and the line and the key as the
    /// field: if the text is not TOML, if a key is not known, if a value is not of the form of its key, or
    /// if two fields move the same place.
    pub fn parse(text: &str) -> Result<Self> {
        let load::Loaded { system, title, layout } = load::mapping(text)?;
        Ok(Self::new(system, title, layout))
    }

    fn new(system: String, title: String, layout: Layout) -> Self {
        const NAMESPACE: Uuid = Uuid::from_u128(0x5d1c_7d4e_1f0b_4b7a_9c55_0e6a_3c8e_7f21);
        let namespace = Uuid::new_v5(&NAMESPACE, system.as_bytes());
        Self { system, title, namespace, layout }
    }

    /// Returns the name of the system, which becomes the [system](Source::system) of the events.
    pub fn system(&self) -> &str {
        &self.system
    }

    /// Returns a title for people.
    pub fn title(&self) -> &str {
        &self.title
    }

    /// Returns whether the text has a record with the mapping's marks, at its top or in a delivery.
    ///
    /// # Errors
    /// Fails if [`audit_core::json::parse`] rejects the text.
    pub fn recognizes(&self, text: &[u8]) -> Result<bool> {
        Ok(self.recognizes_value(json::parse(text)?))
    }

    pub(crate) fn recognizes_value(&self, value: Value) -> bool {
        let mut found = false;
        self.unwrap(value, None, 0, &mut |record, _| {
            found |= self.missing_mark(self.view(&record)).is_none();
        });
        found
    }

    /// Returns the number of groups of places that mark a record.
    pub(crate) fn marks(&self) -> usize {
        self.layout.marks.len()
    }

    /// Reads the records of a JSON text: one record, or a delivery that has records in it. Returns an
    /// event, or the error, for each, in their order. An empty list in a delivery has none.
    ///
    /// A record without a time gets `received`; the event's metadata then has [`TIME_SOURCE`] set to
    /// `received`.
    ///
    /// # Errors
    /// Each is of kind [`ErrorKind::Invalid`](audit_core::ErrorKind::Invalid) and has the field at fault:
    /// - named as in the record: if [`audit_core::json::parse`] rejects the text, if the record is
    ///   not an object, if it lacks a mark of the system, an action or a time, or if the time has none of
    ///   the [known forms](crate::time);
    /// - named as in the model: if the event is over a limit as a whole.
    pub fn read(&self, text: &[u8], received: Option<Timestamp>) -> Vec<Result<Mapped>> {
        let value = match json::parse(text) {
            Ok(value) => value,
            Err(error) => return vec![Err(error)],
        };
        let mut events = Vec::new();
        self.unwrap(value, None, 0, &mut |record, delivery| {
            self.read_record(record, delivery, received, &mut events);
        });
        events
    }

    /// Reads a JSON text that holds one event, as [`read`](Self::read) does.
    pub fn read_one(&self, text: &[u8], received: Option<Timestamp>) -> Result<NewEvent> {
        let mut events = self.read(text, received).into_iter();
        match (events.next(), events.next()) {
            (Some(mapped), None) => mapped.map(|mapped| mapped.event),
            _ => Err(Error::malformed("", "one record")),
        }
    }

    /// Visits the records in `value`. What has the marks of a record is one.
    fn unwrap(
        &self,
        value: Value,
        delivery: Option<Value>,
        depth: usize,
        visit: &mut dyn FnMut(Value, Option<Value>),
    ) {
        if let Value::Array(items) = value {
            for item in items {
                self.unwrap(item, None, depth + 1, visit);
            }
            return;
        }
        let view = self.view(&value);
        let (own, known) = self.layout.unwrap.split_at(self.layout.own_unwrap);
        let inner = if depth < MAX_DELIVERIES {
            // What has the marks itself and holds none that has is the record.
            let has_marks = self.missing_mark(view).is_none();
            let is_record = |inner: &Value| !has_marks || self.recognizes_value(inner.clone());
            let own = inner(own, view).filter(|(_, inner)| is_record(inner));
            own.or_else(|| if has_marks { None } else { inner(known, view) })
        } else {
            None
        };
        match inner {
            None => visit(value, delivery),
            // What is beside a list is about the list: the page, the number of records.
            Some((_, Value::Array(items))) => {
                for item in items {
                    self.unwrap(item, None, depth + 1, visit);
                }
            }
            Some((place, inner)) => {
                let mut around = value;
                place.take(&mut around, &self.layout.spelling);
                self.unwrap(inner, Some(around), depth + 1, visit);
            }
        }
    }

    fn view<'r>(&'r self, value: &'r Value) -> View<'r> {
        let spelling = &self.layout.spelling;
        View { inside: value, outside: None, part: 0, spelling, keys: Keys::of(value) }
    }

    /// Returns the first mark that the record lacks.
    fn missing_mark(&self, view: View<'_>) -> Option<&Mark> {
        self.layout.marks.iter().find(|mark| !mark.condition.holds(view))
    }

    fn read_record(
        &self,
        record: Value,
        delivery: Option<Value>,
        received: Option<Timestamp>,
        events: &mut Vec<Result<Mapped>>,
    ) {
        if !record.is_object() {
            events.push(Err(Error::malformed("", "a JSON object")));
            return;
        }
        let view = self.view(&record);
        if let Some(mark) = self.missing_mark(view) {
            let mut names: Vec<_> = mark.places.iter().map(|place| field(&place.pointer)).collect();
            names.dedup();
            let is_there = mark.places.iter().any(|place| place.value(view).is_some());
            let violation = if is_there {
                Violation::Malformed { expected: "as records of this system have it" }
            } else {
                Violation::Missing
            };
            events.push(Err(Error::invalid(names.join("` or `"), violation)));
            return;
        }
        match &self.layout.prepare {
            None => self.read_parts(record, delivery, None, received, events),
            Some(program) => match program.run(&record) {
                Ok((prepared, steps)) => {
                    let delivered = Delivered { content: self.content(&record), steps };
                    self.read_parts(prepared, delivery, Some(&delivered), received, events);
                }
                Err(error) => events.push(Err(error)),
            },
        }
    }

    /// Reads a record, or each part of one that is split.
    fn read_parts(
        &self,
        record: Value,
        delivery: Option<Value>,
        delivered: Option<&Delivered>,
        received: Option<Timestamp>,
        events: &mut Vec<Result<Mapped>>,
    ) {
        let view = self.view(&record);
        let list = self.layout.split.as_ref().and_then(|split| {
            let list = split.find(view)?.as_array().filter(|list| !list.is_empty())?;
            Some((split, list.clone()))
        });
        let keys = view.keys;
        let steps = delivered.map_or(0, |delivered| delivered.steps);
        let Some((split, list)) = list else {
            let content = delivered.map_or_else(|| self.content(&record), |of| of.content);
            let part = Part { content, delivery, number: 0, keys, steps };
            events.push(self.read_part(record, part, received));
            return;
        };
        for (number, item) in list.into_iter().enumerate() {
            let of_item = delivered.map(|delivered| delivered.content.of_item(&item));
            let mut record = record.clone();
            if let Some(place) = split.find_mut(&mut record, &self.layout.spelling) {
                *place = item;
            }
            let content = of_item.unwrap_or_else(|| self.content(&record));
            let part = Part { content, delivery: delivery.clone(), number, keys, steps };
            events.push(self.read_part(record, part, received));
        }
    }

    /// Returns the digest by which a record that is delivered again is known.
    fn content(&self, record: &Value) -> Digest {
        let Layout { envelope, json_texts, .. } = &self.layout;
        Digest::of(record, Sameness { envelope, json_texts: *json_texts })
    }

    fn read_part(&self, fields: Value, part: Part, received: Option<Timestamp>) -> Result<Mapped> {
        let layout = &self.layout;
        let spelling = &layout.spelling;
        let Part { content, delivery, number, keys, steps } = part;
        let mut record = Record { fields, delivery, part: number, spelling, keys };
        let mut too_large = Vec::new();
        let (stated, origin) = self.time(&record)?;
        let occurred_at = stated.map(|(_, time)| time).or(received);
        let occurred_at = occurred_at.ok_or_else(|| self.missing_time(&record))?;
        let found = layout.id.as_ref().and_then(|id| id.find(record.view()));
        let source_id = found.as_ref().map(|found| found.as_str().to_owned());
        let moved = match found {
            Some(crate::expr::Found::Move(place, _)) => Some(place),
            _ => None,
        };
        let digest = content.of_event(source_id.as_deref(), stated.map(|(_, time)| time));

        let mut event = assemble(&mut record, layout, &mut too_large)?;
        event.id = EventId::derived(self.namespace, digest.as_bytes());
        event.occurred_at = Some(occurred_at);
        event.source = Some(Source::new(
            &*self.system,
            match source_id {
                Some(id) if id.len() <= MAX_ID_BYTES => {
                    if let Some(place) = moved {
                        place.take(&mut record.fields, spelling);
                    }
                    id
                }
                other => {
                    if other.is_some() {
                        too_large.push("source.id".to_owned());
                    }
                    digest.to_string()
                }
            },
        ));
        if let Some((place, time)) = stated {
            record.take_time(place, time);
        }
        let Record { fields, delivery, .. } = record;
        if let Value::Object(fields) = fields {
            event.metadata = fields;
        }
        if let Some(delivery) = delivery {
            event.metadata.entry(DELIVERY).or_insert(delivery);
        }
        if stated.is_none() {
            event.metadata.entry(TIME_SOURCE).or_insert_with(|| "received".into());
        }
        event.validate()?;
        Ok(Mapped { event, time: origin, too_large, id_is_derived: true, steps })
    }

    /// Returns the time at the first place that holds one.
    fn time(&self, record: &Record<'_>) -> Result<(Option<(&Place, Timestamp)>, TimeOrigin)> {
        let view = record.view();
        let mut found = self.layout.times.iter().enumerate().filter_map(|(number, time)| {
            let value = time.place.value(view)?;
            let is_used = time.when.as_ref().is_none_or(|when| when.holds(view));
            is_used.then_some((number, &time.place, value))
        });
        let Some((number, place, value)) = found.next() else {
            return Ok((None, TimeOrigin::Received));
        };
        let name = || field(&place.pointer);
        let time = match time::read(value) {
            Ok(time) => time,
            Err(error) => {
                return Err(error.with_field(name()).with_source(excerpt(value)));
            }
        };
        let origin = if number < self.layout.carriers {
            TimeOrigin::Record
        } else {
            TimeOrigin::Carrier(name())
        };
        Ok((Some((place, time)), origin))
    }

    /// Returns the error of a record that has no time, or has one only under a condition that does not hold.
    fn missing_time(&self, record: &Record<'_>) -> Error {
        let times = &self.layout.times;
        let unused = times.iter().find_map(|time| Some((time, time.place.value(record.view())?)));
        let first = unused.map(|(time, _)| time).or(times.first());
        let name = first.map_or_else(String::new, |time| field(&time.place.pointer));
        match unused {
            Some((_, value)) => {
                Error::malformed(name, "a time that meets the condition of the mapping")
                    .with_source(excerpt(value))
            }
            None => Error::invalid(name, Violation::Missing),
        }
    }
}

/// Returns the beginning of a value, for an error.
fn excerpt(value: &Value) -> String {
    value.to_string().chars().take(80).collect()
}

/// Returns what the first of these places of a delivery holds, that can hold a record.
fn inner<'m>(places: &'m [Place], view: View<'_>) -> Option<(&'m Place, Value)> {
    places.iter().find_map(|place| match place.find(view)? {
        inner @ (Value::Object(_) | Value::Array(_)) => Some((place, inner.clone())),
        Value::String(text) if text.trim_start().starts_with(['{', '[']) => {
            Some((place, json::parse(text.as_bytes()).ok()?))
        }
        _ => None,
    })
}

impl fmt::Display for Mapping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.system)
    }
}
