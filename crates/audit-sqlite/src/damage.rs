//! Flips bits of derived data. Each flip is named by a comparison with the records, hides no event, fails
//! no append, harms no other log, and is mended by a rebuilding.
//!
//! `AUDIT_SQLITE_FLIPS=1` flips a bit of every byte.

use std::fs;

use audit_core::{
    Actor, AuditStore as _, AuditStoreExt as _, EventQuery, Filter, Log, NewEvent, OrganizationId,
};
use futures_executor::block_on;
use rusqlite::{Connection, params};

use crate::{SqliteOptions, SqliteStore};

/// The segments that queries read. What a merge has written so far is compared when it is complete.
const COMPLETE: &str = "(SELECT id FROM audit_segment WHERE stage = 0)";

/// The columns of derived data: the table, its key, and the column.
const COLUMNS: [(&str, &str, &str); 10] = [
    ("audit_tail", "event_key", "data"),
    ("audit_part", "id", "data"),
    ("audit_segment", "id", "first"),
    ("audit_segment", "id", "last"),
    ("audit_segment", "id", "earliest"),
    ("audit_segment", "id", "latest"),
    ("audit_segment", "id", "bucket_bits"),
    ("audit_segment", "id", "checksum"),
    ("audit_event_id", "id", "sequence"),
    ("audit_log", "id", "indexed"),
];

const EVENTS: u64 = 30;

fn event(number: u64) -> NewEvent {
    NewEvent::new("invoice.paid", Actor::user(format!("u_{}", number % 3)))
        .target("invoice", format!("inv_{number}"))
}

fn open(path: &std::path::Path) -> SqliteStore {
    let options = SqliteOptions { segment_events: 4, ..SqliteOptions::default() };
    SqliteStore::open_with(path, options).unwrap()
}

/// Flips a bit of a blob, or of a number.
fn flipped(value: rusqlite::types::Value, at: usize) -> Option<rusqlite::types::Value> {
    use rusqlite::types::Value;

    match value {
        Value::Blob(mut bytes) => {
            *bytes.get_mut(at)? ^= 1 << (at % 8);
            Some(Value::Blob(bytes))
        }
        Value::Integer(number) => (at < 3).then(|| Value::Integer(number ^ 1 << (9 * at))),
        _ => None,
    }
}

/// Fails unless a filter finds the events of each actor. A read mends what it cannot read.
fn assert_counts(
    store: &SqliteStore,
    log: Log,
    numbers: &(impl Iterator<Item = u64> + Clone),
    what: &str,
) {
    for actor in 0..3 {
        let query = EventQuery::new(log).filter(Filter::new().actor_id(format!("u_{actor}")));
        let expected = numbers.clone().filter(|number| number % 3 == actor).count() as u64;
        assert_eq!(block_on(store.count(&query)).unwrap(), expected, "{what}");
    }
}

#[test]
fn every_flip_is_named_harms_no_append_and_is_mended() {
    let every = std::env::var("AUDIT_SQLITE_FLIPS").map_or(211, |n| n.parse().unwrap());
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("audit.db");
    let (damaged, other): (Log, Log) = (OrganizationId::new().into(), Log::Platform);
    let store = open(&path);
    let known = event(EVENTS);
    block_on(store.append(damaged, vec![known.clone()])).unwrap();
    for number in 1..EVENTS {
        block_on(store.append(damaged, vec![event(number)])).unwrap();
    }
    drop(store);
    let whole = fs::read(&path).unwrap();
    let (mut flips, mut count) = (0, 0);
    for (table, key, column) in COLUMNS {
        fs::write(&path, &whole).unwrap();
        let rows: Vec<(rusqlite::types::Value, rusqlite::types::Value)> = {
            let connection = Connection::open(&path).unwrap();
            let rows = match table {
                "audit_part" => format!("WHERE id >> 24 IN {COMPLETE}"),
                "audit_segment" => format!("WHERE id IN {COMPLETE}"),
                _ => String::new(),
            };
            let sql = format!("SELECT {key}, {column} FROM {table} {rows}");
            let mut statement = connection.prepare(&sql).unwrap();
            let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
            rows.map(Result::unwrap).collect()
        };
        for (key_value, value) in rows {
            for (at, value) in (0..).map_while(|at| Some((at, flipped(value.clone(), at)?))) {
                count += 1;
                if count % every != 0 {
                    continue;
                }
                fs::write(&path, &whole).unwrap();
                let sql = format!("UPDATE {table} SET {column} = ?2 WHERE {key} = ?1");
                let edit = Connection::open(&path).unwrap();
                match edit.execute(&sql, params![key_value, value]) {
                    Ok(rows) => assert_eq!(rows, 1),
                    Err(_) => continue, // no row can have this value
                }
                drop(edit);
                flips += 1;
                let what = format!("{table}.{column} of {key_value:?}, {at}");
                let store = open(&path);
                let found = block_on(store.check_derived(damaged)).unwrap();
                assert!(!found.is_empty(), "{what}: not named");
                if count / every % 2 == 0 {
                    assert_counts(&store, damaged, &(1..=EVENTS), &what);
                }
                let both = futures_util::future::join(
                    store.append(damaged, (0..40).map(event).collect()),
                    store.append(other, vec![event(0)]),
                );
                let (own, others) = block_on(both);
                assert_eq!(own.unwrap()[39].sequence.get(), EVENTS + 40, "{what}");
                others.unwrap();
                let again = block_on(store.record(damaged, known.clone())).unwrap();
                assert_eq!((again.sequence.get(), again.redelivered), (1, true), "{what}");
                block_on(store.reindex(damaged)).unwrap();
                assert_eq!(block_on(store.check_derived(damaged)).unwrap(), [], "{what}");
                assert_eq!(block_on(store.check_derived(other)).unwrap(), [], "{what}");
                assert_counts(&store, damaged, &(1..=EVENTS).chain(0..40), &what);
            }
        }
    }
    assert!(flips > 5, "{flips}");
}
