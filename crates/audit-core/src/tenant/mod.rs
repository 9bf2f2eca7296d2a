//! The tenant: the organization, its API keys, and the store that keeps them.

mod api_key;
mod changes;
mod declared;
mod holder_erasure;
mod organization;
mod organization_requests;
mod private_endpoint;
mod store;

pub use api_key::{ApiKey, ApiKeySecret, NewApiKey, Role};
pub use declared::{DeclaredKey, DeclaredOrganization, DeclaredTenants};
pub use holder_erasure::HolderErasure;
pub use organization::Organization;
pub use organization_requests::{NewOrganization, OrganizationUpdate};
pub use private_endpoint::PrivateEndpoint;
pub use store::TenantStore;
