//! Requests to create and to update organizations.

use super::private_endpoint::PrivateEndpoint;
use crate::OrganizationId;
use crate::json::Object;

/// An organization to create.
///
/// ```
/// use audit_core::NewOrganization;
///
/// let new = NewOrganization::new("Acme Corp").created_by("founder@acme.example");
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct NewOrganization {
    /// The id; a new UUIDv7 unless given.
    pub id: OrganizationId,
    /// The id by which another system knows the organization.
    pub external_id: Option<String>,
    /// The name for people.
    pub name: String,
    /// The private endpoints.
    pub private_endpoints: Vec<PrivateEndpoint>,
    /// Settings that the service keeps with the organization.
    pub settings: Object,
    /// The e-mail address of the creator.
    pub created_by: Option<String>,
}

impl NewOrganization {
    /// Creates a request for an organization named `name`, with a new id.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            id: OrganizationId::new(),
            external_id: None,
            name: name.into(),
            private_endpoints: Vec::new(),
            settings: Object::new(),
            created_by: None,
        }
    }

    /// Sets the id.
    #[must_use]
    pub fn id(mut self, id: impl Into<OrganizationId>) -> Self {
        self.id = id.into();
        self
    }

    /// Sets the id by which another system knows the organization.
    #[must_use]
    pub fn external_id(mut self, id: impl Into<String>) -> Self {
        self.external_id = Some(id.into());
        self
    }

    /// Adds a private endpoint.
    #[must_use]
    pub fn private_endpoint(mut self, endpoint: PrivateEndpoint) -> Self {
        self.private_endpoints.push(endpoint);
        self
    }

    /// Sets the settings.
    #[must_use]
    pub fn settings(mut self, settings: Object) -> Self {
        self.settings = settings;
        self
    }

    /// Sets the e-mail address of the creator.
    #[must_use]
    pub fn created_by(mut self, email: impl Into<String>) -> Self {
        self.created_by = Some(email.into());
        self
    }
}

/// Changes to an organization. Fields that are not set stay unchanged.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct OrganizationUpdate {
    /// The new name.
    pub name: Option<String>,
    /// The ids of the private endpoints to remove, before any is added. An unknown id is not an
    /// error, so that an update can be repeated.
    pub remove_endpoints: Vec<String>,
    /// The private endpoints to add. An endpoint replaces an existing one with the same id.
    pub add_endpoints: Vec<PrivateEndpoint>,
    /// The new settings, which replace all old ones.
    pub settings: Option<Object>,
    /// Whether to remove the address of the creator.
    pub forget_creator: bool,
}

impl OrganizationUpdate {
    /// Sets the name.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Removes the private endpoint `id`.
    #[must_use]
    pub fn remove_endpoint(mut self, id: impl Into<String>) -> Self {
        self.remove_endpoints.push(id.into());
        self
    }

    /// Adds a private endpoint.
    #[must_use]
    pub fn add_endpoint(mut self, endpoint: PrivateEndpoint) -> Self {
        self.add_endpoints.push(endpoint);
        self
    }

    /// Removes the e-mail address of the creator.
    #[must_use]
    pub fn forget_creator(mut self) -> Self {
        self.forget_creator = true;
        self
    }

    /// Replaces the settings.
    #[must_use]
    pub fn settings(mut self, settings: Object) -> Self {
        self.settings = Some(settings);
        self
    }
}
