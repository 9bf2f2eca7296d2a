//! Verification finds every change to the tables that was not made through the library.

use audit_core::tree::Frontier;
use audit_core::{
    Actor, AuditContext, AuditStore as _, Erasure, ErrorKind, Filter, LeafHash, Log, NewApiKey,
    NewEvent, NewOrganization, OrganizationId, Retention, RetentionStore as _,
    RetentionStoreExt as _, Role, TenantStore as _, TreeHead,
};
use audit_merkle::{Report, VerifyExt as _};
use audit_postgres_server::Database;
use futures_executor::block_on;

use crate::common::{database, open};

const LOG: Log = Log::Platform;
/// The number of events of the log: enough for nodes of two stored levels.
const EVENTS: u32 = 1_100;

fn event(number: u32) -> NewEvent {
    let actor = Actor::user(format!("u_{}", number % 9)).email(format!("{number}@acme.example"));
    NewEvent::new("invoice.paid", actor).target("invoice", format!("inv_{number}"))
}

/// Fills a database with a log, part of it erased. Returns the tree head that an auditor keeps.
fn fill(database: &Database) -> TreeHead {
    let store = open(database);
    let other = OrganizationId::new();
    for first in (0..EVENTS).step_by(550) {
        block_on(store.append(LOG, (first..first + 550).map(event).collect())).unwrap();
        block_on(store.append(other.into(), vec![event(first)])).unwrap();
    }
    let of_one = Erasure::matching(Filter::new().actor_id("u_3"));
    block_on(store.erase(LOG, of_one, AuditContext::new(Actor::system()))).unwrap();
    block_on(store.tree_head(LOG)).unwrap()
}

fn verify(database: &Database, heads: &[TreeHead]) -> Report {
    block_on(open(database).verify(LOG).against(heads).into_future()).unwrap()
}

/// Recomputes leaf hashes, nodes and the frontier from the stored records, as an attacker could who
/// knows the library.
fn rebuild_tree(database: &Database) {
    let rows = database
        .sql(
            "SELECT sequence, encode(convert_to(record, 'UTF8'), 'hex') FROM audit.event
             WHERE log = '' ORDER BY sequence",
        )
        .unwrap();
    let hex =
        |bytes: &[u8]| bytes.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
    let (mut frontier, mut leaves, mut nodes) = (Frontier::new(), Vec::new(), Vec::new());
    for row in rows.lines() {
        let (sequence, record) = row.split_once('|').unwrap();
        let record: Vec<u8> = (0..record.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&record[at..at + 2], 16).unwrap())
            .collect();
        let leaf = LeafHash::of(&record);
        leaves.push(format!("({sequence}, '\\x{}'::bytea)", hex(leaf.as_bytes())));
        for node in frontier.append(leaf).unwrap() {
            if node.id.level > 0 && node.id.level % 5 == 0 {
                let hash = hex(node.hash.as_bytes());
                nodes.push(format!("('', {}, {}, '\\x{hash}')", node.id.level, node.id.index));
            }
        }
    }
    let (leaves, nodes) = (leaves.join(","), nodes.join(","));
    let (size, frontier) = (frontier.size(), hex(&frontier.to_bytes()));
    let sql = format!(
        "UPDATE audit.event e SET leaf = w.leaf FROM (VALUES {leaves}) AS w (sequence, leaf)
             WHERE e.log = '' AND e.sequence = w.sequence;
         DELETE FROM audit.node WHERE log = '';
         INSERT INTO audit.node VALUES {nodes};
         UPDATE audit.log SET size = {size}, frontier = '\\x{frontier}',
             indexed = least(indexed, {size}) WHERE log = ''"
    );
    database.sql(&sql).unwrap();
}

/// Changes a record.
const CHANGE: &str =
    "UPDATE audit.event SET record = replace(record, 'invoice.paid', 'invoice.void')
     WHERE log = '' AND sequence = 101";
/// Cuts off the end.
const CUT: &str = "DELETE FROM audit.event WHERE log = '' AND sequence > 900";

