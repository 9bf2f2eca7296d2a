//! The plan of every statement that looks something up: each searches an index, none reads a table
//! through, and none sorts.

use std::time::Duration;

use audit_core::Order;
use rusqlite::Connection;

use crate::{append, index, organizations, read, schema};

/// Each statement with its plan.
fn plans() -> [(&'static str, &'static str); 10] {
    let by_time = "SEARCH audit_posting USING PRIMARY KEY (term=? AND (occurred_at,sequence)";
    [
        (append::END_LOG, "SEARCH audit_log USING INTEGER PRIMARY KEY (rowid=?)"),
        (read::HEAD, "SEARCH audit_log USING INDEX sqlite_autoindex_audit_log_1 (name=?)"),
        (read::FIND_EVENT, "SEARCH audit_event_id USING PRIMARY KEY (log=? AND id=?)"),
        (read::READ_EVENT, "SEARCH audit_event USING INTEGER PRIMARY KEY (rowid=?)"),
        (
            index::FIND_TERM,
            "SEARCH audit_term USING COVERING INDEX sqlite_autoindex_audit_term_1 \
             (log=? AND tag=? AND value=?)",
        ),
        (index::seek_sql(Order::NewestFirst), by_time),
        (index::seek_sql(Order::OldestFirst), by_time),
        (
            index::COUNT,
            "SEARCH audit_posting USING PRIMARY KEY (term=? AND occurred_at>? AND occurred_at<?)",
        ),
        (organizations::READ, "SEARCH audit_organization USING PRIMARY KEY (id=?)"),
        (organizations::LIST, "SEARCH audit_organization USING PRIMARY KEY (id>?)"),
    ]
}

fn explain(connection: &Connection, sql: &str) -> Vec<String> {
    let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
    // A parameter that is not bound is null; the plan does not depend on it.
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
    let connection = schema::open(&directory.path().join("audit.db"), Duration::ZERO).unwrap();
    for (sql, expected) in plans() {
        let plan = explain(&connection, sql);
        assert_eq!(plan.len(), 1, "one step, no sort: {sql}: {plan:?}");
        assert!(plan[0].starts_with(expected), "{sql}: {plan:?}");
    }
    let by_sequence = explain(&connection, index::seek_sql(Order::Sequence));
    assert_eq!(
        by_sequence,
        ["SEARCH audit_posting USING COVERING INDEX audit_posting_by_sequence \
          (term=? AND sequence>? AND sequence<?)"]
    );
}

/// A statement written anywhere else would have a plan that nobody looked at.
#[test]
fn every_look_up_is_among_them() {
    let sources = [
        include_str!("append.rs"),
        include_str!("index.rs"),
        include_str!("organizations.rs"),
        include_str!("read.rs"),
        include_str!("writer.rs"),
    ];
    let written: usize = sources
        .iter()
        .map(|source| source.matches("\"SELECT").count() + source.matches("\"UPDATE").count())
        .sum();
    assert_eq!(written, plans().len() + 1);
}
