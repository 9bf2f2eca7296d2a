//! Verification finds every change to the file that was not made through the library.

use std::fs;
use std::path::Path;

use audit_core::{
    Actor, AuditContext, AuditStore, EntriesRequest, Erasure, Filter, LeafHash, Log, NewEvent,
    OrganizationId, Retention, RetentionStore as _, RetentionStoreExt as _, Sequence, TreeHead,
    tree::Frontier,
};
use audit_merkle::{Report, VerifyExt as _};
use audit_sqlite::SqliteStore;
use audit_sqlite::rusqlite::{Connection, params};
use futures_executor::block_on;

const LOG: Log = Log::Platform;
/// The number of events of the log: enough for tiles above them.
const EVENTS: i64 = 1_100;

/// Returns how often each kind of tampering is tried, each time on other events.
fn rounds() -> i64 {
    std::env::var("AUDIT_SQLITE_TAMPERINGS").map_or(4, |n| n.parse().unwrap())
}

fn event(number: i64) -> NewEvent {
    let actor = Actor::user(format!("u_{}", number % 9)).email(format!("{number}@acme.example"));
    NewEvent::new("invoice.paid", actor).target("invoice", format!("inv_{number}"))
}

/// Creates a file with a log, part of it erased. Returns the tree head that an auditor keeps.
fn file(path: &Path) -> TreeHead {
    let store = SqliteStore::open(path).unwrap();
    let other = OrganizationId::new();
    for first in (0..EVENTS).step_by(100) {
        let events = (first..EVENTS.min(first + 100)).map(event).collect();
        block_on(store.append(LOG, events)).unwrap();
        block_on(store.append(other.into(), vec![event(first)])).unwrap();
    }
    let of_one = Erasure::matching(Filter::new().actor_id("u_3"));
    block_on(store.erase(LOG, of_one, AuditContext::new(Actor::system()))).unwrap();
    block_on(store.tree_head(LOG)).unwrap()
}

fn verify(path: &Path, heads: &[TreeHead]) -> Report {
    let store = SqliteStore::open(path).unwrap();
    block_on(store.verify(LOG).against(heads).into_future()).unwrap()
}

/// Returns the key of an event of the log.
fn event_key(connection: &Connection, sequence: i64) -> i64 {
    let sql = "SELECT id FROM audit_log WHERE name = x''";
    let log: i64 = connection.query_row(sql, [], |row| row.get(0)).unwrap();
    log << 40 | sequence
}

/// Exchanges columns of two events.
fn swap(connection: &Connection, columns: &[&str], a: i64, b: i64) {
    for column in columns {
        let sql = format!(
            "UPDATE audit_event SET {column} = (SELECT other.{column} FROM audit_event AS other
             WHERE other.event_key = ?1 + ?2 - audit_event.event_key) WHERE event_key IN (?1, ?2)"
        );
        assert_eq!(connection.execute(&sql, [a, b]).unwrap(), 2);
    }
}

