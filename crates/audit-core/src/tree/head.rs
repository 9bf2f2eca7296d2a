//! The head of a tree: its size and its root.

use serde::{Deserialize, Serialize};

use super::RootHash;
use crate::Sequence;

/// The size of a log and its root at that size. Proofs are verified against it.
///
/// A head is only as trustworthy as its origin: take it from a checkpoint whose signature you
/// verified.
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
    /// Returns the head of an empty log.
    fn default() -> Self {
        Self::EMPTY
    }
}
