//! Backups, and servers that are restored from them.

use audit_postgres_server::{Server, ServerError, ServerOptions};

#[test]
fn a_backup_is_restored_at_a_point_of_the_archive() {
    let server = ServerOptions::new().archive().start().unwrap();
    let database = server.database().unwrap();
    database.sql("CREATE TABLE t AS SELECT 1 AS n").unwrap();
    let backup = server.backup().unwrap();
    database.sql("INSERT INTO t VALUES (2)").unwrap();
    server.sql("SELECT pg_create_restore_point('between')").unwrap();
    database.sql("INSERT INTO t VALUES (3)").unwrap();

    let restored = backup.restore("recovery_target_name", "between").unwrap();
    let copy = Server::at(&restored.url_of(&database)).unwrap();
    assert_eq!(copy.sql("SELECT n FROM t ORDER BY n").unwrap(), "1\n2");
    // It is a server of its own, which can be written.
    copy.sql("INSERT INTO t VALUES (4)").unwrap();
    assert_eq!(database.sql("SELECT n FROM t ORDER BY n").unwrap(), "1\n2\n3");

    let unknown = backup.restore("recovery_target_name", "nowhere").unwrap_err();
    assert!(matches!(unknown, ServerError::Failed { .. }), "{unknown}");
    assert!(unknown.to_string().contains("recovery ended before"), "{unknown}");
}
