//! The attributes: the service's own indexed properties of an event.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::limits::{self, MAX_ATTRIBUTES, MAX_ID_BYTES, MAX_NAME_BYTES};
use crate::{Error, Result};

/// Properties that a service defines, from text to text, sorted by key: `plan=pro`.
///
/// At most [`MAX_ATTRIBUTES`], each with a key of 1 to [`MAX_NAME_BYTES`] bytes and a value of at
/// most [`MAX_ID_BYTES`] bytes. They stay when personal data is erased: keep personal data in
/// the metadata instead.
///
/// ```
/// use audit_core::Attributes;
///
/// let attributes: Attributes = [("region", "eu"), ("plan", "pro")].into_iter().collect();
/// assert_eq!(attributes.get("plan"), Some("pro"));
/// assert_eq!(attributes.iter().next(), Some(("plan", "pro")));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct Attributes(BTreeMap<String, String>);

impl Attributes {
    /// Returns no attributes.
    pub const fn new() -> Self {
        Self(BTreeMap::new())
    }

    /// Sets the value of `key`, and returns the value that it had.
    pub fn insert(&mut self, key: impl Into<String>, value: impl Into<String>) -> Option<String> {
        self.0.insert(key.into(), value.into())
    }

    /// Removes `key`, and returns the value that it had.
    pub fn remove(&mut self, key: &str) -> Option<String> {
        self.0.remove(key)
    }

    /// Returns the value of `key`.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }

    /// Returns the keys and values, sorted by key.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// Returns the number of attributes.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns whether there are no attributes.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn validate(&self) -> Result<()> {
        limits::count("attributes", self.len(), MAX_ATTRIBUTES)?;
        for (key, value) in self.iter() {
            if !(1..=MAX_NAME_BYTES).contains(&key.len()) {
                return Err(Error::malformed(
                    "attributes",
                    "an object with keys of 1 to 256 bytes",
                ));
            }
            limits::text(format_args!("attributes.{key}"), value, MAX_ID_BYTES)?;
        }
        Ok(())
    }
}

impl<K: Into<String>, V: Into<String>> Extend<(K, V)> for Attributes {
    fn extend<I: IntoIterator<Item = (K, V)>>(&mut self, attributes: I) {
        self.0.extend(attributes.into_iter().map(|(key, value)| (key.into(), value.into())));
    }
}

impl<K: Into<String>, V: Into<String>> FromIterator<(K, V)> for Attributes {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(attributes: I) -> Self {
        let mut all = Self::new();
        all.extend(attributes);
        all
    }
}

impl<'de> Deserialize<'de> for Attributes {
    /// Reads an object of texts. Fails if a key occurs twice.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AttributesVisitor;
        impl<'de> Visitor<'de> for AttributesVisitor {
            type Value = Attributes;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of texts")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Attributes, A::Error> {
                let mut attributes = BTreeMap::new();
                while let Some(key) = map.next_key::<String>()? {
                    if attributes.contains_key(&key) {
                        return Err(A::Error::custom(format_args!("duplicate key `{key}`")));
                    }
                    let value = map.next_value()?;
                    attributes.insert(key, value);
                }
                Ok(Attributes(attributes))
            }
        }
        deserializer.deserialize_map(AttributesVisitor)
    }
}
