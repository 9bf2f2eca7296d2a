//! Servers that cannot keep what a store promises are refused, with the name of the setting.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use audit_core::{
    Actor, AuditStore as _, AuditStoreExt as _, Error, ErrorKind, EventQuery, Filter, Log, NewEvent,
};
use audit_postgres::{PostgresOptions, PostgresStore};
use audit_postgres_server::{Database, Server, ServerOptions};
use futures_executor::block_on;

use crate::common::{database, open};

fn refused(url: &str) -> Error {
    block_on(PostgresStore::open(url)).expect_err("the server is refused")
}

fn assert_refused(url: &str, kind: ErrorKind, field: Option<&str>) {
    let error = refused(url);
    assert_eq!((error.kind(), error.field()), (kind, field), "{error:?}");
    assert!(!error.is_retryable());
}

/// Changes a setting for the next connections to a database.
fn set(database: &Database, setting: &str) {
    database.sql(&format!("ALTER DATABASE {} SET {setting}", database.name())).expect("it is set");
}

#[test]
fn commits_that_are_not_durable_are_refused() {
    let database = database();
    for value in ["off", "local"] {
        set(&database, &format!("synchronous_commit = {value}"));
        assert_refused(database.url(), ErrorKind::Incompatible, Some("synchronous_commit"));
    }
    for value in ["on", "remote_apply", "remote_write"] {
        set(&database, &format!("synchronous_commit = {value}"));
        open(&database);
    }
}

#[test]
fn a_commit_that_is_no_longer_durable_is_refused_and_not_acknowledged() {
    let database = database();
    let store = open(&database);
    let event = || NewEvent::new("a", Actor::system());
    block_on(store.record(Log::Platform, event())).expect("it is durable");
    block_on(store.check()).expect("it is durable");
    // Of each of its connections, of which the next append takes a new one.
    set(&database, "synchronous_commit = off");
    database
        .sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
              WHERE datname = current_database() AND pid <> pg_backend_pid()",
        )
        .expect("the connections end");
    let error = block_on(store.record(Log::Platform, event())).expect_err("it is not durable");
    assert_eq!(error.field(), Some("synchronous_commit"), "{error:?}");
    // A connection that was ended may be noticed only when it is used.
    let checked = (0..10).find_map(|_| {
        let error = block_on(store.check()).expect_err("it is not durable");
        (error.kind() != ErrorKind::Unavailable).then_some(error)
    });
    let error = checked.expect("a connection is new");
    assert_eq!(error.field(), Some("synchronous_commit"), "{error:?}");
    assert_eq!(block_on(store.head(Log::Platform)).expect("it can be read").size.get(), 1);
}

#[test]
fn a_server_without_fsync_is_refused() {
    let server = ServerOptions::new().setting("fsync", "off").start().expect("a server");
    let database = server.database().expect("a database");
    assert_refused(database.url(), ErrorKind::Incompatible, Some("fsync"));
}

#[test]
fn a_database_in_another_encoding_is_refused() {
    let server = Server::shared().expect("a server");
    let database = database();
    let other = format!("{}_latin", database.name());
    let create = format!(
        "CREATE DATABASE {other} TEMPLATE template0 ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C'"
    );
    server.sql(&create).expect("a database");
    let url = database.url().replace(database.name(), &other);
    assert_refused(&url, ErrorKind::Incompatible, Some("server_encoding"));
    server.sql(&format!("DROP DATABASE {other}")).expect("nobody is connected");
}

#[test]
fn a_database_that_is_read_only_can_be_opened_for_reading() {
    let database = database();
    drop(open(&database));
    set(&database, "default_transaction_read_only = on");
    assert_refused(database.url(), ErrorKind::ReadOnly, None);
    let options = PostgresOptions::default().read_only();
    let store = block_on(PostgresStore::open_with(database.url(), options)).expect("it opens");
    let record = store.record(Log::Platform, NewEvent::new("a", Actor::system()));
    assert_eq!(block_on(record).expect_err("it is read-only").kind(), ErrorKind::ReadOnly);
    assert_eq!(block_on(store.head(Log::Platform)).expect("it can be read").size.get(), 0);
    block_on(store.check()).expect("it is good enough to be read");
}

