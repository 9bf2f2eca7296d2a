//! The tree of a log: what proves that nothing in it was altered.
//!
//! The records of a [`Log`](crate::Log) are the leaves of a Merkle tree as RFC 6962 and RFC 9162
//! have it. It grows as events are appended ([`Batch::place`](crate::Batch::place)): a store keeps
//! the [`Frontier`] with the end of the log, and the nodes that each append completes. Proofs,
//! checkpoints and verification are made of them by the crate `audit-merkle`.
//!
//! A node is named by its level above the leaves and by its number within the level, from zero:
//! node `(level, index)` holds the events `index × 2^level + 1` to `(index + 1) × 2^level`. Level 0
//! is the leaf hashes.

mod entry;
mod frontier;
mod hash;
mod head;
mod tile;

pub use entry::LogEntry;
pub use frontier::{Frontier, Node, edge};
pub use hash::{LeafHash, NodeHash, RootHash};
pub use head::{TreeHead, TreeSize};
pub use tile::{Tile, TilePlace};

/// The root of a complete subtree with these leaves; `None` unless their number is a power of two.
pub fn subtree(leaves: &[impl Copy + Into<NodeHash>]) -> Option<NodeHash> {
    if let [leaf] = leaves {
        return Some((*leaf).into());
    }
    if !leaves.len().is_power_of_two() {
        return None;
    }
    let mut row: Vec<NodeHash> = leaves.iter().map(|leaf| (*leaf).into()).collect();
    while row.len() > 1 {
        let (pairs, _) = row.as_chunks();
        row = pairs.iter().map(|[left, right]| NodeHash::of(*left, *right)).collect();
    }
    row.pop()
}

/// Whether a node is still needed when retention has removed the first `pruned` events.
///
/// A store that drops all other nodes can go on proving that each event that is left is in each
/// tree that holds it, and that any two trees of at least `pruned` events are consistent.
pub fn is_needed(level: u8, index: u64, pruned: TreeSize) -> bool {
    if level > 62 {
        return false; // no tree has such a node
    }
    let reaches_further = (u128::from(index) + 1) << level > u128::from(pruned.get());
    let above = pruned.get() >> level;
    reaches_further || (above & 1 == 1 && index == above - 1)
}
