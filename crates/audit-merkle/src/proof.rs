//! Proofs that an event is in a log, and that a log begins with another.

use audit_core::{Error, Result, Sequence, Violation};
use serde::{Deserialize, Serialize};

use crate::{LeafHash, NodeHash, RootHash, TreeHead};

/// Proves that an event is in a tree: the siblings on the path from its leaf to the root.
///
/// Proves that the record with the leaf hash is event `sequence` of the tree with the root, and
/// nothing about the time of its append. The proof does not show that the tree has `size` leaves,
/// since roots of two sizes can share a path: take the head from a checkpoint whose signature was
/// verified.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct InclusionProof {
    /// The sequence number of the event.
    sequence: Sequence,
    /// The size of the tree.
    size: Sequence,
    /// The siblings, from the leaf's to the one below the root.
    path: Vec<NodeHash>,
}

/// Proves that a tree begins with a smaller one: events were appended, and nothing was changed.
///
/// As with an [`InclusionProof`], the sizes must come from trusted heads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ConsistencyProof {
    /// The size of the smaller tree.
    from: Sequence,
    /// The size of the larger tree.
    to: Sequence,
    /// The hashes, in the order of RFC 6962.
    path: Vec<NodeHash>,
}

/// The highest number of hashes of an inclusion proof: the height of the largest tree.
pub(crate) const INCLUSION_HASHES: usize = 63;
/// The highest number of hashes of a consistency proof: a node and its siblings up to the root.
const CONSISTENCY_HASHES: usize = 64;

impl InclusionProof {
    /// Creates a proof of its parts, unverified: see [`verify`](Self::verify).
    pub fn new(sequence: Sequence, size: Sequence, path: Vec<NodeHash>) -> Self {
        Self { sequence, size, path }
    }

    /// Returns the sequence number of the event.
    pub fn sequence(&self) -> Sequence {
        self.sequence
    }

    /// Returns the size of the tree.
    pub fn size(&self) -> Sequence {
        self.size
    }

    /// Returns the siblings, from the leaf's to the one below the root.
    pub fn path(&self) -> &[NodeHash] {
        &self.path
    }

    /// Checks that the record with the hash `leaf` is event [`sequence`](Self::sequence) of the
    /// tree of `head`.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](audit_core::ErrorKind::Invalid) if it is not, or if the proof has
    /// another size or form: field `size`, `sequence` or `path`.
    pub fn verify(&self, leaf: LeafHash, head: &TreeHead) -> Result<()> {
        if self.size != head.size {
            return Err(failed("size", "the size of the tree of the head"));
        }
        let index = leaf_index(self.sequence, self.size)?;
        let path = hashes(&self.path, INCLUSION_HASHES)?;
        let root = tlog_tiles::Hash(*head.root.as_bytes());
        let leaf = tlog_tiles::Hash(*leaf.as_bytes());
        tlog_tiles::check_record(&path, self.size.get(), root, index, leaf)
            .map_err(|_| failed("path", "the path from the record to the root"))
    }
}

impl ConsistencyProof {
    /// Creates a proof of its parts, unverified: see [`verify`](Self::verify).
    pub fn new(from: Sequence, to: Sequence, path: Vec<NodeHash>) -> Self {
        Self { from, to, path }
    }

    /// Returns the size of the smaller tree.
    pub fn from(&self) -> Sequence {
        self.from
    }

    /// Returns the size of the larger tree.
    pub fn to(&self) -> Sequence {
        self.to
    }

    /// Returns the hashes of the proof, in the order of RFC 6962.
    pub fn path(&self) -> &[NodeHash] {
        &self.path
    }

    /// Checks that the tree of `new` begins with the tree of `old`.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](audit_core::ErrorKind::Invalid) if it does not, or if the proof has
    /// other sizes or another form: field `from`, `to` or `path`.
    pub fn verify(&self, old: &TreeHead, new: &TreeHead) -> Result<()> {
        if self.from != old.size {
            return Err(failed("from", "the size of the older tree"));
        }
        if self.to != new.size {
            return Err(failed("to", "the size of the newer tree"));
        }
        if self.from > self.to {
            return Err(out_of_range("from", 0, self.to));
        }
        let path = hashes(&self.path, CONSISTENCY_HASHES)?;
        // RFC 6962 has no proof from the empty tree. Every tree begins with it.
        let proves = if self.from == Sequence::ZERO {
            let has_root =
                |head: &TreeHead| head.size != Sequence::ZERO || head.root == RootHash::EMPTY;
            path.is_empty() && has_root(old) && has_root(new)
        } else {
            let root = |head: &TreeHead| tlog_tiles::Hash(*head.root.as_bytes());
            let (to, from) = (self.to.get(), self.from.get());
            tlog_tiles::check_tree(&path, to, root(new), from, root(old)).is_ok()
        };
        if proves { Ok(()) } else { Err(failed("path", "a path that joins both roots")) }
    }
}

/// Returns the index of the leaf of event `sequence` in the tree of the first `size` events.
pub(crate) fn leaf_index(sequence: Sequence, size: Sequence) -> Result<u64> {
    match sequence.get().checked_sub(1) {
        Some(index) if index < size.get() => Ok(index),
        _ => Err(out_of_range("sequence", 1, size)),
    }
}

/// Returns the error for a number that is not from `min` to `max`.
pub(crate) fn out_of_range(field: &'static str, min: i64, max: Sequence) -> Error {
    Error::invalid(field, Violation::OutOfRange { min, max: max.get().cast_signed() })
}

/// Converts a path, and refuses a long one: `tlog_tiles` copies it at each level.
fn hashes(path: &[NodeHash], limit: usize) -> Result<Vec<tlog_tiles::Hash>> {
    if path.len() > limit {
        return Err(Error::invalid("path", Violation::TooMany { limit, actual: path.len() }));
    }
    Ok(path.iter().map(|hash| tlog_tiles::Hash(*hash.as_bytes())).collect())
}

fn failed(field: &'static str, expected: &'static str) -> Error {
    Error::malformed(field, expected).with_context("verifying a proof")
}
