//! The proofs of the logs of a store, and requests that cannot be proved.

use crate::liar::{LOG, Liar, Rows, append, by, paid, store};
use audit_core::tree::NodeId;
use audit_core::{
    AuditStore, AuditStoreExt as _, EntriesRequest, Error, ErrorKind, EventId, LeafHash, Log,
    OrganizationId, Retention, RetentionStore as _, Sequence, TreeHead,
};
use audit_memory::MemoryStore;
use audit_merkle::{Checkpoint, CheckpointSigner, SignedCheckpoint, VerifyExt as _};
use futures_executor::block_on;

const ORIGIN: &str = "audit.example.com/platform";

fn sequence(number: u64) -> Sequence {
    Sequence::new(number).unwrap()
}

fn size(size: u64) -> Sequence {
    Sequence::new(size).unwrap()
}

fn heads(store: &dyn AuditStore, sizes: std::ops::RangeInclusive<u64>) -> Vec<TreeHead> {
    sizes.map(|n| block_on(store.tree_head_at(LOG, size(n))).unwrap()).collect()
}

fn signed(signer: &CheckpointSigner, head: TreeHead) -> SignedCheckpoint {
    signer.sign_first(&Checkpoint::new(ORIGIN, head).unwrap()).unwrap()
}

#[test]
fn every_event_of_every_tree_is_proved_and_every_two_trees() {
    const SIZE: u64 = 70;
    let (store, mut grown) = (MemoryStore::new().unwrap(), vec![TreeHead::EMPTY]);
    let mut leaves = Vec::new();
    for number in 1..=SIZE {
        leaves.push(block_on(store.record(LOG, paid(number))).unwrap().leaf);
        grown.push(block_on(store.tree_head(LOG)).unwrap());
    }
    assert_eq!(heads(&store, 0..=SIZE), grown);
    let head = |n: u64| &grown[usize::try_from(n).unwrap()];
    for to in 1..=SIZE {
        for from in 0..=to {
            let proof = block_on(store.consistency_proof(LOG, size(from), size(to))).unwrap();
            proof.verify(head(from), head(to)).unwrap();
        }
        for (number, leaf) in (1..=to).zip(&leaves) {
            let proof = block_on(store.inclusion_proof(LOG, sequence(number), size(to))).unwrap();
            proof.verify(*leaf, head(to)).unwrap();
        }
    }
}

#[test]
fn a_proof_that_cannot_be_is_an_error_that_says_why() {
    let store = store(8);
    let inclusion = |n, of| block_on(store.inclusion_proof(LOG, sequence(n), size(of)));
    let consistency = |from, to| block_on(store.consistency_proof(LOG, size(from), size(to)));
    let failure = |error: Error| (error.kind(), error.field().unwrap_or_default().to_owned());
    let invalid = |field: &str| (ErrorKind::Invalid, field.to_owned());
    let too_short = || (ErrorKind::Behind, "size".to_owned());
    assert_eq!(failure(inclusion(0, 8).unwrap_err()), invalid("sequence"));
    assert_eq!(failure(inclusion(8, 7).unwrap_err()), invalid("sequence"));
    assert_eq!(failure(consistency(8, 7).unwrap_err()), invalid("from"));
    // All nodes of these are there.
    assert_eq!(failure(inclusion(9, 9).unwrap_err()), too_short());
    let too_short_to = || (ErrorKind::Behind, "to".to_owned());
    assert_eq!(failure(consistency(9, 9).unwrap_err()), too_short_to());
    assert_eq!(failure(consistency(0, 9).unwrap_err()), too_short_to());
    assert_eq!(failure(block_on(store.tree_head_at(LOG, size(9))).unwrap_err()), too_short());
    let largest = Sequence::MAX.get();
    assert_eq!(failure(inclusion(1, largest).unwrap_err()), too_short());
    // A log that nobody has written to.
    let empty = Log::from(OrganizationId::new());
    assert_eq!(block_on(store.tree_head(empty)).unwrap(), TreeHead::EMPTY);
    block_on(store.consistency_proof(empty, size(0), size(0))).unwrap();
    // A node that should be there.
    let mut liar = Liar::new(&store);
    liar.nodes.insert(NodeId::new(2, 1), None);
    let error = block_on(liar.inclusion_proof(LOG, sequence(1), size(8))).unwrap_err();
    assert_eq!(failure(error), (ErrorKind::Corrupt, "nodes[2][1]".to_owned()));
}

