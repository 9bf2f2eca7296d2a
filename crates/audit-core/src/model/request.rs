//! The request that caused an event, and the foreign system that recorded it first.

use serde::{Deserialize, Serialize};

use crate::Result;
use crate::limits::{self, MAX_ID_BYTES, MAX_NAME_BYTES, MAX_TEXT_BYTES};

/// The HTTP request that caused an event.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[non_exhaustive]
pub struct RequestInfo {
    /// The method. At most [`MAX_NAME_BYTES`] bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// The path of the endpoint. At most [`MAX_TEXT_BYTES`] bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The pattern of the route that the path matched: `/invoices/{id}/pay`. At most
    /// [`MAX_TEXT_BYTES`] bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub route: Option<String>,
    /// The id of the request, for example of the header `X-Request-Id`. At most [`MAX_ID_BYTES`]
    /// bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
}

impl RequestInfo {
    /// Returns the request of `method` for `path`.
    pub fn new(method: impl Into<String>, path: impl Into<String>) -> Self {
        Self { method: Some(method.into()), path: Some(path.into()), ..Self::default() }
    }

    /// Sets the pattern of the route.
    #[must_use]
    pub fn route(mut self, route: impl Into<String>) -> Self {
        self.route = Some(route.into());
        self
    }

    /// Sets the id.
    #[must_use]
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// Returns whether every field is absent.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    pub(crate) fn validate(&self) -> Result<()> {
        limits::optional(format_args!("request.method"), self.method.as_deref(), MAX_NAME_BYTES)?;
        limits::optional(format_args!("request.path"), self.path.as_deref(), MAX_TEXT_BYTES)?;
        limits::optional(format_args!("request.route"), self.route.as_deref(), MAX_TEXT_BYTES)?;
        limits::optional(format_args!("request.id"), self.id.as_deref(), MAX_ID_BYTES)
    }
}

/// The foreign system that recorded an event first, and the event's own id there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[non_exhaustive]
pub struct Source {
    /// The system's name: `cloudtrail`. At most [`MAX_NAME_BYTES`] bytes.
    #[cfg_attr(feature = "openapi", schema(min_length = 1))]
    pub system: String,
    /// The event's id in that system. At most [`MAX_ID_BYTES`] bytes.
    pub id: String,
}

impl Source {
    /// Returns the event `id` of `system`.
    pub fn new(system: impl Into<String>, id: impl Into<String>) -> Self {
        Self { system: system.into(), id: id.into() }
    }

    pub(crate) fn validate(&self) -> Result<()> {
        limits::required(format_args!("source.system"), &self.system, MAX_NAME_BYTES)?;
        limits::text(format_args!("source.id"), &self.id, MAX_ID_BYTES)
    }
}
