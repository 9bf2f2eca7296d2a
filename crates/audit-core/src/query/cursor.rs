//! The cursor of a token: a position, and the history of the log to which the position belongs.

use crate::tree::{NodeHash, NodeId, Tile};
use crate::{Position, Sequence};

/// The position at which a walk or a feed continues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cursor {
    pub(crate) last: Position,
    pub(crate) bound: Sequence,
    /// The history of the log up to `bound`.
    pub(crate) history: HistoryMark,
}

/// Identifies the first events of a log: the first bytes of the leaf of the last of them, or, if they
/// fill the last tile, of the last node of the [frontier](crate::tree::Frontier) at that size; zeros for
/// no events.
///
/// Two histories of one log have different marks from the event on at which they part: the node
/// covers the last event, whose record has a time and a salted digest of its own. The node is
/// retained as long as the size is not below the retention floor, a multiple of the tile's width.
/// Stores read it without computing it from others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct HistoryMark([u8; Self::BYTES]);

impl HistoryMark {
    pub(crate) const BYTES: usize = 12;

    /// Returns the node that identifies the first `size` events; `None` for no events.
    pub(crate) fn node(size: Sequence) -> Option<NodeId> {
        if size.get().is_multiple_of(Tile::WIDTH) {
            return NodeId::of_frontier(size).next_back();
        }
        Some(NodeId::new(0, size.get() - 1))
    }

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_node_covers_the_last_event_and_is_retained_at_every_floor_up_to_it() {
        assert_eq!(HistoryMark::node(Sequence::ZERO), None);
        for size in (1..300).map(|size| Sequence::new(size).unwrap()) {
            let node = HistoryMark::node(size).unwrap();
            assert_eq!(node.events().1, size);
            for floor in (0..=size.get()).filter(|floor| floor.is_multiple_of(Tile::WIDTH)) {
                let floor = Sequence::new(floor).unwrap();
                assert!(node.is_retained(floor), "{size} at {floor}");
            }
        }
    }
}