#[test]
fn a_database_without_tables_gets_them_only_if_it_may() {
    let database = database();
    for options in [PostgresOptions::default().existing(), PostgresOptions::default().read_only()] {
        let opened = block_on(PostgresStore::open_with(database.url(), options));
        let error = opened.expect_err("there are no tables");
        assert_eq!((error.kind(), error.field()), (ErrorKind::NotFound, Some("audit.store")));
    }
    let tables = "SELECT count(*) FROM pg_namespace WHERE nspname = 'audit'";
    assert_eq!(database.sql(tables).expect("it is counted"), "0");
    drop(open(&database));
    let existing = PostgresOptions::default().existing();
    block_on(PostgresStore::open_with(database.url(), existing)).expect("it has tables");
}

#[test]
fn tables_of_a_later_version_are_refused() {
    let database = database();
    drop(open(&database));
    let later = "UPDATE audit.store SET value = '\\x00000063' WHERE name = 'schema_version'";
    database.sql(later).expect("it is changed");
    assert_refused(database.url(), ErrorKind::Incompatible, None);
}

#[test]
fn processes_that_open_a_new_database_at_once_share_its_store() {
    let database = database();
    let open = || {
        std::thread::spawn({
            let url = database.url().to_owned();
            move || block_on(PostgresStore::open(&url)).expect("the store opens")
        })
    };
    let stores: Vec<_> = (0..4).map(|_| open()).collect();
    let stores: Vec<_> =
        stores.into_iter().map(|thread| thread.join().expect("it opens")).collect();
    for store in &stores {
        let event = NewEvent::new("a", Actor::system());
        block_on(store.record(Log::Platform, event)).expect("it is recorded");
    }
    for store in &stores {
        assert_eq!(block_on(store.head(Log::Platform)).expect("it is read").size.get(), 4);
    }
}

#[test]
fn a_server_that_does_not_answer_is_unavailable() {
    let error = refused("postgres://nobody@127.0.0.1:1/none");
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.is_retryable() && std::error::Error::source(&error).is_some(), "{error:?}");
}

#[test]
fn a_server_that_accepts_connections_and_answers_nothing_is_unavailable() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    // As a pooler does whose server is away.
    std::thread::spawn(move || {
        let mut clients = Vec::new();
        while let Ok((mut client, _)) = listener.accept() {
            let mut startup = [0; 4_096];
            let _ = client.read(&mut startup);
            // The client is authenticated, and may send statements.
            let _ = client.write_all(b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I");
            clients.push(client);
        }
    });
    let options = PostgresOptions::default().with_timeout(Duration::from_millis(100));
    let url = format!("postgres://ana@127.0.0.1:{port}/app?sslmode=disable");
    let error = block_on(PostgresStore::open_with(&url, options)).expect_err("it does not answer");
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains("the server does not answer"), "{error}");
}

/// Reads again after a lost connection.
fn patiently<T>(read: impl Fn() -> audit_core::Result<T>) -> T {
    loop {
        match read() {
            Err(error) if error.is_retryable() => {}
            read => return read.expect("it is read"),
        }
    }
}

#[test]
fn prepared_statements_change_no_answer_also_on_new_connections() {
    let database = database();
    let options = PostgresOptions::default().with_prepared_statements();
    let store =
        Arc::new(block_on(PostgresStore::open_with(database.url(), options)).expect("it opens"));
    let many = |from: u64| -> Vec<_> {
        let event = |n: u64| NewEvent::new("task.step", Actor::user(format!("u_{}", n % 7)));
        (from..from + 700).map(event).collect()
    };
    let of_one = EventQuery::new(Log::Platform).filter(Filter::new().actor_id("u_3")).limit(30);
    for round in 1..=7 {
        // The server plans a statement for its values at first, and for all values later.
        block_on(store.append(Log::Platform, many(0))).expect("they are recorded");
        let event = NewEvent::new("task.step", Actor::user("u_3"));
        let receipt = block_on(store.record(Log::Platform, event.clone())).expect("it is recorded");
        let again = block_on(store.record(Log::Platform, event)).expect("it is known");
        assert!(again.redelivered && again.leaf == receipt.leaf);
        let first = patiently(|| block_on(store.page(&of_one)));
        assert_eq!(first.events.len(), 30);
        assert_eq!(first.events[0].id, receipt.id);
        let next = first.next.expect("there is more");
        let second = patiently(|| block_on(store.next_page(&of_one, &next)));
        assert!(second.events[0].sequence < first.events[29].sequence);
        assert_eq!(patiently(|| block_on(store.count(&of_one))), 101 * round);
        if round == 4 {
            let cut = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
                       WHERE datname = current_database() AND pid <> pg_backend_pid()";
            database.sql(cut).expect("they are cut off");
        }
    }
}
