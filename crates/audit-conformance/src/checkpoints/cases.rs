//! The cases: each holds a store to one line of the `# Behavior` of [`CheckpointStore`].

use std::collections::BTreeSet;
use std::sync::{LazyLock, Mutex};
use std::thread;

use audit_core::{ErrorKind, Log, OrganizationId, Result, RootHash, Sequence, TreeHead};
use audit_merkle::{Checkpoint, CheckpointSigner, CheckpointStore, SignedCheckpoint};

use super::CheckpointHarness;

const LOG: Log = Log::Platform;

static SIGNER: LazyLock<CheckpointSigner> =
    LazyLock::new(|| CheckpointSigner::generate("audit.example.com").expect("a key"));

/// Returns a signed checkpoint. A store keeps it, whatever it says.
fn checkpoint(size: u64) -> SignedCheckpoint {
    let root = RootHash::from_bytes([u8::try_from(size % 251).expect("a byte"); 32]);
    let head = TreeHead { size: Sequence::new(size).expect("a size"), root };
    let checkpoint = Checkpoint::new("audit.example.com/log", head).expect("a checkpoint");
    SIGNER.sign_first(&checkpoint).expect("a signature")
}

/// Returns the same with a further line, as of a witness.
fn cosigned(size: u64) -> SignedCheckpoint {
    let mut cosigned = checkpoint(size);
    cosigned.add_signatures("— witness.example AAAAAAAA\n").expect("a signature line");
    cosigned
}

async fn latest(store: &dyn CheckpointStore, log: Log) -> Option<String> {
    let latest = store.latest(log).await.expect("the latest checkpoint");
    latest.map(|latest| latest.to_string())
}

#[track_caller]
fn assert_conflict(published: Result<()>) {
    let error = published.expect_err("another checkpoint was expected");
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
}

pub(super) async fn a_log_without_a_checkpoint_has_none(harness: &dyn CheckpointHarness) {
    let store = harness.open();
    for log in [LOG, OrganizationId::new().into()] {
        assert_eq!(latest(&*store, log).await, None);
    }
    assert_eq!(store.logs().await.expect("no logs"), []);
}

pub(super) async fn checkpoints_come_back_with_every_signature(harness: &dyn CheckpointHarness) {
    let store = harness.open();
    let mut expected = None;
    for next in [checkpoint(0), cosigned(1), checkpoint(2), cosigned(1 << 40)] {
        store.publish(LOG, expected.as_ref(), &next).await.expect("a publication");
        assert_eq!(latest(&*store, LOG).await, Some(next.to_string()));
        expected = Some(next);
    }
}

pub(super) async fn the_expected_checkpoint_is_replaced(harness: &dyn CheckpointHarness) {
    let store = harness.open();
    store.publish(LOG, None, &checkpoint(5)).await.expect("the first");
    // It follows, is the same again, and is of fewer events: the notary says what may follow.
    for (expected, next) in [(5, 9), (9, 9), (9, 3)] {
        let (expected, next) = (checkpoint(expected), checkpoint(next));
        store.publish(LOG, Some(&expected), &next).await.expect("the next");
        assert_eq!(latest(&*store, LOG).await, Some(next.to_string()));
    }
}

pub(super) async fn another_than_the_expected_is_a_conflict(harness: &dyn CheckpointHarness) {
    let store = harness.open();
    assert_conflict(store.publish(LOG, Some(&checkpoint(1)), &checkpoint(2)).await);
    assert_eq!(latest(&*store, LOG).await, None);
    assert_eq!(store.logs().await.expect("no logs"), []);
    store.publish(LOG, None, &checkpoint(5)).await.expect("the first");
    let [older, other] = [checkpoint(4), checkpoint(6)];
    // What is published already is published under no other expectation either.
    for expected in [None, Some(&older), Some(&other)] {
        for next in [5, 6] {
            assert_conflict(store.publish(LOG, expected, &checkpoint(next)).await);
            assert_eq!(latest(&*store, LOG).await, Some(checkpoint(5).to_string()));
        }
    }
}

pub(super) async fn signatures_are_compared_too(harness: &dyn CheckpointHarness) {
    let store = harness.open();
    store.publish(LOG, None, &cosigned(5)).await.expect("the first");
    assert_conflict(store.publish(LOG, Some(&checkpoint(5)), &checkpoint(6)).await);
    assert_eq!(latest(&*store, LOG).await, Some(cosigned(5).to_string()));
}

