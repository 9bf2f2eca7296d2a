//! The change that an event records: the old value, the new value, and the changed fields.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::limits::{self, MAX_FIELD_CHANGES, MAX_TEXT_BYTES};
use crate::{Result, json};

/// A change: the old value, the new value, and the changed fields. Every part is optional, because a
/// source may have only one of them. All parts are personal data, because values can identify people.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[non_exhaustive]
pub struct Change {
    /// The old value. At most [`MAX_JSON_DEPTH`](limits::MAX_JSON_DEPTH) levels.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "json::present")]
    #[cfg_attr(feature = "openapi", schema(value_type = crate::openapi::JsonValue, required = false))]
    pub old: Option<Value>,
    /// The new value. At most [`MAX_JSON_DEPTH`](limits::MAX_JSON_DEPTH) levels.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "json::present")]
    #[cfg_attr(feature = "openapi", schema(value_type = crate::openapi::JsonValue, required = false))]
    pub new: Option<Value>,
    /// The changed fields. At most [`MAX_FIELD_CHANGES`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub diff: Vec<FieldChange>,
    /// Whether the source omitted a part of the change.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub truncated: bool,
}

/// A changed field. A side is `None` if the field was absent, which differs from a null.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[non_exhaustive]
pub struct FieldChange {
    /// The path of the field: a JSON pointer (RFC 6901) without its first slash, such as
    /// `settings/theme`. At most [`MAX_TEXT_BYTES`] bytes.
    pub field: String,
    /// The old value. At most [`MAX_JSON_DEPTH`](limits::MAX_JSON_DEPTH) levels.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "json::present")]
    #[cfg_attr(feature = "openapi", schema(value_type = crate::openapi::JsonValue, required = false))]
    pub old: Option<Value>,
    /// The new value. At most [`MAX_JSON_DEPTH`](limits::MAX_JSON_DEPTH) levels.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "json::present")]
    #[cfg_attr(feature = "openapi", schema(value_type = crate::openapi::JsonValue, required = false))]
    pub new: Option<Value>,
}

impl FieldChange {
    /// Creates the change of `field` from `old` to `new`.
    pub fn new(field: impl Into<String>, old: Option<Value>, new: Option<Value>) -> Self {
        Self { field: field.into(), old, new }
    }
}

impl Change {
    /// Returns the fields in which `new` differs from `old`, without the old and the new value.
    ///
    /// Compares objects by member, arrays by index, and all else as a whole.
    ///
    /// ```
    /// use audit_core::Change;
    /// use serde_json::json;
    ///
    /// let change = Change::between(
    ///     &json!({"name": "Demo", "settings": {"theme": "dark"}}),
    ///     &json!({"name": "Demo", "settings": {"theme": "light", "beta": null}}),
    /// );
    /// let fields: Vec<_> = change.diff.iter().map(|c| c.field.as_str()).collect();
    /// assert_eq!(fields, ["settings/beta", "settings/theme"]);
    /// assert_eq!(change.diff[0].old, None);
    /// assert_eq!(change.diff[0].new, Some(json!(null)));
    /// ```
    pub fn between(old: &Value, new: &Value) -> Self {
        let mut diff = Vec::new();
        differences(&mut String::new(), Some(old), Some(new), &mut diff);
        Self { diff, ..Self::default() }
    }

    /// Sets the old value.
    #[must_use]
    pub fn with_old(mut self, value: Value) -> Self {
        self.old = Some(value);
        self
    }

    /// Sets the new value.
    #[must_use]
    pub fn with_new(mut self, value: Value) -> Self {
        self.new = Some(value);
        self
    }

    /// Adds a changed field.
    #[must_use]
    pub fn field(
        mut self,
        field: impl Into<String>,
        old: Option<Value>,
        new: Option<Value>,
    ) -> Self {
        self.diff.push(FieldChange::new(field, old, new));
        self
    }

    /// Returns `true` if nothing is set.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    pub(crate) fn validate(&self) -> Result<()> {
        limits::count("change.diff", self.diff.len(), MAX_FIELD_CHANGES)?;
        limits::depth(format_args!("change.old"), 0, &self.old)?;
        limits::depth(format_args!("change.new"), 0, &self.new)?;
        for (index, change) in self.diff.iter().enumerate() {
            limits::text(
                format_args!("change.diff[{index}].field"),
                &change.field,
                MAX_TEXT_BYTES,
            )?;
            limits::depth(format_args!("change.diff[{index}].old"), 0, &change.old)?;
            limits::depth(format_args!("change.diff[{index}].new"), 0, &change.new)?;
        }
        Ok(())
    }
}

/// Adds to `diff` the paths at or below `path` where the two sides differ.
fn differences(
    path: &mut String,
    old: Option<&Value>,
    new: Option<&Value>,
    diff: &mut Vec<FieldChange>,
) {
    if old == new {
        return;
    }
    match (old, new) {
        (Some(Value::Object(before)), Some(Value::Object(after))) => {
            let added = after.keys().filter(|key| !before.contains_key(*key));
            let mut keys: Vec<_> = before.keys().chain(added).collect();
            keys.sort_unstable();
            for key in keys {
                below(path, &key.replace('~', "~0").replace('/', "~1"), |path| {
                    differences(path, before.get(key), after.get(key), diff);
                });
            }
        }
        (Some(Value::Array(before)), Some(Value::Array(after))) => {
            for index in 0..before.len().max(after.len()) {
                below(path, &index.to_string(), |path| {
                    differences(path, before.get(index), after.get(index), diff);
                });
            }
        }
        _ => diff.push(FieldChange { field: path.clone(), old: old.cloned(), new: new.cloned() }),
    }
}

fn below(path: &mut String, name: &str, visit: impl FnOnce(&mut String)) {
    let length = path.len();
    if length > 0 {
        path.push('/');
    }
    path.push_str(name);
    visit(path);
    path.truncate(length);
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn equal_values_have_no_diff() {
        assert!(Change::between(&json!({"a": [1, 2]}), &json!({"a": [1, 2]})).is_empty());
    }

    #[test]
    fn arrays_by_place_and_keys_escaped() {
        let change = Change::between(&json!({"a/b": [1, 2], "~": 1}), &json!({"a/b": [1], "~": 2}));
        assert_eq!(
            change.diff[0],
            FieldChange { field: "a~1b/1".into(), old: Some(json!(2)), new: None }
        );
        assert_eq!(change.diff[1].field, "~0");
    }

    #[test]
    fn an_absent_side_and_a_null_stay_apart_in_json() {
        let change = Change::default().field("x", None, Some(Value::Null));
        let text = serde_json::to_string(&change).unwrap();
        assert_eq!(text, r#"{"diff":[{"field":"x","new":null}]}"#);
        assert_eq!(serde_json::from_str::<Change>(&text).unwrap(), change);
    }
}
