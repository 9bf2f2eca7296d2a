//! Servers that are killed, stopped and replaced by their standby.

use audit_postgres_server::{Server, ServerError};

#[test]
fn what_was_committed_outlives_a_kill() {
    let server = Server::start().unwrap();
    let database = server.database().unwrap();
    database.sql("CREATE TABLE t AS SELECT 1 AS n").unwrap();
    server.kill().unwrap();
    assert!(database.sql("SELECT n FROM t").is_err());
    assert!(matches!(server.kill(), Err(ServerError::Failed { .. })));
    server.resume().unwrap();
    assert_eq!(database.sql("SELECT n FROM t").unwrap(), "1");
}

#[test]
fn a_setting_counts_after_a_restart() {
    let server = Server::start().unwrap();
    server.sql("ALTER SYSTEM SET max_prepared_transactions = 5").unwrap();
    server.restart().unwrap();
    assert_eq!(server.sql("SHOW max_prepared_transactions").unwrap(), "5");
}

#[test]
fn a_standby_takes_over() {
    let primary = Server::start().unwrap();
    let database = primary.database().unwrap();
    let standby = primary.standby().unwrap();
    let name = standby.name().unwrap();
    let names = format!(r#"ALTER SYSTEM SET synchronous_standby_names = '"{name}"'"#);
    primary.sql(&names).unwrap();
    primary.sql("ALTER SYSTEM SET synchronous_commit = 'remote_apply'").unwrap();
    primary.restart().unwrap();
    // Returns once the standby shows it.
    database.sql("CREATE TABLE t AS SELECT 1 AS n").unwrap();

    let there = Server::at(&standby.url_of(&database)).unwrap();
    assert_eq!(there.sql("SELECT n FROM t").unwrap(), "1");
    let error = there.sql("INSERT INTO t VALUES (2)").unwrap_err();
    assert!(error.to_string().contains("read-only transaction"), "{error}");
    primary.kill().unwrap();
    standby.promote().unwrap();
    there.sql("INSERT INTO t VALUES (2)").unwrap();
    assert_eq!(there.sql("SELECT count(*) FROM t").unwrap(), "2");
}
