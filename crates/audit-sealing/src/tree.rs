//! The tree of keys. A node is 32 bytes, from which all nodes below it are derived.

use chacha20::ChaCha20;
use chacha20::cipher::{KeyIvInit as _, StreamCipher as _};
use zeroize::Zeroizing;

/// A node of the tree.
pub(crate) type Node = [u8; NODE_BYTES];

/// The bytes of a node.
pub(crate) const NODE_BYTES: usize = 32;

/// The leaves of the tree, a bit each; the lowest is the first.
pub(crate) type Leaves = u32;

/// The levels above the leaves.
const HEIGHT: u8 = 5;

/// The nonce with which a node is expanded. The keys of events are leaves, which are not expanded.
const EXPAND: [u8; 12] = *b"audit-expand";

/// Returns the two nodes below a node.
fn expand(node: &Node) -> (Zeroizing<Node>, Zeroizing<Node>) {
    let mut stream = Zeroizing::new([0; 2 * NODE_BYTES]);
    ChaCha20::new(node.into(), &EXPAND.into()).apply_keystream(&mut *stream);
    let (mut left, mut right) = (Zeroizing::new([0; NODE_BYTES]), Zeroizing::new([0; NODE_BYTES]));
    left.copy_from_slice(&stream[..NODE_BYTES]);
    right.copy_from_slice(&stream[NODE_BYTES..]);
    (left, right)
}

/// A complete subtree.
#[derive(Clone, Copy)]
pub(crate) struct Subtree {
    level: u8,
    /// Its first leaf.
    first: u8,
}

impl Subtree {
    /// The whole tree.
    pub(crate) const ROOT: Self = Self { level: HEIGHT, first: 0 };

    pub(crate) fn first_leaf(self) -> u8 {
        self.first
    }

    fn leaves(self) -> Leaves {
        (Leaves::MAX >> (32 - (1_u32 << self.level))) << self.first
    }

    fn children(self) -> [Self; 2] {
        let level = self.level - 1;
        [Self { level, ..self }, Self { level, first: self.first + (1 << level) }]
    }

    /// Calls `visit` with the largest subtrees that have no leaf of `without`, from the left.
    pub(crate) fn cover(self, without: Leaves, visit: &mut impl FnMut(Self)) {
        let of_this = self.leaves();
        if without & of_this == 0 {
            visit(self);
        } else if without & of_this != of_this {
            self.children().iter().for_each(|child| child.cover(without, visit));
        }
    }

    /// Derives nodes from `node`, the node of this subtree, and calls `visit` with each, from the left:
    /// with those of the largest subtrees that have no leaf of `without` and are targets.
    pub(crate) fn derive(
        self,
        node: &Node,
        without: Leaves,
        target: Target,
        visit: &mut impl FnMut(Self, &Node),
    ) {
        let of_this = self.leaves();
        let is_target = match target {
            Target::Leaves => self.level == 0,
            Target::Cover => true,
        };
        if without & of_this == 0 && is_target {
            visit(self, node);
        } else if without & of_this != of_this {
            let nodes = expand(node);
            for (child, node) in self.children().iter().zip([&nodes.0, &nodes.1]) {
                child.derive(node, without, target, visit);
            }
        }
    }
}

/// Which nodes to derive.
#[derive(Clone, Copy)]
pub(crate) enum Target {
    /// Leaves.
    Leaves,
    /// The largest subtrees.
    Cover,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cover(without: Leaves) -> Vec<(u8, u8)> {
        let mut found = Vec::new();
        Subtree::ROOT.cover(without, &mut |subtree| found.push((subtree.level, subtree.first)));
        found
    }

    #[test]
    fn a_cover_has_each_other_leaf_once() {
        assert_eq!(cover(0), [(5, 0)]);
        assert_eq!(cover(1), [(0, 1), (1, 2), (2, 4), (3, 8), (4, 16)]);
        assert_eq!(cover(1 << 5), [(2, 0), (0, 4), (1, 6), (3, 8), (4, 16)]);
        assert_eq!(cover(u32::MAX >> 16), [(4, 16)]);
        assert_eq!(cover(0x5555_5555).len(), 16);
        assert_eq!(cover(u32::MAX), []);
    }
}
