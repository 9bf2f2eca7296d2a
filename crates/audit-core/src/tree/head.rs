//! The head of a tree: its size and its root.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::RootHash;
use crate::{Error, Result, Sequence, Violation};

/// How many events a log, or the beginning of one, holds: the number of its last event.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(try_from = "u64", into = "u64")]
pub struct TreeSize(u64);

impl TreeSize {
    /// No events.
    pub const ZERO: Self = Self(0);
    /// The most events of a log: [`Sequence::MAX`].
    pub const MAX: Self = Self(Sequence::MAX.get());

    /// `size` events, at most [`TreeSize::MAX`].
    pub fn new(size: u64) -> Result<Self> {
        if size > Self::MAX.0 {
            return Err(Error::invalid("size", Violation::OutOfRange { min: 0, max: i64::MAX }));
        }
        Ok(Self(size))
    }

    /// The number of events.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// One more event.
    pub(crate) fn next(self) -> Result<Self> {
        Self::new(self.0.saturating_add(1))
    }
}

impl From<Sequence> for TreeSize {
    fn from(last: Sequence) -> Self {
        Self(last.get())
    }
}

impl TryFrom<u64> for TreeSize {
    type Error = Error;

    fn try_from(size: u64) -> Result<Self> {
        Self::new(size)
    }
}

impl From<TreeSize> for u64 {
    fn from(size: TreeSize) -> Self {
        size.0
    }
}

impl fmt::Display for TreeSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The size of a log and its root at that size: all that a proof is checked against.
///
/// It is worth as much as the place that it comes from. Whoever wants to trust it takes it from a
/// checkpoint whose signature was verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct TreeHead {
    /// The number of events.
    pub size: TreeSize,
    /// The root of the tree of that many events.
    pub root: RootHash,
}

impl TreeHead {
    /// The head of an empty log.
    pub const EMPTY: Self = Self { size: TreeSize::ZERO, root: RootHash::EMPTY };
}

impl Default for TreeHead {
    /// The head of an empty log.
    fn default() -> Self {
        Self::EMPTY
    }
}
