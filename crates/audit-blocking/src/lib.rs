//! Blocking calls of audit stores, for command-line programs, cron jobs and threads of their own.
//!
//! ```
//! use audit_blocking::BlockingExt;
//! use audit_core::{Actor, AuditContext, EventQuery, Filter, Log, NewEvent};
//! use audit_memory::MemoryStore; // or any other
//!
//! let store = MemoryStore::new()?;
//! AuditContext::new(Actor::new("service").id("nightly")).sync_scope(|| {
//!     // The books are closed here.
//!     store.blocking().record(Log::Platform, NewEvent::here("books.closed")?)?;
//!     Ok::<_, audit_core::Error>(())
//! })?;
//!
//! let closed = EventQuery::new(Log::Platform).filter(Filter::new().action("books.*"));
//! for event in store.blocking().walk(closed) {
//!     println!("{}", event?.action);
//! }
//! # Ok::<(), audit_core::Error>(())
//! ```
//!
//! No runtime is needed: the stores work on their own threads, and the calling thread sleeps until they
//! answer. [`run`] is for all other calls: `run(store.prune(…))`.
//!
//! # Not inside async code
//! A blocking call would stop other tasks there. So it does nothing and returns an error with the field
//! `thread`, on all threads of tokio, including those of `spawn_blocking`: use
//! `Handle::current().block_on(…)` on these. Without the feature `tokio` (default), tokio's threads are not
//! recognized.
//!
//! | file | noun |
//! |---|---|
//! | `blocking.rs` | the calls of a store |
//! | `run.rs` | the thread that waits |

mod blocking;
mod run;

pub use crate::blocking::{Blocking, BlockingExt, Walk};
pub use crate::run::run;
