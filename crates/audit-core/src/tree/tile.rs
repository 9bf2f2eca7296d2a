//! The tile: a small subtree that a store reads and writes at once.

use super::{NodeHash, NodeId, subtree_root};
use crate::{Error, ErrorKind, Result};

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
