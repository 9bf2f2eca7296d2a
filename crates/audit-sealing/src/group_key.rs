//! The key of a group of events, and its stored form.

use std::fmt;
use std::ops::RangeInclusive;

use audit_core::{Error, ErrorKind, Result, Sequence, TokenKeys};
use zeroize::Zeroizing;

use crate::tree::{Leaves, NODE_BYTES, Node, Subtree, Target};
use crate::{EventKey, Group};

/// The version of the stored form.
const VERSION: u8 = 1;
/// The bytes before the nodes.
const HEADER: usize = 5;

/// The key of a [`Group`] of events, from which the key of each is derived, but for those that have been
/// [removed](Self::puncture).
///
/// It is to be stored for one group of one log. Which group that is, is not part of it.
pub struct GroupKey {
    /// The leaves that have been removed.
    punctured: Leaves,
    /// The nodes of the largest subtrees without such a leaf, from the left.
    nodes: Zeroizing<Vec<Node>>,
}

impl fmt::Debug for GroupKey {
    /// Does not show the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GroupKey").field("punctured", &self.punctured).finish_non_exhaustive()
    }
}

impl GroupKey {
    /// Creates a key of random bytes of the operating system.
    ///
    /// # Errors
    /// [`Unavailable`](ErrorKind::Unavailable) if it has none.
    pub fn generate() -> Result<Self> {
        Ok(Self { punctured: 0, nodes: Zeroizing::new(vec![TokenKeys::generate_secret()?]) })
    }

    /// Reads a key from its stored form.
    ///
    /// # Errors
    /// [`Corrupt`](ErrorKind::Corrupt) if the bytes are not of this form,
    /// [`Incompatible`](ErrorKind::Incompatible) if they are of a later version.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let (header, nodes) = bytes.split_first_chunk::<HEADER>().ok_or_else(corrupt)?;
        let [version, punctured @ ..] = *header;
        if version != VERSION {
            let kind = if version == 0 { ErrorKind::Corrupt } else { ErrorKind::Incompatible };
            return Err(Error::new(kind).with_context(CONTEXT));
        }
        let punctured = Leaves::from_be_bytes(punctured);
        let (nodes, rest) = nodes.as_chunks::<NODE_BYTES>();
        let mut expected = 0;
        Subtree::ROOT.cover(punctured, &mut |_| expected += 1);
        if nodes.len() != expected || !rest.is_empty() {
            return Err(corrupt());
        }
        Ok(Self { punctured, nodes: Zeroizing::new(nodes.to_vec()) })
    }

    /// Returns the stored form: a byte, the version 1; the removed leaves in 4 bytes, the first is the
    /// lowest bit; then the nodes of the largest subtrees that have no such leaf, 32 bytes each, from
    /// the left. These are 37 bytes as long as nothing is removed, at most 517.
    pub fn to_bytes(&self) -> Vec<u8> {
        [&[VERSION][..], &self.punctured.to_be_bytes(), self.nodes.as_flattened()].concat()
    }

    /// Returns the key of an event of the group; `None` if it has been removed.
    pub fn event_key(&self, sequence: Sequence) -> Option<EventKey> {
        self.event_keys(sequence..=sequence).pop().flatten()
    }

    /// Returns the keys of adjacent events of the group, one for each; `None` for those that have been
    /// removed, and for events of the next group. Derives what they share once.
    pub fn event_keys(&self, sequences: RangeInclusive<Sequence>) -> Vec<Option<EventKey>> {
        let first = Group::leaf(*sequences.start());
        let count = (sequences.end().get() + 1).saturating_sub(sequences.start().get());
        let in_group = count.min(Group::EVENTS - u64::from(first));
        let wanted = leaves(first, in_group);
        let mut keys = Vec::new();
        keys.resize_with(usize::try_from(count).unwrap_or(0), || None);
        let mut nodes = self.nodes.iter();
        Subtree::ROOT.cover(self.punctured, &mut |subtree| {
            let Some(node) = nodes.next() else { return };
            subtree.derive(node, !wanted, Target::Leaves, &mut |leaf, node| {
                if let Some(key) = keys.get_mut(usize::from(leaf.first_leaf() - first)) {
                    *key = Some(EventKey::new(node));
                }
            });
        });
        keys
    }

    /// Removes the key of an event of the group, and whatever it could be derived from. The keys of the
    /// other events stay the same. Returns `false` if it has been removed before.
    pub fn puncture(&mut self, sequence: Sequence) -> bool {
        let leaf = 1 << Group::leaf(sequence);
        if self.punctured & leaf != 0 {
            return false;
        }
        let mut left = Zeroizing::new(Vec::with_capacity(self.nodes.len() + 4));
        let mut nodes = self.nodes.iter();
        Subtree::ROOT.cover(self.punctured, &mut |subtree| {
            let Some(node) = nodes.next() else { return };
            subtree.derive(node, leaf, Target::Cover, &mut |_, node| left.push(*node));
        });
        self.punctured |= leaf;
        self.nodes = left;
        true
    }
}

/// Returns `count` leaves from `first` on.
fn leaves(first: u8, count: u64) -> Leaves {
    let below = |leaf: u64| (1_u64 << leaf) - 1;
    let bits = below(u64::from(first) + count) - below(u64::from(first));
    // The tree has 32 leaves.
    Leaves::try_from(bits).unwrap_or(Leaves::MAX)
}

const CONTEXT: &str = "reading a key of personal data";

fn corrupt() -> Error {
    Error::new(ErrorKind::Corrupt).with_context(CONTEXT)
}
