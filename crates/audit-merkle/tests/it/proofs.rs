//! Proofs of all sizes up to 512 against an implementation that shares no code, not even the hash
//! function, and each one-bit change of what is verified.
//!
//! Every bit of every proof up to the size `AUDIT_MERKLE_BITS`, 24 unless it is set, and a sample
//! above. All of them, which takes a while on all cores:
//!
//! ```sh
//! AUDIT_MERKLE_BITS=512 cargo test --release -p audit-merkle --test it one_bit -- --nocapture
//! ```

use std::cell::Cell;

use crate::common::{Tree, number, sequence, size};
use audit_core::Sequence;
use audit_core::tree::NodeId;
use audit_core::{Error, ErrorKind, Result, Violation};
use audit_merkle::{
    ConsistencyProof, InclusionProof, LeafHash, NodeHash, Nodes, RootHash, TreeHead,
    consistency_nodes, consistency_proof, inclusion_nodes, inclusion_proof, root, root_nodes,
};
use ct_merkle::mem_backed_tree::MemoryBackedTree;
use sha2::Sha256;

const SIZES: u64 = 512;

fn bytes(path: &[NodeHash]) -> Vec<u8> {
    path.iter().flat_map(|hash| *hash.as_bytes()).collect()
}

#[test]
fn all_proofs_are_those_of_another_implementation() {
    let tree = Tree::numbered(SIZES);
    let mut other = MemoryBackedTree::<Sha256, Vec<u8>>::new();
    let mut roots = Vec::new();
    for n in 1..=SIZES {
        other.push(number(n - 1));
        let their_root = other.root();
        let head = tree.heads[usize::try_from(n).unwrap()];
        assert_eq!(head.root.as_bytes()[..], their_root.as_bytes()[..]);
        assert_eq!(root(&tree.nodes, size(n)).unwrap(), head.root);
        roots.push(their_root.clone());
        for m in 1..=n {
            let index = usize::try_from(m - 1).unwrap();

            let ours = inclusion_proof(&tree.nodes, sequence(m), size(n)).unwrap();
            let theirs = other.prove_inclusion(index);
            assert_eq!(bytes(ours.path()), theirs.as_bytes(), "inclusion {m} {n}");
            ours.verify(tree.leaves[index], &head).unwrap();
            their_root.verify_inclusion(&number(m - 1), m - 1, &theirs).unwrap();

            let ours = consistency_proof(&tree.nodes, size(m), size(n)).unwrap();
            ours.verify(&tree.heads[index + 1], &head).unwrap();
            let theirs = other.prove_consistency(usize::try_from(n - m).unwrap());
            // RFC 6962: nothing is sent between equal trees. The other sends something.
            if m < n {
                assert_eq!(bytes(ours.path()), theirs.as_bytes(), "consistency {m} {n}");
                their_root.verify_consistency(&roots[index], &theirs).unwrap();
            }
        }
    }
}

/// Which bits of a thing of `bits` bits to change.
fn bits(bits: usize, all: bool, seed: u64) -> Vec<usize> {
    if all {
        return (0..bits).collect();
    }
    let step = |n: u64| n.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
    (0..4)
        .scan(seed, |n, _| Some(std::mem::replace(n, step(*n))))
        .filter_map(|n| usize::try_from(n >> 33).unwrap().checked_rem(bits))
        .collect()
}

fn flipped(hash: &[u8; 32], bit: usize) -> [u8; 32] {
    let mut hash = *hash;
    hash[bit / 8] ^= 1 << (bit % 8);
    hash
}

fn with_flipped(path: &[NodeHash], bit: usize) -> Vec<NodeHash> {
    let mut path = path.to_vec();
    path[bit / 256] = NodeHash::from_bytes(flipped(path[bit / 256].as_bytes(), bit % 256));
    path
}

fn flipped_head(head: &TreeHead, bit: usize) -> TreeHead {
    TreeHead { root: RootHash::from_bytes(flipped(head.root.as_bytes(), bit)), ..*head }
}

/// The sizes that differ from `of` in one bit.
fn near(of: Sequence) -> impl Iterator<Item = Sequence> {
    (0..63).map(move |bit| size(of.get() ^ (1 << bit)))
}

