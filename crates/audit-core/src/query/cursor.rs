//! The cursor of a token: a position, and the history of the log to which the position belongs.

use crate::tree::NodeHash;
use crate::{Position, Sequence};

/// The position at which a walk or a feed continues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cursor {
    pub(crate) last: Position,
    pub(crate) bound: Sequence,
    /// The history of the log up to `bound`.
    pub(crate) history: HistoryMark,
}

/// Identifies the first events of a log: the first bytes of the node that
/// [identifies](crate::tree::NodeId::identifying) them; zeros for no events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct HistoryMark([u8; Self::BYTES]);

impl HistoryMark {
    pub(crate) const BYTES: usize = 12;

    /// Returns the mark that this node gives.
    pub(crate) fn of(node: NodeHash) -> Self {
        node.as_bytes().first_chunk().copied().map(Self).unwrap_or_default()
    }

    pub(crate) const fn from_bytes(bytes: [u8; Self::BYTES]) -> Self {
        Self(bytes)
    }

    pub(crate) const fn as_bytes(&self) -> &[u8; Self::BYTES] {
        &self.0
    }
}
