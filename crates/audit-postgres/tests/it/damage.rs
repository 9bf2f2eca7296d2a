//! Derived data that was damaged is named by a comparison with the records, fails no append, harms no
//! other log, and is mended.

use audit_core::{
    Actor, AuditStore as _, AuditStoreExt as _, EventQuery, Filter, Log, NewEvent, OrganizationId,
};
use audit_postgres::PostgresStore;
use audit_postgres_server::Database;
use futures_executor::block_on;

use crate::common::{database, open};

/// Enough for a segment and a tail.
const EVENTS: u32 = 700;

fn event(number: u32) -> NewEvent {
    NewEvent::new("invoice.paid", Actor::user(format!("u_{}", number % 3)))
        .target("invoice", format!("inv_{number}"))
}

const FLIPPED: &str = "set_byte(data, length(data) / 2, 255 - get_byte(data, length(data) / 2))";

#[test]
fn damage_is_named_harms_no_append_and_is_mended() {
    let original = database();
    let organization = OrganizationId::new();
    let (damaged, other): (Log, Log) = (organization.into(), Log::Platform);
    let known = NewEvent::new("user.login", Actor::user("u_9"));
    {
        let store = open(&original);
        block_on(store.append(damaged, vec![known.clone()])).unwrap();
        block_on(store.append(damaged, (1..600).map(event).collect())).unwrap();
        for _ in 0..100 {
            // Until the segment is built.
            if original.sql("SELECT count(*) FROM audit.segment").unwrap() != "0" {
                break;
            }
            block_on(store.append(damaged, Vec::new())).unwrap();
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        block_on(store.append(damaged, (600..EVENTS).map(event).collect())).unwrap();
        block_on(store.append(other, vec![event(0)])).unwrap();
        assert_eq!(block_on(store.check_derived(damaged)).unwrap(), []);
    }
    let of = format!("log = '\\x{}'", organization.to_string().replace('-', ""));
    let damages = [
        format!("UPDATE audit.tail SET data = {FLIPPED} WHERE {of}"),
        format!("DELETE FROM audit.tail WHERE {of}"),
        format!("UPDATE audit.part SET data = {FLIPPED} WHERE {of} AND part = 0"),
        format!("UPDATE audit.part SET data = {FLIPPED} WHERE {of} AND part = 3"),
        format!("DELETE FROM audit.part WHERE {of} AND part = 1"),
        format!("UPDATE audit.segment SET last = last + 1 WHERE {of}"),
        format!("UPDATE audit.segment SET latest = latest + 1 WHERE {of}"),
        format!("UPDATE audit.segment SET latest = earliest WHERE {of}"),
        format!("DELETE FROM audit.segment WHERE {of}"),
        format!("UPDATE audit.log SET indexed = indexed - 1 WHERE {of}"),
        format!("UPDATE audit.event SET id = NULL WHERE {of} AND sequence = 9"),
        format!(
            "UPDATE audit.event SET id = gen_random_uuid() WHERE {of} AND sequence IN (9, 640)"
        ),
    ];
    for sql in damages {
        let copy = original.copy().unwrap();
        copy.sql(&sql).unwrap();
        let store = open(&copy);
        let found = block_on(store.check_derived(damaged)).unwrap();
        assert!(!found.is_empty(), "{sql}: not named");
        assert_counts(&store, damaged, EVENTS, &sql);
        assert_eq!(block_on(store.check_derived(other)).unwrap(), [], "{sql}");
        let new = |first| (first..first + 40).map(event).collect();
        block_on(store.append(damaged, new(EVENTS))).expect(&sql);
        block_on(store.append(other, new(1))).expect(&sql);
        let again = block_on(store.record(damaged, known.clone())).unwrap();
        assert_eq!((again.sequence.get(), again.redelivered), (1, true), "{sql}");
        // The appends may have mended a part of it.
        block_on(store.reindex(damaged)).unwrap();
        assert_mended(&copy, damaged, &sql);
    }
}

fn assert_mended(database: &Database, log: Log, damage: &str) {
    let store = open(database);
    assert_eq!(block_on(store.check_derived(log)).unwrap(), [], "{damage}");
    assert_counts(&store, log, EVENTS + 40, damage);
}

/// Fails unless a filter finds the events below `end` of each actor.
fn assert_counts(store: &PostgresStore, log: Log, end: u32, damage: &str) {
    for actor in 0..3 {
        let query = EventQuery::new(log).filter(Filter::new().actor_id(format!("u_{actor}")));
        let expected = (1..end).filter(|number| number % 3 == actor).count();
        assert_eq!(block_on(store.count(&query)).unwrap(), expected as u64, "{damage}");
    }
}

/// A read that meets damage has it mended, so that the second one is as any other.
#[test]
fn a_read_mends_what_cannot_be_read() {
    let database = database();
    let store = open(&database);
    block_on(store.append(Log::Platform, (0..20).map(event).collect())).unwrap();
    database.sql("DELETE FROM audit.tail").unwrap();
    let query = EventQuery::new(Log::Platform).filter(Filter::new().actor_id("u_1"));
    assert_eq!(block_on(store.count(&query)).unwrap(), 7);
    assert_eq!(block_on(store.check_derived(Log::Platform)).unwrap(), []);
}
