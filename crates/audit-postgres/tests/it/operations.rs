//! Runs the commands of the page for operators, `docs/postgres.md`, and checks what it says of them.

use std::env;
use std::process::Command;

use audit_core::{
    Actor, AuditContext, AuditStore as _, AuditStoreExt as _, ErrorKind, Log, NewEvent,
    NewOrganization, OrganizationId, RetentionStore as _, Sequence, TenantStore as _,
};
use audit_merkle::VerifyExt as _;
use audit_postgres::{PostgresOptions, PostgresStore};
use audit_postgres_server::{Database, Server};
use futures_executor::block_on;
use uuid::Uuid;

use crate::common::open;
use crate::docs::blocks;
use crate::roles::url_of;

/// The organization of the examples.
const ACME: Uuid = Uuid::from_u128(0x7eb6_c145_b6d2_4d67_6e20_6f87_ca94_2b7f);

fn logs() -> [Log; 2] {
    [Log::Platform, Log::organization(OrganizationId::from_uuid(ACME))]
}

fn by() -> AuditContext {
    AuditContext::new(Actor::user("root"))
}

/// Runs SQL as a role. Returns its rows, or `None` if the role may not run it.
fn sql_as(database: &Database, role: &str, sql: &str) -> Option<String> {
    let server = Server::at(&url_of(database, role)).unwrap();
    match server.sql(sql) {
        Err(error) if error.to_string().contains("permission denied") => None,
        rows => Some(rows.unwrap()),
    }
}

fn open_as(database: &Database, role: &str) -> PostgresStore {
    let options = PostgresOptions::default().existing();
    block_on(PostgresStore::open_with(&url_of(database, role), options)).unwrap()
}

#[test]
fn the_commands_of_the_page_do_what_it_says() {
    let server = Server::start().unwrap();
    let database = server.database().unwrap();
    roles(&database);
    queries(&database);
    staging(&database);
    row_security(&database);
    maintenance(&database);
    standbys(&server);
    backups(&server, &database);
}

fn roles(database: &Database) {
    let [create, grant] = blocks("Roles", "sql").try_into().unwrap();
    database.sql(&create).unwrap();
    drop(block_on(PostgresStore::open(&url_of(database, "audit_owner"))).unwrap());
    database.sql(&grant).unwrap();
    let store = open_as(database, "audit_writer");
    let mut acme = NewOrganization::new("Acme");
    acme.id = OrganizationId::from_uuid(ACME);
    block_on(store.create_organization(acme, by())).unwrap();
    for log in logs() {
        let event = NewEvent::new("invoice.paid", Actor::user("u_1").name("Ana"));
        let event = event.target("invoice", "inv_7").target("invoice", "a\0b");
        block_on(store.record(log, event)).unwrap();
    }

    let first = || vec![Sequence::new(1).unwrap()];
    let error = block_on(store.erase_events(Log::Platform, first(), by())).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Pending, "{error:?}");
    database.sql("GRANT audit_owner TO audit_writer").unwrap();
    block_on(store.erase_events(Log::Platform, first(), by())).unwrap();
    database.sql("REVOKE audit_owner FROM audit_writer").unwrap();

    let count = |table: &str| {
        let sql = format!("SELECT count(*) FROM audit.{table}");
        sql_as(database, "audit_reader", &sql)
    };
    for table in ["event", "events"] {
        assert_eq!(count(table).as_deref(), Some("5"), "{table}");
    }
    for table in ["key", "store", "api_key", "tail", "part"] {
        assert_eq!(count(table), None, "{table}");
    }
    let write = "UPDATE audit.event SET record = record";
    assert_eq!(sql_as(database, "audit_reader", write), None);
}

fn queries(database: &Database) {
    let [report, index, by_target] = blocks("Queries by people", "sql").try_into().unwrap();
    assert_eq!(database.sql(&report).unwrap(), "", "nothing was denied");
    let with_all = report.replace("outcome = 'denied'", "true");
    assert_eq!(database.sql(&with_all).unwrap().lines().count(), 2, "{with_all}");
    let paid = database.sql(&by_target).unwrap();
    assert!(paid.ends_with("|invoice.paid|u_1") && paid.lines().count() == 1, "{paid}");
    // Also of records that are no jsonb.
    database.sql(&index).unwrap();
    assert_eq!(database.sql(&by_target).unwrap(), paid);
    let of_any_log = by_target.replace("log = '' AND ", "");
    let plan = database
        .sql(&format!("SET enable_seqscan = off; SET enable_indexscan = off; EXPLAIN {of_any_log}"))
        .unwrap();
    assert!(plan.contains("event_record"), "{plan}");
    let event = NewEvent::new("invoice.paid", Actor::user("a\0b"));
    block_on(open(database).record(Log::Platform, event)).unwrap();
    // An update through the view would bypass the library.
    let write = "UPDATE audit.events SET action = 'invoice.void'";
    assert!(database.sql(write).unwrap_err().to_string().contains("cannot update"));
}

