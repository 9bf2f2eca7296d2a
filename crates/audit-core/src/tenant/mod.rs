//! The tenant: the organization, its API keys, and the store that keeps them.

mod api_key;
mod changes;
mod declared;
mod holder_erasure;
mod organization;
mod store;

pub use api_key::{ApiKey, ApiKeySecret, NewApiKey, Role};
pub use declared::{DeclaredKey, DeclaredOrganization, DeclaredTenants};
pub use holder_erasure::HolderErasure;
pub use organization::{NewOrganization, Organization, OrganizationUpdate, PrivateEndpoint};
pub use store::TenantStore;
