//! What an append returns, and the end of a log.

use serde::{Deserialize, Serialize};

use crate::{EventId, LeafHash, Sequence, Timestamp};

/// Where an appended event stands in its log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Receipt {
    /// The event's id.
    pub id: EventId,
    /// The event's number in its log.
    pub sequence: Sequence,
    /// When the store took it in.
    pub recorded_at: Timestamp,
    /// The hash of its record, a leaf of the log's tree: kept elsewhere, it proves later that this
    /// very record was in the log.
    pub leaf: LeafHash,
    /// Whether the log held the event already: the other fields are then those of the first time.
    pub redelivered: bool,
}

/// The end of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The number of the last event; zero in an empty log.
    pub size: Sequence,
    /// When the last event was taken in.
    pub recorded_at: Timestamp,
    /// The number of the last event that retention has removed; zero if it has removed none.
    pub pruned: Sequence,
}

impl Default for Head {
    /// The head of an empty log.
    fn default() -> Self {
        Self { size: Sequence::ZERO, recorded_at: Timestamp::MIN, pruned: Sequence::ZERO }
    }
}
