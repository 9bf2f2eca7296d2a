//! The tile: a small subtree whose nodes are kept side by side.

use super::NodeHash;
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
pub struct TilePlace {
    /// How many tiles are below it, on the way to the events.
    pub tier: u8,
    /// The number among the tiles of its tier, from zero.
    pub index: u64,
}

impl TilePlace {
    /// The tile that keeps node `(level, index)`.
    pub fn of(level: u8, index: u64) -> Self {
        let (tier, below) = (level / Tile::HEIGHT, level % Tile::HEIGHT);
        Self { tier, index: index >> (Tile::HEIGHT - below) }
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

    /// The hash of node `(level, index)` of the whole tree, which lies in this tile, at `place`;
    /// `None` if not all of its leaves are there.
    pub fn node(&self, place: TilePlace, level: u8, index: u64) -> Option<NodeHash> {
        let height = level.checked_sub(place.level()).filter(|height| *height < Self::HEIGHT)?;
        let first = (index << height).checked_sub(place.first_leaf())?;
        let first = usize::try_from(first).ok()?;
        super::subtree(self.leaves.get(first..first + (1 << height))?)
    }

    /// The root, once the tile is complete.
    pub fn root(&self) -> Option<NodeHash> {
        self.is_complete().then(|| super::subtree(&self.leaves)).flatten()
    }
}
