//! The node of a tree, and its id.

use super::NodeHash;
use crate::Sequence;

/// The id of a node: the root of the complete subtree that holds the events
/// `index × 2^level + 1` to `(index + 1) × 2^level`. Level 0 is the leaves. A coordinate: it has these
/// two parts and gains none.
///
/// ```
/// use audit_core::tree::NodeId;
///
/// let (first, last) = NodeId::new(3, 2).events();
/// assert_eq!((first.get(), last.get()), (17, 24));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId {
    /// The height above the leaves.
    pub level: u8,
    /// The number among the nodes of that level, from zero.
    pub index: u64,
}

/// A complete subtree: its id and the hash of its root.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Node {
    /// The id.
    pub id: NodeId,
    /// The hash.
    pub hash: NodeHash,
}

impl NodeId {
    /// Returns the id of the node `index` of `level`.
    pub const fn new(level: u8, index: u64) -> Self {
        Self { level, index }
    }

    /// Returns the first and the last event of the subtree. Both stop at [`Sequence::MAX`].
    pub fn events(self) -> (Sequence, Sequence) {
        let end = |index: u128| {
            let end = index << self.level.min(63);
            u64::try_from(end).ok().and_then(|end| Sequence::new(end).ok()).unwrap_or(Sequence::MAX)
        };
        (end(self.index.into()).next(), end(u128::from(self.index) + 1))
    }

    /// Returns the largest complete subtrees of a tree of `size` events, from the left.
    pub fn of_frontier(size: Sequence) -> impl DoubleEndedIterator<Item = Self> {
        let size = size.get();
        (0..64_u8)
            .rev()
            .filter(move |level| size >> level & 1 == 1)
            .map(move |level| Self::new(level, (size >> level) - 1))
    }

    /// Returns whether a store keeps the node after retention removed the first `pruned` events.
    ///
    /// With the nodes for which this is `true` a store can still prove that each remaining event is
    /// in each tree that holds it, and that any two trees of at least `pruned` events are
    /// consistent.
    pub fn is_retained(self, pruned: Sequence) -> bool {
        if self.level > 62 {
            return false; // no tree has such a node
        }
        let reaches_further = (u128::from(self.index) + 1) << self.level > u128::from(pruned.get());
        let above = pruned.get() >> self.level;
        reaches_further || (above & 1 == 1 && self.index == above - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_names_its_events() {
        let events = |level, index| {
            let (first, last) = NodeId::new(level, index).events();
            (first.get(), last.get())
        };
        assert_eq!(events(0, 0), (1, 1));
        assert_eq!(events(3, 2), (17, 24));
        assert_eq!(events(255, u64::MAX), (Sequence::MAX.get(), Sequence::MAX.get()));
    }
}
