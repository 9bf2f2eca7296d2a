//! Proofs that an event is in a log, and that a log is the beginning of another.

use audit_core::{Error, Result, Sequence, Violation};
use serde::{Deserialize, Serialize};

use crate::{LeafHash, NodeHash, RootHash, TreeHead, nodes};

/// The proof that an event is in a tree: the siblings on the way from its leaf to the root.
///
/// It proves that a record with the leaf hash stands at `sequence` of the tree that has the root,
/// and nothing about when it was put there. That the tree has `size` leaves is what the head says,
/// not the proof: roots of two sizes can share a path. So a head must come from a checkpoint whose
/// signature was verified.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct InclusionProof {
    /// The number of the event.
    sequence: Sequence,
    /// The size of the tree.
    size: Sequence,
    /// The siblings, from the leaf's to that below the root.
    path: Vec<NodeHash>,
}

/// The proof that a tree is the beginning of a larger one: nothing was changed, only appended.
///
/// As with an [`InclusionProof`], the two sizes are what the heads say.
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

/// The most hashes of a proof of inclusion: the height of the largest tree.
pub(crate) const INCLUSION_HASHES: usize = 63;
/// The most hashes of a proof of consistency: a node and its siblings up to the largest root.
const CONSISTENCY_HASHES: usize = 64;

impl InclusionProof {
    /// The proof of these parts. Whether it is one, [`verify`](Self::verify) tells.
    pub fn new(sequence: Sequence, size: Sequence, path: Vec<NodeHash>) -> Self {
        Self { sequence, size, path }
    }

    /// The number of the event.
    pub fn sequence(&self) -> Sequence {
        self.sequence
    }

    /// The size of the tree.
    pub fn size(&self) -> Sequence {
        self.size
    }

    /// The siblings, from the leaf's to that below the root.
    pub fn path(&self) -> &[NodeHash] {
        &self.path
    }

    /// Checks that the record with the hash `leaf` is event [`sequence`](Self::sequence) of the
    /// tree of `head`.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](audit_core::ErrorKind::Invalid): it is not, or the proof is of another
    /// size or form.
    pub fn verify(&self, leaf: LeafHash, head: &TreeHead) -> Result<()> {
        if self.size != head.size {
            return Err(failed("size", "the size of the tree of the head"));
        }
        let index = nodes::leaf_index(self.sequence, self.size)?;
        let path = hashes(&self.path, INCLUSION_HASHES)?;
        let root = tlog_tiles::Hash(*head.root.as_bytes());
        let leaf = tlog_tiles::Hash(*leaf.as_bytes());
        tlog_tiles::check_record(&path, self.size.get(), root, index, leaf)
            .map_err(|_| failed("path", "the path from the record to the root"))
    }
}

impl ConsistencyProof {
    /// The proof of these parts. Whether it is one, [`verify`](Self::verify) tells.
    pub fn new(from: Sequence, to: Sequence, path: Vec<NodeHash>) -> Self {
        Self { from, to, path }
    }

    /// The size of the smaller tree.
    pub fn from(&self) -> Sequence {
        self.from
    }

    /// The size of the larger tree.
    pub fn to(&self) -> Sequence {
        self.to
    }

    /// The hashes of the proof, in the order of RFC 6962.
    pub fn path(&self) -> &[NodeHash] {
        &self.path
    }

    /// Checks that the tree of `old` is the beginning of that of `new`.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](audit_core::ErrorKind::Invalid): it is not, or the proof is of other
    /// sizes or form.
    pub fn verify(&self, old: &TreeHead, new: &TreeHead) -> Result<()> {
        if self.from != old.size {
            return Err(failed("from", "the size of the older tree"));
        }
        if self.to != new.size {
            return Err(failed("to", "the size of the newer tree"));
        }
        if self.from > self.to {
            return Err(nodes::out_of_range("from", 0, self.to));
        }
        let path = hashes(&self.path, CONSISTENCY_HASHES)?;
        // RFC 6962 leaves the empty tree out: it begins every other, and needs no proof.
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

/// `tlog_tiles` copies a path at each level, so a long one is refused before.
fn hashes(path: &[NodeHash], limit: usize) -> Result<Vec<tlog_tiles::Hash>> {
    if path.len() > limit {
        return Err(Error::invalid("path", Violation::TooMany { limit, actual: path.len() }));
    }
    Ok(path.iter().map(|hash| tlog_tiles::Hash(*hash.as_bytes())).collect())
}

fn failed(field: &'static str, expected: &'static str) -> Error {
    Error::malformed(field, expected).with_context("verifying a proof")
}