/// Checks that no change of the proof of event `m` of `n` passes; returns how many were tried.
fn refuse_inclusion(tree: &Tree, m: u64, n: u64, all: bool) -> usize {
    let head = tree.heads[usize::try_from(n).unwrap()];
    let leaf = tree.leaves[usize::try_from(m - 1).unwrap()];
    let proof = inclusion_proof(&tree.nodes, sequence(m), size(n)).unwrap();
    let (event, of, path) = (proof.sequence(), proof.size(), proof.path().to_vec());
    let mut tried = 0;
    let mut refused = |proof: &InclusionProof, leaf, head: &TreeHead| {
        tried += 1;
        let error = proof.verify(leaf, head).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
    };
    for bit in bits(path.len() * 256, all, m * n) {
        refused(&InclusionProof::new(event, of, with_flipped(&path, bit)), leaf, &head);
    }
    for bit in bits(256, all, m + n) {
        let other = LeafHash::from_bytes(flipped(leaf.as_bytes(), bit));
        refused(&proof, other, &head);
        refused(&proof, leaf, &flipped_head(&head, bit));
    }
    for bit in 0..63 {
        let other = InclusionProof::new(sequence(m ^ (1 << bit)), of, path.clone());
        refused(&other, leaf, &head);
    }
    for size in near(of) {
        refused(&InclusionProof::new(event, size, path.clone()), leaf, &head);
        refused(&proof, leaf, &TreeHead { size, ..head });
    }
    let longer = [&path[..], &[leaf.into()]].concat();
    refused(&InclusionProof::new(event, of, longer), leaf, &head);
    if let [shorter @ .., _] = &path[..] {
        refused(&InclusionProof::new(event, of, shorter.to_vec()), leaf, &head);
    }
    tried
}

/// Checks that no change of the proof from `m` to `n` passes; returns how many were tried.
fn refuse_consistency(tree: &Tree, m: u64, n: u64, all: bool) -> usize {
    let (old, new) =
        (tree.heads[usize::try_from(m).unwrap()], tree.heads[usize::try_from(n).unwrap()]);
    let proof = consistency_proof(&tree.nodes, size(m), size(n)).unwrap();
    let (from, to, path) = (proof.from(), proof.to(), proof.path().to_vec());
    let mut tried = 0;
    let mut refused = |proof: &ConsistencyProof, old: &TreeHead, new: &TreeHead| {
        tried += 1;
        assert_eq!(proof.verify(old, new).unwrap_err().kind(), ErrorKind::Invalid);
    };
    for bit in bits(path.len() * 256, all, m * n) {
        refused(&ConsistencyProof::new(from, to, with_flipped(&path, bit)), &old, &new);
    }
    for bit in bits(256, all, m + n) {
        refused(&proof, &flipped_head(&old, bit), &new);
        refused(&proof, &old, &flipped_head(&new, bit));
    }
    for size in near(from) {
        refused(&ConsistencyProof::new(size, to, path.clone()), &old, &new);
        refused(&proof, &TreeHead { size, ..old }, &new);
    }
    for size in near(to) {
        refused(&ConsistencyProof::new(from, size, path.clone()), &old, &new);
        refused(&proof, &old, &TreeHead { size, ..new });
    }
    let longer = [&path[..], &[NodeHash::from_bytes([1; 32])]].concat();
    refused(&ConsistencyProof::new(from, to, longer), &old, &new);
    if let [shorter @ .., _] = &path[..] {
        refused(&ConsistencyProof::new(from, to, shorter.to_vec()), &old, &new);
    }
    tried
}

