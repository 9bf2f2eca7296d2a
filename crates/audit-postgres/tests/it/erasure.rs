//! Erasure reaches the old versions of rows, and touches no neighbour.

use std::time::Duration;

use audit_core::{
    Actor, AuditContext, AuditStore as _, AuditStoreExt as _, Erasure, ErrorKind, EventId,
    EventQuery, Filter, Log, NewEvent, RetentionStoreExt as _, Staged, StagingStore as _,
};
use audit_postgres::{PostgresOptions, PostgresStore};
use audit_postgres_server::Database;
use futures_executor::block_on;

use crate::client::StagingClient;
use crate::common::{database, open};
use crate::roles::url_of;

fn event(subject: u32) -> NewEvent {
    let actor = Actor::user(format!("u_{subject}")).email(format!("{subject}@acme.example"));
    NewEvent::new("invoice.paid", actor).message(format!("the text of {subject}"))
}

fn of(subject: u32) -> Erasure {
    Erasure::matching(Filter::new().actor_email(format!("{subject}@acme.example")))
}

fn by() -> AuditContext {
    AuditContext::new(Actor::system()).reason("asked for")
}

/// Returns whether a version of a row of the table has these bytes, dead ones included.
fn has_version(database: &Database, table: &str, hex: &str) -> bool {
    let sql = format!(
        "SELECT count(*) FROM generate_series(0, pg_relation_size('{table}') / 8192 - 1) AS page,
             heap_page_items(get_raw_page('{table}', page::int))
         WHERE position('\\x{hex}'::bytea IN t_data) > 0"
    );
    database.sql(&sql).unwrap() != "0"
}

/// Returns whether the file of the table has these bytes anywhere.
fn has_bytes(database: &Database, table: &str, hex: &str) -> bool {
    let sql = format!(
        "CHECKPOINT; SELECT position('\\x{hex}'::bytea IN
             pg_read_binary_file(pg_relation_filepath('{table}')))"
    );
    database.sql(&sql).unwrap() != "0"
}

#[test]
fn an_erasure_removes_old_rows_and_seals_no_neighbour_again() {
    let database = database();
    let store = open(&database);
    database.sql("CREATE EXTENSION pageinspect").unwrap();
    block_on(store.append(Log::Platform, (1..=40).map(event).collect())).unwrap();
    let hex = |sql: &str| database.sql(sql).unwrap();
    // The root of the key, behind the header of five bytes.
    let root = hex("SELECT encode(substr(key, 6), 'hex') FROM audit.key WHERE grp = 0");
    let sealed = hex("SELECT encode(personal, 'hex') FROM audit.event WHERE sequence = 7");
    let tail = hex("SELECT encode(data, 'hex') FROM audit.tail WHERE first = 1");
    let rows = "SELECT sequence, xmin, md5(personal) FROM audit.event
         WHERE sequence <= 40 AND sequence <> 7 ORDER BY 1";
    let neighbours = hex(rows);
    let has = [("audit.key", &root), ("audit.event", &sealed), ("audit.tail", &tail)];
    for (table, bytes) in has {
        assert!(has_version(&database, table, bytes), "{table}");
    }

    assert_eq!(block_on(store.erase(Log::Platform, of(7), by())).unwrap().events, 1);
    for (table, bytes) in has {
        assert!(!has_version(&database, table, bytes), "{table}: an old row is left");
    }
    assert_eq!(hex(rows), neighbours, "no other row is written again");
    let page = block_on(store.page(&EventQuery::new(Log::Platform).limit(100))).unwrap();
    let erased = page.events.iter().filter(|event| event.erased);
    assert_eq!(erased.map(|event| event.sequence.get()).collect::<Vec<_>>(), [7]);

    // What a VACUUM can leave in unused bytes.
    block_on(store.compact()).unwrap();
    for (table, bytes) in [("audit.key", &root), ("audit.tail", &tail)] {
        assert!(!has_bytes(&database, table, bytes), "{table}: bytes are left");
    }

    // A copy of the sealed bytes cannot be unsealed any more; those of others can.
    database
        .sql(&format!("UPDATE audit.event SET personal = '\\x{sealed}' WHERE sequence = 7"))
        .unwrap();
    let page = block_on(store.page(&EventQuery::new(Log::Platform).limit(100))).unwrap();
    for event in &page.events {
        let is_readable = event.actor.email.is_some() || event.action.is_reserved();
        assert_eq!(is_readable, event.sequence.get() != 7, "{}", event.sequence);
    }
}

/// Stages an event in a transaction of SQL.
fn stage(database: &Database, event: NewEvent) {
    let staged = Staged::new(Log::Platform, vec![event]).unwrap();
    let (id, body) = (staged.ids()[0], &staged.bodies()[0]);
    let sql = format!("SELECT audit.stage('platform', '{{{id}}}', ARRAY[$body${body}$body$])");
    database.sql(&sql).unwrap();
}

