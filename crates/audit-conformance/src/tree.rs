//! The tree of a log, worked out from its leaves as RFC 6962 defines it, with nothing of core's.

use audit_core::tree::NodeId;
use audit_core::{LeafHash, RootHash, Sequence, TreeHead, backend::StoredEvent, tree::NodeHash};
use sha2::{Digest as _, Sha256};

type Hash = [u8; 32];

/// The leaves of a log, those of events that are pruned included.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tree {
    leaves: Vec<Hash>,
}

impl Tree {
    /// Returns the tree of the records of these events.
    pub(crate) fn of<'a>(events: impl IntoIterator<Item = &'a StoredEvent>) -> Self {
        let leaves = events.into_iter().map(leaf).collect();
        Self { leaves }
    }

    pub(crate) fn push(&mut self, event: &StoredEvent) {
        self.leaves.push(leaf(event));
    }

    pub(crate) fn push_leaf(&mut self, leaf: LeafHash) {
        self.leaves.push(*leaf.as_bytes());
    }

    pub(crate) fn size(&self) -> u64 {
        self.leaves.len() as u64
    }

    /// Returns the hash of the record of event `number`.
    pub(crate) fn leaf(&self, number: u64) -> LeafHash {
        LeafHash::from_bytes(self.leaves[usize::try_from(number).unwrap() - 1])
    }

    /// Returns the size and the root of the tree of the first `size` events.
    pub(crate) fn head(&self, size: u64) -> TreeHead {
        let root = root(&self.leaves[..usize::try_from(size).unwrap()]);
        TreeHead { size: Sequence::new(size).unwrap(), root: RootHash::from_bytes(root) }
    }

    /// Returns a node; `None` if it is not complete.
    pub(crate) fn node(&self, id: NodeId) -> Option<NodeHash> {
        let width = 1_u128.checked_shl(id.level.into())?;
        let first = u128::from(id.index).checked_mul(width)?;
        let range = usize::try_from(first).ok()?..usize::try_from(first + width).ok()?;
        self.leaves.get(range).map(|leaves| NodeHash::from_bytes(root(leaves)))
    }

    /// Returns the ids of all complete nodes.
    pub(crate) fn complete(&self) -> Vec<NodeId> {
        let size = self.size();
        (0..64)
            .flat_map(|level| (0..size >> level).map(move |index| NodeId::new(level, index)))
            .collect()
    }
}

fn leaf(event: &StoredEvent) -> Hash {
    Sha256::new().chain_update([0]).chain_update(&event.record).finalize().into()
}

fn root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => Sha256::digest(b"").into(),
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
            let hash = Sha256::new().chain_update([1]);
            hash.chain_update(root(left)).chain_update(root(right)).finalize().into()
        }
    }
}