fn staging(database: &Database) {
    let [grant, stage, counts] = blocks("Staging from other services", "sql").try_into().unwrap();
    database.sql("CREATE TABLE invoice (id int, paid boolean)").unwrap();
    database.sql(&grant).unwrap();
    database.sql("GRANT SELECT, UPDATE ON invoice TO service").unwrap();
    sql_as(database, "service", &stage).unwrap();
    assert_eq!(database.sql(&counts).unwrap(), "1|0");
    assert_eq!(sql_as(database, "service", "SELECT * FROM audit.staged"), None);
    let store = open(database);
    let before = block_on(store.head(Log::Platform)).unwrap().size;
    assert_eq!(before.get(), 5, "the organization, the invoice, the erasure, and two since");
    assert_eq!(database.sql(&counts).unwrap(), "0|0");
}

fn row_security(database: &Database) {
    let [policies, example] = blocks("Row security", "sql").try_into().unwrap();
    database.sql(&policies).unwrap();
    for table in ["event", "log", "node", "organization", "events"] {
        let sql = format!("SELECT count(*) FROM audit.{table}");
        assert_eq!(sql_as(database, "audit_reader", &sql).as_deref(), Some("0"), "{table}");
    }
    let rows = sql_as(database, "audit_reader", &example).unwrap();
    assert_eq!(rows, "2|invoice.paid|u_1\n1|organization.created|root");
    let without_rows = "SELECT count(*) FROM pg_class WHERE relnamespace = 'audit'::regnamespace
                        AND relkind = 'r' AND NOT relrowsecurity";
    let open_tables = database.sql(&without_rows.replace("count(*)", "relname")).unwrap();
    let mut open_tables: Vec<_> = open_tables.lines().collect();
    open_tables.sort_unstable();
    assert_eq!(open_tables, ["api_key", "store"], "which no reader may read");
    // The store itself is not restricted.
    let store = open_as(database, "audit_writer");
    for log in logs() {
        block_on(store.record(log, NewEvent::new("user.login", Actor::user("u_1")))).unwrap();
        let report = block_on(store.verify(log).into_future()).unwrap();
        assert!(report.finding.is_none(), "{report}");
    }
}

/// The statements of these sections change nothing that can be seen here.
fn maintenance(database: &Database) {
    for section in ["VACUUM", "Upgrade"] {
        for block in blocks(section, "sql") {
            database.sql(&block).unwrap();
        }
    }
}

fn standbys(server: &Server) {
    let [require, relax] = blocks("Durability and standbys", "sql").try_into().unwrap();
    let run = |block: &str| {
        // Settings of the system cannot be changed in a transaction.
        for statement in block.split_inclusive(";\n") {
            server.sql(statement).unwrap();
        }
    };
    run(&require);
    run(&relax);
    while server.sql("SHOW synchronous_standby_names").unwrap() != "" {}
}

fn backups(server: &Server, database: &Database) {
    let directory = tempfile::tempdir().unwrap();
    let programs = server.programs().display();
    let path = format!("{programs}:{}", env::var("PATH").unwrap_or_default());
    let restored = database.url().replace(database.name(), "restored");
    for block in blocks("Backup", "sh") {
        let mut shell = Command::new("sh");
        shell.args(["-e", "-c", &block]).current_dir(directory.path()).env("PATH", &path);
        let output = shell.env("DATABASE", database.url()).env("RESTORED", &restored).output();
        let output = output.unwrap();
        assert!(output.status.success(), "{block}: {}", String::from_utf8_lossy(&output.stderr));
    }
    assert!(directory.path().join("base/backup_label").exists());
    let copy = block_on(PostgresStore::open(&restored)).unwrap();
    let original = open(database);
    for log in logs() {
        let head = block_on(original.tree_head(log)).unwrap();
        let report = block_on(copy.verify(log).against([head]).into_future()).unwrap();
        assert!(report.is_intact(), "{report}");
    }
}
