//! Faults of derived data.

use std::fmt;

use audit_core::Sequence;

/// Derived data of a log that does not match its records, from which it can be
/// [rebuilt](crate::IndexWriter::repair). The records are not concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DerivedFinding {
    /// The directory of the index does not have each event once.
    Directory,
    /// A segment of the index.
    Segment {
        /// The first event of the segment.
        first: Sequence,
        /// The last event of the segment.
        last: Sequence,
    },
    /// The tail of the index: the newest events.
    Tail {
        /// The first event of the tail.
        first: Sequence,
        /// The last event of the log.
        last: Sequence,
    },
    /// The id of an event does not lead to it.
    EventId {
        /// The event.
        sequence: Sequence,
    },
    /// An id leads to an event that has another.
    UnknownId {
        /// The id.
        id: audit_core::EventId,
    },
}

impl fmt::Display for DerivedFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory => f.write_str("the directory of the index is damaged"),
            Self::Segment { first, last } => {
                write!(f, "the index of the events {first} to {last} does not match them (segment)")
            }
            Self::Tail { first, last } if first > last => {
                f.write_str("the head of the log does not match the index (tail)")
            }
            Self::Tail { first, last } => {
                write!(f, "the index of the events {first} to {last} does not match them (tail)")
            }
            Self::EventId { sequence } => {
                write!(f, "event {sequence} is not found by its id")
            }
            Self::UnknownId { id } => {
                write!(f, "the id {id} is listed and belongs to no event")
            }
        }
    }
}
