//! Checks the plan of every statement with a condition: each searches an index, none scans a table,
//! and none sorts.

use std::time::Duration;

use rusqlite::Connection;

use crate::{
    api_keys, append, derived, erasure, followers, index, marks, open, organizations, read,
    retention, schema, sealing, staged, tree,
};

/// Each statement with its plan.
const PLANS: [(&str, &str); 69] = [
    (marks::READ, "SEARCH audit_mark USING INTEGER PRIMARY KEY (rowid=?)"),
    (marks::WRITE, "SEARCH audit_mark USING INTEGER PRIMARY KEY (rowid=?)"),
    (schema::FIND_TABLES, "SCAN sqlite_schema"),
    (schema::READ_FACT, "SEARCH audit_store USING PRIMARY KEY (name=?)"),
    (append::END_LOG, "SEARCH audit_log USING INTEGER PRIMARY KEY (rowid=?)"),
    (read::READ_LOG, "SEARCH audit_log USING INDEX sqlite_autoindex_audit_log_1 (name=?)"),
    (read::READ_END, "SEARCH audit_log USING INDEX sqlite_autoindex_audit_log_1 (name=?)"),
    // Reads one row, the last.
    (append::LAST_ID, "SCAN audit_event_id"),
    // Reads a few rows, the last.
    (append::LATEST_OF_NEWEST, "SCAN audit_log"),
    // Reads all rows, when a clock is doubted.
    (append::LATEST_OF_ALL, "SEARCH audit_log"),
    // Reads all rows, because the caller asked for all.
    (
        read::LIST_LOGS,
        "SEARCH audit_log USING COVERING INDEX sqlite_autoindex_audit_log_1 (name>?)",
    ),
    (read::FIND_EVENT, "SEARCH audit_event_id USING PRIMARY KEY (id=? AND log=?)"),
    (read::READ_EVENT, "SEARCH audit_event USING INTEGER PRIMARY KEY (rowid=?)"),
    (index::READ_TAIL, "SEARCH audit_tail USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)"),
    (index::LAST_TAIL_ROW, "SEARCH audit_tail USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)"),
    (index::CLEAR_TAIL, "SEARCH audit_tail USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)"),
    (index::DIRECTORY, "SEARCH audit_segment USING INDEX audit_segment_of_log (log=?)"),
    (index::SET_STAGE, "SEARCH audit_segment USING INTEGER PRIMARY KEY (rowid=?)"),
    // Reads one row, the last.
    (index::LAST_SEGMENT, "SCAN audit_segment"),
    (index::READ_PART, "SEARCH audit_part USING INTEGER PRIMARY KEY (rowid=?)"),
    (index::DELETE_SEGMENT, "SEARCH audit_segment USING INTEGER PRIMARY KEY (rowid=?)"),
    (index::DELETE_PARTS, "SEARCH audit_part USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)"),
    (index::OVERWRITE_PART, "SEARCH audit_part USING INTEGER PRIMARY KEY (rowid=?)"),
    (index::LAST_PART, "SEARCH audit_part USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)"),
    (index::SEGMENT_IDS, "SEARCH audit_segment USING COVERING INDEX audit_segment_of_log (log=?)"),
    (index::CLEAR_DIRECTORY, "SEARCH audit_segment USING INDEX audit_segment_of_log (log=?)"),
    (derived::SET_INDEXED, "SEARCH audit_log USING INTEGER PRIMARY KEY (rowid=?)"),
    (derived::LIST_IDS, "SEARCH audit_event_id USING PRIMARY KEY ((id,log)>(?,?))"),
    (derived::DELETE_ID_ROW, "SEARCH audit_event_id USING PRIMARY KEY (id=? AND log=?)"),
    (tree::READ_FRONTIER, "SEARCH audit_log USING INTEGER PRIMARY KEY (rowid=?)"),
    (tree::READ_TILE, "SEARCH audit_tile USING INTEGER PRIMARY KEY (rowid=?)"),
    (tree::READ_LEAF, "SEARCH audit_event USING INTEGER PRIMARY KEY (rowid=?)"),
    (tree::READ_LEAVES, "SEARCH audit_event USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)"),
    (tree::READ_ENTRIES, "SEARCH audit_event USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)"),
    (sealing::READ_KEY, "SEARCH audit_sealing_key USING INTEGER PRIMARY KEY (rowid=?)"),
    (sealing::OVERWRITE_KEY, "SEARCH audit_sealing_key USING INTEGER PRIMARY KEY (rowid=?)"),
    (sealing::READ_SEALED, "SEARCH audit_event USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)"),
    (sealing::SEAL_AGAIN, "SEARCH audit_event USING INTEGER PRIMARY KEY (rowid=?)"),
    (erasure::ERASE_EVENT, "SEARCH audit_event USING INTEGER PRIMARY KEY (rowid=?)"),
    (retention::READ_RETENTION, "SEARCH audit_log USING INTEGER PRIMARY KEY (rowid=?)"),
    (retention::SET_RETENTION, "SEARCH audit_log USING INTEGER PRIMARY KEY (rowid=?)"),
    (retention::FIRST_EVENTS, "SEARCH audit_event USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)"),
    (
        retention::DELETE_EVENTS,
        "SEARCH audit_event USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)",
    ),
    (retention::DELETE_ID, "SEARCH audit_event_id USING PRIMARY KEY (id=? AND log=?)"),
    (retention::FIRST_TILES, "SEARCH audit_tile USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)"),
    (retention::DELETE_TILE, "SEARCH audit_tile USING INTEGER PRIMARY KEY (rowid=?)"),
    // Reads one row, the first.
    (staged::ANY, "SCAN audit_staged"),
    (staged::ANY_OF_LOG, "SEARCH audit_staged USING COVERING INDEX audit_staged_of_log (log=?)"),
    // Read all rows: few, or all that the caller asked for.
    (staged::LOGS, "SCAN audit_staged USING COVERING INDEX audit_staged_of_log"),
    (staged::COUNT_STAGED, "SCAN audit_staged USING COVERING INDEX audit_staged_of_log"),
    (staged::COUNT_REFUSED, "SCAN audit_refused"),
    // Reads one row, the last.
    (staged::LAST, "SCAN audit_staged"),
    (staged::NEXT, "SEARCH audit_staged USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)"),
    (
        staged::NEXT_OF_LOG,
        "SEARCH audit_staged USING INDEX audit_staged_of_log (log=? AND rowid>? AND rowid<?)",
    ),
    (staged::NUMBER, "SEARCH audit_store USING PRIMARY KEY (name=?)"),
    // Clears the whole table, which needs no plan.
    (staged::CLEAR, ""),
    (staged::DELETE, "SEARCH audit_staged USING INTEGER PRIMARY KEY (rowid=?)"),
    (staged::LIST_REFUSED, "SEARCH audit_refused USING INTEGER PRIMARY KEY (rowid>?)"),
    (staged::READ_REFUSED, "SEARCH audit_refused USING INTEGER PRIMARY KEY (rowid=?)"),
    (staged::DELETE_REFUSED, "SEARCH audit_refused USING INTEGER PRIMARY KEY (rowid=?)"),
    (api_keys::READ, "SEARCH audit_api_key USING PRIMARY KEY (id=?)"),
    (
        api_keys::LIST,
        "SEARCH audit_api_key USING INDEX audit_api_key_of_organization (organization=? AND id>?)",
    ),
    (followers::READ, "SEARCH audit_follower USING PRIMARY KEY (name=? AND log=?)"),
    (followers::LIST, "SEARCH audit_follower USING PRIMARY KEY (name=? AND log>?)"),
    (followers::LIST_FIRST, "SEARCH audit_follower USING PRIMARY KEY (name=?)"),
    (followers::UPDATE, "SEARCH audit_follower USING PRIMARY KEY (name=? AND log=?)"),
    (followers::DELETE, "SEARCH audit_follower USING PRIMARY KEY (name=? AND log=?)"),
    (organizations::READ, "SEARCH audit_organization USING PRIMARY KEY (id=?)"),
    (organizations::LIST, "SEARCH audit_organization USING PRIMARY KEY (id>?)"),
];

