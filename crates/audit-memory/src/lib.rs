//! The in-memory store: complete and indexed, for tests and for services that keep nothing.
//!
//! It implements all of [`audit_core::AuditStore`] except durability: the data ends with the last
//! handle. It holds events in the same stored form as the durable backends and decodes them on
//! every read, so that a test gets the same results as production.
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
//! | `options.rs` | the options of a store |
//! | `log.rs` | the state of one log |
//! | `append.rs` | appends, and reads of single events |
//! | `read.rs` | scans |
//! | `intersection.rs` | the walk over the postings of several terms |
//! | `tree.rs` | the Merkle tree of a log |
//! | `erasure.rs` | erasure of personal data |
//! | `retention.rs` | retention and pruning |
//! | `followers.rs` | the states of followers |
//! | `organizations.rs` | the organizations |
//! | `api_keys.rs` | their API keys |

mod api_keys;
mod append;
mod erasure;
mod followers;
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
