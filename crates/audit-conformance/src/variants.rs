//! Contents that differ from that of an event in one value.

use audit_core::NewEvent;
use serde_json::{Value, json};

/// Returns the contents that differ from `event` in one value, each with the JSON pointer of the
/// value: one with another value in its place, and one without it if it may be absent.
///
/// They are taken from the JSON form, so that a field that is added to the event is among them.
pub(crate) fn variants(event: &NewEvent) -> Vec<(String, NewEvent)> {
    let whole = json!(event);
    let mut places = Vec::new();
    collect(&whole, String::new(), false, &mut places);
    let with = |place: &str| others(whole.pointer(place)).into_iter().map(Some).chain([None]);
    let changed = places.iter().flat_map(|place| with(place).map(move |to| (place, to)));
    let variants = changed.filter_map(|(place, to)| variant(event, &whole, place, to));
    variants.filter(|(_, other)| other.validate().is_ok()).collect()
}

/// Returns contents that differ from a large `event` in the last value of what makes it large: the
/// last byte of a long text, the last item of a list, the value at the lowest level.
pub(crate) fn last_variants(event: &NewEvent) -> Vec<(String, NewEvent)> {
    let whole = json!(event);
    let mut places = Vec::new();
    collect(&whole, String::new(), true, &mut places);
    let is_last = |place: &&String| match whole.pointer(place) {
        Some(Value::String(text)) => text.len() >= 256 || place.split('/').count() > 3,
        Some(Value::Number(_)) => place.split('/').count() > 3,
        _ => false,
    };
    let changed = places.iter().filter(is_last).filter_map(|place| {
        let other = others(whole.pointer(place)).into_iter().next();
        variant(event, &whole, place, other)
    });
    changed.collect()
}

/// Returns the content of `event` with another value at the place, or none. Returns `None` if that
/// is no other content: the value is of another form, or says which event it is.
fn variant(
    event: &NewEvent,
    whole: &Value,
    place: &str,
    to: Option<Value>,
) -> Option<(String, NewEvent)> {
    let mut json = whole.clone();
    put(&mut json, place, to);
    let mut other: NewEvent = serde_json::from_value(json).ok()?;
    // It is not part of the JSON.
    other.submitted_by.clone_from(&event.submitted_by);
    let is_other = other != *event && other.id == event.id && other.occurred_at.is_some();
    is_other.then(|| (place.to_owned(), other))
}

/// Adds the pointers of all values in `value`, which is at `place`.
fn collect(value: &Value, place: String, only_last: bool, places: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            for (key, below) in map {
                let key = key.replace('~', "~0").replace('/', "~1");
                collect(below, format!("{place}/{key}"), only_last, places);
            }
        }
        Value::Array(items) => {
            let first = if only_last { items.len().saturating_sub(1) } else { 0 };
            for (index, below) in items.iter().enumerate().skip(first) {
                collect(below, format!("{place}/{index}"), only_last, places);
            }
        }
        _ => {}
    }
    if !place.is_empty() {
        places.push(place);
    }
}

/// Returns values near `value`, of which at least one is valid where it is, if any other is.
fn others(value: Option<&Value>) -> Vec<Value> {
    let Some(value) = value else { return Vec::new() };
    match value {
        Value::Null => vec![json!(false)],
        Value::Bool(is) => vec![json!(!is)],
        Value::Number(number) => {
            let float = number.as_f64().map(|number| json!(number + 1.0));
            number.as_i64().map(|number| json!(number + 1)).or(float).into_iter().collect()
        }
        // The last character of a text, of an id, and of a time before its `Z`.
        Value::String(text) => {
            let mut shorter = text.chars();
            let last = shorter.next_back();
            let shorter = shorter.as_str();
            let with = |end: &str| json!(format!("{shorter}{end}"));
            match last {
                Some('Z') => vec![json!(text.replace('Z', "1Z")), json!(text.replace("1Z", "2Z"))],
                Some('7') => vec![with("8")],
                _ => vec![with("7"), json!(format!("{text}7"))],
            }
        }
        Value::Array(_) | Value::Object(_) => Vec::new(),
    }
}