fn explain(connection: &Connection, sql: &str) -> Vec<String> {
    let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
    // Parameters are not bound: the plan does not depend on them.
    let mut rows = statement.raw_query();
    let mut plan = Vec::new();
    while let Some(row) = rows.next().unwrap() {
        plan.push(row.get("detail").unwrap());
    }
    plan
}

#[test]
fn every_statement_searches_an_index() {
    let directory = tempfile::tempdir().unwrap();
    let connection =
        open::open(&directory.path().join("audit.db"), open::Tables::Create, Duration::ZERO)
            .unwrap();
    for (sql, expected) in PLANS {
        let plan = explain(&connection, sql);
        let steps = usize::from(!expected.is_empty());
        assert_eq!(plan.len(), steps, "expected one step and no sort: {sql}: {plan:?}");
        assert!(plan.iter().all(|step| step.starts_with(expected)), "{sql}: {plan:?}");
    }
}

/// Counts the statements in the sources: one that is missing above would have no plan checked.
#[test]
fn every_statement_is_listed() {
    let sources = [
        include_str!("api_keys.rs"),
        include_str!("append.rs"),
        include_str!("backup.rs"),
        include_str!("derived.rs"),
        include_str!("erasure.rs"),
        include_str!("followers.rs"),
        include_str!("index.rs"),
        include_str!("marks.rs"),
        include_str!("organizations.rs"),
        include_str!("sealing.rs"),
        include_str!("read.rs"),
        include_str!("retention.rs"),
        include_str!("schema.rs"),
        include_str!("staged.rs"),
        include_str!("tree.rs"),
        include_str!("writer.rs"),
    ];
    let begins = ["\"SELECT", "\"UPDATE", "\"DELETE"];
    let of_one = |source: &str| begins.map(|begin| source.matches(begin).count());
    let written: usize = sources.iter().flat_map(|source| of_one(source)).sum();
    assert_eq!(written, PLANS.len());
}
