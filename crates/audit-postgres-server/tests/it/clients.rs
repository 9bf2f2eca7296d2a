//! Tests that connect to a running server.

use audit_postgres_server::{Server, ServerError, ServerOptions};

#[test]
fn a_database_is_fresh_and_is_removed() {
    let server = Server::shared().unwrap();
    let [one, two] = [server.database().unwrap(), server.database().unwrap()];
    one.sql("CREATE TABLE t (n int); INSERT INTO t VALUES (1), (2)").unwrap();
    assert_eq!(one.sql("SELECT n, -n FROM t ORDER BY n").unwrap(), "1|-1\n2|-2");
    assert!(two.sql("SELECT * FROM t").is_err());
    let exists = format!("SELECT count(*) FROM pg_database WHERE datname = '{}'", one.name());
    assert_eq!(server.sql(&exists).unwrap(), "1");
    drop(one);
    assert_eq!(server.sql(&exists).unwrap(), "0");
}

#[test]
fn a_copy_has_what_was_prepared_and_is_apart() {
    let server = Server::shared().unwrap();
    let template = server.database().unwrap();
    template.sql("CREATE TABLE t AS SELECT 7 AS n").unwrap();
    let copy = template.copy().unwrap();
    copy.sql("UPDATE t SET n = 8").unwrap();
    let numbers = [&template, &copy].map(|database| database.sql("SELECT n FROM t").unwrap());
    assert_eq!(numbers, ["7", "8"]);
}

#[test]
fn an_error_has_what_the_server_says() {
    let database = Server::shared().unwrap().database().unwrap();
    let error = database.sql("SELECT nothing_such").unwrap_err();
    assert!(error.to_string().contains(r#"column "nothing_such" does not exist"#), "{error}");
}

#[test]
fn a_server_is_as_durable_as_in_operation_unless_it_is_fast() {
    let settings = "SELECT string_agg(setting, ' ' ORDER BY name) FROM pg_settings
                    WHERE name IN ('fsync', 'full_page_writes', 'synchronous_commit')";
    let database = Server::start().unwrap();
    assert_eq!(database.sql(settings).unwrap(), "on on on");
    let fast = ServerOptions::new().fast().setting("work_mem", "3MB").start().unwrap();
    assert_eq!(fast.sql(settings).unwrap(), "off off off");
    assert_eq!(fast.sql("SHOW work_mem").unwrap(), "3MB");
    assert_eq!(fast.sql("SHOW listen_addresses").unwrap(), "");
    assert_eq!(fast.database().unwrap().tcp_url(), None);
}

#[test]
fn a_port_of_the_machine_needs_the_password() {
    let server = ServerOptions::new().fast().tcp().start().unwrap();
    let database = server.database().unwrap();
    let url = database.tcp_url().unwrap();
    let client = Server::at(&url).unwrap();
    assert_eq!(client.sql("SELECT current_database()").unwrap(), database.name());
    assert!(matches!(client.kill(), Err(ServerError::NotOwned)));
    let (_, address) = url.split_once('@').unwrap();
    let other = Server::at(&format!("postgres://postgres:other@{address}")).unwrap();
    let error = other.sql("SELECT 1").unwrap_err();
    assert!(error.to_string().contains("password authentication failed"), "{error}");
}

#[test]
fn a_setting_that_the_server_refuses_is_shown_by_the_error() {
    let error = ServerOptions::new().setting("work_mem", "many").start().unwrap_err();
    assert!(error.to_string().contains(r#"invalid value for parameter "work_mem""#), "{error}");
}
