//! The target of an action.

use serde::{Deserialize, Serialize};

use crate::limits::{self, MAX_ID_BYTES, MAX_NAME_BYTES, MAX_TEXT_BYTES};
use crate::{Error, Result, Violation};

/// A target of an action: its type, its id and its name, as far as the source states them.
///
/// At least one of the three is present.
///
/// ```
/// use audit_core::Target;
///
/// let target = Target::new("invoice", "inv_9").name("March");
/// assert_eq!(target.kind.as_deref(), Some("invoice"));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[non_exhaustive]
pub struct Target {
    /// The type, `type` in JSON. At most [`MAX_NAME_BYTES`] bytes.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The id in the service. At most [`MAX_ID_BYTES`] bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The name. At most [`MAX_TEXT_BYTES`] bytes. Personal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

impl Target {
    /// Creates the target of type `kind` with the id `id`.
    pub fn new(kind: impl Into<String>, id: impl Into<String>) -> Self {
        Self { kind: Some(kind.into()), id: Some(id.into()), name: None }
    }

    /// Creates a target of which only the type is known.
    pub fn of_kind(kind: impl Into<String>) -> Self {
        Self { kind: Some(kind.into()), ..Self::default() }
    }

    /// Creates a target of which only the id is known.
    pub fn with_id(id: impl Into<String>) -> Self {
        Self { id: Some(id.into()), ..Self::default() }
    }

    /// Creates a target of which only the name is known.
    pub fn named(name: impl Into<String>) -> Self {
        Self { name: Some(name.into()), ..Self::default() }
    }

    /// Creates a target from the parts that a source states; `None` if it states none of them.
    pub fn from_parts(
        kind: Option<String>,
        id: Option<String>,
        name: Option<String>,
    ) -> Option<Self> {
        let target = Self { kind, id, name };
        (target != Self::default()).then_some(target)
    }

    /// Sets the name.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    pub(crate) fn validate(&self, index: usize) -> Result<()> {
        if self.kind.is_none() && self.id.is_none() && self.name.is_none() {
            return Err(Error::invalid(format!("targets[{index}]"), Violation::Empty));
        }
        for (field, value, limit) in [
            ("type", &self.kind, MAX_NAME_BYTES),
            ("id", &self.id, MAX_ID_BYTES),
            ("name", &self.name, MAX_TEXT_BYTES),
        ] {
            limits::optional(format_args!("targets[{index}].{field}"), value.as_deref(), limit)?;
        }
        Ok(())
    }
}
