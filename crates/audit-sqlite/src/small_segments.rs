//! Runs the conformance suite with very small segments, so that the few events of a test fill and
//! merge many of them, some parts at a time.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use audit_conformance::{Harness, RetentionHarness, TenantHarness};
use audit_core::{
    Actor, AuditStore, AuditStoreExt as _, EventQuery, Filter, Log, NewEvent, RetentionStore,
    TenantStore,
};
use futures_executor::block_on;
use rusqlite::Connection;
use tempfile::TempDir;

use crate::{SqliteOptions, SqliteStore};

struct File<const SEGMENT: u64>(TempDir);

impl<const SEGMENT: u64> File<SEGMENT> {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn store(&self) -> Arc<SqliteStore> {
        let options = SqliteOptions {
            segment_events: SEGMENT,
            merge_share: 2, // so that merges of few parts take several appends
            busy_timeout: Duration::from_secs(60), // the writers of a case wait for many of them
            ..SqliteOptions::default()
        };
        Arc::new(SqliteStore::open_with(self.0.path().join("audit.db"), options).unwrap())
    }
}

impl<const SEGMENT: u64> Harness for File<SEGMENT> {
    fn open(&self) -> Arc<dyn AuditStore> {
        self.store()
    }
}

impl<const SEGMENT: u64> RetentionHarness for File<SEGMENT> {
    fn open_retention(&self) -> Arc<dyn RetentionStore> {
        self.store()
    }
}

impl<const SEGMENT: u64> TenantHarness for File<SEGMENT> {
    fn open_tenants(&self) -> Arc<dyn TenantStore> {
        self.store()
    }
}

/// The tail is nearly always empty, and 512 events reach all sizes of segments.
mod of_one {
    audit_conformance::suite!(super::File::<1>::new);
}

/// The tail fills and empties in turns.
mod of_three {
    audit_conformance::suite!(super::File::<3>::new);
}

/// A process that is killed leaves the file and its WAL as they are after some commit: so does a
/// copy of both, whatever the merges have done until then. A store opened on the copy finds every
/// event, and its appends go on with the merges.
#[test]
fn merges_go_on_in_a_copy_of_any_moment() {
    /// Enough for a merge of the last level.
    const EVENTS: u64 = 580;
    const LATER: u64 = 10;
    let file = File::<1>::new();
    let store = file.store();
    let append = |store: &SqliteStore, number: u64| {
        let actor = Actor::user(format!("u_{}", number % 7));
        let event = NewEvent::new("invoice.paid", actor)
            .target("invoice", format!("{number}"))
            .attribute("order", format!("{number}"));
        block_on(store.record(Log::Platform, event)).unwrap();
    };
    let mut under_way = BTreeSet::new();
    for number in 0..EVENTS {
        append(&store, number);
        let at = stages(&file.0.path().join("audit.db"));
        // Each stage of each merge once.
        if !under_way.insert(at) {
            continue;
        }
        let copy = File::<1>::new();
        for name in ["audit.db", "audit.db-wal"] {
            fs::copy(file.0.path().join(name), copy.0.path().join(name)).unwrap();
        }
        let copied = copy.store();
        (number + 1..=number + LATER).for_each(|number| append(&copied, number));
        for actor in 0..7 {
            let query = EventQuery::new(Log::Platform)
                .filter(Filter::new().actor_id(format!("u_{actor}")))
                .limit(1_000);
            let page = block_on(copied.page(&query)).unwrap();
            let expected = (0..=number + LATER).filter(|number| number % 7 == actor);
            assert_eq!(page.events.len(), expected.count(), "of u_{actor}, at {number}");
        }
    }
    let merging = under_way.iter().flatten().filter(|(kind, written)| *kind == 1 && *written > 0);
    assert!(merging.count() > 20, "{under_way:?}");
}

/// Returns the stages of the segments that queries do not read.
fn stages(path: &Path) -> Vec<(i64, i64)> {
    let connection = Connection::open(path).unwrap();
    let sql = "SELECT stage, written FROM audit_segment WHERE stage > 0 ORDER BY id";
    let mut statement = connection.prepare(sql).unwrap();
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    rows.collect::<Result<_, _>>().unwrap()
}
