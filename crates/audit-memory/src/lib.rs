//! The in-memory store: complete, indexed, for tests and for services that keep nothing.
//!
//! It holds every promise of [`audit_core::AuditStore`] but durability: what it keeps ends with its
//! last handle. Events are kept in the same stored form as in the durable backends and decoded on
//! every read, so that a test sees exactly what production would give it.
//!
//! ```
//! use audit_core::{Actor, AuditStoreExt, Filter, Log, NewEvent, EventQuery};
//! use audit_memory::MemoryStore;
//!
//! # futures_executor::block_on(async {
//! let store = MemoryStore::new()?;
//! store.record(Log::Platform, NewEvent::new("user.login", Actor::user("u_1"))).await?;
//!
//! let logins = EventQuery::new(Log::Platform).filter(Filter::new().action("user.*"));
//! assert_eq!(store.page(&logins).await?.events.len(), 1);
//! # Ok::<(), audit_core::Error>(())
//! # })?;
//! # Ok::<(), audit_core::Error>(())
//! ```
//!
//! | file | noun |
//! |---|---|
//! | `store.rs` | the store and its traits |
//! | `options.rs` | how a store is opened |
//! | `log.rs` | one log |
//! | `append.rs` | how events are appended |
//! | `read.rs` | how scans are answered |
//! | `intersection.rs` | the walk over the postings of several terms |
//! | `tree.rs` | what proves a log |
//! | `erasure.rs` | what a person may ask to be forgotten |
//! | `retention.rs` | what a log keeps, and for how long |
//! | `organizations.rs` | the tenants |
//! | `api_keys.rs` | their credentials |

mod api_keys;
mod append;
mod erasure;
mod intersection;
mod log;
mod options;
mod organizations;
mod read;
mod retention;
mod store;
mod tree;

pub use crate::options::MemoryOptions;
pub use crate::store::MemoryStore;
