//! Assertions on audit logs, for the tests of services.
//!
//! ```
//! use audit_core::{Actor, AuditStoreExt, Log, NewEvent};
//! use audit_memory::MemoryStore;
//! use audit_testing::{assert_audited, assert_not_audited, content_eq};
//! use futures_executor::block_on;
//!
//! let store = MemoryStore::new()?;
//! let event = NewEvent::new("invoice.paid", Actor::user("u_7")).target("invoice", "inv_9");
//! block_on(store.record(Log::Platform, event.clone()))?;
//!
//! let recorded = assert_audited!(&store, Log::Platform, action = "invoice.paid", actor = "u_7");
//! assert_not_audited!(&store, Log::Platform, action = "invoice.cancelled");
//! assert!(content_eq(&recorded, &event)); // without ids and times
//! # Ok::<(), audit_core::Error>(())
//! ```
//!
//! [`assert_no_drift`] compares all events of a store with the catalogue of the service's actions.
//!
//! They work with every store, in tests with and without a runtime: they block until the store answers.
//!
//! | file | noun |
//! |---|---|
//! | `expectation.rs` | an expectation about a log |
//! | `content.rs` | events without their ids and times |
//! | `drift.rs` | where the events of tests and a catalogue differ |

mod content;
mod drift;
mod expectation;

pub use crate::content::{Content, content_eq};
pub use crate::drift::{Drift, assert_no_drift};
pub use crate::expectation::Expectation;

/// Fails a test.
#[track_caller]
#[allow(clippy::panic)] // which is how an assertion fails
fn fail(message: &str) -> ! {
    panic!("{message}")
}

/// Panics unless a log has an event that meets all conditions, and returns the last one. The message
/// has the latest events of the log.
///
/// | condition | meaning |
/// |---|---|
/// | `action = "invoice.paid"` | the action; `"invoice.*"` for all that begin with `invoice.` |
/// | `actor = "u_7"` | the id of the actor |
/// | `target = ("invoice", "inv_9")` | the type and the id of a target |
/// | `outcome = "success"` | the result |
/// | `attribute = ("plan", "pro")` | an attribute |
/// | `count = 1` | exactly this number of events meets the conditions |
///
/// See the [crate](crate) for an example.
#[macro_export]
macro_rules! assert_audited {
    ($store:expr, $log:expr $(, $condition:ident = $value:expr)* $(,)?) => {
        $crate::Expectation::new()$(.$condition($value))*.check($store, $log)
    };
}

/// Panics if a log has an event that meets all conditions. See [`assert_audited`].
#[macro_export]
macro_rules! assert_not_audited {
    ($store:expr, $log:expr $(, $condition:ident = $value:expr)* $(,)?) => {
        $crate::Expectation::new()$(.$condition($value))*.check_none($store, $log)
    };
}
