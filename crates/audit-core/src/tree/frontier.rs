//! The frontier of a tree: all that an append needs of the events before it.

use super::{LeafHash, Node, NodeHash, NodeId, RootHash, TreeHead};
use crate::{Error, ErrorKind, Result, Sequence};

/// The frontier of a tree: the roots of its largest complete subtrees, one for each bit that is set
/// in its size, at most 63.
///
/// A store keeps it in the row of the log's head and appends to it under the lock that numbers the
/// events. An append makes one node for each event on average, whatever the size.
///
/// ```
/// use audit_core::LeafHash;
/// use audit_core::tree::{Frontier, NodeId};
///
/// let mut frontier = Frontier::new();
/// assert!(frontier.append(LeafHash::of(b"one"))?.is_empty());
/// let completed = frontier.append(LeafHash::of(b"two"))?;
/// assert_eq!(completed[0].id, NodeId::new(1, 0));
///
/// let kept = frontier.to_bytes();
/// assert_eq!(Frontier::from_bytes(&kept)?.root(), frontier.root());
/// # Ok::<(), audit_core::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frontier {
    size: Sequence,
    /// From the largest subtree to the smallest.
    hashes: Vec<NodeHash>,
}

impl Frontier {
    /// Returns the frontier of an empty tree.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns the frontier of `size` events with these hashes, one for each bit that is set in the
    /// size, from the largest subtree to the smallest.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] if the number of hashes differs.
    pub fn from_parts(size: Sequence, hashes: Vec<NodeHash>) -> Result<Self> {
        if u32::try_from(hashes.len()) != Ok(size.get().count_ones()) {
            return Err(
                Error::new(ErrorKind::Corrupt).with_context("reading the frontier of a log")
            );
        }
        Ok(Self { size, hashes })
    }

    /// Returns the number of events.
    pub fn size(&self) -> Sequence {
        self.size
    }

    /// Returns the root of the tree.
    pub fn root(&self) -> RootHash {
        let join = |right: NodeHash, left: &NodeHash| NodeHash::of(*left, right);
        let Some((smallest, larger)) = self.hashes.split_last() else { return RootHash::EMPTY };
        larger.iter().rev().fold(*smallest, join).into()
    }

    /// Returns the size and the root.
    pub fn head(&self) -> TreeHead {
        TreeHead { size: self.size, root: self.root() }
    }

    /// Returns the nodes of the frontier, from the largest to the smallest.
    pub fn nodes(&self) -> impl Iterator<Item = Node> {
        NodeId::of_frontier(self.size).zip(&self.hashes).map(|(id, hash)| Node { id, hash: *hash })
    }

    /// Appends an event, and returns the nodes above the leaves that are complete now, from the
    /// lowest. None of them changes again: a store that writes each of them once, when it is
    /// returned, can prove everything with `O(log n)` reads.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] when the tree holds [`Sequence::MAX`] events.
    pub fn append(&mut self, leaf: LeafHash) -> Result<Vec<Node>> {
        let mut completed = Vec::new();
        self.push(leaf, |node| completed.push(node))?;
        Ok(completed)
    }

    /// Appends an event as [`append`](Self::append) does, and calls `completed` with each node.
    ///
    /// # Errors
    /// As [`append`](Self::append).
    pub fn push(&mut self, leaf: LeafHash, mut completed: impl FnMut(Node)) -> Result<()> {
        let before = self.size.get();
        self.size = Sequence::new(before + 1)?;
        let mut hash = NodeHash::from(leaf);
        // As an odometer: each subtree of the same size on the left is joined.
        for level in (1_u8..).take_while(|level| before >> (level - 1) & 1 == 1) {
            let Some(left) = self.hashes.pop() else { break };
            hash = NodeHash::of(left, hash);
            completed(Node { id: NodeId::new(level, before >> level), hash });
        }
        self.hashes.push(hash);
        Ok(())
    }

    /// Returns the frontier in bytes: the size in 8 bytes, the highest first, then 32 bytes for each node, at
    /// most 2,024 in all.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.size.get().to_be_bytes().to_vec();
        bytes.extend(self.hashes.iter().flat_map(NodeHash::as_bytes));
        bytes
    }

    /// Reads the frontier that [`to_bytes`](Self::to_bytes) wrote.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] if the bytes are not of that form.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let parse = || {
            let (size, hashes) = bytes.split_first_chunk()?;
            let size = Sequence::new(u64::from_be_bytes(*size)).ok()?;
            let (hashes, []) = hashes.as_chunks() else { return None };
            let hashes = hashes.iter().copied().map(NodeHash::from_bytes).collect();
            Self::from_parts(size, hashes).ok()
        };
        parse().ok_or_else(|| {
            Error::new(ErrorKind::Corrupt).with_context("reading the frontier of a log")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaf(number: u64) -> LeafHash {
        LeafHash::of(&number.to_be_bytes())
    }

    #[test]
    fn the_bytes_come_back_and_nothing_else_is_taken() {
        let mut frontier = Frontier::new();
        for number in 0..200 {
            let bytes = frontier.to_bytes();
            assert_eq!(Frontier::from_bytes(&bytes).unwrap(), frontier);
            let longer = [bytes.as_slice(), &[0; 32]].concat();
            for bad in [&bytes[1..], &longer, &longer[..=bytes.len()]] {
                assert_eq!(Frontier::from_bytes(bad).unwrap_err().kind(), ErrorKind::Corrupt);
            }
            frontier.append(leaf(number)).unwrap();
        }
        assert!(Frontier::from_bytes(&[0xff; 8 + 64 * 32]).is_err());
    }

    #[test]
    fn a_full_tree_takes_no_more() {
        let mut bytes = Sequence::MAX.get().to_be_bytes().to_vec();
        bytes.extend([7; 63 * 32]);
        let mut frontier = Frontier::from_bytes(&bytes).unwrap();
        assert_eq!(frontier.to_bytes().len(), 2_024);
        assert_eq!(frontier.append(leaf(0)).unwrap_err().kind(), ErrorKind::Invalid);
        assert_eq!(frontier.to_bytes(), bytes);
    }
}
