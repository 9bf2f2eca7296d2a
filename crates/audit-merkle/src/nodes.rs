//! The nodes of a tree, and the proofs made of them.

use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::BuildHasher;

use audit_core::tree::NodeId;
use audit_core::{Error, ErrorKind, Result, Sequence};
use tlog_tiles::HashReader;

use crate::proof::{leaf_index, out_of_range};
use crate::{ConsistencyProof, Frontier, InclusionProof, LeafHash, NodeHash, RootHash};

/// The complete subtrees of a log, as a store keeps them.
///
/// A `HashMap` of nodes implements it: read the nodes that [`inclusion_nodes`],
/// [`consistency_nodes`] or [`root_nodes`] name in one query, and make the proof of the map. A `Vec`
/// of leaf hashes implements it with the nodes of level 0.
pub trait Nodes {
    /// Returns the hash of a node.
    ///
    /// # Behavior
    /// - MUST return the hash that [`Frontier::append`] returned for the node; for level 0 the
    ///   [`LeafHash`] of the record.
    /// - MUST return `None` for a node that is not stored.
    fn node(&self, id: NodeId) -> Result<Option<NodeHash>>;
}

impl<S: BuildHasher> Nodes for HashMap<NodeId, NodeHash, S> {
    fn node(&self, id: NodeId) -> Result<Option<NodeHash>> {
        Ok(self.get(&id).copied())
    }
}

impl Nodes for Vec<LeafHash> {
    fn node(&self, id: NodeId) -> Result<Option<NodeHash>> {
        let index = usize::try_from(id.index).ok().filter(|_| id.level == 0);
        Ok(index.and_then(|index| self.get(index)).map(|leaf| (*leaf).into()))
    }
}

/// Proves that event `sequence` is in the tree of the first `size` events.
///
/// Reads the sibling of each node from the leaf to the root, and for a sibling that is not complete
/// the nodes of the frontier below it: at most `2 × log2(size)` reads, none twice.
///
/// # Errors
/// [`ErrorKind::Invalid`] if `sequence` is zero or greater than `size`. [`ErrorKind::NotFound`] with
/// the field `nodes[level][index]` if a node is not stored. Those of `nodes`.
pub fn inclusion_proof(
    nodes: &(impl Nodes + ?Sized),
    sequence: Sequence,
    size: Sequence,
) -> Result<InclusionProof> {
    let index = leaf_index(sequence, size)?;
    let path = prove(nodes, |reader| tlog_tiles::prove_record(size.get(), index, reader))?;
    Ok(InclusionProof::new(
        sequence,
        size,
        path.into_iter().map(|hash| NodeHash::from_bytes(hash.0)).collect(),
    ))
}

/// Proves that the tree of the first `to` events begins with the tree of the first `from` events.
///
/// Reads the frontiers of both trees and the siblings between them: at most `2 × log2(to) + 1`
/// reads, none twice; no reads if `from` is zero or `to`.
///
/// # Errors
/// [`ErrorKind::Invalid`] if `from` is greater than `to`. [`ErrorKind::NotFound`] with the field
/// `nodes[level][index]` if a node is not stored. Those of `nodes`.
pub fn consistency_proof(
    nodes: &(impl Nodes + ?Sized),
    from: Sequence,
    to: Sequence,
) -> Result<ConsistencyProof> {
    if from > to {
        return Err(out_of_range("from", 0, to));
    }
    if from == Sequence::ZERO {
        return Ok(ConsistencyProof::new(from, to, Vec::new()));
    }
    let path = prove(nodes, |reader| tlog_tiles::prove_tree(to.get(), from.get(), reader))?;
    Ok(ConsistencyProof::new(
        from,
        to,
        path.into_iter().map(|hash| NodeHash::from_bytes(hash.0)).collect(),
    ))
}

