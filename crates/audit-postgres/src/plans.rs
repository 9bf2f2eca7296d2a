//! Checks the plan of every statement with a condition, in tables that are not small: each searches an
//! index, and none scans a table.

use audit_postgres_server::{Database, Server};
use futures_executor::block_on;
use tokio_postgres::types::Type;

use crate::connection::{Statement, one_plan};
use crate::{
    PostgresStore, api_keys, append, erasure, events, first_rows, followers, index, intake, keys,
    lock, log_row, log_state, organizations, parts, read, refused, reindex, replica, retention,
    rows, schema, segments, staged, tiles, tree, watch,
};

const STATEMENTS: [&Statement; 68] = [
    &schema::READ_FACT,
    &lock::LOCK_HEADS,
    &lock::LOCK_HEAD,
    &lock::LOCK_FREE_HEADS,
    &lock::LOCK_FREE_HEAD,
    &lock::FIND_IDS,
    &keys::READ_LAST,
    &append::FREE_IDS,
    &rows::APPEND,
    &segments::INSERT_SEGMENTS,
    &index::TRY_LOCK_INDEX,
    &index::LOCK_INDEX,
    &index::SET_INDEXED,
    &log_row::READ_LOG,
    &log_state::READ_STATE,
    &log_state::LAST,
    &log_state::ANY,
    &intake::LOGS,
    &staged::NEXT,
    &staged::DELETE,
    &intake::REFUSE,
    &refused::LIST,
    &refused::RESTAGE,
    &refused::READ,
    &refused::DELETE,
    &read::LIST_LOGS,
    &read::FIND_EVENT,
    &events::READ_EVENTS,
    &tree::READ_FRONTIER,
    &tiles::READ_LEAVES,
    &tiles::READ_LEAVES_AT,
    &tiles::READ_NODES,
    &tree::READ_ENTRIES,
    &index::READ_TAIL,
    &index::CLEAR_TAIL,
    &index::DIRECTORY,
    &index::SET_STAGE,
    &index::DELETE_SEGMENT,
    &index::CLEAR,
    &first_rows::READ_FIRST,
    &parts::SEARCH_TABLES,
    &parts::READ_PARTS,
    &parts::READ_PARTS_FROM,
    &parts::LAST_PART,
    &parts::OVERWRITE_PART,
    &parts::DELETE_PARTS,
    &erasure::ERASE_EVENTS,
    &keys::REPLACE,
    &retention::READ_RETENTION,
    &retention::SET_RETENTION,
    &retention::SET_FLOOR,
    &retention::READ_RECORD,
    &retention::DELETE_EVENTS,
    &retention::DELETE_NODES,
    &reindex::READ_IDS,
    &reindex::TAKE_IDS,
    &reindex::SET_IDS,
    &replica::READ_REMOVED,
    &replica::SET_REMOVED,
    &organizations::READ,
    &organizations::LIST,
    &api_keys::READ,
    &api_keys::LIST,
    &followers::READ,
    &followers::LIST,
    &followers::UPDATE,
    &followers::DELETE,
    &watch::READ_SIZES,
];

/// Fills the tables with 2,000 logs, one of which has 20,000 events.
const FILL: &str = "
    CREATE FUNCTION log_of(n int) RETURNS bytea LANGUAGE sql AS $$
        SELECT decode(md5(n::text), 'hex') $$;
    INSERT INTO audit.log (log, size) SELECT log_of(n), 9 FROM generate_series(1, 2000) n;
    INSERT INTO audit.builder SELECT log FROM audit.log;
    INSERT INTO audit.store SELECT n::text, '' FROM generate_series(1, 2000) n;
    INSERT INTO audit.event (log, sequence, id, leaf, record)
        SELECT log_of(m), n, md5(m || ' ' || n)::uuid, '', repeat('r', 300)
        FROM generate_series(1, 100) m, generate_series(1, CASE m WHEN 1 THEN 20000 ELSE 100 END) n;
    INSERT INTO audit.key SELECT log_of(m), n, '' FROM generate_series(1, 100) m,
        generate_series(0, 300) n;
    INSERT INTO audit.node SELECT log_of(m), 5, n, '' FROM generate_series(1, 100) m,
        generate_series(0, 300) n;
    INSERT INTO audit.tail SELECT log_of(m), n, repeat('t', 1000)::bytea
        FROM generate_series(1, 1000) m, generate_series(1, 5) n;
    INSERT INTO audit.segment (log, first, last, earliest, latest, bucket_bits, checksum, stage,
        written)
        SELECT log_of(m), n, n, 0, 0, 0, 0, 0, 0
        FROM generate_series(1, 500) m, generate_series(1, 10) n;
    INSERT INTO audit.part SELECT log_of(m), m * 100 + n, p, repeat('p', 400)::bytea
        FROM generate_series(1, 100) m, generate_series(1, 10) n, generate_series(0, 24) p;
    INSERT INTO audit.staged (log, id, body)
        SELECT log_of(m), md5(n::text)::uuid, repeat('b', 300)
        FROM generate_series(1, 500) m, generate_series(1, 20) n;
    INSERT INTO audit.refused (log, id, body, reason, refused_at)
        SELECT log, id, body, '', 0 FROM audit.staged;
    INSERT INTO audit.organization SELECT md5(n::text)::uuid, repeat('o', 100)
        FROM generate_series(1, 5000) n;
    INSERT INTO audit.api_key SELECT md5(n::text)::uuid, md5((n / 10)::text)::uuid, repeat('k', 100)
        FROM generate_series(1, 5000) n;
    INSERT INTO audit.follower SELECT log_of(n), 'f' || m, repeat('s', 100)
        FROM generate_series(1, 1000) n, generate_series(1, 5) m;
    ANALYZE;";

