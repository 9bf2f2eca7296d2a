//! The state that the spool shares with the thread that drains it.

use audit_core::{Error, ErrorKind, Recorder};
use event_listener::Event;

use crate::backlog::Backlog;
use crate::options::SpoolOptions;

/// The state of a spool.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) store: Box<dyn Recorder>,
    pub(crate) backlog: Backlog,
    pub(crate) options: SpoolOptions,
    /// Wakes the thread.
    pub(crate) spooled: Event,
    /// Wakes callers that wait until the spool is empty.
    pub(crate) empty: Event,
}

/// Returns `true` if the fault is not that of the events.
pub(crate) fn is_away(error: &Error) -> bool {
    !matches!(error.kind(), ErrorKind::Invalid | ErrorKind::Conflict)
}
