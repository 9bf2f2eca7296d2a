//! The notary: what it signs follows what it signed, whatever becomes of the store.

use std::collections::BTreeMap;
use std::fs;

use crate::liar::{LOG, Liar, append, by, paid, store};
use audit_core::{AuditStore, Error, ErrorKind, Log, OrganizationId, Retention, TreeHead};
use audit_memory::MemoryStore;
use audit_merkle::{CheckpointSigner, Notary, ProvableExt as _, SignedCheckpoint};
use futures_executor::block_on;
use tempfile::TempDir;

const NAME: &str = "audit.example.com";

fn signer() -> CheckpointSigner {
    CheckpointSigner::generate(NAME).unwrap()
}

fn notary() -> (TempDir, Notary) {
    let directory = tempfile::tempdir().unwrap();
    let notary = Notary::new(signer(), directory.path()).unwrap();
    (directory, notary)
}

fn sign(notary: &Notary, store: &dyn AuditStore) -> Result<SignedCheckpoint, Error> {
    block_on(notary.checkpoint(store, LOG))
}

#[test]
fn a_log_is_signed_as_it_grows_and_each_checkpoint_follows_the_last() {
    let ((_directory, notary), store) = (notary(), MemoryStore::new().unwrap());
    assert_eq!(notary.last(LOG).unwrap(), None);
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
        // What is published is what was given, to the byte.
        assert_eq!(notary.last(LOG).unwrap().as_ref(), Some(&new));
        assert_eq!(fs::read_to_string(notary.path(LOG)).unwrap(), new.to_string());
        old = new;
    }
    // Each log has an origin of its own.
    let acme = Log::from(OrganizationId::new());
    let signed = block_on(notary.checkpoint(&store, acme)).unwrap();
    assert!(notary.verifier(acme).verify(&signed).is_ok());
    assert_eq!(notary.verifier(LOG).verify(&signed).unwrap_err().field(), Some("origin"));
    assert_eq!(notary.logs().unwrap(), [LOG, acme]);
}

#[cfg(unix)]
#[test]
fn what_is_published_everyone_may_read() {
    use std::os::unix::fs::PermissionsExt as _;
    let ((_directory, notary), store) = (notary(), store(1));
    sign(&notary, &store).unwrap();
    let mode = fs::metadata(notary.path(LOG)).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o644);
}

#[test]
fn a_restored_backup_is_never_signed() {
    const SIGNED: u64 = 60;
    let ((_directory, notary), store) = (notary(), store(SIGNED));
    let last = sign(&notary, &store).unwrap();
    let mut refused: BTreeMap<String, u32> = BTreeMap::new();
    for restored in 0..100 {
        // A copy from before, to which other events came since: fewer, as many, more.
        let copy = MemoryStore::new().unwrap();
        let kept =
            block_on(store.entries(LOG, audit_core::Sequence::ZERO, 1_000, 1 << 20)).unwrap();
        let kept = kept.iter().take(restored % 60).map(|entry| entry.event.open().unwrap());
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
        assert_eq!(notary.last(LOG).unwrap().as_ref(), Some(&last));
    }
    assert!(["size", "root", "proof"].iter().all(|field| refused[*field] > 5), "{refused:?}");
    // The log itself goes on.
    append(&store, 1);
    assert_ne!(sign(&notary, &store).unwrap(), last);
}

#[test]
fn a_store_that_lies_about_its_nodes_gets_nothing_signed() {
    let ((_directory, notary), store) = (notary(), store(9));
    sign(&notary, &store).unwrap();
    append(&store, 4);
    let mut liar = Liar::new(&store);
    liar.nodes.insert((1, 5), Some(audit_core::NodeHash::from_bytes([7; 32])));
    let error = sign(&notary, &liar).unwrap_err();
    assert_eq!((error.kind(), error.field()), (ErrorKind::Corrupt, Some("proof")));
    liar.nodes.insert((1, 5), None);
    let error = sign(&notary, &liar).unwrap_err();
    assert_eq!((error.kind(), error.field()), (ErrorKind::Corrupt, Some("nodes[1][5]")));
}

#[test]
fn retention_does_not_outrun_the_signature_unnoticed() {
    let ((_directory, notary), store) = (notary(), store(100));
    let first = sign(&notary, &store).unwrap();
    let prune = |most| {
        let retention = Retention::default().max_events(most);
        block_on(store.set_retention(LOG, retention, by())).unwrap();
        block_on(store.prune(LOG, by())).unwrap().floor.get()
    };
    assert_eq!(prune(40), 32);
    let second = sign(&notary, &store).unwrap();
    assert_ne!(first, second);
    append(&store, 100);
    assert_eq!(prune(20), 160);
    assert_eq!(sign(&notary, &store).unwrap_err().kind(), ErrorKind::Gone);
    assert_eq!(notary.last(LOG).unwrap(), Some(second));
}

#[test]
fn what_another_wrote_into_the_directory_is_not_followed() {
    let ((directory, notary), store) = (notary(), store(3));
    let other = Notary::new(signer(), directory.path()).unwrap();
    sign(&other, &store).unwrap();
    let error = sign(&notary, &store).unwrap_err();
    assert_eq!((error.kind(), error.field()), (ErrorKind::Invalid, Some("last.signature")));
    for text in ["", "nothing", "audit.example.com/platform\n3\n\n"] {
        fs::write(notary.path(LOG), text).unwrap();
        assert_eq!(sign(&notary, &store).unwrap_err().kind(), ErrorKind::Corrupt, "{text}");
    }
    // The directory is one, and names are of a length.
    let file = directory.path().join("file");
    fs::write(&file, "").unwrap();
    assert_eq!(Notary::new(signer(), &file).unwrap_err().kind(), ErrorKind::Unavailable);
    let long = CheckpointSigner::generate(&"a".repeat(1_000)).unwrap();
    assert_eq!(Notary::new(long, directory.path()).unwrap_err().field(), Some("name"));
}

#[test]
fn many_at_once_sign_one_history() {
    let directory = tempfile::tempdir().unwrap();
    let (key, store) = (signer(), MemoryStore::new().unwrap());
    let secret = key.secret_text();
    let signed: Vec<SignedCheckpoint> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..8)
            .map(|_| {
                // Each as a process would: with a notary of its own.
                let notary = Notary::new(secret.parse().unwrap(), directory.path()).unwrap();
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
    let notary = Notary::new(key, directory.path()).unwrap();
    assert_eq!(notary.last(LOG).unwrap().unwrap().unverified().size().get(), 160);
    // Every one follows the one before.
    let sizes: Vec<_> = roots.into_iter().map(|(size, root)| TreeHead { size, root }).collect();
    for pair in sizes.windows(2) {
        let proof = block_on(store.consistency_proof(LOG, pair[0].size, pair[1].size)).unwrap();
        proof.verify(&pair[0], &pair[1]).unwrap();
    }
}
