//! The tile: a small subtree whose nodes are kept side by side.

use super::{NodeHash, NodeId};
use crate::{Error, ErrorKind, Result};

/// The nodes of a complete subtree of [`Tile::WIDTH`] leaves, below its root: what a store reads or
/// writes at once.
///
/// A tile's root is a leaf of the tile above it, in the next *tier*. So a way from a leaf to the
/// root of 10^6 events goes through four tiles, and a tile that is complete is never changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tile {
    /// The leaves of the tile that are there, from the left.
    leaves: Vec<NodeHash>,
}

/// Which tile of a log's tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TileId {
    /// How many tiles are below it, on the way to the events.
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

    /// The level of the tile's leaves.
    pub fn level(self) -> u8 {
        self.tier * Tile::HEIGHT
    }

    /// The number, within their level, of the first of the tile's leaves.
    pub fn first_leaf(self) -> u64 {
        self.index << Tile::HEIGHT
    }

    /// The tile above, of which this one's root is a leaf.
    #[must_use]
    pub fn above(self) -> Self {
        Self { tier: self.tier + 1, index: self.index >> Tile::HEIGHT }
    }
}

impl Tile {
    /// The levels of a tile.
    pub const HEIGHT: u8 = 5;
    /// The leaves of a tile.
    pub const WIDTH: u64 = 1 << Self::HEIGHT;

    /// The tile of these leaves, at most [`Tile::WIDTH`] of them.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] if there are more.
    pub fn new(leaves: Vec<NodeHash>) -> Result<Self> {
        if leaves.len() as u64 > Self::WIDTH {
            return Err(Error::new(ErrorKind::Corrupt).with_context("reading a tile"));
        }
        Ok(Self { leaves })
    }

    /// The leaves that are there.
    pub fn leaves(&self) -> &[NodeHash] {
        &self.leaves
    }

    /// Whether all leaves are there.
    pub fn is_complete(&self) -> bool {
        self.leaves.len() as u64 == Self::WIDTH
    }

    /// Returns the hash of `node` of the whole tree, where this tile is `tile` and keeps the node;
    /// `None` if not all of the node's leaves are there.
    pub fn node(&self, tile: TileId, node: NodeId) -> Option<NodeHash> {
        let height =
            node.level.checked_sub(tile.level()).filter(|height| *height < Self::HEIGHT)?;
        let first = (node.index << height).checked_sub(tile.first_leaf())?;
        let first = usize::try_from(first).ok()?;
        super::subtree_root(self.leaves.get(first..first + (1 << height))?)
    }

    /// The root, once the tile is complete.
    pub fn root(&self) -> Option<NodeHash> {
        self.is_complete().then(|| super::subtree_root(&self.leaves)).flatten()
    }
}