/// Recomputes leaf hashes, tiles and the frontier from the stored records, as an attacker could who
/// knows the library.
fn rebuild_tree(connection: &Connection) {
    let (low, high) = (event_key(connection, 0), event_key(connection, (1 << 40) - 1));
    let sql = "SELECT event_key, record FROM audit_event WHERE event_key BETWEEN ?1 AND ?2 ORDER BY event_key";
    let mut statement = connection.prepare(sql).unwrap();
    let rows = statement.query_map([low, high], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    let rows: Vec<(i64, Vec<u8>)> = rows.map(Result::unwrap).collect();
    let (mut frontier, mut tiles) = (Frontier::new(), vec![Vec::new(); 3]);
    for (event_key, record) in rows {
        let leaf = LeafHash::of(&record);
        let sql = "UPDATE audit_event SET leaf = ?2 WHERE event_key = ?1";
        connection.execute(sql, params![event_key, leaf.as_bytes()]).unwrap();
        for node in frontier.append(leaf).unwrap() {
            if node.id.level % 5 == 0 {
                tiles[usize::from(node.id.level / 5)].extend_from_slice(node.hash.as_bytes());
            }
        }
    }
    connection
        .execute("DELETE FROM audit_tile WHERE event_key BETWEEN ?1 AND ?2", [low, high])
        .unwrap();
    for (tier, hashes) in (0..).zip(&tiles) {
        for (index, hashes) in (0_i64..).zip(hashes.chunks(32 * 32)) {
            let at = event_key(connection, (index << (5 * (tier + 1))) + tier);
            let sql = "INSERT INTO audit_tile (event_key, leaves) VALUES (?1, ?2)";
            connection.execute(sql, params![at, hashes]).unwrap();
        }
    }
    let sql = "UPDATE audit_log SET size = ?1, frontier = ?2, indexed = min(indexed, ?1)
         WHERE name = x''";
    let size = frontier.size().get().cast_signed();
    connection.execute(sql, params![size, frontier.to_bytes()]).unwrap();
}

type Tampering = (&'static str, fn(&Connection, i64, i64));

/// The kinds of tampering, each on the event keys of two events.
const TAMPERINGS: [Tampering; 24] = [
    ("a record is changed", |c, a, _| {
        let sql = "UPDATE audit_event SET record = CAST(replace(record, 'invoice.paid',
             'invoice.void') AS BLOB) WHERE event_key = ?1";
        c.execute(sql, [a]).unwrap();
    }),
    ("a byte is added to a record", |c, a, _| {
        let sql =
            "UPDATE audit_event SET record = CAST(record || ' ' AS BLOB) WHERE event_key = ?1";
        c.execute(sql, [a]).unwrap();
    }),
    ("an event is deleted", |c, a, _| {
        c.execute("DELETE FROM audit_event WHERE event_key = ?1", [a]).unwrap();
    }),
    ("events are deleted", |c, a, b| {
        c.execute("DELETE FROM audit_event WHERE event_key BETWEEN ?1 AND ?2", [a, b]).unwrap();
    }),
    ("two events are exchanged", |c, a, b| {
        swap(c, &["leaf", "record", "sealing_key", "personal"], a, b);
    }),
    ("two records are exchanged", |c, a, b| swap(c, &["record"], a, b)),
    ("an event is inserted at the end", |c, a, _| {
        let end = event_key(c, EVENTS + 2);
        let sql = "INSERT INTO audit_event SELECT ?2, leaf, record, sealing_key, personal
             FROM audit_event WHERE event_key = ?1";
        c.execute(sql, [a, end]).unwrap();
    }),
    ("an event overwrites another", |c, a, b| {
        let sql = "REPLACE INTO audit_event SELECT ?2, leaf, record, sealing_key, personal
             FROM audit_event WHERE event_key = ?1";
        c.execute(sql, [a, b]).unwrap();
    }),
    ("the end is cut off", |c, _, b| {
        let last = event_key(c, (1 << 40) - 1);
        c.execute("DELETE FROM audit_event WHERE event_key BETWEEN ?1 AND ?2", [b, last]).unwrap();
    }),
    ("the end is cut off, and the head of the log with it", |c, _, b| {
        let last = event_key(c, (1 << 40) - 1);
        c.execute("DELETE FROM audit_event WHERE event_key BETWEEN ?1 AND ?2", [b, last]).unwrap();
        rebuild_tree(c);
    }),
    ("a record is changed, and the tree with it", |c, a, _| {
        let sql = "UPDATE audit_event SET record = CAST(replace(record, 'invoice.paid',
             'invoice.void') AS BLOB) WHERE event_key = ?1";
        c.execute(sql, [a]).unwrap();
        rebuild_tree(c);
    }),
    ("the beginning is marked as pruned", |c, a, _| {
        let pruned = (a & 0xff_ffff) / 32 * 32 + 32;
        c.execute("UPDATE audit_log SET pruned = ?1 WHERE name = x''", [pruned]).unwrap();
        let first = event_key(c, 0);
        let last = event_key(c, pruned);
        c.execute("DELETE FROM audit_event WHERE event_key BETWEEN ?1 AND ?2", [first, last])
            .unwrap();
    }),
    ("personal data is deleted", |c, a, _| {
        let sql = "UPDATE audit_event SET personal = NULL, sealing_key = NULL WHERE event_key = ?1";
        c.execute(sql, [a]).unwrap();
    }),
    ("personal data is changed", |c, a, _| {
        let sql = "UPDATE audit_event SET personal = CAST(personal || x'00' AS BLOB)
             WHERE event_key = ?1";
        c.execute(sql, [a]).unwrap();
    }),
    ("the personal data of two events is exchanged", |c, a, b| {
        swap(c, &["sealing_key", "personal"], a, b);
    }),
    ("the keys of two events are exchanged", |c, a, b| swap(c, &["sealing_key"], a, b)),
    ("a key is deleted", |c, a, _| {
        let sql = "DELETE FROM audit_sealing_key WHERE id =
             (SELECT sealing_key FROM audit_event WHERE event_key = ?1)";
        assert_eq!(c.execute(sql, [a]).unwrap(), 1);
    }),
    ("a key is cut", |c, a, _| {
        let sql = "UPDATE audit_sealing_key SET key = x'00' WHERE id =
             (SELECT sealing_key FROM audit_event WHERE event_key = ?1)";
        assert_eq!(c.execute(sql, [a]).unwrap(), 1);
    }),
    ("a leaf is changed", |c, a, _| {
        c.execute("UPDATE audit_event SET leaf = zeroblob(32) WHERE event_key = ?1", [a]).unwrap();
    }),
    ("a tile is changed", |c, _, _| {
        let sql = "UPDATE audit_tile SET leaves = zeroblob(length(leaves)) WHERE event_key = ?1";
        assert_eq!(c.execute(sql, [event_key(c, 1)]).unwrap(), 1);
    }),
    ("a leaf is cut", |c, a, _| {
        c.execute("UPDATE audit_event SET leaf = x'00' WHERE event_key = ?1", [a]).unwrap();
    }),
    ("a tile is cut within a hash", |c, _, _| {
        let sql = "UPDATE audit_tile SET leaves = substr(leaves, 1, 100) WHERE event_key = ?1";
        assert_eq!(c.execute(sql, [event_key(c, 1)]).unwrap(), 1);
    }),
    ("a tile is too long and begins with another hash", |c, _, _| {
        let sql = "UPDATE audit_tile SET leaves = CAST(zeroblob(32) || leaves AS BLOB)
             WHERE event_key = ?1";
        assert_eq!(c.execute(sql, [event_key(c, 1)]).unwrap(), 1);
    }),
    ("the log is marked as shorter", |c, _, b| {
        let size = b & 0xff_ffff;
        let sql = "UPDATE audit_log SET size = ?1, indexed = min(indexed, ?1) WHERE name = x''";
        c.execute(sql, [size]).unwrap();
    }),
];

