//! Properties of any input: the frontier is that of the whole tree, and no text makes a parser panic.

use crate::common::{Events, Tree, sequence, signed, size};
use audit_core::backend::{PersonalData, StoredEvent};
use audit_merkle::{
    Checkpoint, CheckpointSigner, CheckpointVerifier, ConsistencyProof, Evidence, Frontier,
    InclusionProof, LeafHash, NodeHash, RootHash, SignedCheckpoint, WitnessVerifier, frontier_at,
    inclusion_proof, root,
};
use proptest::prelude::*;

/// RFC 6962, section 2.1, word for word.
fn whole(leaves: &[LeafHash]) -> RootHash {
    match leaves {
        [] => RootHash::EMPTY,
        [leaf] => NodeHash::from(*leaf).into(),
        _ => {
            let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
            let node = |half| NodeHash::from_bytes(*whole(half).as_bytes());
            NodeHash::of(node(left), node(right)).into()
        }
    }
}

/// A change of a text: bytes inserted, changed, removed, repeated.
fn mutate(text: &str, edits: Vec<(u8, prop::sample::Index, u8)>) -> String {
    let mut bytes = text.as_bytes().to_vec();
    for (kind, at, byte) in edits {
        if bytes.is_empty() {
            break;
        }
        let at = at.index(bytes.len());
        match kind % 5 {
            0 => bytes[at] ^= 1 << (byte % 8),
            1 => bytes.insert(at, byte),
            2 => drop(bytes.remove(at)),
            3 => bytes.truncate(at),
            _ => bytes.extend_from_within(at..),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn edits() -> impl Strategy<Value = Vec<(u8, prop::sample::Index, u8)>> {
    prop::collection::vec(any::<(u8, prop::sample::Index, u8)>(), 1..6)
}

/// Gives `text` to every parser; what one takes it prints as it was.
fn parse_all(text: &str) {
    fn same<T: std::str::FromStr + ToString>(text: &str) {
        if let Ok(parsed) = text.parse::<T>() {
            assert_eq!(parsed.to_string(), text);
        }
    }
    same::<Checkpoint>(text);
    same::<SignedCheckpoint>(text);
    same::<Evidence>(text);
    same::<CheckpointVerifier>(text);
    same::<LeafHash>(text);
    drop(text.parse::<WitnessVerifier>());
    drop(text.parse::<CheckpointSigner>());
    drop(Frontier::from_bytes(text.as_bytes()));
    drop(serde_json::from_str::<InclusionProof>(text));
    drop(serde_json::from_str::<ConsistencyProof>(text));
}

proptest! {
    #[test]
    fn the_frontier_is_that_of_the_whole_tree(
        records in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..80), 0..300)
    ) {
        let tree = Tree::of(&records);
        prop_assert_eq!(tree.head().root, whole(&tree.leaves));
        let n = size(records.len() as u64);
        prop_assert_eq!(root(&tree.nodes, n).unwrap(), tree.head().root);
        prop_assert_eq!(&frontier_at(&tree.nodes, n).unwrap(), &tree.frontier);
        prop_assert_eq!(&Frontier::from_bytes(&tree.frontier.to_bytes()).unwrap(), &tree.frontier);
        let frontier: Vec<_> = tree.frontier.nodes().collect();
        prop_assert!(frontier.iter().all(|node| tree.nodes[&node.id] == node.hash));
        // One node for each event on average, the leaves included two.
        let nodes = 2 * records.len() - n.get().count_ones() as usize;
        prop_assert_eq!(tree.nodes.len(), nodes);
    }

    #[test]
    fn any_text_is_parsed_or_refused(text in "\\PC*", bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        parse_all(&text);
        parse_all(&String::from_utf8_lossy(&bytes));
        drop(Frontier::from_bytes(&bytes));
    }

    #[test]
    fn any_lines_are_parsed_or_refused(
        lines in prop::collection::vec(
            prop_oneof![
                Just("c2sp.org/tlog-proof@v1".to_owned()),
                Just(String::new()),
                Just("CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=".to_owned()),
                "index -?[0-9]{1,20}",
                "[0-9]{1,20}",
                "extra [A-Za-z0-9+/]{0,8}={0,2}",
                "— [a-z ]{1,5} [A-Za-z0-9+/]{0,12}={0,2}",
                "\\PC{0,8}",
            ],
            0..12,
        ),
        end in "\n{0,2}",
    ) {
        parse_all(&(lines.join("\n") + &end));
    }

    #[test]
    fn a_mutated_text_proves_nothing_else(edits in edits()) {
        let events = Events::new(5);
        let signer = CheckpointSigner::generate(crate::common::ORIGIN).unwrap();
        let evidence = events.evidence(3, &signer);
        let text = mutate(&evidence.to_string(), edits.clone());
        parse_all(&text);
        if let Ok(parsed) = text.parse::<Evidence>()
            && let Ok(proved) = parsed.verify(signer.verifier())
        {
            // What still verifies is the same event in the same tree.
            prop_assert_eq!(parsed.unverified(), evidence.unverified());
            prop_assert_eq!(proved.head, events.tree.head());
        }
        parse_all(&mutate(&signed(&signer, events.tree.head()).to_string(), edits.clone()));
        parse_all(&mutate(signer.secret_text(), edits.clone()));
        let proof = inclusion_proof(&events.tree.nodes, sequence(3), size(5)).unwrap();
        parse_all(&mutate(&serde_json::to_string(&proof).unwrap(), edits));
    }

    #[test]
    fn the_bytes_of_an_event_come_back(
        record in prop::collection::vec(any::<u8>(), 0..80),
        personal in prop::option::of((any::<[u8; 16]>(), prop::collection::vec(any::<u8>(), 0..80))),
    ) {
        let signer = CheckpointSigner::generate(crate::common::ORIGIN).unwrap();
        let tree = Tree::of([&record]);
        let personal = personal.map(|(salt, bytes)| PersonalData::new(salt, bytes));
        let event = StoredEvent::new(record, personal);
        let proof = inclusion_proof(&tree.nodes, sequence(1), size(1)).unwrap();
        let evidence = Evidence::new(event.clone(), &proof, signed(&signer, tree.head())).unwrap();
        let parsed: Evidence = evidence.to_string().parse().unwrap();
        prop_assert_eq!(parsed.unverified(), &event);
        prop_assert_eq!(parsed, evidence);
    }

    #[test]
    fn any_origin_is_refused_or_comes_back(origin in "\\PC{0,40}|.{0,10}") {
        let Ok(checkpoint) = Checkpoint::new(&origin, Tree::numbered(3).head()) else {
            return Ok(());
        };
        let signer = CheckpointSigner::generate("a.example").unwrap();
        let signed = signer.sign_first(&checkpoint).unwrap();
        let parsed: SignedCheckpoint = signed.to_string().parse().unwrap();
        let verifier = signer.verifier().clone().with_origin(&origin);
        prop_assert_eq!(verifier.verify(&parsed).unwrap(), checkpoint);
    }
}
