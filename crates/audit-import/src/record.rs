//! A foreign record: an object from which fields are taken until only the metadata is left.

use audit_core::json::{self, Object};
use audit_core::{ChangeSetId, Error, OrganizationRef, Result, Target, Timestamp, Violation};
use serde_json::Value;

use crate::time;

/// The names on the way to a value. A list, because a key may hold dots.
pub(crate) type Path<'a> = &'a [&'a str];

/// The texts that say, in every format, that there is no value.
pub(crate) const NO_VALUE: &[&str] = &["", "-"];

#[derive(Debug)]
pub(crate) struct Record {
    fields: Object,
    placeholders: &'static [&'static str],
}

/// A thing's id, and its name if it has one.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) id: String,
    pub(crate) name: Option<String>,
}

impl Record {
    pub(crate) fn parse(line: &[u8], placeholders: &'static [&'static str]) -> Result<Self> {
        match json::parse(line)? {
            Value::Object(fields) => Ok(Self { fields, placeholders }),
            _ => Err(Error::malformed("", "a JSON object")),
        }
    }

    /// Creates a record of `fields` that were parsed from a text.
    pub(crate) fn new(
        fields: impl IntoIterator<Item = (String, Value)>,
        placeholders: &'static [&'static str],
    ) -> Self {
        Self { fields: fields.into_iter().collect(), placeholders }
    }

    pub(crate) fn fields(&self) -> &Object {
        &self.fields
    }

    /// Returns the fields that were not taken.
    pub(crate) fn into_fields(self) -> Object {
        self.fields
    }

    /// Returns the value at `path`, unless it marks a missing value.
    pub(crate) fn value(&self, path: Path<'_>) -> Option<&Value> {
        let (key, way) = path.split_last()?;
        let parent = way.iter().try_fold(&self.fields, |object, key| object.get(*key)?.as_object());
        match parent?.get(*key)? {
            Value::Null => None,
            Value::String(text) if self.placeholders.contains(&text.as_str()) => None,
            value => Some(value),
        }
    }

    /// Returns the text or number at `path` as a text, and leaves it in place.
    pub(crate) fn text(&self, path: Path<'_>) -> Option<String> {
        match self.value(path)? {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        }
    }

    /// Moves the text at `path` out. Copies a number, so that its type is not lost.
    pub(crate) fn take_text(&mut self, path: Path<'_>) -> Option<String> {
        if !self.value(path)?.is_string() {
            return self.text(path);
        }
        match remove(&mut self.fields, path)? {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// Moves the text at `path` out if it is `wanted`.
    pub(crate) fn take_text_if(
        &mut self,
        path: Path<'_>,
        wanted: impl FnOnce(&str) -> bool,
    ) -> Option<String> {
        if wanted(self.value(path)?.as_str()?) { self.take_text(path) } else { None }
    }

    /// Moves the text out. Fails if it is absent.
    pub(crate) fn take_required(&mut self, path: Path<'_>) -> Result<String> {
        if let Some(text) = self.take_text(path) {
            return Ok(text);
        }
        let field = path.join(".");
        Err(match lookup(&self.fields, path) {
            None | Some(Value::Null) => Error::invalid(field, Violation::Missing),
            Some(Value::String(_)) => Error::invalid(field, Violation::Empty),
            Some(_) => Error::malformed(field, "a text"),
        })
    }

    /// Moves the value at `path` out, including a null or an empty one.
    pub(crate) fn take(&mut self, path: Path<'_>) -> Option<Value> {
        remove(&mut self.fields, path)
    }

    /// Returns the time at the first of `paths` that holds one. Moves it out only if the model prints it
    /// in the same form.
    pub(crate) fn take_time(&mut self, paths: &[Path<'_>]) -> Result<Option<Timestamp>> {
        let Some((path, value)) = paths.iter().find_map(|path| Some((path, self.value(path)?)))
        else {
            return Ok(None);
        };
        let time = time::read(value).map_err(|error| error.with_field(path.join(".")))?;
        self.take_text_if(path, |text| text == time.to_string());
        Ok(Some(time))
    }

    /// Returns the id and the name of an object that some records name without an id. The name is then
    /// both, because the source identifies the object by it.
    pub(crate) fn take_named(&mut self, id: Path<'_>, name: Path<'_>) -> Option<Named> {
        let (id, name) = (self.take_text(id), self.take_text(name));
        let id = id.or_else(|| name.clone())?;
        Some(Named { id, name })
    }

    /// Returns the UUID at `path`. Moves it out if the model prints it in the same form.
    pub(crate) fn take_change_set(&mut self, path: Path<'_>) -> Option<ChangeSetId> {
        let id: ChangeSetId = self.text(path)?.parse().ok()?;
        self.take_text_if(path, |text| text == id.to_string());
        Some(id)
    }

    /// Takes something out of the object at `path`, which goes if that uses it up.
    pub(crate) fn take_object<T>(
        &mut self,
        path: Path<'_>,
        item: impl FnOnce(&mut Record) -> Option<T>,
    ) -> Option<T> {
        let placeholders = self.placeholders;
        let object = lookup_mut(&mut self.fields, path)?.as_object_mut()?;
        if object.is_empty() {
            return None;
        }
        let mut record = Record { fields: std::mem::take(object), placeholders };
        let taken = item(&mut record);
        *object = record.fields;
        if object.is_empty() {
            remove(&mut self.fields, path);
        }
        taken
    }

    /// Takes something out of each object in the array at `path`. The objects keep their places;
    /// only when all are used up does the array go.
    pub(crate) fn take_items<T>(
        &mut self,
        path: Path<'_>,
        mut item: impl FnMut(&mut Record) -> Option<T>,
    ) -> Vec<T> {
        let placeholders = self.placeholders;
        let Some(Value::Array(items)) = lookup_mut(&mut self.fields, path) else {
            return Vec::new();
        };
        let (mut taken, mut used_up) = (Vec::new(), !items.is_empty());
        for value in items {
            let Value::Object(object) = value else {
                used_up = false;
                continue;
            };
            let was_empty = object.is_empty();
            let mut record = Record { fields: std::mem::take(object), placeholders };
            taken.extend(item(&mut record));
            *object = record.fields;
            used_up &= object.is_empty() && !was_empty;
        }
        if used_up {
            remove(&mut self.fields, path);
        }
        taken
    }
}

impl Named {
    pub(crate) fn target(self, kind: impl Into<String>) -> Target {
        let mut target = Target::new(kind, self.id);
        target.name = self.name;
        target
    }
}

impl From<Named> for OrganizationRef {
    fn from(Named { id, name }: Named) -> Self {
        let mut organization = Self::new(id);
        organization.name = name;
        organization
    }
}

fn lookup<'a>(fields: &'a Object, path: Path<'_>) -> Option<&'a Value> {
    let (key, way) = path.split_last()?;
    way.iter().try_fold(fields, |object, key| object.get(*key)?.as_object())?.get(*key)
}

fn lookup_mut<'a>(fields: &'a mut Object, path: Path<'_>) -> Option<&'a mut Value> {
    let (key, way) = path.split_last()?;
    let parent =
        way.iter().try_fold(fields, |object, key| object.get_mut(*key)?.as_object_mut())?;
    parent.get_mut(*key)
}

/// Removes a value, and each object that this leaves empty.
fn remove(fields: &mut Object, path: Path<'_>) -> Option<Value> {
    match path {
        [] => None,
        [key] => fields.remove(*key),
        [key, rest @ ..] => {
            let child = fields.get_mut(*key)?.as_object_mut()?;
            let value = remove(child, rest)?;
            if child.is_empty() {
                fields.remove(*key);
            }
            Some(value)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn record(value: &Value) -> Record {
        Record::parse(value.to_string().as_bytes(), NO_VALUE).unwrap()
    }

    #[test]
    fn a_text_moves_and_a_number_stays() {
        let mut record = record(&json!({"a": {"b": "x", "n": 7}, "e": {}}));
        assert_eq!(record.take_text(&["a", "b"]).as_deref(), Some("x"));
        assert_eq!(record.take_text(&["a", "n"]).as_deref(), Some("7"));
        assert_eq!(Value::Object(record.into_fields()), json!({"a": {"n": 7}, "e": {}}));
    }

    #[test]
    fn an_object_that_is_used_up_goes_and_an_empty_one_stays() {
        let mut record = record(&json!({"a": {"b": {"c": "x"}}, "d": {"e": {}}}));
        record.take_text(&["a", "b", "c"]);
        record.take_text(&["d", "e", "f"]);
        assert_eq!(Value::Object(record.into_fields()), json!({"d": {"e": {}}}));
    }

    #[test]
    fn what_says_that_there_is_no_value_stays() {
        let value = json!({"a": "", "b": "-", "c": null, "d": ["x"], "e": true});
        let mut record = record(&value);
        for key in ["a", "b", "c", "d", "e", "f"] {
            assert_eq!(record.take_text(&[key]), None);
            assert_eq!(record.take_text(&[key, "below"]), None);
        }
        assert_eq!(Value::Object(record.into_fields()), value);
    }

    #[test]
    fn items_keep_their_places_until_all_are_used_up() {
        let take = |value: Value| {
            let mut record = record(&json!({"items": value}));
            let ids = record.take_items(&["items"], |item| item.take_text(&["id"]));
            (ids, record.into_fields().remove("items"))
        };
        let (ids, left) = take(json!([{"id": "1"}, 5, {"id": "2", "x": 0}]));
        assert_eq!((ids.len(), left), (2, Some(json!([{}, 5, {"x": 0}]))));
        assert_eq!(take(json!([{"id": "1"}, {"id": "2"}])).1, None);
        for untouched in [json!([]), json!([{}]), json!([{"id": "1"}, {}]), json!("text")] {
            assert!(take(untouched).1.is_some());
        }
    }

    #[test]
    fn a_time_stays_unless_the_model_prints_the_same() {
        let mut left = record(&json!({"t": "2024-01-01T00:00:00Z"}));
        assert!(left.take_time(&[&["none"], &["t"]]).unwrap().is_some());
        assert_eq!(left.fields().len(), 1);
        let mut taken = record(&json!({"t": "2024-01-01T00:00:00.000000Z"}));
        assert!(taken.take_time(&[&["t"]]).unwrap().is_some());
        assert!(taken.fields().is_empty());
        let mut bad = record(&json!({"a": {"t": "soon"}, "u": 1}));
        assert_eq!(bad.take_time(&[&["a", "t"], &["u"]]).unwrap_err().field(), Some("a.t"));
    }

    #[test]
    fn a_change_set_is_a_uuid_or_stays() {
        let mut record = record(&json!({
            "a": "3fa85f64-5717-4562-b3fc-2c963f66afa6",
            "b": "3FA85F64-5717-4562-B3FC-2C963F66AFA6",
            "c": "job 7",
        }));
        assert_eq!(record.take_change_set(&["a"]), record.take_change_set(&["b"]));
        assert_eq!(record.take_change_set(&["c"]), None);
        assert_eq!(record.fields().keys().collect::<Vec<_>>(), ["b", "c"]);
    }
}
