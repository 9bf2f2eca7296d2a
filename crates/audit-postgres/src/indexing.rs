//! How events are indexed.

use audit_index::TermHasher;

/// How events are indexed.
#[derive(Clone, Debug)]
pub(crate) struct Indexing {
    pub(crate) hasher: TermHasher,
    /// How many events make a segment.
    pub(crate) segment_events: u64,
    /// The events in a tail from which on appends wait for the index.
    pub(crate) longest_tail: u64,
}