/// What the server plans by: its own settings for a prepared statement, and those of a transaction.
const SETTINGS: [&str; 2] = ["SET LOCAL plan_cache_mode = force_generic_plan", one_plan!()];

/// Returns the plan of a statement for any parameters.
fn plan(database: &Database, settings: &str, statement: &Statement) -> String {
    let Statement { sql, types, .. } = statement;
    let names = types.iter().map(Type::name).collect::<Vec<_>>().join(", ");
    let nulls = vec!["NULL"; types.len()].join(", ");
    let explain = format!(
        "BEGIN; {settings}; PREPARE statement ({names}) AS {sql};
         EXPLAIN (COSTS OFF) EXECUTE statement ({nulls})"
    );
    database.sql(&explain).expect("it is explained")
}

/// Checks that a statement searches indexes only, by the log where the table has one.
fn searches_an_index(database: &Database, settings: &str, statement: &Statement) {
    let plan = plan(database, settings, statement);
    assert!(!plan.contains("Seq Scan"), "{}\n{plan}", statement.sql);
    let is_search = |node: &&str| {
        let kinds = ["Index Scan", "Index Only Scan", "Bitmap Index Scan"];
        kinds.iter().any(|kind| node.trim_start().starts_with(kind))
    };
    let has_no_log = ["store", "refused", "organization", "api_key"];
    for node in plan.split("->").filter(is_search) {
        let (_, condition) = node.split_once("Index Cond").expect(statement.sql);
        // So that an engine that distributes the tables by log asks one machine.
        let names_log = condition.contains("log = ") || condition.contains("log >");
        let is_apart = has_no_log.iter().any(|table| node.contains(&format!(" on {table}")));
        assert!(names_log || is_apart, "{}\n{plan}", statement.sql);
    }
}

#[test]
fn each_statement_searches_an_index() {
    let database = Server::shared().expect("a server").database().expect("a database");
    drop(block_on(PostgresStore::open(database.url())).expect("the store opens"));
    // A connection keeps the plans that it makes while the tables are empty.
    for statement in STATEMENTS {
        searches_an_index(&database, one_plan!(), statement);
    }
    database.sql(FILL).expect("it is filled");
    for (settings, statement) in SETTINGS.iter().flat_map(|s| STATEMENTS.map(|of| (s, of))) {
        searches_an_index(&database, settings, statement);
    }
}

/// A log is expected to have few parts of one segment, and can have thousands.
#[test]
fn the_first_buckets_are_found_by_their_whole_key() {
    let database = Server::shared().expect("a server").database().expect("a database");
    drop(block_on(PostgresStore::open(database.url())).expect("the store opens"));
    database.sql(FILL).expect("it is filled");
    let has_key = |line: &str| line.contains("Index Cond") && line.contains("(part = ");
    for settings in SETTINGS {
        let plan = plan(&database, settings, &first_rows::READ_FIRST);
        assert!(plan.lines().any(has_key), "{plan}");
    }
}

/// So that an engine can distribute the tables by log, and check a key on one machine. The refused events
/// are one list for operators.
#[test]
fn each_key_has_the_log() {
    let database = Server::shared().expect("a server").database().expect("a database");
    drop(block_on(PostgresStore::open(database.url())).expect("the store opens"));
    let keys = |condition: &str| {
        let sql = format!(
            "SELECT count(*) FROM pg_index i
             JOIN pg_class c ON c.oid = i.indrelid AND c.relnamespace = 'audit'::regnamespace
             JOIN pg_attribute log ON log.attrelid = c.oid AND log.attname = 'log'
             WHERE i.indisunique AND c.relname <> 'refused' AND {condition}"
        );
        database.sql(&sql).expect("it is read").parse::<u32>().expect("a number")
    };
    assert!(keys("true") >= 9, "{}", keys("true"));
    assert_eq!(keys("NOT log.attnum = ANY(i.indkey)"), 0);
}
