//! A reader of stored JSON that keeps the fields that this version does not know.

use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, IntoDeserializer, MapAccess, SeqAccess, Visitor,
};
use serde::forward_to_deserialize_any;
use serde_json::{Error, Map, Value};

/// Reads a `T`, and the fields that no structure in it has. They are in the shape of the JSON that
/// was read: objects and arrays down to each unknown field, null if it has none.
pub(super) fn from_str<'de, T: Deserialize<'de>>(text: &str) -> Result<(T, Value), Error> {
    let value = serde_json::from_str(text)?;
    let mut unknown = Value::Null;
    let read = T::deserialize(Lenient { value, unknown: &mut unknown })?;
    Ok((read, unknown))
}

/// Reads `value`, and puts its unknown fields into `unknown`.
struct Lenient<'a> {
    value: Value,
    unknown: &'a mut Value,
}

impl<'de> Deserializer<'de> for Lenient<'_> {
    type Error = Error;

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let Value::Object(object) = self.value else {
            return self.value.deserialize_struct(name, fields, visitor);
        };
        let is_known = |(key, _): &(String, Value)| fields.contains(&key.as_str());
        let (known, unknown): (Vec<_>, Map<_, _>) = split(object, is_known);
        let mut access = Fields { rest: known.into_iter(), current: None, unknown };
        let read = visitor.visit_map(&mut access)?;
        if !access.unknown.is_empty() {
            *self.unknown = Value::Object(access.unknown);
        }
        Ok(read)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let Value::Array(items) = self.value else {
            return self.value.deserialize_seq(visitor);
        };
        let mut access = Items { rest: items.into_iter(), unknown: Vec::new() };
        let read = visitor.visit_seq(&mut access)?;
        if access.unknown.iter().any(|item| !item.is_null()) {
            *self.unknown = Value::Array(access.unknown);
        }
        Ok(read)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.value.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.value.deserialize_any(visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct tuple tuple_struct map enum identifier ignored_any
    }
}

/// Splits the entries of `object` by `is_known`.
fn split(
    object: Map<String, Value>,
    is_known: impl FnMut(&(String, Value)) -> bool,
) -> (Vec<(String, Value)>, Map<String, Value>) {
    let (known, unknown): (Vec<_>, Vec<_>) = object.into_iter().partition(is_known);
    (known, unknown.into_iter().collect())
}

struct Fields {
    rest: std::vec::IntoIter<(String, Value)>,
    current: Option<(String, Value)>,
    unknown: Map<String, Value>,
}

impl<'de> MapAccess<'de> for &mut Fields {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Error> {
        self.current = self.rest.next();
        let key = self.current.as_ref().map(|(key, _)| key.as_str());
        key.map(|key| seed.deserialize(key.into_deserializer())).transpose()
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        let (key, value) = self.current.take().unwrap_or_default();
        let mut unknown = Value::Null;
        let read = seed.deserialize(Lenient { value, unknown: &mut unknown })?;
        if !unknown.is_null() {
            self.unknown.insert(key, unknown);
        }
        Ok(read)
    }
}

struct Items {
    rest: std::vec::IntoIter<Value>,
    unknown: Vec<Value>,
}

impl<'de> SeqAccess<'de> for &mut Items {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Error> {
        let Some(value) = self.rest.next() else { return Ok(None) };
        let mut unknown = Value::Null;
        let read = seed.deserialize(Lenient { value, unknown: &mut unknown })?;
        self.unknown.push(unknown);
        Ok(Some(read))
    }
}
