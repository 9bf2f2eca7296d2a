//! The tree of a log, which proves that no record was altered.
//!
//! The records of a [`Log`](crate::Log) are the leaves of a Merkle tree as defined by RFC 6962 and
//! RFC 9162. Each append extends it ([`Batch::sequence`](crate::backend::Batch::sequence)): a store
//! keeps the [`Frontier`] with the head of the log, and the nodes that each append completes. The
//! crate `audit-merkle` makes proofs, checkpoints and verification from them.

mod entry;
mod frontier;
mod hash;
mod head;
mod node;
mod tile;

pub use entry::LogEntry;
pub use frontier::Frontier;
pub use hash::{LeafHash, NodeHash, RootHash, subtree_root};
pub use head::TreeHead;
pub use node::{Node, NodeId};
pub use tile::{Tile, TileId};
