//! The entry of a log: an event as it is kept, beside its leaf.

use super::LeafHash;
use crate::Sequence;
use crate::backend::StoredEvent;

/// An event as it is kept in its log, with what the log's tree holds of it.
///
/// It says what is there: verification asks whether `leaf` is the hash of the record, and `sequence`
/// the number that the record names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEntry {
    /// The number under which the event is kept.
    pub sequence: Sequence,
    /// The leaf that the append made of the record.
    pub leaf: LeafHash,
    /// The event.
    pub event: StoredEvent,
}
