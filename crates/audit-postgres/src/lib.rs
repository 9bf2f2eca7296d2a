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
//! | `tenants.rs` | the store of organizations and API keys |
//! | `options.rs` | the options of a store |
//! | `url.rs` | the URL of a database |
//! | `password.rs` | the password that a URL does not have |
//! | `tls.rs` | what a connection asks of the server's certificate |
//! | `schema.rs`, `events.sql` | the tables and their version |
//! | `settings.rs` | the settings of the server, and those of a transaction |
//! | `runtime.rs` | the threads on which a store works |
//! | `core.rs` | what the tasks of a store share |
//! | `connection.rs` | connections, and the statements that are run on them |
//! | `prepared.rs` | the statements that a connection can prepare |
//! | `turns.rs`, `readers.rs` | the connections for reads, which owners get in turn |
//! | `writer.rs` | the one task that appends, with group commit |
//! | `append.rs` | the write transaction |
//! | `lock.rs` | the locks of logs, which a write transaction begins with |
//! | `log_end.rs` | the end of a log that is locked, with the events added |
//! | `rows.rs` | the rows that an append writes |
//! | `segments.rs` | the segments that appends of many events write themselves |
//! | `change.rs` | transactions that write more than events |
//! | `retry.rs` | trying a transaction again |
//! | `stage.rs`, `staged.sql` | the statement by which callers stage events |
//! | `capture.sql` | triggers that stage the changes of tables |
//! | `staged.rs` | the staged events |
//! | `intake.rs` | staged events, taken into their logs or set aside |
//! | `sequencer.rs` | the task that takes them in |
//! | `refused.rs` | the events that were set aside |
//! | `log_row.rs` | the row of a log |
//! | `log_state.rs` | what a read begins with |
//! | `read.rs` | reads of heads, of logs and of single events |
//! | `events.rs` | reads of events by their sequences |
//! | `scan.rs` | scans, each from one snapshot |
//! | `first_rows.rs` | what a scan reads first |
//! | `snapshot.rs` | the index as a scan sees it |
//! | `indexing.rs` | how events are indexed |
//! | `index.rs` | the storage of the index, for those who write it |
//! | `parts.rs` | the parts of segments |
//! | `build.rs` | building the index of a log |
//! | `builds.rs`, `builder.rs` | the builds that are asked for, and the task that does them |
//! | `vacuum.rs` | the `VACUUM` after merges |
//! | `tiles.rs` | the nodes of the Merkle tree of a log |
//! | `tree.rs` | what the tree of a log is asked for |
//! | `sealing.rs` | encryption of personal data, so that erasure reaches every byte |
//! | `keys.rs` | where the keys of personal data are kept |
//! | `erasure.rs` | erasure |
//! | `scrub.rs` | the `VACUUM` after an erasure |
//! | `retention.rs` | retention and pruning |
//! | `derived.rs` | the index compared with the records, and rebuilt |
//! | `reindex.rs` | comparing and rebuilding derived data step by step |
//! | `replica.rs` | the replica |
//! | `organizations.rs`, `api_keys.rs` | organizations and their API keys |
//! | `followers.rs` | the states of followers |
//! | `watch.rs` | wakes waiting feeds |
//! | `error.rs` | converts PostgreSQL's errors |

mod api_keys;
mod append;
mod build;
mod builder;
mod builds;
mod change;
mod connection;
mod core;
mod derived;
mod erasure;
mod error;
mod events;
mod first_rows;
mod followers;
mod index;
mod indexing;
mod intake;
mod keys;
mod lock;
mod log_end;
mod log_row;
mod log_state;
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
mod retry;
mod rows;
mod runtime;
mod scan;
mod schema;
mod scrub;
mod sealing;
mod segments;
mod sequencer;
mod settings;
mod snapshot;
mod stage;
mod staged;
mod store;
mod tenants;
mod tiles;
mod tls;
mod tree;
mod turns;
mod url;
mod vacuum;
mod watch;
mod writer;

pub use audit_index::DerivedFinding;

pub use crate::options::PostgresOptions;
pub use crate::stage::STAGE;
pub use crate::store::PostgresStore;
pub use crate::url::without_password;