#[test]
fn each_one_bit_change_is_refused() {
    let all_to = std::env::var("AUDIT_MERKLE_BITS").map_or(24, |bits| bits.parse().unwrap());
    let tree = Tree::numbered(SIZES);
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get() as u64);
    let tried: usize = std::thread::scope(|scope| {
        let work = |thread| {
            let tree = &tree;
            move || {
                let mut tried = 0;
                for n in (1..=SIZES).filter(|n| n % threads == thread) {
                    let all = n <= all_to;
                    for m in (1..=n).filter(|m| all || (m * 7 + n) % 61 == 0) {
                        tried += refuse_inclusion(tree, m, n, all);
                        tried += refuse_consistency(tree, m, n, all);
                    }
                }
                tried
            }
        };
        let threads: Vec<_> = (0..threads).map(|thread| scope.spawn(work(thread))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    println!("{tried} changes refused, all bits up to size {all_to}");
    assert!(tried > 500_000);
}

#[test]
fn a_last_leaf_that_comes_twice_is_another_tree() {
    for odd in (1..64).step_by(2) {
        let tree = Tree::numbered(odd);
        let mut twice = tree.clone();
        twice.append(&number(odd - 1));
        assert_ne!(tree.head().root, twice.head().root, "{odd}");
    }
    // Nor is a leaf that looks like a node one: the prefixes differ.
    let pair = Tree::numbered(2);
    let forged = [pair.leaves[0].as_bytes().as_slice(), pair.leaves[1].as_bytes()].concat();
    assert_ne!(Tree::of([forged]).head().root, pair.head().root);
}

#[test]
fn the_empty_tree_begins_every_other() {
    let tree = Tree::numbered(3);
    let proof = consistency_proof(&tree.nodes, Sequence::ZERO, size(3)).unwrap();
    assert!(proof.path().is_empty());
    proof.verify(&TreeHead::EMPTY, &tree.head()).unwrap();
    let wrong = TreeHead { size: Sequence::ZERO, root: tree.head().root };
    proof.verify(&wrong, &tree.head()).unwrap_err();
    let none = consistency_proof(&tree.nodes, Sequence::ZERO, Sequence::ZERO).unwrap();
    none.verify(&TreeHead::EMPTY, &TreeHead::EMPTY).unwrap();
    none.verify(&TreeHead::EMPTY, &wrong).unwrap_err();
    let padded = ConsistencyProof::new(Sequence::ZERO, size(3), vec![tree.leaves[0].into()]);
    padded.verify(&TreeHead::EMPTY, &tree.head()).unwrap_err();
    for (number, of) in [(0, 3), (4, 3), (1, 0)] {
        let error = inclusion_proof(&tree.nodes, sequence(number), size(of)).unwrap_err();
        assert_eq!((error.kind(), error.field()), (ErrorKind::Invalid, Some("sequence")));
    }
    let error = consistency_proof(&tree.nodes, size(4), size(3)).unwrap_err();
    assert_eq!((error.kind(), error.field()), (ErrorKind::Invalid, Some("from")));
}

/// Counts what is read of a tree that has any node.
#[derive(Default)]
struct Counted(Cell<u32>);

impl Nodes for Counted {
    fn node(&self, _: NodeId) -> Result<Option<NodeHash>> {
        self.0.set(self.0.get() + 1);
        Ok(Some(NodeHash::from_bytes([0; 32])))
    }
}

#[test]
fn a_proof_reads_as_many_nodes_as_the_tree_is_high() {
    let reads = |ask: &dyn Fn(&Counted)| {
        let nodes = Counted::default();
        ask(&nodes);
        nodes.0.get()
    };
    for exponent in 3..=6 {
        let around = 10_u64.pow(exponent);
        let mut most = [0; 3];
        for n in [around - 1, around, around + 1, (around.next_power_of_two() - 1)] {
            let height = 64 - n.leading_zeros();
            let events = (1..=n).step_by(usize::try_from(n / 500).unwrap());
            for m in events.chain([n]) {
                let counted = [
                    reads(&|nodes| drop(inclusion_proof(nodes, sequence(m), size(n)).unwrap())),
                    reads(&|nodes| drop(consistency_proof(nodes, size(m), size(n)).unwrap())),
                    reads(&|nodes| assert!(root(nodes, size(n)).is_ok())),
                ];
                assert!(counted[0] <= 2 * height, "{m} {n} {counted:?}");
                assert!(counted[1] <= 2 * height + 1, "{m} {n} {counted:?}");
                assert!(counted[2] <= height, "{m} {n} {counted:?}");
                most = std::array::from_fn(|i| most[i].max(counted[i]));
            }
        }
        println!("10^{exponent}: inclusion, consistency, root read {most:?} at most");
    }
}

#[test]
fn what_is_named_is_what_is_read() {
    let tree = Tree::numbered(200);
    for (m, n) in [(1, 1), (3, 7), (64, 65), (100, 200), (199, 200), (200, 200)] {
        let only = |names: Vec<NodeId>| -> std::collections::HashMap<_, _> {
            names.into_iter().map(|name| (name, tree.nodes[&name])).collect()
        };
        let nodes = only(inclusion_nodes(sequence(m), size(n)).unwrap());
        let proof = inclusion_proof(&nodes, sequence(m), size(n)).unwrap();
        assert_eq!(proof, inclusion_proof(&tree.nodes, sequence(m), size(n)).unwrap());
        let nodes = only(consistency_nodes(size(m), size(n)).unwrap());
        let proof = consistency_proof(&nodes, size(m), size(n)).unwrap();
        assert_eq!(proof, consistency_proof(&tree.nodes, size(m), size(n)).unwrap());
        let nodes = only(root_nodes(size(n)));
        assert_eq!(root(&nodes, size(n)).unwrap(), root(&tree.nodes, size(n)).unwrap());
    }
}

#[test]
fn what_retention_leaves_is_proved() {
    const SIZE: u64 = 70;
    let tree = Tree::numbered(SIZE);
    for pruned in 0..=SIZE {
        let mut left = tree.nodes.clone();
        left.retain(|id, _| id.is_retained(size(pruned)));
        // Of the removed events, only the frontier is kept.
        let removed = |id: &&NodeId| (id.index + 1) << id.level <= pruned;
        let frontier = left.keys().filter(removed).count();
        assert_eq!(frontier, pruned.count_ones() as usize);
        for n in pruned.max(1)..=SIZE {
            let head = tree.heads[usize::try_from(n).unwrap()];
            for m in pruned + 1..=n {
                let leaf = tree.leaves[usize::try_from(m - 1).unwrap()];
                let proof = inclusion_proof(&left, sequence(m), size(n)).unwrap();
                proof.verify(leaf, &head).unwrap();
            }
            for m in pruned..=n {
                let old = tree.heads[usize::try_from(m).unwrap()];
                let proof = consistency_proof(&left, size(m), size(n)).unwrap();
                proof.verify(&old, &head).unwrap();
            }
        }
        if pruned > 2 {
            let gone = inclusion_proof(&left, sequence(1), size(SIZE)).unwrap_err();
            assert_eq!(gone.kind(), ErrorKind::NotFound);
        }
    }
    assert!(!NodeId::new(u8::MAX, u64::MAX).is_retained(Sequence::MAX));
}

/// A tree of any size whose records are all the same, so that a level has one hash.
struct Uniform(LeafHash);

impl Nodes for Uniform {
    fn node(&self, id: NodeId) -> Result<Option<NodeHash>> {
        Ok(Some((0..id.level).fold(self.0.into(), |below, _| NodeHash::of(below, below))))
    }
}

#[test]
fn the_largest_trees_are_no_different() {
    let leaf = LeafHash::of(b"the same");
    let nodes = Uniform(leaf);
    let head = |n| TreeHead { size: size(n), root: root(&nodes, size(n)).unwrap() };
    for n in [Sequence::MAX.get(), Sequence::MAX.get() - 1, (1 << 62) + 1, 1 << 62] {
        for m in [1, 2, n / 2, n / 2 + 1, n - 1, n] {
            let proof = inclusion_proof(&nodes, sequence(m), size(n)).unwrap();
            proof.verify(leaf, &head(n)).unwrap();
            proof.verify(LeafHash::of(b"another"), &head(n)).unwrap_err();
            let proof = consistency_proof(&nodes, size(m), size(n)).unwrap();
            proof.verify(&head(m), &head(n)).unwrap();
            let other = TreeHead { root: RootHash::EMPTY, ..head(m) };
            proof.verify(&other, &head(n)).unwrap_err();
        }
    }
}

#[test]
fn a_long_path_is_refused_before_it_is_walked() {
    let tree = Tree::numbered(4);
    let path = vec![NodeHash::from_bytes([0; 32]); 1_000_000];
    let long = |error: Error| matches!(error.violation(), Some(Violation::TooMany { .. }));
    let proof = InclusionProof::new(sequence(1), size(4), path.clone());
    assert!(long(proof.verify(tree.leaves[0], &tree.head()).unwrap_err()));
    let proof = ConsistencyProof::new(size(2), size(4), path);
    assert!(long(proof.verify(&tree.heads[2], &tree.head()).unwrap_err()));
}

#[test]
fn proofs_as_json_come_back() {
    let tree = Tree::numbered(9);
    let proof = inclusion_proof(&tree.nodes, sequence(3), size(9)).unwrap();
    let json = serde_json::to_string(&proof).unwrap();
    assert!(json.starts_with(r#"{"sequence":3,"size":9,"path":[""#), "{json}");
    assert_eq!(serde_json::from_str::<InclusionProof>(&json).unwrap(), proof);
    let json = json.replace("\"size\":9", "\"size\":9223372036854775808");
    assert!(serde_json::from_str::<InclusionProof>(&json).is_err());
}
