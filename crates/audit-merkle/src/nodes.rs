//! The nodes of a tree, and the proofs that are made of them.

use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::BuildHasher;

use audit_core::tree::NodeId;
use audit_core::{Error, ErrorKind, Result, Sequence, Violation};
use tlog_tiles::HashReader;

use crate::{
    ConsistencyProof, Frontier, InclusionProof, LeafHash, Node, NodeHash, RootHash, TreeHead,
};

/// The complete subtrees of a log, as a store keeps them.
///
/// A node is named by its level above the leaves and by its number within the level, from zero:
/// node `(level, index)` holds the events `index × 2^level + 1` to `(index + 1) × 2^level`. Level 0
/// is the leaf hashes, which a store that keeps the records need not keep, too.
///
/// A map of nodes is one, so that a store that is not at hand can read what [`inclusion_nodes`],
/// [`consistency_nodes`] or [`root_nodes`] name in one query. A list of leaf hashes is one, too,
/// that knows level 0 alone.
pub trait Nodes {
    /// The hash of a node.
    ///
    /// # Behavior
    /// - MUST return the hash that [`Frontier::append`] gave for the node, for level 0 the
    ///   [`LeafHash`] of the record.
    /// - MUST return `None` for a node that is not kept, or not any more.
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

/// Makes the proof that event `sequence` is in the tree of the first `size` events.
///
/// Reads the sibling of each node on the way up, and instead of a sibling that is not complete the
/// nodes of the right edge below it: at most `2 × log2(size)` reads, none twice.
///
/// # Errors
/// [`ErrorKind::Invalid`] if `sequence` is zero or greater than `size`, [`ErrorKind::NotFound`] for
/// a node that is not kept, and those of `nodes`.
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

/// Makes the proof that the tree of the first `from` events is the beginning of that of the first
/// `to`.
///
/// Reads the nodes of the right edges of both trees, and the siblings between them: at most
/// `2 × log2(to) + 1` reads, none twice; none at all if `from` is zero or `to`.
///
/// # Errors
/// [`ErrorKind::Invalid`] if `from` is greater than `to`, [`ErrorKind::NotFound`] for a node that is
/// not kept, and those of `nodes`.
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

/// The root of the tree of the first `size` events.
///
/// Reads the nodes of its right edge, one for each bit of `size` that is one.
///
/// # Errors
/// [`ErrorKind::NotFound`] for a node that is not kept, and those of `nodes`.
pub fn root(nodes: &(impl Nodes + ?Sized), size: Sequence) -> Result<RootHash> {
    Ok(frontier_at(nodes, size)?.root())
}

/// The edge of the tree of the first `size` events: one read for each bit of `size` that is one.
///
/// # Errors
/// [`ErrorKind::NotFound`] for a node that is not kept, and those of `nodes`.
pub fn frontier_at(nodes: &(impl Nodes + ?Sized), size: Sequence) -> Result<Frontier> {
    let complete = |id| read(nodes, id);
    Frontier::from_parts(size, NodeId::of_frontier(size).map(complete).collect::<Result<_>>()?)
}

/// The nodes, by level and index, that [`inclusion_proof`] reads, in its order.
pub fn inclusion_nodes(sequence: Sequence, size: Sequence) -> Result<Vec<NodeId>> {
    named(|nodes| inclusion_proof(nodes, sequence, size).map(drop))
}

/// The nodes, by level and index, that [`consistency_proof`] reads, in its order.
pub fn consistency_nodes(from: Sequence, to: Sequence) -> Result<Vec<NodeId>> {
    named(|nodes| consistency_proof(nodes, from, to).map(drop))
}

/// The nodes, by level and index, that [`root`] and [`frontier_at`] read, in their order.
pub fn root_nodes(size: Sequence) -> Vec<NodeId> {
    NodeId::of_frontier(size).collect()
}

/// A node that has to be there.
pub(crate) fn read(nodes: &(impl Nodes + ?Sized), id: NodeId) -> Result<NodeHash> {
    nodes.node(id)?.ok_or_else(|| {
        Error::new(ErrorKind::NotFound)
            .with_context("proving")
            .with_field(format!("nodes[{}][{}]", id.level, id.index))
    })
}

/// For a node that the store must have, and has not.
pub(crate) fn missing(id: NodeId) -> Error {
    Error::new(ErrorKind::Corrupt)
        .with_context("proving")
        .with_field(format!("nodes[{}][{}]", id.level, id.index))
}

/// The index of the leaf of event `sequence` in the tree of the first `size` events.
pub(crate) fn leaf_index(sequence: Sequence, size: Sequence) -> Result<u64> {
    match sequence.get().checked_sub(1) {
        Some(index) if index < size.get() => Ok(index),
        _ => Err(out_of_range("sequence", 1, size)),
    }
}

pub(crate) fn out_of_range(field: &'static str, min: i64, max: Sequence) -> Error {
    Error::invalid(field, Violation::OutOfRange { min, max: max.get().cast_signed() })
}

/// The nodes of a tree as they are kept, and where one is not, as those below it make it: of a list
/// of leaf hashes, all. What is missing still is taken from `computed`, the edge of the tree.
pub(crate) struct Whole<'a> {
    kept: &'a dyn Nodes,
    computed: &'a Frontier,
    /// Every 2^10 leaves are not read again.
    made: RefCell<HashMap<NodeId, Option<NodeHash>>>,
}