#[test]
fn what_retention_has_left_is_proved_and_the_rest_is_gone() {
    let store = store(100);
    let leaves: Vec<LeafHash> = {
        let entries = block_on(store.entries(
            LOG,
            EntriesRequest::default().after(Sequence::ZERO).limit(100).bytes(1 << 20),
        ))
        .unwrap();
        entries.iter().map(|entry| LeafHash::of(&entry.event.record)).collect()
    };
    let before = heads(&store, 0..=100);
    block_on(store.set_retention(LOG, Retention::default().max_events(30), by())).unwrap();
    let floor = block_on(store.prune(LOG, by().into())).unwrap().floor.get();
    assert_eq!(floor, 64);
    let gone = |error: Error| assert_eq!(error.kind(), ErrorKind::Gone);
    for from in 0..=100_u64 {
        let consistency = block_on(store.consistency_proof(LOG, size(from), size(100)));
        let head = block_on(store.tree_head_at(LOG, size(from)));
        let old = &before[usize::try_from(from).unwrap()];
        if let 1..64 = from {
            // Some of these need no node that is gone.
            let _ = consistency.map_err(gone).map(|proof| proof.verify(old, &before[100]));
            let _ = head.map_err(gone).map(|head| assert_eq!(&head, old));
        } else {
            consistency.unwrap().verify(old, &before[100]).unwrap();
            assert_eq!(&head.unwrap(), old);
        }
        let Some(leaf) = usize::try_from(from).ok().and_then(|n| leaves.get(n)) else { continue };
        let inclusion = block_on(store.inclusion_proof(LOG, sequence(from + 1), size(100)));
        match from {
            0..64 => gone(inclusion.unwrap_err()),
            _ => inclusion.unwrap().verify(*leaf, &before[100]).unwrap(),
        }
    }
}

#[test]
fn evidence_of_an_event_is_verified_by_its_text_alone() {
    let (store, signer) = (store(5), CheckpointSigner::generate(ORIGIN).unwrap());
    let receipt = block_on(store.record(LOG, paid(6))).unwrap();
    let early = signed(&signer, heads(&store, 5..=5)[0]);
    append(&store, 5);
    let now = signed(&signer, block_on(store.tree_head(LOG)).unwrap());
    let evidence = |store: &dyn AuditStore, id, checkpoint: &SignedCheckpoint| {
        block_on(store.evidence(LOG, id, checkpoint.clone()))
    };
    let text = evidence(&store, receipt.id, &now).unwrap().to_string();
    let proved = text.parse::<audit_merkle::Evidence>().unwrap().verify(signer.verifier()).unwrap();
    assert_eq!((proved.event.id, proved.event.sequence), (receipt.id, receipt.sequence));
    assert_eq!(proved.event.targets[0].id.as_deref(), Some("inv_6"));

    let error = evidence(&store, EventId::new(), &now).unwrap_err();
    assert_eq!((error.kind(), error.field()), (ErrorKind::NotFound, Some("event")));
    let error = evidence(&store, receipt.id, &early).unwrap_err();
    assert_eq!((error.kind(), error.field()), (ErrorKind::Invalid, Some("checkpoint.size")));
    // A checkpoint of another history; a record that was changed; a row that is not there.
    let other = signed(&signer, block_on(self::store(11).tree_head(LOG)).unwrap());
    assert_eq!(evidence(&store, receipt.id, &other).unwrap_err().kind(), ErrorKind::Corrupt);
    let edits: [fn(&mut Rows); 2] =
        [|rows| rows[5].event.record.push(b' '), |rows| drop(rows.remove(5))];
    for edit in edits {
        let liar = Liar::edited(&store, edit);
        assert_eq!(evidence(&liar, receipt.id, &now).unwrap_err().kind(), ErrorKind::Corrupt);
    }
}
