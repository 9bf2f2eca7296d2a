//! The index is built beside the appends, by whoever is there.

use std::sync::Arc;
use std::time::Duration;

use audit_core::{Actor, AuditStore, AuditStoreExt as _, EventQuery, Filter, Log, NewEvent};
use audit_postgres::{PostgresOptions, PostgresStore};
use audit_postgres_server::Database;
use futures_executor::block_on;

use crate::common::{database, open};
use crate::faults::Held;

const BATCH: u64 = 1_000;

fn append(store: &Arc<PostgresStore>, batches: u64) {
    for _ in 0..batches {
        let event = |n: u64| NewEvent::new("task.step", Actor::user(format!("u_{}", n % 10)));
        block_on(store.append(Log::Platform, (0..BATCH).map(event).collect()))
            .expect("it is recorded");
    }
}

fn found(store: &Arc<PostgresStore>) -> u64 {
    let query = EventQuery::new(Log::Platform).filter(Filter::new().actor_id("u_7"));
    block_on(store.count(&query)).expect("it is counted")
}

/// Returns the number of events that are in no segment.
fn tail(database: &Database) -> u64 {
    let sql = "SELECT size - indexed FROM audit.log";
    database.sql(sql).expect("it is read").parse().expect("a number")
}

#[test]
fn a_long_tail_becomes_a_segment_after_the_append() {
    let database = database();
    let store = open(&database);
    append(&store, 1);
    while tail(&database) > 0 {
        std::thread::sleep(Duration::from_millis(10));
    }
    let counts = "SELECT (SELECT count(*) FROM audit.tail), (SELECT count(*) FROM audit.segment)";
    assert_eq!(database.sql(counts).expect("they are counted"), "0|1");
    assert_eq!(found(&store), BATCH / 10);
}

#[test]
fn without_a_builder_the_tail_grows_and_everything_is_found() {
    let database = database();
    let options = PostgresOptions::default().with_timeout(Duration::from_millis(100));
    let store = block_on(PostgresStore::open_with(database.url(), options));
    let store = Arc::new(store.expect("the store opens"));
    append(&store, 1);
    while tail(&database) > 0 {
        std::thread::sleep(Duration::from_millis(10));
    }
    // As if another process had stopped in the middle of a build.
    let held = Held::by(&database, "SELECT 1 FROM audit.builder FOR UPDATE");
    // From 8,192 events on, appends wait for the index, and go on without it.
    append(&store, 10);
    assert_eq!(tail(&database), 10 * BATCH);
    assert_eq!(found(&store), 11 * BATCH / 10);
    drop(held);
    // The next append builds it first.
    append(&store, 1);
    assert!(tail(&database) <= BATCH, "the index is built");
    assert_eq!(found(&store), 12 * BATCH / 10);
}
