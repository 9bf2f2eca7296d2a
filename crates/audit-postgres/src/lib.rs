//! The shared store: PostgreSQL 15 or later, for many processes and machines.
//!
//! An append returns when its transaction is committed, as durably as the server commits. Appends of a
//! process that wait at the same time share one commit. The futures need no particular runtime: the
//! store drives its connections on threads of its own.
//!
//! ```no_run
//! use audit_core::{Actor, AuditStoreExt, EventQuery, Filter, Log, NewEvent};
//! use audit_postgres::PostgresStore;
//!
//! # async fn example() -> audit_core::Result<()> {
//! let store = PostgresStore::open("postgres://app@db.example/app").await?;
//! store.record(Log::Platform, NewEvent::new("user.login", Actor::user("u_1"))).await?;
//!
//! let logins = EventQuery::new(Log::Platform).filter(Filter::new().action("user.*"));
//! assert_eq!(store.page(&logins).await?.events.len(), 1);
//! # Ok(())
//! # }
//! ```
//!
//! A service that keeps its own tables in the same database records within its own transaction: it stages
//! events with any driver, see [`STAGE`], or lets triggers stage the changes of its tables, see
//! `docs/capture-sql.md`.
//!
//! | file | noun |
//! |---|---|
//! | `store.rs` | the store and its traits |
//! | `options.rs` | the options of a store |
//! | `url.rs` | the URL of a database |
//! | `password.rs` | the password that a URL does not have |
//! | `tls.rs` | what a connection asks of the server's certificate |
//! | `schema.rs` | the tables, their version, the settings of the server |
//! | `runtime.rs` | the threads on which a store works |
//! | `core.rs` | what the tasks of a store share |
//! | `connection.rs` | connections, and the statements that are run on them |
//! | `prepared.rs` | the statements that a connection can prepare |
//! | `writer.rs` | the one task that appends, with group commit |
//! | `append.rs` | the write transaction |
//! | `rows.rs` | the rows that an append writes |
//! | `segments.rs` | the segments that appends of many events write themselves |
//! | `staged.rs`, `staged.sql` | events that callers have staged, taken into their logs or set aside |
//! | `refused.rs` | the events that were set aside |
//! | `sequencer.rs` | the task that takes them in |
//! | `capture.sql` | triggers that stage the changes of tables |
//! | `turns.rs`, `readers.rs` | the connections for reads, which owners get in turn |
//! | `read.rs` | reads of single rows, and scans, each from one snapshot |
//! | `index.rs` | the storage of the index |
//! | `parts.rs` | reads of parts of segments |
//! | `build.rs` | building the index, beside the appends |
//! | `tree.rs` | the Merkle tree of a log |
//! | `sealing.rs` | encryption of personal data, so that erasure reaches every byte |
//! | `keys.rs` | where the keys of personal data are kept |
//! | `change.rs` | transactions that write more than events |
//! | `erasure.rs` | erasure |
//! | `scrub.rs` | the `VACUUM` after an erasure |
//! | `retention.rs` | retention and pruning |
//! | `derived.rs` | the index compared with the records, and rebuilt |
//! | `replica.rs` | reads from a replica |
//! | `reindex.rs` | comparing and rebuilding derived data step by step |
//! | `organizations.rs`, `api_keys.rs` | organizations and their API keys |
//! | `watch.rs` | wakes waiting feeds |
//! | `error.rs` | converts PostgreSQL's errors |

mod api_keys;
mod append;
mod build;
mod change;
mod connection;
mod core;
mod derived;
mod erasure;
mod error;
mod index;
mod keys;
mod options;
mod organizations;
mod parts;
mod password;
#[cfg(test)]
mod plans;
mod prepared;
mod read;
mod readers;
mod refused;
mod reindex;
mod replica;
mod retention;
mod rows;
mod runtime;
mod schema;
mod scrub;
mod sealing;
mod segments;
mod sequencer;
mod staged;
mod store;
mod tls;
mod tree;
mod turns;
mod url;
mod watch;
mod writer;

pub use audit_index::DerivedFinding;

pub use crate::options::PostgresOptions;
pub use crate::staged::STAGE;
pub use crate::store::PostgresStore;
pub use crate::url::without_password;
