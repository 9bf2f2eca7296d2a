//! The head of a tree: its size and its root.

use serde::{Deserialize, Serialize};

use super::RootHash;
use crate::Sequence;

/// The size of a log and its root at that size: all that a proof is checked against.
///
/// It is worth as much as the place that it comes from. Whoever wants to trust it takes it from a
/// checkpoint whose signature was verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct TreeHead {
    /// The number of events.
    pub size: Sequence,
    /// The root of the tree of that many events.
    pub root: RootHash,
}

impl TreeHead {
    /// The head of an empty log.
    pub const EMPTY: Self = Self { size: Sequence::ZERO, root: RootHash::EMPTY };
}

impl Default for TreeHead {
    /// The head of an empty log.
    fn default() -> Self {
        Self::EMPTY
    }
}
