//! The notary: what it signs follows what it signed, whatever becomes of the store.

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;

use crate::liar::{LOG, Liar, append, by, paid, store};
use audit_core::tree::NodeId;
use audit_core::{
    AuditStore, EntriesRequest, Error, ErrorKind, Log, OrganizationId, Retention,
    RetentionStore as _, TreeHead,
};
use audit_memory::MemoryStore;
use audit_merkle::{
    CheckpointDirectory, CheckpointSigner, CheckpointStore, MemoryCheckpointStore, Notary,
    SignedCheckpoint, VerifyExt as _,
};
use futures_executor::block_on;
use tempfile::TempDir;

const NAME: &str = "audit.example.com";

fn signer() -> CheckpointSigner {
    CheckpointSigner::generate(NAME).unwrap()
}

fn directory() -> (TempDir, CheckpointDirectory) {
    let directory = tempfile::tempdir().unwrap();
    let checkpoints = CheckpointDirectory::open(directory.path()).unwrap();
    (directory, checkpoints)
}

fn notary() -> Notary {
    Notary::new(signer(), MemoryCheckpointStore::new()).unwrap()
}

fn latest(notary: &Notary) -> Option<SignedCheckpoint> {
    block_on(notary.latest(LOG)).unwrap()
}

fn sign(notary: &Notary, store: &dyn AuditStore) -> Result<SignedCheckpoint, Error> {
    block_on(notary.checkpoint(store, LOG))
}

#[test]
fn a_log_is_signed_as_it_grows_and_each_checkpoint_follows_the_last() {
    let (notary, store) = (notary(), MemoryStore::new().unwrap());
    assert_eq!(latest(&notary), None);
    let mut old = sign(&notary, &store).unwrap();
    assert_eq!(old.unverified().head(), &TreeHead::EMPTY);
    for events in [1, 0, 6, 100, 0] {
        append(&store, events);
        let new = sign(&notary, &store).unwrap();
        assert_eq!(new == old, events == 0);
        let verifier = notary.verifier(LOG);
        let (from, to) = (verifier.verify(&old).unwrap(), verifier.verify(&new).unwrap());
        assert_eq!(to.origin(), "audit.example.com/platform");
        assert_eq!(to.head(), &block_on(store.tree_head(LOG)).unwrap());
        let proof = block_on(store.consistency_proof(LOG, from.size(), to.size())).unwrap();
        proof.verify(from.head(), to.head()).unwrap();
        // What is published is what was returned.
        assert_eq!(latest(&notary).as_ref(), Some(&new));
        old = new;
    }
    // Each log has an origin of its own.
    let acme = Log::from(OrganizationId::new());
    let signed = block_on(notary.checkpoint(&store, acme)).unwrap();
    assert!(notary.verifier(acme).verify(&signed).is_ok());
    assert_eq!(notary.verifier(LOG).verify(&signed).unwrap_err().field(), Some("origin"));
    assert_eq!(block_on(notary.logs()).unwrap(), [LOG, acme]);
}

#[test]
fn a_restored_backup_is_never_signed() {
    const SIGNED: u64 = 60;
    let (notary, store) = (notary(), store(SIGNED));
    let last = sign(&notary, &store).unwrap();
    let mut refused: BTreeMap<String, u32> = BTreeMap::new();
    for restored in 0..100 {
        // A copy from before, to which other events came since: fewer, as many, more.
        let copy = MemoryStore::new().unwrap();
        let kept = block_on(store.entries(
            LOG,
            EntriesRequest::default().after(audit_core::Sequence::ZERO).limit(1_000).bytes(1 << 20),
        ))
        .unwrap();
        let kept = kept.iter().take(restored % 60).map(|entry| entry.event.decode().unwrap());
        let kept = kept.map(audit_core::AuditEvent::into_content).collect();
        block_on(copy.append(LOG, kept)).unwrap();
        let since: u64 = if restored < 60 { 60 - restored as u64 + restored as u64 % 7 } else { 1 };
        append(&copy, since);
        // It is asked for again and again.
        for _ in 0..2 {
            let error = sign(&notary, &copy).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Corrupt);
            *refused.entry(error.field().unwrap().to_owned()).or_default() += 1;
            append(&copy, 1);
        }
        assert_eq!(latest(&notary).as_ref(), Some(&last));
    }
    assert!(["size", "root", "proof"].iter().all(|field| refused[*field] > 5), "{refused:?}");
    // The log itself goes on.
    append(&store, 1);
    assert_ne!(sign(&notary, &store).unwrap(), last);
}

