//! Evidence, proofs, the frontier of a tree: what is read prints as it was, and what is proved is what
//! was appended, where it was appended.

#![no_main]

use std::collections::HashMap;
use std::sync::LazyLock;

use audit_core::{Result, Sequence};
use audit_merkle::{
    ConsistencyProof, Evidence, Frontier, InclusionProof, LeafHash, NodeHash, NodeId, Nodes,
    RootHash, TreeHead, consistency_nodes, consistency_proof, inclusion_nodes, inclusion_proof,
    root, root_nodes,
};
use audit_merkle_fuzz::{Genuine, changed, changed_text, equal, json, size};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((what, input)) = input.split_first() else { return };
    match what % 6 {
        0 => PROOFS.check(&String::from_utf8_lossy(input)),
        1 => PROOFS.check(&changed_text(&PROOFS.evidence, input)),
        2 => PROOFS.check(&PROOFS.change_event(input)),
        3 => PROOFS.check(&changed_text(&PROOFS.json, input)),
        4 => check_edge(input),
        _ => check_sizes(input),
    }
});

/// The facts that can be proved of a log, and texts that prove some of them.
struct Proofs {
    log: Genuine,
    evidence: [String; 3],
    /// Of both kinds of proofs, and of a head.
    json: Vec<String>,
}

static PROOFS: LazyLock<Proofs> = LazyLock::new(Proofs::new);

impl Proofs {
    fn new() -> Self {
        let log = Genuine::new();
        let evidence = [log.evidence(3, 7), log.evidence(7, 7), log.evidence(3, 5)];
        let included = |number, n| inclusion_proof(&log.nodes, number, size(n)).unwrap();
        let consistent = |m, n| consistency_proof(&log.nodes, size(m), size(n)).unwrap();
        let third = Sequence::new(3).unwrap();
        let json = vec![
            serde_json::to_string(&included(third, 7)).unwrap(),
            serde_json::to_string(&included(third, 5)).unwrap(),
            serde_json::to_string(&consistent(3, 7)).unwrap(),
            serde_json::to_string(&consistent(4, 5)).unwrap(),
            serde_json::to_string(&log.heads[7]).unwrap(),
        ];
        Self { evidence: evidence.map(|evidence| evidence.to_string()), json, log }
    }

    /// Evidence whose event is changed in the bytes that its second line has in base64.
    fn change_event(&self, input: &[u8]) -> String {
        let events = self.evidence.each_ref().map(|text| {
            let (_, event, _) = parts(text);
            STANDARD.decode(event).unwrap()
        });
        let frame = usize::from(input.first().copied().unwrap_or_default());
        let (before, _, behind) = parts(&self.evidence[frame % self.evidence.len()]);
        let event = STANDARD.encode(changed(&events, input));
        format!("{before}extra {event}\n{behind}")
    }

    /// Reads `text` in every way.
    fn check(&self, text: &str) {
        equal::<LeafHash>(text);
        equal::<NodeHash>(text);
        equal::<RootHash>(text);
        json::<TreeHead>(text);
        if let Some(proof) = json(text) {
            self.check_inclusion(&proof);
        }
        if let Some(proof) = json(text) {
            self.check_consistency(&proof);
        }
        if let Some(evidence) = equal(text) {
            self.check_evidence(&evidence);
        }
    }

    fn check_evidence(&self, evidence: &Evidence) {
        let proved = evidence.verify(self.log.signer.verifier());
        let redacted = evidence.clone().without_personal();
        assert_eq!(equal(&redacted.to_string()).as_ref(), Some(&redacted));
        if proved.is_ok() {
            assert!(redacted.verify(self.log.signer.verifier()).is_ok());
        }
        let Ok(proved) = proved else { return };
        let [number, n] = [proved.event.sequence.get(), proved.head.size.get()]
            .map(|number| usize::try_from(number).unwrap());
        let genuine = self.log.evidence(number, n);
        assert_eq!(evidence.proof(), genuine.proof());
        assert_eq!(evidence.checkpoint().unverified(), genuine.checkpoint().unverified());
        assert_eq!(proved.head, self.log.heads[n]);
        let (event, genuine) = (evidence.unverified(), genuine.unverified());
        assert_eq!(event.record, genuine.record);
        assert!(event.personal.is_none() || event.personal == genuine.personal);
        assert!(!proved.to_string().is_empty());
    }

    /// Of each record at each size, `proof` proves what the log itself does, and no more.
    fn check_inclusion(&self, proof: &InclusionProof) {
        for (number, leaf) in (1..).zip(&self.log.leaves) {
            let sequence = Sequence::new(number).unwrap();
            for head in &self.log.heads {
                let genuine = inclusion_proof(&self.log.nodes, sequence, head.size);
                let proves = proof.verify(*leaf, head).is_ok();
                assert_eq!(proves, genuine.is_ok_and(|genuine| genuine == *proof));
            }
        }
    }