/// The kinds of tampering, each on the events 101 and 900 of the log.
const TAMPERINGS: [(&str, &str); 22] = [
    ("a record is changed", CHANGE),
    (
        "a byte is added to a record",
        "UPDATE audit.event SET record = record || ' '
         WHERE log = '' AND sequence = 101",
    ),
    ("an event is deleted", "DELETE FROM audit.event WHERE log = '' AND sequence = 101"),
    (
        "events are deleted",
        "DELETE FROM audit.event
         WHERE log = '' AND sequence BETWEEN 101 AND 900",
    ),
    (
        "two events are exchanged",
        "UPDATE audit.event SET sequence = 5000
             WHERE log = '' AND sequence = 101;
         UPDATE audit.event SET sequence = 101 WHERE log = '' AND sequence = 900;
         UPDATE audit.event SET sequence = 900 WHERE log = '' AND sequence = 5000",
    ),
    (
        "two records are exchanged",
        "UPDATE audit.event e SET record = o.record
         FROM audit.event o WHERE e.log = '' AND o.log = ''
         AND e.sequence IN (101, 900) AND o.sequence = 1001 - e.sequence",
    ),
    (
        "an event is inserted at the end",
        "INSERT INTO audit.event
         SELECT log, 1102, NULL, leaf, record, personal FROM audit.event
         WHERE log = '' AND sequence = 101",
    ),
    ("the end is cut off", CUT),
    (
        "the beginning is marked as pruned",
        "UPDATE audit.log SET pruned = 96 WHERE log = '';
         DELETE FROM audit.event WHERE log = '' AND sequence <= 96",
    ),
    (
        "personal data is deleted",
        "UPDATE audit.event SET personal = NULL
         WHERE log = '' AND sequence = 101",
    ),
    (
        "personal data is changed",
        "UPDATE audit.event SET personal = personal || '\\x00'
         WHERE log = '' AND sequence = 101",
    ),
    (
        "the personal data of two events is exchanged",
        "UPDATE audit.event e
         SET personal = o.personal FROM audit.event o WHERE e.log = '' AND o.log = ''
         AND e.sequence IN (101, 900) AND o.sequence = 1001 - e.sequence",
    ),
    (
        "the keys of two groups are exchanged",
        "UPDATE audit.key k SET key = o.key
         FROM audit.key o WHERE k.log = '' AND o.log = ''
         AND k.grp IN (3, 28) AND o.grp = 31 - k.grp",
    ),
    ("a key is deleted", "DELETE FROM audit.key WHERE log = '' AND grp = 3"),
    ("a key is cut", "UPDATE audit.key SET key = '\\x01' WHERE log = '' AND grp = 3"),
    (
        "a leaf is changed",
        "UPDATE audit.event SET leaf = decode(repeat('00', 32), 'hex')
         WHERE log = '' AND sequence = 101",
    ),
    ("a leaf is cut", "UPDATE audit.event SET leaf = '\\x00' WHERE log = '' AND sequence = 101"),
    (
        "a node is changed",
        "UPDATE audit.node SET hash = decode(repeat('00', 32), 'hex')
         WHERE log = '' AND level = 5 AND index = 3",
    ),
    (
        "a node is cut",
        "UPDATE audit.node SET hash = '\\x00'
         WHERE log = '' AND level = 10 AND index = 0",
    ),
    ("a node is deleted", "DELETE FROM audit.node WHERE log = '' AND level = 5 AND index = 3"),
    (
        "the log is marked as shorter",
        "UPDATE audit.log SET size = 900,
         indexed = least(indexed, 900) WHERE log = ''",
    ),
    ("the log is deleted", "DELETE FROM audit.log WHERE log = ''"),
];

#[test]
fn every_tampering_is_found_with_a_kept_checkpoint() {
    let original = database();
    let head = fill(&original);
    let report = verify(&original, &[head]);
    assert!(report.is_intact() && report.proved == head.size, "{report}");
    assert!(report.erased > 100 && report.erased == report.declared_erased, "{report}");
    for (name, sql) in TAMPERINGS {
        let copy = original.copy().unwrap();
        copy.sql(sql).unwrap();
        let report = verify(&copy, &[head]);
        assert!(!report.is_intact(), "{name}: {report}");
    }
    for (name, sql) in [("a record is changed", CHANGE), ("the end is cut off", CUT)] {
        let copy = original.copy().unwrap();
        copy.sql(sql).unwrap();
        rebuild_tree(&copy);
        let report = verify(&copy, &[head]);
        assert!(!report.is_intact(), "{name}, and the tree with it: {report}");
    }
}

/// What the store keeps beside the events is compared with the events that declare it.
#[test]
fn every_change_of_a_table_without_an_event_is_found() {
    let original = database();
    let by = || AuditContext::new(Actor::user("root"));
    let id = OrganizationId::new();
    {
        let store = open(&original);
        let mut new = NewOrganization::new("Acme");
        new.id = id;
        block_on(store.create_organization(new, by())).unwrap();
        let new = NewApiKey::new(id, Role::Admin, "ana@acme.example");
        block_on(store.create_api_key(new, by())).unwrap();
        let hold = Retention::default().with_legal_hold();
        block_on(store.set_retention(id.into(), hold, by())).unwrap();
    }
    let is_intact = |database: &Database| {
        let store = open(database);
        let report = block_on(
            store
                .verify(Log::organization(id))
                .with_retention(&*store)
                .with_tenants(&*store)
                .into_future(),
        );
        match report {
            Err(error) if error.kind() == ErrorKind::Corrupt => false,
            report => report.unwrap().is_intact(),
        }
    };
    assert!(is_intact(&original));
    for sql in [
        "UPDATE audit.log SET retention = NULL",
        "UPDATE audit.organization SET body = replace(body, 'Acme', 'Evil')",
        "UPDATE audit.organization SET body = NULL",
        "DELETE FROM audit.organization",
        "UPDATE audit.api_key SET body = replace(body, 'ana@', 'eve@')",
        "DELETE FROM audit.api_key",
        "INSERT INTO audit.api_key SELECT gen_random_uuid(), organization, body FROM audit.api_key",
    ] {
        let copy = original.copy().unwrap();
        copy.sql(sql).unwrap();
        assert!(!is_intact(&copy), "{sql}");
    }
}
