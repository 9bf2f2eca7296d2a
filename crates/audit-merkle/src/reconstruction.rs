//! The nodes of a tree, reconstructed from those that are stored.

use std::cell::RefCell;
use std::collections::HashMap;

use audit_core::Result;

use crate::nodes::named;
use crate::{Frontier, Node, NodeHash, NodeId, Nodes, TreeHead};

/// The nodes of a tree: as they are stored, else made of the nodes below, else taken from the
/// frontier that was computed from the records. A list of leaf hashes makes all of them.
pub(crate) struct ReconstructedNodes<'a> {
    stored: &'a dyn Nodes,
    computed: &'a Frontier,
    /// Nodes of level 10 and above, so that their leaves are read once.
    made: RefCell<HashMap<NodeId, Option<NodeHash>>>,
}

impl<'a> ReconstructedNodes<'a> {
    pub(crate) fn new(stored: &'a dyn Nodes, computed: &'a Frontier) -> Self {
        Self { stored, computed, made: RefCell::default() }
    }

    fn stored_or_made(&self, id: NodeId) -> Result<Option<NodeHash>> {
        if let Some(made) = self.made.borrow().get(&id) {
            return Ok(*made);
        }
        let mut hash = self.stored.node(id)?;
        if let (None, Some(below)) = (hash, id.level.checked_sub(1)) {
            hash = match self.stored_or_made(NodeId::new(below, id.index << 1))? {
                Some(left) => self
                    .stored_or_made(NodeId::new(below, id.index << 1 | 1))?
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
        let hash = self.stored_or_made(id)?;
        Ok(hash.or_else(|| computed().map(|node| node.hash)))
    }

    /// Returns whether the other nodes show that `node` is in the tree of `head`.
    pub(crate) fn holds(&self, node: Node, head: &TreeHead) -> Result<bool> {
        let Node { mut id, mut hash } = node;
        let size = head.size.get();
        // Up, as long as the sibling is complete. The last one is in the frontier.
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
        let is_in_frontier = NodeId::of_frontier(head.size).any(|at| at == id);
        Ok(is_in_frontier && Frontier::from_parts(head.size, hashes)?.root() == head.root)
    }
}

/// Returns the nodes that [`ReconstructedNodes::holds`] reads if all are stored.
pub(crate) fn holding_nodes(node: Node, head: &TreeHead) -> Result<Vec<NodeId>> {
    let computed = Frontier::new();
    named(|names| ReconstructedNodes::new(names, &computed).holds(node, head).map(drop))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::LeafHash;

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
            let nodes_of = ReconstructedNodes::new(kept, &frontier);
            for node in &all {
                let holds = |node| nodes_of.holds(node, &head).unwrap();
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
