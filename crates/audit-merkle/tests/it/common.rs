//! A log as a store would keep it.

use std::collections::HashMap;

use audit_core::tree::NodeId;
use audit_core::{
    Actor, Log, NewEvent, OrganizationId, Sequence, Timestamp,
    backend::{PreparedEvent, StoredEvent},
};
use audit_merkle::{
    Checkpoint, CheckpointSigner, Evidence, Frontier, LeafHash, NodeHash, SignedCheckpoint,
    TreeHead, inclusion_proof,
};

pub(crate) const ORIGIN: &str = "audit.example.com/acme";

/// The nodes of a tree, its frontier, and its leaves.
#[derive(Clone, Default)]
pub(crate) struct Tree {
    pub(crate) frontier: Frontier,
    pub(crate) nodes: HashMap<NodeId, NodeHash>,
    pub(crate) leaves: Vec<LeafHash>,
    pub(crate) heads: Vec<TreeHead>,
}

impl Tree {
    pub(crate) fn of(records: impl IntoIterator<Item = impl AsRef<[u8]>>) -> Self {
        let mut tree = Self { heads: vec![TreeHead::EMPTY], ..Self::default() };
        records.into_iter().for_each(|record| tree.append(record.as_ref()));
        tree
    }

    /// A tree whose records are numbers.
    pub(crate) fn numbered(size: u64) -> Self {
        Self::of((0..size).map(number))
    }

    pub(crate) fn append(&mut self, record: &[u8]) {
        let leaf = LeafHash::of(record);
        self.nodes.insert(NodeId::new(0, self.leaves.len() as u64), leaf.into());
        for node in self.frontier.append(leaf).unwrap() {
            assert_eq!(self.nodes.insert(node.id, node.hash), None);
        }
        self.leaves.push(leaf);
        self.heads.push(self.frontier.head());
    }

    pub(crate) fn head(&self) -> TreeHead {
        self.frontier.head()
    }
}

/// The record of a [numbered](Tree::numbered) tree.
pub(crate) fn number(index: u64) -> Vec<u8> {
    format!("record {index}").into_bytes()
}

pub(crate) fn size(size: u64) -> Sequence {
    Sequence::new(size).unwrap()
}

pub(crate) fn sequence(number: u64) -> Sequence {
    Sequence::new(number).unwrap()
}

/// A log of events.
pub(crate) struct Events {
    pub(crate) stored: Vec<StoredEvent>,
    pub(crate) tree: Tree,
}

impl Events {
    pub(crate) fn new(count: u64) -> Self {
        let log = Log::Organization(OrganizationId::new());
        let stored: Vec<_> = (1..=count).map(|number| event(log, number)).collect();
        let tree = Tree::of(stored.iter().map(|event| &event.record));
        Self { stored, tree }
    }

    /// The evidence of event `number` at the end of the log.
    pub(crate) fn evidence(&self, number: u64, signer: &CheckpointSigner) -> Evidence {
        let signed = signed(signer, self.tree.head());
        let proof =
            inclusion_proof(&self.tree.nodes, sequence(number), self.tree.frontier.size()).unwrap();
        Evidence::new(self.stored[usize::try_from(number - 1).unwrap()].clone(), &proof, signed)
            .unwrap()
    }
}

pub(crate) fn event(log: Log, number: u64) -> StoredEvent {
    let content = NewEvent::new("invoice.paid", Actor::user("u_7").email("ana@acme.example"))
        .target("invoice", format!("inv_{number}"))
        .message("Ana paid");
    PreparedEvent::new(&content).unwrap().into_stored(log, sequence(number), Timestamp::now())
}

pub(crate) fn signed(signer: &CheckpointSigner, head: TreeHead) -> SignedCheckpoint {
    signer.sign_first(&Checkpoint::new(ORIGIN, head).unwrap()).unwrap()
}

/// Each text that differs from `bytes` in one bit.
pub(crate) fn one_bit_changes(bytes: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    (0..bytes.len() * 8).map(|bit| {
        let mut changed = bytes.to_vec();
        changed[bit / 8] ^= 1 << (bit % 8);
        changed
    })
}
