//! The suite for checkpoint stores on those of `audit-merkle`; and that each of its cases can fail.

// A test that cannot set itself up fails.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use async_trait::async_trait;
use audit_conformance::checkpoints::{CheckpointHarness, names, run};
use audit_core::{Error, ErrorKind, Log, Result};
use audit_merkle::{CheckpointDirectory, CheckpointStore, MemoryCheckpointStore, SignedCheckpoint};
use tempfile::TempDir;

mod memory {
    use super::{Broken, Mutation};

    audit_conformance::checkpoint_suite!(|| Broken::new(Mutation::Nothing));
}

mod directory {
    audit_conformance::checkpoint_suite!(super::Directory::new);
}

struct Directory(TempDir);

impl Directory {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }
}

impl CheckpointHarness for Directory {
    fn open(&self) -> Arc<dyn CheckpointStore> {
        Arc::new(CheckpointDirectory::open(self.0.path()).unwrap())
    }
}

/// The one thing that is wrong with a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mutation {
    Nothing,
    ComparesAndReplacesApart,
    ComparesHeadsOnly,
    DropsSignatures,
    ForgetsOnReopen,
    HasOneForAllLogs,
    HidesTheLastLog,
    KeepsTheFirst,
    ListsLogsThatHaveNone,
    ListsTwice,
    ListsUnsorted,
    PublishesOnConflict,
    ReadsOnceForEachHandle,
    RefusesFewerEvents,
    ReplacesWhereNoneIsExpected,
    ReportsAnotherKind,
}

/// For each mutation the cases that notice it.
const NOTICED: &[(Mutation, &[&str])] = &[
    (Mutation::ComparesAndReplacesApart, &["of_two_at_once_one_publishes"]),
    (Mutation::ComparesHeadsOnly, &["signatures_are_compared_too"]),
    (Mutation::DropsSignatures, &["checkpoints_come_back_with_every_signature"]),
    (Mutation::ForgetsOnReopen, &["checkpoints_survive_a_reopen"]),
    (Mutation::HasOneForAllLogs, &["logs_are_apart"]),
    (Mutation::HidesTheLastLog, &["logs_are_listed_once_in_order"]),
    (Mutation::KeepsTheFirst, &["the_expected_checkpoint_is_replaced"]),
    (Mutation::ListsLogsThatHaveNone, &["a_log_without_a_checkpoint_has_none"]),
    (Mutation::ListsTwice, &["logs_are_listed_once_in_order"]),
    (Mutation::ListsUnsorted, &["logs_are_listed_once_in_order"]),
    (Mutation::PublishesOnConflict, &["another_than_the_expected_is_a_conflict"]),
    (Mutation::ReadsOnceForEachHandle, &["every_handle_sees_the_latest"]),
    (Mutation::RefusesFewerEvents, &["the_expected_checkpoint_is_replaced"]),
    (Mutation::ReplacesWhereNoneIsExpected, &["another_than_the_expected_is_a_conflict"]),
    (Mutation::ReportsAnotherKind, &["another_than_the_expected_is_a_conflict"]),
];

/// A store in memory, broken in one way.
#[derive(Clone, Debug)]
struct Broken {
    mutation: Mutation,
    store: MemoryCheckpointStore,
    /// The checkpoints that this handle has read.
    read: Arc<Mutex<BTreeMap<Log, Option<SignedCheckpoint>>>>,
}

impl Broken {
    fn new(mutation: Mutation) -> Self {
        Self { mutation, store: MemoryCheckpointStore::new(), read: Arc::default() }
    }

    /// Replaces the latest checkpoint, whatever it is.
    async fn replace(&self, log: Log, next: &SignedCheckpoint) -> Result<()> {
        loop {
            let latest = self.store.latest(log).await?;
            match self.store.publish(log, latest.as_ref(), next).await {
                Err(error) if error.kind() == ErrorKind::Conflict => {}
                done => return done,
            }
        }
    }
}

