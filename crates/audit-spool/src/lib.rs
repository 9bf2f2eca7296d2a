//! A durable local spool in front of an audit store that may be away.
//!
//! A [`Spool`] is a [`Recorder`](audit_core::Recorder). It hands events to its store. If the store fails
//! for a reason that is not the events' own, it writes them to a local file instead, durably, and a thread
//! brings them to the store when it is back: once, and in the order in which they were accepted.
//!
//! ```no_run
//! use audit_core::{Accepted, Actor, AuditStore, Log, NewEvent, Recorder, Result};
//! use audit_spool::Spool;
//!
//! async fn record(store: std::sync::Arc<dyn AuditStore>) -> Result<()> {
//!     let spool = Spool::open("/var/lib/billing/audit-spool", store)?;
//!     let event = NewEvent::new("invoice.paid", Actor::user("u_7"));
//!     match spool.accept(Log::Platform, vec![event]).await? {
//!         Accepted::Spooled => println!("the store is away; {} events wait", spool.pending()),
//!         _ => println!("recorded"),
//!     }
//!     Ok(())
//! }
//! ```
//!
//! # What is promised
//! - What was accepted reaches its log, whatever dies: the file is a store of `audit-sqlite`, which returns
//!   when its bytes are durable.
//! - It reaches it once, because the store recognizes the id of an event that it has. (If retention has removed the
//!   event from the store before the spool is done with it, the store no longer does.)
//! - While events of a log wait, later ones of that log wait behind them, so that their order stays.
//! - An event without a time has the time at which it was spooled.
//! - At most [`SpoolOptions::with_max_events`] events wait. Beyond that the spool refuses as the store does.
//! - The file is deleted when no event waits: it holds personal data that the store can erase.
//!
//! An event whose id the store holds with other content cannot be refused any more: it gets another id, and the
//! attribute `spool.conflict` with its own.
//!
//! | file | noun |
//! |---|---|
//! | `spool.rs` | the spool, as a recorder |
//! | `options.rs` | its options |
//! | `backlog.rs` | the events that wait, and their file |
//! | `shared.rs` | what both share |
//! | `drain.rs` | the thread that brings them to the store |

mod backlog;
mod drain;
mod options;
mod shared;
mod spool;

pub use crate::options::{SpoolNotice, SpoolOptions};
pub use crate::spool::Spool;