impl<'a> Whole<'a> {
    pub(crate) fn new(kept: &'a dyn Nodes, computed: &'a Frontier) -> Self {
        Self { kept, computed, made: RefCell::default() }
    }

    fn kept_or_made(&self, id: NodeId) -> Result<Option<NodeHash>> {
        if let Some(made) = self.made.borrow().get(&id) {
            return Ok(*made);
        }
        let mut hash = self.kept.node(id)?;
        if let (None, Some(below)) = (hash, id.level.checked_sub(1)) {
            hash = match self.kept_or_made(NodeId::new(below, id.index << 1))? {
                Some(left) => self
                    .kept_or_made(NodeId::new(below, id.index << 1 | 1))?
                    .map(|right| NodeHash::of(left, right)),
                None => None,
            };
            if id.level >= 10 {
                self.made.borrow_mut().insert(id, hash);
            }
        }
        Ok(hash)
    }

    fn node(&self, id: NodeId) -> Result<Option<NodeHash>> {
        let computed = || self.computed.nodes().find(|node| node.id == id);
        let hash = self.kept_or_made(id)?;
        Ok(hash.or_else(|| computed().map(|node| node.hash)))
    }

    /// Whether `node` is in the tree of `head`, as far as the others show.
    pub(crate) fn holds(&self, node: Node, head: &TreeHead) -> Result<bool> {
        let Node { mut id, mut hash } = node;
        let size = head.size.get();
        // Up, as long as the sibling is complete, too: then it is on the edge.
        while size >> id.level > id.index | 1 {
            let Some(sibling) = self.node(NodeId::new(id.level, id.index ^ 1))? else {
                return Ok(false);
            };
            let (left, right) = if id.index & 1 == 0 { (hash, sibling) } else { (sibling, hash) };
            (id, hash) = (NodeId::new(id.level + 1, id.index >> 1), NodeHash::of(left, right));
        }
        let mut hashes = Vec::new();
        for at in NodeId::of_frontier(head.size) {
            let tree = if at == id { Some(hash) } else { self.node(at)? };
            let Some(tree) = tree else { return Ok(false) };
            hashes.push(tree);
        }
        let on_edge = NodeId::of_frontier(head.size).any(|at| at == id);
        Ok(on_edge && Frontier::from_parts(head.size, hashes)?.root() == head.root)
    }
}

/// The nodes that [`Whole::holds`] reads where all are kept.
pub(crate) fn holding_nodes(node: Node, head: &TreeHead) -> Result<Vec<NodeId>> {
    let computed = Frontier::new();
    named(|names| Whole::new(names, &computed).holds(node, head).map(drop))
}

/// Asks `nodes` in the way of `tlog_tiles`, and keeps what went wrong.
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

/// Runs `prove` on `nodes`. Its sizes are checked before: `tlog_tiles` panics on what no tree has.
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

/// Notes which nodes are asked for.
#[derive(Default)]
struct Names(RefCell<Vec<NodeId>>);

impl Nodes for Names {
    fn node(&self, id: NodeId) -> Result<Option<NodeHash>> {
        self.0.borrow_mut().push(id);
        Ok(Some(NodeHash::from_bytes([0; 32])))
    }
}

fn named(ask: impl FnOnce(&Names) -> Result<()>) -> Result<Vec<NodeId>> {
    let names = Names::default();
    ask(&names)?;
    Ok(names.0.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_in_its_own_tree_alone() {
        let leaf = |number: u8| LeafHash::of(&[number]);
        let (mut frontier, mut nodes, mut all) = (Frontier::new(), HashMap::new(), Vec::new());
        for number in 0..21 {
            let first = Node { id: NodeId::new(0, number.into()), hash: leaf(number).into() };
            let completed = frontier.append(leaf(number)).unwrap();
            all.extend([first].into_iter().chain(completed));
        }
        nodes.extend(all.iter().map(|node| (node.id, node.hash)));
        let head = frontier.head();
        let leaves: Vec<_> = (0..21).map(leaf).collect();
        for kept in [&nodes as &dyn Nodes, &leaves] {
            let whole = Whole::new(kept, &frontier);
            for node in &all {
                let holds = |node| whole.holds(node, &head).unwrap();
                assert!(holds(*node));
                assert!(!holds(Node { hash: leaf(99).into(), ..*node }));
                assert!(!holds(Node {
                    id: NodeId::new(node.id.level, node.id.index + 21),
                    ..*node
                }));
            }
        }
    }
}
