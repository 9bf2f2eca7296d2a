//! The tree that proves a log.

use std::collections::{BTreeSet, HashMap};

use audit_core::tree::{NodeId, Tile};
use audit_core::{
    LeafHash, Log, Sequence, TreeHead,
    tree::{Frontier, NodeHash},
};
use audit_merkle::{consistency_nodes, consistency_proof, inclusion_nodes, inclusion_proof};

use crate::NewHarness;
use crate::opens::Opens;
use crate::samples::{event, events, full, mixed, new_log, redelivered, sequence};
use crate::subject::Subject;
use crate::tree::Tree;

impl<H: Opens + ?Sized> Subject<H> {
    /// Returns the tree of the records that `log` keeps, which must be all.
    pub(crate) fn tree(&self, log: Log) -> Tree {
        let entries = self.entries(log);
        let numbers = entries.iter().map(|entry| entry.sequence.get());
        assert!(numbers.eq(1..=self.head(log).size.get()), "a log keeps every record");
        Tree::of(entries.iter().map(|entry| &entry.event))
    }

    /// Returns the nodes of these names that are there, by name.
    fn nodes_by_name(&self, log: Log, names: BTreeSet<NodeId>) -> HashMap<NodeId, NodeHash> {
        let names: Vec<_> = names.into_iter().collect();
        let hashes = self.nodes(log, &names);
        assert_eq!(hashes.len(), names.len(), "there is one entry for each node asked for");
        let named = names.into_iter().zip(hashes);
        named.filter_map(|(name, hash)| hash.map(|hash| (name, hash))).collect()
    }

    /// Requires that the nodes prove the events after `floor` in every tree of these sizes that
    /// holds them, and that of any two of these trees one is the beginning of the other.
    pub(super) fn assert_proves(&self, log: Log, tree: &Tree, floor: u64, sizes: &[u64]) {
        let numbers: Vec<_> = (floor + 1..=tree.size()).collect();
        self.assert_proves_numbers(log, tree, &numbers, sizes);
    }

    /// Requires the same of the events with these numbers.
    pub(crate) fn assert_proves_numbers(
        &self,
        log: Log,
        tree: &Tree,
        numbers: &[u64],
        sizes: &[u64],
    ) {
        let heads: Vec<_> = sizes.iter().map(|size| tree.head(*size)).collect();
        for (at, head) in heads.iter().enumerate() {
            let held = numbers.iter().filter(|number| **number <= head.size.get());
            let numbers: Vec<_> = held.copied().map(sequence).collect();
            let mut names = BTreeSet::new();
            for number in &numbers {
                names.extend(inclusion_nodes(*number, head.size).expect("it is in the tree"));
            }
            for older in &heads[..at] {
                names.extend(consistency_nodes(older.size, head.size).expect("it is older"));
            }
            let nodes = self.nodes_by_name(log, names);
            for number in numbers {
                let proof = inclusion_proof(&nodes, number, head.size);
                let proof = proof.expect("the nodes that prove an event are there");
                let valid = proof.verify(tree.leaf(number.get()), head).is_ok();
                assert!(valid, "event {number} is proved to be in the tree of {}", head.size);
            }
            for older in &heads[..at] {
                assert_consistent(&nodes, older, head);
            }
        }
    }

    /// Requires that the log as it is now is proved to begin with each of these.
    pub(super) fn assert_grown(&self, log: Log, heads: &[TreeHead]) {
        let now = self.frontier(log).head();
        for older in heads {
            let names = consistency_nodes(older.size, now.size).expect("it is older");
            let nodes = self.nodes_by_name(log, names.into_iter().collect());
            assert_consistent(&nodes, older, &now);
        }
    }
}

fn assert_consistent(nodes: &HashMap<NodeId, NodeHash>, older: &TreeHead, newer: &TreeHead) {
    let proof = consistency_proof(nodes, older.size, newer.size);
    let proof = proof.expect("the nodes that prove a growth are there");
    let valid = proof.verify(older, newer).is_ok();
    assert!(valid, "{} events are proved to begin {}", older.size, newer.size);
}

