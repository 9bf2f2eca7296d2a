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
    /// `settings/theme`. The items of a list that has a key are named by it, see [`Diff::key`](crate::Diff::key). At most [`MAX_TEXT_BYTES`] bytes.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_absent_side_and_a_null_stay_apart_in_json() {
        let change = Change::default().field("x", None, Some(Value::Null));
        let text = serde_json::to_string(&change).unwrap();
        assert_eq!(text, r#"{"diff":[{"field":"x","new":null}]}"#);
        assert_eq!(serde_json::from_str::<Change>(&text).unwrap(), change);
    }
}
