//! The receipt that an append returns, and the head of a log.

use serde::{Deserialize, Serialize};

use crate::{EventId, LeafHash, Sequence, Timestamp};

/// The receipt of an appended event: its number, its time and its leaf.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Receipt {
    /// The event's id.
    pub id: EventId,
    /// The event's number in its log.
    pub sequence: Sequence,
    /// The time at which the store recorded it.
    pub recorded_at: Timestamp,
    /// The hash of its record, a leaf of the log's tree. Kept elsewhere, it proves later that this
    /// record was in the log.
    pub leaf: LeafHash,
    /// `true` if the log held the event already. The other fields are then those of the first
    /// append.
    pub redelivered: bool,
}

/// The head of a log: its size, its last time, and how far it was pruned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Head {
    /// The number of the last event; zero in an empty log.
    pub size: Sequence,
    /// The time at which the last event was recorded.
    pub recorded_at: Timestamp,
    /// The number of the last event that retention removed; zero if it removed none.
    pub pruned: Sequence,
}

impl Head {
    /// Creates the head of a log whose last event is `size`, recorded at `recorded_at`, and of which
    /// nothing was pruned.
    pub const fn new(size: Sequence, recorded_at: Timestamp) -> Self {
        Self { size, recorded_at, pruned: Sequence::ZERO }
    }

    /// Sets the number of the last event that retention removed.
    #[must_use]
    pub const fn pruned(mut self, sequence: Sequence) -> Self {
        self.pruned = sequence;
        self
    }
}

impl Default for Head {
    /// Returns the head of an empty log.
    fn default() -> Self {
        Self::new(Sequence::ZERO, Timestamp::MIN)
    }
}