#[test]
fn every_tampering_is_found_with_a_kept_checkpoint() {
    let directory = tempfile::tempdir().unwrap();
    let original = directory.path().join("original.db");
    let head = file(&original);
    let report = verify(&original, &[head]);
    assert!(report.is_intact() && report.proved == head.size, "{report}");
    assert!(report.erased > 100 && report.erased == report.declared_erased, "{report}");

    let (mut found, mut tried) = (0, 0);
    for (name, tamper) in TAMPERINGS {
        for round in 0..rounds() {
            // Two events that are not erased.
            let (a, b) = (1 + round * 7 % 55 * 9, 505 + round * 11 % 65 * 9);
            let copy = directory.path().join("copy.db");
            fs::copy(&original, &copy).unwrap();
            let connection = Connection::open(&copy).unwrap();
            tamper(&connection, event_key(&connection, a), event_key(&connection, b));
            drop(connection);
            let report = verify(&copy, &[head]);
            tried += 1;
            found += i32::from(!report.is_intact());
            assert!(!report.is_intact(), "{name}, events {a} and {b}: {report}");
            assert!(report.into_result().is_err());
            fs::remove_file(&copy).unwrap();
        }
    }
    println!("{found} of {tried} tamperings found");
}

/// Runs `sql` on a new file, with the keys of the events `a` and `b` as its parameters.
fn edited(path: &Path, sql: &str, a: i64, b: i64) -> SqliteStore {
    file(path);
    let connection = Connection::open(path).unwrap();
    let event_keys = [event_key(&connection, a), event_key(&connection, b)];
    connection.execute(sql, event_keys).unwrap();
    drop(connection);
    SqliteStore::open(path).unwrap()
}

