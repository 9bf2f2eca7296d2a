//! A private endpoint of an organization.

use serde::{Deserialize, Serialize};

/// A private connection from a customer's cloud network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[non_exhaustive]
pub struct PrivateEndpoint {
    /// The endpoint's id in its cloud, unique within the organization. 1 to
    /// [`MAX_ID_BYTES`](crate::limits::MAX_ID_BYTES) bytes.
    #[cfg_attr(feature = "openapi", schema(min_length = 1))]
    pub id: String,
    /// A description. At most [`MAX_TEXT_BYTES`](crate::limits::MAX_TEXT_BYTES) bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The cloud: `aws`. At most [`MAX_ID_BYTES`](crate::limits::MAX_ID_BYTES) bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cloud_provider: Option<String>,
    /// The cloud's region: `us-east-1`. At most [`MAX_ID_BYTES`](crate::limits::MAX_ID_BYTES) bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
}

impl PrivateEndpoint {
    /// Creates the private endpoint `id`.
    pub fn new(id: impl Into<String>) -> Self {
        Self { id: id.into(), description: None, cloud_provider: None, region: None }
    }

    /// Sets the description.
    #[must_use]
    pub fn description(mut self, description: impl Into<String>) -> Self {
        self.description = Some(description.into());
        self
    }

    /// Sets the cloud.
    #[must_use]
    pub fn cloud_provider(mut self, cloud: impl Into<String>) -> Self {
        self.cloud_provider = Some(cloud.into());
        self
    }

    /// Sets the cloud's region.
    #[must_use]
    pub fn region(mut self, region: impl Into<String>) -> Self {
        self.region = Some(region.into());
        self
    }
}