#[test]
fn a_store_that_lies_about_its_nodes_gets_nothing_signed() {
    let (notary, store) = (notary(), store(9));
    sign(&notary, &store).unwrap();
    append(&store, 4);
    let mut liar = Liar::new(&store);
    liar.nodes.insert(NodeId::new(1, 5), Some(audit_core::tree::NodeHash::from_bytes([7; 32])));
    let error = sign(&notary, &liar).unwrap_err();
    assert_eq!((error.kind(), error.field()), (ErrorKind::Corrupt, Some("proof")));
    liar.nodes.insert(NodeId::new(1, 5), None);
    let error = sign(&notary, &liar).unwrap_err();
    assert_eq!((error.kind(), error.field()), (ErrorKind::Corrupt, Some("nodes[1][5]")));
}

#[test]
fn retention_does_not_outrun_the_signature_unnoticed() {
    let (notary, store) = (notary(), store(100));
    let first = sign(&notary, &store).unwrap();
    let prune = |most| {
        let retention = Retention::default().max_events(most);
        block_on(store.set_retention(LOG, retention, by())).unwrap();
        block_on(store.prune(LOG, by().into())).unwrap().floor.get()
    };
    assert_eq!(prune(40), 32);
    let second = sign(&notary, &store).unwrap();
    assert_ne!(first, second);
    append(&store, 100);
    assert_eq!(prune(20), 160);
    assert_eq!(sign(&notary, &store).unwrap_err().kind(), ErrorKind::Gone);
    assert_eq!(latest(&notary), Some(second));
}

#[test]
fn what_another_wrote_into_the_directory_is_not_followed() {
    let ((_directory, checkpoints), store) = (directory(), store(3));
    let notary = || Notary::new(signer(), checkpoints.clone()).unwrap();
    let (notary, other) = (notary(), notary());
    sign(&other, &store).unwrap();
    let error = sign(&notary, &store).unwrap_err();
    assert_eq!((error.kind(), error.field()), (ErrorKind::Invalid, Some("latest.signature")));
    for text in ["", "nothing", "audit.example.com/platform\n3\n\n"] {
        fs::write(checkpoints.file(LOG), text).unwrap();
        assert_eq!(sign(&notary, &store).unwrap_err().kind(), ErrorKind::Corrupt, "{text}");
    }
}

#[test]
fn a_key_whose_name_is_too_long_for_its_logs_is_refused() {
    let long = CheckpointSigner::generate(&"a".repeat(1_000)).unwrap();
    let error = Notary::new(long, MemoryCheckpointStore::new()).unwrap_err();
    assert_eq!(error.field(), Some("name"));
}

#[test]
fn many_at_once_sign_one_history() {
    let memory = MemoryCheckpointStore::new();
    sign_at_once(&|| Arc::new(memory.clone()));
    // Each opens the directory for itself, as a process does.
    let directory = tempfile::tempdir().unwrap();
    sign_at_once(&|| Arc::new(CheckpointDirectory::open(directory.path()).unwrap()));
}

fn sign_at_once(open: &dyn Fn() -> Arc<dyn CheckpointStore>) {
    let (key, store) = (signer(), MemoryStore::new().unwrap());
    let secret = key.secret_text();
    let signed: Vec<SignedCheckpoint> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..8)
            .map(|_| {
                let notary = Notary::new(secret.parse().unwrap(), open()).unwrap();
                let store = &store;
                scope.spawn(move || {
                    let mut signed = Vec::new();
                    for number in 0..20 {
                        block_on(store.append(LOG, vec![paid(number)])).unwrap();
                        signed.push(sign(&notary, store).unwrap());
                    }
                    signed
                })
            })
            .collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    let mut roots = BTreeMap::new();
    for checkpoint in &signed {
        let head = *checkpoint.unverified().head();
        assert_eq!(roots.entry(head.size).or_insert(head.root), &head.root);
    }
    let notary = Notary::new(key, open()).unwrap();
    assert_eq!(latest(&notary).unwrap().unverified().size().get(), 160);
    // Every one follows the one before.
    let sizes: Vec<_> = roots.into_iter().map(|(size, root)| TreeHead { size, root }).collect();
    for pair in sizes.windows(2) {
        let proof = block_on(store.consistency_proof(LOG, pair[0].size, pair[1].size)).unwrap();
        proof.verify(&pair[0], &pair[1]).unwrap();
    }
}
