//! The index is built beside the appends, by whoever is there.

use std::sync::Arc;
use std::time::Duration;

use audit_core::{Actor, AuditStore, AuditStoreExt as _, EventQuery, Filter, Log, NewEvent};
use audit_postgres::{PostgresOptions, PostgresStore};
use audit_postgres_server::Database;
use futures_executor::block_on;

use crate::common::{database, open};
use crate::faults::Held;

/// The events of an append that makes a segment itself.
const MANY: u64 = 1_000;
/// The events of an append that does not.
const FEW: u64 = 100;

/// Appends `count` events, `size` at a time.
fn append(store: &Arc<PostgresStore>, count: u64, size: u64) {
    for _ in 0..count / size {
        let event = |n: u64| NewEvent::new("task.step", Actor::user(format!("u_{}", n % 10)));
        block_on(store.append(Log::Platform, (0..size).map(event).collect()))
            .expect("it is recorded");
    }
}

/// Returns the number of events of one of ten actors.
fn found(store: &Arc<PostgresStore>) -> u64 {
    let query = EventQuery::new(Log::Platform).filter(Filter::new().actor_id("u_7"));
    block_on(store.count(&query)).expect("it is counted")
}

/// Returns the number of events that are in no segment.
fn tail(database: &Database) -> u64 {
    let sql = "SELECT size - indexed FROM audit.log";
    database.sql(sql).expect("it is read").parse().expect("a number")
}

/// Returns the number of rows of the tail, and the first and last events of the segments.
fn index(database: &Database) -> String {
    let sql = "SELECT count(*), (SELECT string_agg(first || '-' || last, ' ' ORDER BY first)
                   FROM audit.segment)
               FROM audit.tail";
    database.sql(sql).expect("it is read")
}

/// Waits until the index is built.
fn wait_for_build(database: &Database) {
    while tail(database) > 0 {
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// As if another process had stopped in the middle of a build.
fn hold_builder(database: &Database) -> Held {
    Held::by(database, "SELECT 1 FROM audit.builder FOR UPDATE")
}

#[test]
fn a_long_tail_becomes_a_segment_after_the_append() {
    let database = database();
    let store = open(&database);
    append(&store, 6 * FEW, FEW);
    wait_for_build(&database);
    assert_eq!(index(&database), "0|1-600");
    assert_eq!(found(&store), 6 * FEW / 10);
}

#[test]
fn an_append_of_many_events_makes_a_segment_itself() {
    let database = database();
    let store = open(&database);
    append(&store, FEW, FEW);
    // It waits for no builder, if it finds a tail or none.
    append(&store, MANY, MANY);
    assert_eq!(index(&database), "0|1-1100");
    let held = hold_builder(&database);
    append(&store, MANY, MANY);
    assert_eq!(index(&database), "0|1-1100 1101-2100");
    assert_eq!(found(&store), (FEW + 2 * MANY) / 10);
    drop(held);
}

#[test]
fn an_append_of_many_events_follows_a_tail_that_another_builds() {
    let database = database();
    let store = open(&database);
    append(&store, FEW, FEW);
    let held = hold_builder(&database);
    append(&store, MANY, MANY);
    assert_eq!(tail(&database), FEW + MANY);
    assert_eq!(found(&store), (FEW + MANY) / 10);
    drop(held);
    // The next one takes the whole tail.
    append(&store, MANY, MANY);
    assert_eq!(index(&database), "0|1-2100");
    assert_eq!(found(&store), (FEW + 2 * MANY) / 10);
}

#[test]
fn an_append_of_many_events_leaves_a_damaged_tail_to_its_readers() {
    let database = database();
    let store = open(&database);
    append(&store, FEW, FEW);
    database.sql("DELETE FROM audit.tail").expect("it is damaged");
    append(&store, MANY, MANY);
    assert_eq!(found(&store), (FEW + MANY) / 10);
}

#[test]
fn without_a_builder_the_tail_grows_and_everything_is_found() {
    let database = database();
    let options = PostgresOptions::default().with_timeout(Duration::from_millis(500));
    let store = block_on(PostgresStore::open_with(database.url(), options));
    let store = Arc::new(store.expect("the store opens"));
    append(&store, FEW, FEW);
    let held = hold_builder(&database);
    // From 8,192 events on, appends wait for the index, and go on without it.
    append(&store, 10 * MANY, MANY);
    assert_eq!(tail(&database), FEW + 10 * MANY);
    assert_eq!(found(&store), (FEW + 10 * MANY) / 10);
    drop(held);
    // The next append builds it first.
    append(&store, MANY, MANY);
    assert_eq!(tail(&database), 0);
    assert_eq!(found(&store), (FEW + 11 * MANY) / 10);
}

#[test]
fn segments_of_appends_are_merged() {
    let database = database();
    let store = open(&database);
    append(&store, 10 * MANY, MANY);
    let merged = "SELECT count(*) > 0 FROM audit.segment WHERE last - first >= 4095 AND stage = 0";
    while database.sql(merged).expect("it is read") != "t" {
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(found(&store), 10 * MANY / 10);
}

#[test]
fn only_the_commits_of_events_wait_for_the_disk() {
    let database = database();
    let store = open(&database);
    database
        .sql(
            "CREATE TABLE commits (of text, waits text);
             CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                 INSERT INTO commits VALUES (TG_TABLE_NAME, current_setting('synchronous_commit'));
                 RETURN NULL; END $$;
             CREATE TRIGGER note AFTER INSERT ON audit.event EXECUTE FUNCTION note();
             CREATE TRIGGER note AFTER INSERT ON audit.segment EXECUTE FUNCTION note()",
        )
        .expect("it is noted");
    append(&store, 600, FEW);
    wait_for_build(&database);
    let seen = "SELECT string_agg(DISTINCT of || ' ' || waits, ', ') FROM commits";
    assert_eq!(database.sql(seen).expect("it is read"), "event on, segment off");
}
