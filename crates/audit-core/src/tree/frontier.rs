//! The right edge of a tree: what an append needs of all that came before.

use super::{LeafHash, NodeHash, RootHash, TreeHead, TreeSize};
use crate::{Error, ErrorKind, Result, Sequence};

/// The right edge of a tree: the roots of its largest complete subtrees, one for each bit of its
/// size, at most 63.
///
/// A store keeps it in the row of the log's head and appends to it under the lock that numbers the
/// events. An append makes one node for each event on average, whatever the size.
///
/// ```
/// use audit_core::{Frontier, LeafHash};
///
/// let mut frontier = Frontier::new();
/// assert!(frontier.append(LeafHash::of(b"one"))?.is_empty());
/// let completed = frontier.append(LeafHash::of(b"two"))?;
/// assert_eq!((completed[0].level, completed[0].index), (1, 0));
///
/// let kept = frontier.to_bytes();
/// assert_eq!(Frontier::from_bytes(&kept)?.root(), frontier.root());
/// # Ok::<(), audit_core::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frontier {
    size: TreeSize,
    /// From the largest subtree to the smallest.
    hashes: Vec<NodeHash>,
}

/// A complete subtree: the `index`-th, from zero, of those that hold `2^level` events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Node {
    /// The height above the leaves.
    pub level: u8,
    /// The number among the nodes of that level, from zero.
    pub index: u64,
    /// The hash.
    pub hash: NodeHash,
}

impl Node {
    /// The first and the last event below the node.
    pub fn events(&self) -> (Sequence, Sequence) {
        let end = |index: u128| {
            let end = index << self.level.min(63);
            u64::try_from(end).ok().and_then(|end| Sequence::new(end).ok()).unwrap_or(Sequence::MAX)
        };
        (end(self.index.into()).next(), end(u128::from(self.index) + 1))
    }
}

impl Frontier {
    /// The edge of an empty tree.
    pub fn new() -> Self {
        Self::default()
    }

    /// The edge of these parts: the size, and a hash for each of its bits that is one, from the
    /// largest subtree to the smallest.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] if there are more or fewer.
    pub fn from_parts(size: TreeSize, hashes: Vec<NodeHash>) -> Result<Self> {
        if u32::try_from(hashes.len()) != Ok(size.get().count_ones()) {
            return Err(Error::new(ErrorKind::Corrupt).with_context("reading the edge of a log"));
        }
        Ok(Self { size, hashes })
    }

    /// The number of events.
    pub fn size(&self) -> TreeSize {
        self.size
    }

    /// The root of the tree.
    pub fn root(&self) -> RootHash {
        let join = |right: NodeHash, left: &NodeHash| NodeHash::of(*left, right);
        let Some((smallest, larger)) = self.hashes.split_last() else { return RootHash::EMPTY };
        larger.iter().rev().fold(*smallest, join).into()
    }

    /// The size and the root.
    pub fn head(&self) -> TreeHead {
        TreeHead { size: self.size, root: self.root() }
    }

    /// The nodes of the edge, from the largest to the smallest.
    pub fn nodes(&self) -> impl Iterator<Item = Node> {
        edge(self.size).zip(&self.hashes).map(|((level, index), hash)| Node {
            level,
            index,
            hash: *hash,
        })
    }

    /// Appends an event, and returns the nodes above the leaves that are complete now, from the
    /// lowest. None of them changes again: a store that writes each of them once, when it is
    /// returned, can prove everything with `O(log n)` reads.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] when the tree holds [`TreeSize::MAX`] events.
    pub fn append(&mut self, leaf: LeafHash) -> Result<Vec<Node>> {
        let mut completed = Vec::new();
        self.push(leaf, |node| completed.push(node))?;
        Ok(completed)
    }

    /// As [`append`](Self::append), and gives each node to `completed`.
    ///
    /// # Errors
    /// As [`append`](Self::append).
    pub fn push(&mut self, leaf: LeafHash, mut completed: impl FnMut(Node)) -> Result<()> {
        let before = self.size.get();
        self.size = self.size.next()?;
        let mut hash = NodeHash::from(leaf);
        // As an odometer: each subtree of the same size on the left is joined.
        for level in (1_u8..).take_while(|level| before >> (level - 1) & 1 == 1) {
            let Some(left) = self.hashes.pop() else { break };
            hash = NodeHash::of(left, hash);
            completed(Node { level, index: before >> level, hash });
        }
        self.hashes.push(hash);
        Ok(())
    }

    /// The edge in bytes: the size in 8 bytes, the highest first, then 32 bytes for each node, at
    /// most 2,024 in all.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.size.get().to_be_bytes().to_vec();
        bytes.extend(self.hashes.iter().flat_map(NodeHash::as_bytes));
        bytes
    }

    /// The edge that [`to_bytes`](Self::to_bytes) wrote.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] if the bytes are not of that form.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let parse = || {
            let (size, hashes) = bytes.split_first_chunk()?;
            let size = TreeSize::new(u64::from_be_bytes(*size)).ok()?;
            let (hashes, []) = hashes.as_chunks() else { return None };
            let hashes = hashes.iter().copied().map(NodeHash::from_bytes).collect();
            Self::from_parts(size, hashes).ok()
        };
        parse()
            .ok_or_else(|| Error::new(ErrorKind::Corrupt).with_context("reading the edge of a log"))
    }
}

/// The largest complete subtrees of a tree of `size` events, by level and index, from the left.
pub fn edge(size: TreeSize) -> impl DoubleEndedIterator<Item = (u8, u64)> {
    let size = size.get();
    (0..64_u8)
        .rev()
        .filter(move |level| size >> level & 1 == 1)
        .map(move |level| (level, (size >> level) - 1))
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
        let mut bytes = TreeSize::MAX.get().to_be_bytes().to_vec();
        bytes.extend([7; 63 * 32]);
        let mut frontier = Frontier::from_bytes(&bytes).unwrap();
        assert_eq!(frontier.to_bytes().len(), 2_024);
        assert_eq!(frontier.append(leaf(0)).unwrap_err().kind(), ErrorKind::Invalid);
        assert_eq!(frontier.to_bytes(), bytes);
    }

    #[test]
    fn a_node_tells_its_events() {
        let events = |level, index| {
            let (first, last) = Node { level, index, hash: NodeHash::from_bytes([0; 32]) }.events();
            (first.get(), last.get())
        };
        assert_eq!(events(0, 0), (1, 1));
        assert_eq!(events(3, 2), (17, 24));
        assert_eq!(events(255, u64::MAX), (Sequence::MAX.get(), Sequence::MAX.get()));
    }
}