/// Returns the frontier of the tree of its first `size` events.
fn frontier_of(tree: &Tree, size: u64) -> Frontier {
    let size = Sequence::new(size).unwrap();
    let hashes = NodeId::of_frontier(size).map(|id| tree.node(id).unwrap()).collect();
    Frontier::from_parts(size, hashes).unwrap()
}

pub(crate) fn give_each_record_its_leaf(new: NewHarness<'_>) {
    let subject = Subject::new(new);
    let log = new_log();
    let batches = [vec![event(1)], vec![full(), event(2), full()], mixed(5)];
    let mut receipts = Vec::new();
    for batch in &batches {
        receipts.extend(subject.append(log, batch.clone()).expect("an append must succeed"));
    }
    let tree = subject.tree(log);
    for receipt in &receipts {
        let leaf = tree.leaf(receipt.sequence.get());
        assert_eq!(receipt.leaf, leaf, "a receipt has the hash of the record as it is kept");
    }
    let again = [batches.concat(), vec![batches[0][0].clone(); 2]].concat();
    let again = subject.append(log, again).expect("a redelivery succeeds");
    let expected: Vec<_> = receipts.iter().chain([&receipts[0]; 2]).copied().collect();
    let expected: Vec<_> = expected.into_iter().map(redelivered).collect();
    assert_eq!(again, expected, "the receipt of a redelivery has the hash of the first record");
    let leaves: BTreeSet<LeafHash> = receipts.iter().map(|receipt| receipt.leaf).collect();
    assert_eq!(leaves.len(), receipts.len(), "no two records are the same");
}

pub(crate) fn grow_with_each_append(new: NewHarness<'_>) {
    let subject = Subject::new(new);
    let log = new_log();
    assert_eq!(
        subject.frontier(log),
        Frontier::new(),
        "an empty log has the frontier of no events"
    );
    let other = subject.with_other_handle();
    let mut seen = vec![TreeHead::EMPTY];
    for count in [1, 1, 2, 0, 3, 25, 32, 1, 40, 64] {
        let batch = mixed(count);
        let receipts = subject.append(log, batch.clone()).expect("an append must succeed");
        let of_other = other.frontier(log);
        assert_eq!(of_other, subject.frontier(log), "every handle sees the frontier of an append");
        subject.append(log, batch).expect("a redelivery succeeds");
        subject.append(new_log(), events(3)).expect("an append must succeed");
        let frontier = subject.frontier(log);
        assert_eq!(frontier, of_other, "what adds no event leaves the frontier");
        let last = receipts.last().map_or(seen.last().unwrap().size, |r| r.sequence);
        assert_eq!(frontier.size(), last, "the frontier is that of all events");
        seen.push(frontier.head());
    }
    let tree = subject.tree(log);
    for head in seen {
        let expected = tree.head(head.size.get());
        assert_eq!(head, expected, "the root is that of the records, after each append");
    }
    let all = frontier_of(&tree, tree.size());
    assert_eq!(subject.frontier(log), all, "the frontier has the roots of its complete subtrees");
}

pub(crate) fn are_the_same_whatever_the_batches(new: NewHarness<'_>) {
    let subject = Subject::new(new);
    for size in [1, 2, 7, 31, 32, 33, 100] {
        let log = new_log();
        for batch in events(100).chunks(size) {
            subject.put(log, batch);
        }
        let tree = subject.tree(log);
        let frontier = frontier_of(&tree, tree.size());
        assert_eq!(
            subject.frontier(log),
            frontier,
            "batches of {size} leave no mark on the frontier"
        );
        let names = tree.complete();
        let expected: Vec<_> = names.iter().map(|id| tree.node(*id)).collect();
        let same = subject.nodes(log, &names) == expected;
        assert!(same, "batches of {size} leave no mark on the nodes");
    }
}

