//! A durable local queue in front of an audit store that may be unavailable.
//!
//! A [`Spool`] is a [`Recorder`](audit_core::Recorder). It hands events to its store. If the store fails
//! for another reason than the events themselves, it writes them durably to a local file, and a thread
//! delivers them to the store when it is back: once, and in the order in which they were accepted.
//!
//! ```no_run
//! use audit_core::{Accepted, Actor, AuditStore, Log, NewEvent, Recorder, Result};
//! use audit_spool::Spool;
//!
//! async fn record(store: std::sync::Arc<dyn AuditStore>) -> Result<()> {
//!     let spool = Spool::open("/var/lib/billing/audit-spool", store)?;
//!     let event = NewEvent::new("invoice.paid", Actor::user("u_7"));
//!     match spool.accept(Log::Platform, vec![event]).await? {
//!         Accepted::Spooled => println!("the store is unavailable; {} events wait", spool.pending()),
//!         _ => println!("recorded"),
//!     }
//!     Ok(())
//! }
//! ```
//!
//! # What is promised
//! - Accepted events reach their log, even if the process or the machine is stopped: the file is a store of
//!   `audit-sqlite`, which returns when its bytes are durable.
//! - They reach it once, because the store recognizes the id of an event that it has. (If retention removes the
//!   event from the store before the spool is done with it, the store no longer does.)
//! - While events of a log wait, later ones of that log wait after them, so that their order stays.
//! - An event without a time has the time at which it was spooled.
//! - At most [`SpoolOptions::with_max_events`] events wait. Beyond that the spool refuses as the store does.
//! - The file is deleted when no event waits: it holds personal data that the store can erase.
//!
//! An event whose id the store holds with other content was already accepted, so it is not refused: it gets
//! another id, and the attribute `spool.conflict` with its own.
//!
//! | file | noun |
//! |---|---|
//! | `spool.rs` | the spool, as a recorder |
//! | `options.rs` | its options |
//! | `backlog.rs` | the events that wait, and their file |
//! | `shared.rs` | the state that both share |
//! | `drain.rs` | the thread that brings them to the store |

mod backlog;
mod drain;
mod options;
mod shared;
mod spool;

pub use crate::options::{SpoolNotice, SpoolOptions};
pub use crate::spool::Spool;