/// Puts `to` at the place, or removes what is there.
fn put(json: &mut Value, place: &str, to: Option<Value>) {
    if let Some(to) = to {
        *json.pointer_mut(place).expect("it is there") = to;
        return;
    }
    let (above, key) = place.rsplit_once('/').expect("a pointer begins with `/`");
    match json.pointer_mut(above) {
        Some(Value::Object(map)) => drop(map.remove(&key.replace("~1", "/").replace("~0", "~"))),
        Some(Value::Array(items)) => drop(items.remove(key.parse().expect("an index"))),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use audit_core::{
        Actor, Change, FieldChange, Message, OrganizationRef, Outcome, RequestInfo, Scope, Source,
        Target, Trace,
    };
    use serde::de::value::Error;
    use serde::de::{Deserialize, Deserializer, Error as _, Visitor};
    use serde::forward_to_deserialize_any;

    use super::*;
    use crate::samples::full;

    /// Learns the fields of a struct from the call that reads one.
    struct Fields<'a>(&'a mut BTreeSet<&'static str>);

    impl<'de> Deserializer<'de> for Fields<'_> {
        type Error = Error;

        fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Error> {
            Err(Error::custom("not a struct"))
        }

        fn deserialize_struct<V: Visitor<'de>>(
            self,
            _: &'static str,
            fields: &'static [&'static str],
            _: V,
        ) -> Result<V::Value, Error> {
            self.0.extend(fields);
            Err(Error::custom("there is no value"))
        }

        forward_to_deserialize_any! {
            bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf
            option unit unit_struct newtype_struct seq tuple tuple_struct map enum identifier
            ignored_any
        }
    }

    fn fields_of<'de, T: Deserialize<'de>>() -> BTreeSet<&'static str> {
        let mut fields = BTreeSet::new();
        assert!(T::deserialize(Fields(&mut fields)).is_err() && !fields.is_empty());
        fields
    }

    #[test]
    fn the_full_event_has_every_field_of_the_model() {
        let full = json!(full());
        for (place, fields) in [
            ("", fields_of::<NewEvent>()),
            ("/actor", fields_of::<Actor>()),
            ("/actor/organization", fields_of::<OrganizationRef>()),
            ("/targets/0", fields_of::<Target>()),
            ("/organization", fields_of::<OrganizationRef>()),
            ("/scope", fields_of::<Scope>()),
            ("/change", fields_of::<Change>()),
            ("/change/diff/0", fields_of::<FieldChange>()),
            ("/message", fields_of::<Message>()),
            ("/request", fields_of::<RequestInfo>()),
            ("/outcome", fields_of::<Outcome>()),
            ("/trace", fields_of::<Trace>()),
            ("/source", fields_of::<Source>()),
        ] {
            let object = full.pointer(place).and_then(Value::as_object);
            let set: BTreeSet<_> =
                object.into_iter().flat_map(|o| o.keys()).map(|k| &**k).collect();
            assert_eq!(set, fields, "the fields at {place:?}: set a new field in the sample");
        }
    }

    #[test]
    fn every_value_of_the_full_event_has_a_variant() {
        let full = full();
        let places: BTreeSet<_> = variants(&full).into_iter().map(|(place, _)| place).collect();
        let mut all = Vec::new();
        collect(&json!(full), String::new(), false, &mut all);
        let whole = all.clone();
        // The id says which event it is. A list or an object differs if something in it does.
        all.retain(|place| {
            let is_whole = whole.iter().any(|other| other.starts_with(&format!("{place}/")));
            place != "/id" && !is_whole && !places.contains(place)
        });
        assert_eq!(all, Vec::<String>::new(), "values without a variant");
    }
}
