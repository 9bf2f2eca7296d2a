//! The cases of damaged data can fail: each notices a broken store, and passes on a sound one.

// A test that cannot set itself up fails.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]

#[path = "../../audit-core/examples/list_store.rs"]
#[allow(dead_code)] // it has a `main` of its own
mod list_store;

#[path = "support/faults.rs"]
mod faults;

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use audit_conformance::{DamageHarness, Harness};
use audit_core::backend::delegate;
use audit_core::{
    AuditEvent, AuditStore, Error, ErrorKind, EventId, Log, NewEvent, Receipt, Result, Scan,
    ScanResult,
};
use list_store::ListStore;

/// How the store behaves after a log was damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// It fails one read, and is mended by that.
    Nothing,
    FailsAppends,
    FailsAllAppends,
    FailsReads,
    RecordsAgain,
    SearchesNoOtherLog,
    HidesEvents,
    LosesIds,
}

const EXPECTED: &[(Fault, &[&str])] = &[
    (Fault::FailsAppends, &["damaged::indexes_fail_no_append"]),
    (Fault::RecordsAgain, &["damaged::indexes_fail_no_append"]),
    (Fault::FailsAllAppends, &["damaged::indexes_harm_no_other_log"]),
    (Fault::SearchesNoOtherLog, &["damaged::indexes_harm_no_other_log"]),
    (Fault::FailsReads, &["damaged::indexes_hide_no_event"]),
    (Fault::HidesEvents, &["damaged::indexes_hide_no_event"]),
    (Fault::LosesIds, &["damaged::indexes_hide_no_event"]),
];

#[test]
fn each_case_notices_its_faults_and_passes_without() {
    faults::check::<dyn DamageHarness, _>(EXPECTED, Fault::Nothing, |fault| {
        Box::new(Fragile::new(fault))
    });
}

/// A store that believes its index.
#[derive(Debug)]
struct Fragile {
    fault: Fault,
    store: ListStore,
    damage: Arc<Mutex<Damage>>,
}

#[derive(Debug, Default)]
struct Damage {
    log: Option<Log>,
    /// The logs of which a read has failed.
    mended: HashSet<Log>,
}

impl Fragile {
    fn new(fault: Fault) -> Self {
        Self { fault, store: ListStore::new().unwrap(), damage: Arc::default() }
    }
}

impl Harness for Fragile {
    fn open(&self) -> Arc<dyn AuditStore> {
        let (store, damage) = (self.store.clone(), Arc::clone(&self.damage));
        Arc::new(Fragile { fault: self.fault, store, damage })
    }
}

impl DamageHarness for Fragile {
    fn damages(&self) -> Vec<&'static str> {
        vec!["the index is lost"]
    }

    fn damage(&self, log: Log, _: &str) {
        self.damage.lock().unwrap().log = Some(log);
    }
}

impl Fragile {
    /// Returns whether the store has this fault, and `log` is damaged, or any if `of` is `None`.
    fn has(&self, fault: Fault, of: Option<Log>) -> bool {
        let damaged = self.damage.lock().unwrap().log;
        self.fault == fault && damaged.is_some() && of.is_none_or(|log| damaged == Some(log))
    }
}

#[async_trait]
impl AuditStore for Fragile {
    delegate!(store: token_keys, head, logs, wait_for_append, frontier, nodes, entries);

    async fn append(&self, log: Log, mut events: Vec<NewEvent>) -> Result<Vec<Receipt>> {
        if self.has(Fault::FailsAppends, Some(log)) || self.has(Fault::FailsAllAppends, None) {
            return Err(Error::new(ErrorKind::Corrupt));
        }
        if self.has(Fault::RecordsAgain, Some(log)) {
            for event in &mut events {
                event.id = EventId::new();
            }
        }
        self.store.append(log, events).await
    }

    async fn get(&self, log: Log, id: EventId) -> Result<AuditEvent> {
        if self.has(Fault::LosesIds, Some(log)) {
            return Err(Error::not_found("event"));
        }
        self.store.get(log, id).await
    }

    async fn scan(&self, scan: Scan) -> Result<ScanResult> {
        let is_filtered = scan.filter.facets().next().is_some();
        let is_first = is_filtered && self.has(Fault::Nothing, Some(scan.log));
        if is_first && self.damage.lock().unwrap().mended.insert(scan.log)
            || self.has(Fault::FailsReads, Some(scan.log))
        {
            return Err(Error::new(ErrorKind::Corrupt));
        }
        let hides = self.has(Fault::HidesEvents, Some(scan.log))
            || self.has(Fault::SearchesNoOtherLog, None)
                && !self.has(Fault::SearchesNoOtherLog, Some(scan.log));
        let mut found = self.store.scan(scan).await?;
        if is_filtered && hides {
            found.events.pop();
        }
        Ok(found)
    }
}