pub(super) async fn logs_are_apart(harness: &dyn CheckpointHarness) {
    let store = harness.open();
    let logs = [LOG, OrganizationId::new().into(), OrganizationId::new().into()];
    for (size, log) in (10..).zip(logs) {
        store.publish(log, None, &checkpoint(size)).await.expect("the first of a log");
    }
    for (size, log) in (10..).zip(logs) {
        assert_eq!(latest(&*store, log).await, Some(checkpoint(size).to_string()));
    }
}

pub(super) async fn logs_are_listed_once_in_order(harness: &dyn CheckpointHarness) {
    let store = harness.open();
    let mut logs: Vec<Log> = (0..40).map(|_| OrganizationId::new().into()).collect();
    logs.push(LOG);
    // As a table or a directory would not sort them.
    for log in logs.iter().rev().step_by(2).chain(logs.iter().rev().skip(1).step_by(2)) {
        store.publish(*log, None, &checkpoint(1)).await.expect("the first of a log");
        store.publish(*log, Some(&checkpoint(1)), &checkpoint(2)).await.expect("the second");
    }
    logs.sort_unstable();
    assert_eq!(store.logs().await.expect("the logs"), logs);
}

pub(super) async fn checkpoints_survive_a_reopen(harness: &dyn CheckpointHarness) {
    let other = OrganizationId::new().into();
    let store = harness.open();
    store.publish(LOG, None, &checkpoint(1)).await.expect("the first");
    store.publish(LOG, Some(&checkpoint(1)), &cosigned(2)).await.expect("the second");
    store.publish(other, None, &checkpoint(3)).await.expect("the first of another");
    drop(store);
    let store = harness.open();
    assert_eq!(latest(&*store, LOG).await, Some(cosigned(2).to_string()));
    assert_eq!(latest(&*store, other).await, Some(checkpoint(3).to_string()));
    assert_eq!(store.logs().await.expect("the logs"), [LOG, other]);
    assert_conflict(store.publish(LOG, Some(&checkpoint(1)), &checkpoint(4)).await);
    store.publish(LOG, Some(&cosigned(2)), &checkpoint(4)).await.expect("the third");
}

pub(super) async fn every_handle_sees_the_latest(harness: &dyn CheckpointHarness) {
    let handles = [harness.open(), harness.open()];
    let mut expected = None;
    for size in 0..10 {
        let [publisher, reader] = if size % 2 == 0 { [0, 1] } else { [1, 0] };
        let next = checkpoint(size);
        assert_eq!(
            latest(&*handles[reader], LOG).await,
            expected.as_ref().map(ToString::to_string)
        );
        let published = handles[publisher].publish(LOG, expected.as_ref(), &next).await;
        published.expect("a publication");
        assert_eq!(latest(&*handles[reader], LOG).await, Some(next.to_string()));
        let stale = handles[reader].publish(LOG, expected.as_ref(), &checkpoint(100)).await;
        assert_conflict(stale);
        expected = Some(next);
    }
}

/// How many handles publish at once, and how many checkpoints each.
const HANDLES: u64 = 4;
const EACH: u64 = 15;

pub(super) async fn of_two_at_once_one_publishes(harness: &dyn CheckpointHarness) {
    let published = Mutex::new(BTreeSet::new());
    thread::scope(|scope| {
        for _ in 0..HANDLES {
            scope.spawn(|| harness.block_on(Box::pin(publish_each(harness, &published))));
        }
    });
    let published = published.into_inner().expect("no thread has panicked");
    assert_eq!(published, (1..=HANDLES * EACH).collect());
    let last = checkpoint(HANDLES * EACH).to_string();
    assert_eq!(latest(&*harness.open(), LOG).await, Some(last));
}

/// Publishes one more than the latest, until it has succeeded [`EACH`] times.
async fn publish_each(harness: &dyn CheckpointHarness, published: &Mutex<BTreeSet<u64>>) {
    let store = harness.open();
    let mut successes = 0;
    while successes < EACH {
        let expected = store.latest(LOG).await.expect("the latest checkpoint");
        let size = expected.as_ref().map_or(0, |latest| latest.unverified().size().get()) + 1;
        match store.publish(LOG, expected.as_ref(), &checkpoint(size)).await {
            Ok(()) => {
                let is_first = published.lock().expect("no thread has panicked").insert(size);
                assert!(is_first, "size {size} was published twice");
                successes += 1;
            }
            Err(error) => assert_eq!(error.kind(), ErrorKind::Conflict, "{error}"),
        }
    }
}