#[test]
fn no_byte_is_left_of_staged_and_refused_events_that_are_erased_and_dropped() {
    let database = database();
    let store = open(&database);
    let id = EventId::new();
    stage(&database, event(5).id(id));
    block_on(store.take_in()).unwrap();
    // Another event under the same id.
    stage(&database, event(6).id(id));
    block_on(store.take_in()).unwrap();
    let refused = block_on(store.refused(0, 10)).unwrap();
    assert_eq!(refused.len(), 1);
    let hex = |subject: u32| {
        let sql = format!("SELECT encode('{subject}@acme.example', 'hex')");
        database.sql(&sql).unwrap()
    };
    let left = [("audit.staged", hex(5)), ("audit.staged", hex(6)), ("audit.refused", hex(6))];
    for (table, bytes) in &left {
        assert!(has_bytes(&database, table, bytes), "{table} had them");
    }
    block_on(store.drop_refused(refused[0].number, by())).unwrap();
    assert_eq!(block_on(store.erase(Log::Platform, of(5), by())).unwrap().events, 1);
    block_on(store.compact()).unwrap();
    for (table, bytes) in &left {
        assert!(!has_bytes(&database, table, bytes), "{table}: bytes are left");
    }
}

#[test]
fn an_erasure_is_pending_while_a_transaction_sees_the_old_rows() {
    let database = database();
    let options = PostgresOptions::default().with_timeout(Duration::from_millis(300));
    let store = block_on(PostgresStore::open_with(database.url(), options)).unwrap();
    block_on(store.append(Log::Platform, (1..=3).map(event).collect())).unwrap();
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            database.sql(
                "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM audit.event;
                 SELECT pg_sleep(60)",
            )
        });
        let find = "FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)%'
             AND backend_xmin IS NOT NULL AND pid <> pg_backend_pid()";
        while database.sql(&format!("SELECT count(*) {find}")).unwrap() == "0" {
            std::thread::sleep(Duration::from_millis(5));
        }
        let error = block_on(store.erase(Log::Platform, of(2), by())).unwrap_err();
        assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Pending, true), "{error}");
        // It is erased all the same, and appends go on.
        let page = block_on(store.page(&EventQuery::new(Log::Platform))).unwrap();
        assert_eq!(page.events.iter().filter(|event| event.erased).count(), 1);
        block_on(store.append(Log::Platform, vec![event(4)])).unwrap();
        database.sql(&format!("SELECT pg_terminate_backend(pid) {find}")).unwrap();
        assert!(reader.join().unwrap().is_err());
    });
    // The second call finds nothing to erase, and removes what the first one left.
    assert_eq!(block_on(store.erase(Log::Platform, of(2), by())).unwrap().events, 0);
    let dead = "SELECT count(*) FROM audit.event WHERE personal IS NULL AND sequence = 2";
    assert_eq!(database.sql(dead).unwrap(), "1");
}

#[test]
fn an_erasure_is_pending_while_a_transaction_that_wrote_before_it_does_nothing() {
    let database = database();
    let options = PostgresOptions::default().with_timeout(Duration::from_millis(300));
    let store = block_on(PostgresStore::open_with(database.url(), options)).unwrap();
    database.sql("CREATE EXTENSION pageinspect; CREATE TABLE other (n int)").unwrap();
    block_on(store.append(Log::Platform, (1..=3).map(event).collect())).unwrap();
    let sealed = "SELECT encode(personal, 'hex') FROM audit.event WHERE sequence = 2";
    let sealed = database.sql(sealed).unwrap();
    let writer = StagingClient::connect(database.url());
    // Between two statements it has a number, but no snapshot.
    writer.run("BEGIN; INSERT INTO other VALUES (1)");
    let error = block_on(store.erase(Log::Platform, of(2), by())).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Pending, "{error}");
    assert!(has_version(&database, "audit.event", &sealed), "PostgreSQL keeps it as long");
    writer.run("COMMIT");
    assert_eq!(block_on(store.erase(Log::Platform, of(2), by())).unwrap().events, 0);
    assert!(!has_version(&database, "audit.event", &sealed));
}

#[test]
fn a_role_that_may_not_vacuum_is_told() {
    let database = database();
    drop(open(&database));
    let name = format!("writer_{}", database.name());
    database
        .sql(&format!(
            "CREATE ROLE {name} LOGIN;
             GRANT USAGE ON SCHEMA audit TO {name};
             GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA audit TO {name};
             GRANT USAGE ON ALL SEQUENCES IN SCHEMA audit TO {name}"
        ))
        .unwrap();
    let store = block_on(PostgresStore::open(&url_of(&database, &name))).unwrap();
    block_on(store.append(Log::Platform, vec![event(1)])).unwrap();
    let error = block_on(store.erase(Log::Platform, of(1), by())).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Pending);
    assert!(error.to_string().contains("VACUUM"), "{error}");
    drop(store);
    // The owner does it.
    let store = open(&database);
    assert_eq!(block_on(store.erase(Log::Platform, of(1), by())).unwrap().events, 0);
    drop(store);
    database.sql(&format!("DROP OWNED BY {name}; DROP ROLE {name}")).unwrap();
}
