//! Reads from a replica. A copy of the database, made at one moment, is a replica that is behind; its
//! records are marked, so that it can be seen who answered.

use audit_core::{
    Actor, AuditContext, AuditStore as _, Erasure, Filter, Log, NewEvent, Retention,
    RetentionStore as _, RetentionStoreExt as _, Scan, Sequence, Total,
};
use audit_postgres::{PostgresOptions, PostgresStore};
use audit_postgres_server::Database;
use futures_executor::block_on;

use crate::common::{database, open};

const LOG: Log = Log::Platform;

fn event(number: u32) -> NewEvent {
    let actor = Actor::user(format!("u_{}", number % 3)).email(format!("{number}@acme.example"));
    NewEvent::new("invoice.paid", actor)
}

/// Returns a database with a log of 40 events, and a marked copy of it.
fn primary_and_replica() -> (Database, Database) {
    let primary = database();
    block_on(open(&primary).append(LOG, (0..40).map(event).collect())).unwrap();
    let replica = primary.copy().unwrap();
    let mark = "UPDATE audit.event SET record = replace(record, 'invoice.paid', 'invoice.copy')";
    replica.sql(mark).unwrap();
    (primary, replica)
}

fn open_both(primary: &Database, replica: &str) -> PostgresStore {
    let options = PostgresOptions::default().with_replica(replica);
    block_on(PostgresStore::open_with(primary.url(), options)).unwrap()
}

/// Returns whether the replica answered, the number of events, and whether one is erased.
fn scan(store: &PostgresStore, bound: Option<u64>) -> (bool, u64, bool) {
    let mut scan = Scan::new(LOG).filter(Filter::new().actor_id("u_1")).total(Total::Exact);
    scan.bound = bound.map(|bound| Sequence::new(bound).unwrap());
    let found = block_on(store.scan(scan)).unwrap();
    let is_copy = found.events.iter().any(|event| event.action.as_str() == "invoice.copy");
    (is_copy, found.total.unwrap(), found.events.iter().any(|event| event.erased))
}

#[test]
fn a_scan_with_a_bound_is_answered_by_a_replica_that_has_the_events() {
    let (primary, replica) = primary_and_replica();
    let store = open_both(&primary, replica.url());
    assert_eq!(scan(&store, Some(40)), (true, 13, false));
    assert_eq!(scan(&store, Some(30)), (true, 10, false));
    // Without a bound, the call must see what was appended before.
    assert_eq!(scan(&store, None), (false, 13, false));
    block_on(store.append(LOG, (40..50).map(event).collect())).unwrap();
    assert_eq!(scan(&store, Some(50)), (false, 17, false), "the replica is behind");
    assert_eq!(scan(&store, Some(40)), (true, 13, false));
}

#[test]
fn a_replica_that_has_not_heard_of_a_removal_is_not_asked() {
    let by = || AuditContext::new(Actor::system());
    let (primary, replica) = primary_and_replica();
    let store = open_both(&primary, replica.url());
    let of_one = Erasure::matching(Filter::new().actor_email("4@acme.example"));
    block_on(store.erase(LOG, of_one, by())).unwrap();
    assert_eq!(scan(&store, Some(40)), (false, 13, true));

    let (primary, replica) = primary_and_replica();
    let store = open_both(&primary, replica.url());
    block_on(store.set_retention(LOG, Retention::default().max_events(2), by())).unwrap();
    assert_eq!(scan(&store, Some(40)), (true, 13, false), "nothing is removed yet");
    block_on(store.prune(LOG, by().into())).unwrap();
    assert_eq!(scan(&store, Some(40)), (false, 2, false));
}

#[test]
fn a_replica_that_cannot_be_reached_is_passed_over() {
    let (primary, _) = primary_and_replica();
    let store = open_both(&primary, "host=/nonexistent dbname=none");
    assert_eq!(scan(&store, Some(40)), (false, 13, false));
}
