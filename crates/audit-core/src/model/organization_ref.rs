//! The organization that an event names.

use serde::{Deserialize, Serialize};

use crate::limits::{self, MAX_ID_BYTES, MAX_TEXT_BYTES};
use crate::{OrganizationId, Result};

/// An organization as an event names it: by its id in the source's form, and its name at that time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[non_exhaustive]
pub struct OrganizationRef {
    /// The id in the source's form. At most [`MAX_ID_BYTES`] bytes.
    pub id: String,
    /// The name at the time of the event. At most [`MAX_TEXT_BYTES`] bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

impl OrganizationRef {
    /// Creates a reference to the organization `id`.
    pub fn new(id: impl Into<String>) -> Self {
        Self { id: id.into(), name: None }
    }

    /// Sets the name.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    pub(crate) fn validate(&self, field: &str) -> Result<()> {
        limits::text(format_args!("{field}.id"), &self.id, MAX_ID_BYTES)?;
        limits::optional(format_args!("{field}.name"), self.name.as_deref(), MAX_TEXT_BYTES)
    }
}

impl From<OrganizationId> for OrganizationRef {
    fn from(id: OrganizationId) -> Self {
        Self::new(id.to_string())
    }
}
