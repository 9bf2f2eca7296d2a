//! The scope of an event: the part of the product to which it belongs.

use serde::{Deserialize, Serialize};

use crate::limits::{self, MAX_ID_BYTES, MAX_NAME_BYTES};
use crate::{Result, Surface};

/// The part of the product to which an event belongs. Each field is a filter.
///
/// ```
/// use audit_core::{Scope, Surface};
///
/// let scope = Scope::default().service("svc_1").surface(Surface::from_static("cost"));
/// assert!(scope.product.is_none());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[non_exhaustive]
pub struct Scope {
    /// The id of the service. At most [`MAX_ID_BYTES`] bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// The id of the product. At most [`MAX_ID_BYTES`] bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product: Option<String>,
    /// The id of the config. At most [`MAX_ID_BYTES`] bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<String>,
    /// The id of the environment. At most [`MAX_ID_BYTES`] bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// The product surface. At most [`MAX_NAME_BYTES`] bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub surface: Option<Surface>,
}

impl Scope {
    /// Sets the service.
    #[must_use]
    pub fn service(mut self, id: impl Into<String>) -> Self {
        self.service = Some(id.into());
        self
    }

    /// Sets the product.
    #[must_use]
    pub fn product(mut self, id: impl Into<String>) -> Self {
        self.product = Some(id.into());
        self
    }

    /// Sets the config.
    #[must_use]
    pub fn config(mut self, id: impl Into<String>) -> Self {
        self.config = Some(id.into());
        self
    }

    /// Sets the environment.
    #[must_use]
    pub fn environment(mut self, id: impl Into<String>) -> Self {
        self.environment = Some(id.into());
        self
    }

    /// Sets the product surface.
    #[must_use]
    pub fn surface(mut self, surface: impl Into<Surface>) -> Self {
        self.surface = Some(surface.into());
        self
    }

    /// Returns `true` if no field is set.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    pub(crate) fn validate(&self) -> Result<()> {
        for (field, value) in [
            ("service", &self.service),
            ("product", &self.product),
            ("config", &self.config),
            ("environment", &self.environment),
        ] {
            limits::optional(format_args!("scope.{field}"), value.as_deref(), MAX_ID_BYTES)?;
        }
        let surface = self.surface.as_ref().map(Surface::as_str);
        limits::optional(format_args!("scope.surface"), surface, MAX_NAME_BYTES)
    }
}