#[test]
fn events_with_an_exchanged_key_can_be_erased_and_pruned() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("audit.db");
    let sql = "UPDATE audit_event SET sealing_key = (SELECT sealing_key FROM audit_event WHERE event_key = ?2)
         WHERE event_key = ?1";
    let store = edited(&path, sql, 101, 900);
    let by = || AuditContext::new(Actor::system());
    let erase = |filter| block_on(store.erase(LOG, Erasure::matching(filter), by()));
    let neighbour = Filter::new().target("invoice", "inv_101"); // event 102
    assert_eq!(erase(neighbour).unwrap().events, 1);
    let retention = Retention::default().max_events(1);
    block_on(store.set_retention(LOG, retention, by())).unwrap();
    block_on(store.prune(LOG, by().into())).unwrap();
    let connection = Connection::open(&path).unwrap();
    let left = "SELECT count(*) FROM audit_event WHERE event_key BETWEEN ?1 AND ?2";
    let bounds = [event_key(&connection, 0), event_key(&connection, 1_024)];
    assert_eq!(connection.query_row(left, bounds, |row| row.get(0)), Ok(0));
}

#[test]
fn an_id_that_points_to_another_event_is_led_back_to_its_own() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("audit.db");
    file(&path);
    let store = SqliteStore::open(&path).unwrap();
    let entries = block_on(
        store.entries(LOG, EntriesRequest::default().after(Sequence::new(99).unwrap()).limit(2)),
    )
    .unwrap();
    let [wanted, other] = [0, 1].map(|at| entries[at].event.decode().unwrap());
    let connection = Connection::open(&path).unwrap();
    let sql = "UPDATE audit_event_id SET sequence = ?2 WHERE id = ?1 AND sequence = ?3";
    let numbers = (other.sequence.as_i64(), wanted.sequence.as_i64());
    let changed = connection.execute(sql, params![wanted.id.as_bytes(), numbers.0, numbers.1]);
    assert_eq!(changed, Ok(1));
    assert_eq!(block_on(store.get(LOG, wanted.id)).unwrap(), wanted);
    assert_eq!(connection.execute(sql, params![wanted.id.as_bytes(), numbers.0, numbers.1]), Ok(1));
    let by = AuditContext::new(Actor::system());
    block_on(store.erase(LOG, Erasure::event_id(wanted.id), by)).unwrap();
    assert!(block_on(store.get(LOG, wanted.id)).unwrap().erased);
    assert_eq!(block_on(store.get(LOG, other.id)).unwrap(), other);
}

#[test]
fn an_append_writes_its_nodes_at_their_offsets_in_a_damaged_tile() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("audit.db");
    file(&path);
    let connection = Connection::open(&path).unwrap();
    let last =
        "(SELECT max(event_key) FROM audit_tile WHERE event_key < ?1 AND (event_key & 31) = 1)";
    let sql = format!(
        "UPDATE audit_tile SET leaves = CAST(leaves || zeroblob(39) AS BLOB) WHERE event_key = {last}"
    );
    assert_eq!(connection.execute(&sql, [event_key(&connection, (1 << 40) - 1)]), Ok(1));
    let store = SqliteStore::open(&path).unwrap();
    block_on(store.append(LOG, (0..100).map(event).collect())).unwrap();
    assert!(verify(&path, &[]).is_intact());
}