/// Returns the root of the tree of the first `size` events.
///
/// Reads the nodes of its frontier, one for each bit that is set in `size`.
///
/// # Errors
/// [`ErrorKind::NotFound`] if a node is not stored. Those of `nodes`.
pub fn root(nodes: &(impl Nodes + ?Sized), size: Sequence) -> Result<RootHash> {
    Ok(frontier_at(nodes, size)?.root())
}

/// Returns the frontier of the tree of the first `size` events. Reads one node for each bit that is
/// set in `size`.
///
/// # Errors
/// [`ErrorKind::NotFound`] if a node is not stored. Those of `nodes`.
pub fn frontier_at(nodes: &(impl Nodes + ?Sized), size: Sequence) -> Result<Frontier> {
    let complete = |id| read(nodes, id);
    Frontier::from_parts(size, NodeId::of_frontier(size).map(complete).collect::<Result<_>>()?)
}

/// Returns the nodes that [`inclusion_proof`] reads, in its order.
pub fn inclusion_nodes(sequence: Sequence, size: Sequence) -> Result<Vec<NodeId>> {
    named(|nodes| inclusion_proof(nodes, sequence, size).map(drop))
}

/// Returns the nodes that [`consistency_proof`] reads, in its order.
pub fn consistency_nodes(from: Sequence, to: Sequence) -> Result<Vec<NodeId>> {
    named(|nodes| consistency_proof(nodes, from, to).map(drop))
}

/// Returns the nodes that [`root`] and [`frontier_at`] read, in their order.
pub fn root_nodes(size: Sequence) -> Vec<NodeId> {
    NodeId::of_frontier(size).collect()
}

/// Reads a node that must be stored.
fn read(nodes: &(impl Nodes + ?Sized), id: NodeId) -> Result<NodeHash> {
    nodes.node(id)?.ok_or_else(|| {
        Error::new(ErrorKind::NotFound)
            .with_context("proving")
            .with_field(format!("nodes[{}][{}]", id.level, id.index))
    })
}

/// Reads `nodes` for `tlog_tiles`, and keeps the error.
struct Reader<'a, N: ?Sized> {
    nodes: &'a N,
    failure: RefCell<Option<Error>>,
}

impl<N: Nodes + ?Sized> HashReader for Reader<'_, N> {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<tlog_tiles::Hash>, tlog_tiles::Error> {
        let hash = |position: &u64| {
            let (level, index) = tlog_tiles::split_stored_hash_index(*position);
            read(self.nodes, NodeId::new(level, index))
                .map(|hash| tlog_tiles::Hash(*hash.as_bytes()))
        };
        indexes.iter().map(hash).collect::<Result<_>>().map_err(|error| {
            self.failure.replace(Some(error));
            tlog_tiles::Error::IndexesNotInTree
        })
    }
}

/// Runs `prove` on `nodes`. The caller has checked the sizes: `tlog_tiles` panics on impossible ones.
fn prove<N: Nodes + ?Sized, T>(
    nodes: &N,
    prove: impl FnOnce(&Reader<'_, N>) -> Result<T, tlog_tiles::Error>,
) -> Result<T> {
    let reader = Reader { nodes, failure: RefCell::new(None) };
    prove(&reader).map_err(|source| {
        let kept = reader.failure.take();
        kept.unwrap_or_else(|| Error::malformed("size", "that of a tree").with_source(source))
    })
}

/// Records which nodes are read.
#[derive(Default)]
pub(crate) struct Names(RefCell<Vec<NodeId>>);

impl Nodes for Names {
    fn node(&self, id: NodeId) -> Result<Option<NodeHash>> {
        self.0.borrow_mut().push(id);
        Ok(Some(NodeHash::from_bytes([0; 32])))
    }
}

/// Returns the nodes that `ask` reads.
pub(crate) fn named(ask: impl FnOnce(&Names) -> Result<()>) -> Result<Vec<NodeId>> {
    let names = Names::default();
    ask(&names)?;
    Ok(names.0.into_inner())
}
