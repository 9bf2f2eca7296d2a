//! The store of audit logs: the traits that a backend implements, and their arguments and results.
//!
//! The traits are split by audience:
//!
//! | trait | used by |
//! |---|---|
//! | [`AuditStore`] | services that record and read events, and programs that prove them |
//! | [`RetentionStore`](crate::RetentionStore) | operators who erase personal data and prune old events |
//! | [`TenantStore`](crate::TenantStore) | services that keep their organizations and API keys in the store |
//! | [`StagingStore`] | operators of services that stage events in their own transactions |
//! | [`FollowerStore`] | programs that deliver events elsewhere and continue where they stopped |
//!
//! Pages, tokens, feeds and streams are built on [`AuditStore`] once, in
//! [`AuditStoreExt`](crate::AuditStoreExt). What an append or a change of an organization decides is
//! computed once, in [`backend`](crate::backend) and [`Organization`](crate::Organization). A backend
//! only keeps bytes, in order, durably.
//!
//! [`backend`](crate::backend) has a complete store as an example.

mod audit_store;
mod entries;
mod erasure;
mod ext;
mod follower_store;
mod history;
mod paging;
mod receipt;
mod retention;
mod retention_store;
mod scan;
mod staged;
mod staging_store;
mod submitted;

pub use audit_store::AuditStore;
pub use entries::EntriesRequest;
pub use erasure::{DamagedEvent, Erased, Erasure};
pub use ext::AuditStoreExt;
pub use follower_store::FollowerStore;
pub use receipt::{Head, Receipt};
pub use retention::{Pruned, Pruning, Retention};
pub use retention_store::{RetentionStore, RetentionStoreExt};
pub use scan::{Scan, ScanResult};
pub use staged::Staged;
pub use staging_store::{RefusedEvent, StagedCounts, StagingStore};
pub use submitted::Submitted;