pub(crate) fn have_the_nodes_that_are_complete(new: NewHarness<'_>) {
    let subject = Subject::new(new);
    let log = new_log();
    let absurd =
        [(0, u64::MAX), (1, 1 << 63), (5, 1 << 59), (62, 1), (63, 0), (64, 0), (255, u64::MAX)]
            .map(|(level, index)| NodeId::new(level, index));
    let nothing = subject.nodes(log, &absurd);
    assert_eq!(nothing, [None; 7], "an empty log has no node");
    assert_eq!(subject.nodes(log, &[]), [], "of no nodes there is no entry");
    for count in [1, 30, 1, 1, 31, 1, 900, 60] {
        subject.put(log, &events(count));
        let tree = subject.tree(log);
        // In no order, some twice, and next to each complete one those that are not.
        let mut names = tree.complete();
        let beyond = (0..64).map(|level| NodeId::new(level, tree.size() >> level));
        names.extend(beyond.chain(absurd).chain([NodeId::new(0, 0); 2]));
        names.sort_unstable_by_key(|id| (id.index.wrapping_mul(0x9e37_79b9), id.level));
        let hashes = subject.nodes(log, &names);
        assert_eq!(hashes.len(), names.len(), "there is one entry for each node asked for");
        for (id, hash) in names.into_iter().zip(hashes) {
            let expected = tree.node(id);
            assert_eq!(hash, expected, "{id:?} of {}", tree.size());
        }
    }
}

pub(crate) fn prove_every_event_and_every_growth(new: NewHarness<'_>) {
    let subject = Subject::new(new);
    let log = new_log();
    for batch in events(300).chunks(41) {
        subject.put(log, batch);
    }
    let tree = subject.tree(log);
    // All about the first tiles, and on both sides of the ends of tiles.
    let chosen = |size: &u64| *size < 70 || (size + 1) % Tile::WIDTH < 3 || size.is_multiple_of(50);
    let sizes: Vec<_> = (1..=300).filter(chosen).collect();
    subject.assert_proves(log, &tree, 0, &sizes);
}

pub(crate) fn of_two_logs_are_apart(new: NewHarness<'_>) {
    let subject = Subject::new(new);
    let logs = [new_log(), new_log(), Log::Platform];
    // The same events, so that the records differ only by the log.
    for batch in mixed(70).chunks(20) {
        for log in logs {
            subject.put(log, batch);
        }
    }
    let trees = logs.map(|log| subject.tree(log));
    let heads = logs.map(|log| subject.frontier(log).head());
    for (n, log) in logs.into_iter().enumerate() {
        assert_eq!(heads[n], trees[n].head(70), "the frontier is that of the log's own records");
        let names = trees[n].complete();
        let expected: Vec<_> = names.iter().map(|id| trees[n].node(*id)).collect();
        assert!(subject.nodes(log, &names) == expected, "nodes are those of the log's own records");
        let roots = heads.iter().filter(|head| head.root == heads[n].root);
        assert_eq!(roots.count(), 1, "the log is part of each record: no two have a root");
    }
    let empty = new_log();
    assert_eq!(
        subject.frontier(empty),
        Frontier::new(),
        "a log without events has an empty frontier"
    );
    assert_eq!(
        subject.nodes(empty, &[NodeId::new(0, 0), NodeId::new(5, 0)]),
        [None; 2],
        "nor has it nodes"
    );
    assert_eq!(subject.entries(empty), [], "nor has it records");
}

pub(crate) fn survive_a_reopen(new: NewHarness<'_>) {
    let mut subject = Subject::new(new);
    let log = new_log();
    for count in [1, 33, 64, 5] {
        subject.put(log, &mixed(count));
        let (frontier, entries) = (subject.frontier(log), subject.entries(log));
        subject = subject.reopen();
        assert_eq!(subject.frontier(log), frontier, "the frontier survives a reopen");
        assert_eq!(subject.entries(log), entries, "records survive a reopen to the byte");
    }
    let tree = subject.tree(log);
    assert_eq!(
        subject.frontier(log),
        frontier_of(&tree, tree.size()),
        "the frontier goes on as it was"
    );
    subject.assert_proves(log, &tree, 0, &[1, 34, 98, tree.size()]);
    let last = subject.events(log).last().map(|event| event.sequence);
    assert_eq!(last, Some(Sequence::new(tree.size()).unwrap()), "the tree is that of the log");
}
