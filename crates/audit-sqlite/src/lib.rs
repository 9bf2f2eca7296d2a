//! The embedded store: one SQLite file, durable.
//!
//! An append returns when its transaction is on the disk (`journal_mode=WAL`,
//! `synchronous=FULL`). Appends that wait at the same time share one commit. Several processes may
//! use one file. The futures need no particular runtime: the store works on threads of its own.
//! (One exception: an executor whose wakers run the task at once, on the waking thread, would run
//! a task that waits in `wait_for_append` under a lock.)
//!
//! ```
//! use audit_core::{Actor, AuditStoreExt, EventQuery, Filter, Log, NewEvent};
//! use audit_sqlite::SqliteStore;
//!
//! # let directory = tempfile::tempdir().unwrap();
//! # let path = directory.path().join("audit.db");
//! # futures_executor::block_on(async {
//! let store = SqliteStore::open(&path)?;
//! store.record(Log::Platform, NewEvent::new("user.login", Actor::user("u_1"))).await?;
//!
//! let logins = EventQuery::new(Log::Platform).filter(Filter::new().action("user.*"));
//! assert_eq!(store.page(&logins).await?.events.len(), 1);
//! # Ok::<(), audit_core::Error>(())
//! # })?;
//! # Ok::<(), audit_core::Error>(())
//! ```
//!
//! A service that keeps its own tables in the same file records within its own transaction: it stages
//! events with any driver, see [`STAGE`], or numbers them at once with rusqlite, see
//! [`SqliteStore::append_in`].
//!
//! | file | noun |
//! |---|---|
//! | `store.rs` | the store and its traits |
//! | `tenants.rs` | the store of organizations and API keys |
//! | `options.rs` | the options of a store |
//! | `open.rs` | opening a file |
//! | `busy.rs` | waits for the locks of other connections |
//! | `schema.rs` | the tables, and their version |
//! | `append.rs` | the write transaction |
//! | `writer.rs` | the one thread that writes, with group commit |
//! | `staged.rs` | events that callers have staged, taken into their logs or refused |
//! | `sequencer.rs` | the thread that takes them in while nobody reads or appends |
//! | `read.rs` | scans, each from one snapshot |
//! | `readers.rs` | the threads that read, in turns |
//! | `index.rs` | the storage of the index |
//! | `pace.rs` | whether a read has to pause |
//! | `paced_index.rs` | the same for reads in turn |
//! | `derived.rs` | derived data compared with the records, and rebuilt |
//! | `reindex.rs` | the comparison and the rebuilding, in steps |
//! | `tree.rs` | the Merkle tree of a log |
//! | `sealing.rs` | encryption of personal data, so that erasure reaches every byte |
//! | `erasure.rs` | erasure of personal data |
//! | `retention.rs` | retention and pruning |
//! | `compaction.rs` | the file rewritten without its unused space |
//! | `organizations.rs` | the organizations |
//! | `api_keys.rs` | their API keys |
//! | `tenant_cache.rs` | remembers organizations and API keys while they do not change |
//! | `followers.rs` | the states of followers |
//! | `backup.rs` | a copy of the file, taken while others write |
//! | `marks.rs` | marks, which show whether a WAL continues its file |
//! | `transaction.rs` | appends in the caller's own transaction |
//! | `own_transaction.rs` | detects an append that waits for its own caller |
//! | `scrubs.rs` | the truncation of the WAL that ends an erasure |
//! | `file.rs` | the open files, and whether they are still at their path |
//! | `watch.rs` | wakes waiting feeds |
//! | `error.rs` | converts SQLite's errors |

mod api_keys;
mod append;
mod backup;
mod busy;
mod compaction;
#[cfg(test)]
mod damage;
mod derived;
mod erasure;
mod error;
mod file;
mod followers;
mod index;
mod marks;
mod open;
mod options;
mod organizations;
mod own_transaction;
mod pace;
mod paced_index;
#[cfg(test)]
mod plans;
mod read;
mod readers;
mod reindex;
mod retention;
mod schema;
mod scrubs;
mod sealing;
mod sequencer;
#[cfg(test)]
mod small_segments;
mod staged;
mod store;
mod tenant_cache;
mod tenants;
mod transaction;
mod tree;
#[cfg(test)]
mod turns;
mod watch;
mod writer;

pub use crate::options::SqliteOptions;
pub use crate::staged::{STAGE, STAGE_ALL};
pub use crate::store::SqliteStore;
pub use audit_index::DerivedFinding;
/// The SQLite binding in whose transactions [`SqliteStore::append_in`] records.
pub use rusqlite;