    /// Of each two heads, `proof` proves what the log itself does, and no more.
    fn check_consistency(&self, proof: &ConsistencyProof) {
        for old in &self.log.heads {
            for new in &self.log.heads {
                let genuine = consistency_proof(&self.log.nodes, old.size, new.size);
                let proves = proof.verify(old, new).is_ok();
                assert_eq!(proves, genuine.is_ok_and(|genuine| genuine == *proof));
            }
        }
    }
}

/// Splits the text of evidence into the part before the event, the event, and the rest.
fn parts(evidence: &str) -> (&str, &str, &str) {
    let (before, rest) = evidence.split_once("extra ").unwrap();
    let (event, behind) = rest.split_once('\n').unwrap();
    (before, event, behind)
}

/// Reads the frontier of a tree and appends to it.
fn check_edge(input: &[u8]) {
    let Ok(mut frontier) = Frontier::from_bytes(input) else { return };
    assert_eq!(frontier.to_bytes(), input);
    assert_eq!(frontier.head(), TreeHead { size: frontier.size(), root: frontier.root() });
    let before = frontier.clone();
    let mut nodes: HashMap<_, _> = frontier.nodes().map(|node| (node.id, node.hash)).collect();
    assert_eq!(root(&nodes, frontier.size()).unwrap(), frontier.root());
    for number in 0..5_u8 {
        let (index, leaf) = (frontier.size().get(), LeafHash::of(&[number]));
        let Ok(completed) = frontier.append(leaf) else {
            assert_eq!(frontier.size(), Sequence::MAX);
            return;
        };
        nodes.insert(NodeId::new(0, index), leaf.into());
        nodes.extend(completed.iter().map(|node| (node.id, node.hash)));
        assert_eq!(Frontier::from_bytes(&frontier.to_bytes()).unwrap(), frontier);
        assert_eq!(root(&nodes, frontier.size()).unwrap(), frontier.root());
        // What is there suffices for what has come since.
        let proof = consistency_proof(&nodes, before.size(), frontier.size()).unwrap();
        proof.verify(&before.head(), &frontier.head()).unwrap();
        let last = Sequence::new(frontier.size().get()).unwrap();
        let proof = inclusion_proof(&nodes, last, frontier.size()).unwrap();
        proof.verify(leaf, &frontier.head()).unwrap();
    }
}

/// A tree of any size whose records are all the same, so that a level has one hash.
struct Uniform([NodeHash; 63]);

impl Uniform {
    fn new(leaf: LeafHash) -> Self {
        let mut levels = [leaf.into(); 63];
        for level in 1..levels.len() {
            levels[level] = NodeHash::of(levels[level - 1], levels[level - 1]);
        }
        Self(levels)
    }
}

impl Nodes for Uniform {
    fn node(&self, NodeId { level, .. }: NodeId) -> Result<Option<NodeHash>> {
        Ok(self.0.get(usize::from(level)).copied())
    }
}

static UNIFORM: LazyLock<Uniform> = LazyLock::new(|| Uniform::new(LeafHash::of(b"the same")));

/// Takes two sizes and a path from `input`.
fn check_sizes(input: &[u8]) {
    let (numbers, path) = input.as_chunks::<8>().0.split_at(input.len().min(16) / 8);
    let [m, n] = numbers else { return };
    let [m, n] = [m, n].map(|bytes| u64::from_be_bytes(*bytes));
    let path: Vec<_> =
        path.as_flattened().as_chunks().0.iter().copied().map(NodeHash::from_bytes).collect();
    let (leaf, nodes) = (LeafHash::of(b"the same"), &*UNIFORM);
    let head = |n| TreeHead { size: n, root: root(nodes, n).unwrap() };
    let [from, to] = [size(m), size(n)];
    let [old, new] = [from, to].map(head);
    assert_eq!(root_nodes(to).len(), to.get().count_ones() as usize);

    // A random path is not a proof, unless it is empty and there is nothing to prove.
    let proof = ConsistencyProof::new(from, to, path.clone());
    let consistent = consistency_proof(nodes, from, to);
    assert_eq!(consistent.is_ok(), from <= to);
    assert_eq!(proof.verify(&old, &new).is_ok(), consistent.as_ref().ok() == Some(&proof));
    if let Ok(proof) = consistent {
        proof.verify(&old, &new).unwrap();
        assert!(consistency_nodes(from, to).unwrap().len() >= proof.path().len());
    }
    let Ok(sequence) = Sequence::new(from.get()) else { return };
    let proof = InclusionProof::new(sequence, to, path);
    let included = inclusion_proof(nodes, sequence, to);
    assert_eq!(included.is_ok(), sequence != Sequence::ZERO && from <= to);
    assert_eq!(proof.verify(leaf, &new).is_ok(), included.as_ref().ok() == Some(&proof));
    if let Ok(proof) = included {
        proof.verify(leaf, &new).unwrap();
        let nodes = inclusion_nodes(sequence, to).unwrap();
        assert!(nodes.len() >= proof.path().len());
        // No event that is left needs a node that may go.
        let pruned = size(from.get() - 1);
        assert!(nodes.iter().all(|id| id.is_retained(pruned)));
    }
}
