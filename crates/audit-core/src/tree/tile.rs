//! The tile: a small subtree that a store reads and writes at once.

use super::{NodeHash, NodeId, subtree_root};
use crate::{Error, ErrorKind, Result, Sequence};

/// The nodes of a complete subtree of [`Tile::WIDTH`] leaves, without its root.
///
/// A tile's root is a leaf of the tile above it, in the next *tier*. The path from a leaf to the root
/// of 10^6 events has four tiles. A complete tile never changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tile {
    /// The leaves present so far, from the left.
    leaves: Vec<NodeHash>,
}

/// The id of a tile in a log's tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TileId {
    /// The number of tiles below it on the path to an event.
    pub tier: u8,
    /// The number among the tiles of its tier, from zero.
    pub index: u64,
}

impl TileId {
    /// Returns the tile that keeps `node`.
    pub fn of(node: NodeId) -> Self {
        let (tier, below) = (node.level / Tile::HEIGHT, node.level % Tile::HEIGHT);
        Self { tier, index: node.index >> (Tile::HEIGHT - below) }
    }

    /// Returns the level of the tile's leaves.
    pub fn level(self) -> u8 {
        self.tier * Tile::HEIGHT
    }

    /// Returns the number of the tile's first leaf within its level.
    pub fn first_leaf(self) -> u64 {
        self.index << Tile::HEIGHT
    }

    /// Returns the tile above: this tile's root is one of its leaves.
    #[must_use]
    pub fn above(self) -> Self {
        Self { tier: self.tier + 1, index: self.index >> Tile::HEIGHT }
    }
}

impl NodeId {
    /// Returns the node that identifies the first `size` events of a log; `None` for no events. It
    /// covers the last of them: it is their last leaf, or, if they fill the last [tile](Tile), the
    /// last node of their frontier.
    ///
    /// A store keeps it as long as `size` is not below the retention floor, and reads it without
    /// computing it from other nodes. Two histories of one log have different nodes from the event
    /// on at which they part: each record has a time and a salted digest of its own.
    ///
    /// ```
    /// use audit_core::{Sequence, tree::NodeId};
    ///
    /// assert_eq!(NodeId::identifying(Sequence::new(33)?), Some(NodeId::new(0, 32)));
    /// assert_eq!(NodeId::identifying(Sequence::new(64)?), Some(NodeId::new(6, 0)));
    /// # Ok::<(), audit_core::Error>(())
    /// ```
    pub fn identifying(size: Sequence) -> Option<Self> {
        if size.get().is_multiple_of(Tile::WIDTH) {
            return Self::of_frontier(size).next_back();
        }
        Some(Self::new(0, size.get() - 1))
    }
}

impl Tile {
    /// The number of levels of a tile.
    pub const HEIGHT: u8 = 5;
    /// The number of leaves of a complete tile.
    pub const WIDTH: u64 = 1 << Self::HEIGHT;

    /// Creates a tile with these leaves, at most [`Tile::WIDTH`].
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] if there are more.
    pub fn new(leaves: Vec<NodeHash>) -> Result<Self> {
        if leaves.len() as u64 > Self::WIDTH {
            return Err(Error::new(ErrorKind::Corrupt).with_context("reading a tile"));
        }
        Ok(Self { leaves })
    }

    /// Returns the leaves present so far.
    pub fn leaves(&self) -> &[NodeHash] {
        &self.leaves
    }

    /// Returns `true` if the tile has all its leaves.
    pub fn is_complete(&self) -> bool {
        self.leaves.len() as u64 == Self::WIDTH
    }

    /// Returns the hash of `node` of the whole tree, where this tile is `tile` and keeps the node;
    /// `None` if some of the node's leaves are missing.
    pub fn node(&self, tile: TileId, node: NodeId) -> Option<NodeHash> {
        let height =
            node.level.checked_sub(tile.level()).filter(|height| *height < Self::HEIGHT)?;
        let first = (node.index << height).checked_sub(tile.first_leaf())?;
        let first = usize::try_from(first).ok()?;
        subtree_root(self.leaves.get(first..first + (1 << height))?)
    }

    /// Returns the root, or `None` if the tile is not complete.
    pub fn root(&self) -> Option<NodeHash> {
        self.is_complete().then(|| subtree_root(&self.leaves)).flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_identifying_node_covers_the_last_event_and_is_retained_at_every_floor_up_to_it() {
        assert_eq!(NodeId::identifying(Sequence::ZERO), None);
        for size in (1..300).map(|size| Sequence::new(size).unwrap()) {
            let node = NodeId::identifying(size).unwrap();
            assert_eq!(node.events().1, size);
            for floor in (0..=size.get()).filter(|floor| floor.is_multiple_of(Tile::WIDTH)) {
                let floor = Sequence::new(floor).unwrap();
                assert!(node.is_retained(floor), "{size} at {floor}");
            }
        }
    }
}
