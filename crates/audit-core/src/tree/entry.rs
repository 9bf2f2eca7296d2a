//! The entry of a log: a stored event and its leaf.

use super::LeafHash;
use crate::Sequence;
use crate::backend::StoredEvent;

/// A stored event and its leaf in the log's tree.
///
/// Holds the stored bytes as they are. Verification checks that `leaf` is the hash of the record and
/// that `sequence` is the number in the record.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogEntry {
    /// The number under which the event is stored.
    pub sequence: Sequence,
    /// The leaf that the append computed from the record.
    pub leaf: LeafHash,
    /// The event.
    pub event: StoredEvent,
}

impl LogEntry {
    /// Creates the entry of `event`, stored under `sequence`.
    pub fn new(sequence: Sequence, leaf: LeafHash, event: StoredEvent) -> Self {
        Self { sequence, leaf, event }
    }
}