impl CheckpointHarness for Broken {
    fn open(&self) -> Arc<dyn CheckpointStore> {
        let store = match self.mutation {
            Mutation::ForgetsOnReopen => MemoryCheckpointStore::new(),
            _ => self.store.clone(),
        };
        Arc::new(Self { store, read: Arc::default(), ..self.clone() })
    }
}

fn without_further_signatures(checkpoint: &SignedCheckpoint) -> SignedCheckpoint {
    let text = checkpoint.to_string();
    let lines: Vec<_> = text.split_inclusive('\n').take(5).collect();
    lines.concat().parse().unwrap()
}

#[async_trait]
impl CheckpointStore for Broken {
    async fn latest(&self, log: Log) -> Result<Option<SignedCheckpoint>> {
        let latest = self.store.latest(log).await?;
        Ok(match self.mutation {
            Mutation::DropsSignatures => latest.as_ref().map(without_further_signatures),
            Mutation::ReadsOnceForEachHandle => {
                self.read.lock().unwrap().entry(log).or_insert(latest).clone()
            }
            Mutation::HasOneForAllLogs => {
                let logs = self.store.logs().await?;
                match logs.first() {
                    Some(first) => self.store.latest(*first).await?,
                    None => None,
                }
            }
            _ => latest,
        })
    }

    async fn publish(
        &self,
        log: Log,
        expected: Option<&SignedCheckpoint>,
        next: &SignedCheckpoint,
    ) -> Result<()> {
        let latest = self.store.latest(log).await?;
        let head = |checkpoint: &SignedCheckpoint| *checkpoint.unverified().head();
        match self.mutation {
            Mutation::ComparesAndReplacesApart if latest.as_ref() == expected => {
                thread::sleep(Duration::from_millis(1));
                return self.replace(log, next).await;
            }
            Mutation::ComparesHeadsOnly if latest.as_ref().map(head) == expected.map(head) => {
                return self.replace(log, next).await;
            }
            Mutation::KeepsTheFirst if latest.is_some() && latest.as_ref() == expected => {
                return Ok(());
            }
            Mutation::ReplacesWhereNoneIsExpected if expected.is_none() => {
                return self.replace(log, next).await;
            }
            Mutation::RefusesFewerEvents
                if latest.as_ref().is_some_and(|latest| head(latest).size > head(next).size) =>
            {
                return Err(Error::new(ErrorKind::Conflict));
            }
            _ => {}
        }
        let published = self.store.publish(log, expected, next).await;
        match (self.mutation, published) {
            (Mutation::PublishesOnConflict, Err(error)) => {
                self.replace(log, next).await?;
                Err(error)
            }
            (Mutation::ReportsAnotherKind, Err(_)) => Err(Error::new(ErrorKind::Unavailable)),
            (_, published) => published,
        }
    }

    async fn logs(&self) -> Result<Vec<Log>> {
        let mut logs = self.store.logs().await?;
        match self.mutation {
            Mutation::HidesTheLastLog => drop(logs.pop()),
            Mutation::ListsLogsThatHaveNone if logs.is_empty() => logs.push(Log::Platform),
            Mutation::ListsTwice => logs.extend_from_within(..1.min(logs.len())),
            Mutation::ListsUnsorted => logs.reverse(),
            _ => {}
        }
        Ok(logs)
    }
}

#[test]
fn each_case_can_fail() {
    for name in names() {
        let is_noticed = NOTICED.iter().any(|(_, cases)| cases.contains(&name));
        assert!(is_noticed, "no mutation is known that {name} notices");
    }
    // The panics are expected; their messages would hide the one that is not.
    let hook = panic::take_hook();
    panic::set_hook(Box::new(|_| {}));
    let pairs =
        NOTICED.iter().flat_map(|(mutation, cases)| cases.iter().map(move |case| (mutation, case)));
    let unnoticed: Vec<_> = pairs
        .filter(|(mutation, case)| {
            let broken = Broken::new(**mutation);
            panic::catch_unwind(AssertUnwindSafe(|| run(case, &broken))).is_ok()
        })
        .collect();
    panic::set_hook(hook);
    assert!(unnoticed.is_empty(), "mutations that were not noticed: {unnoticed:#?}");
}
