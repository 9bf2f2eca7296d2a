//! Databases and servers that are no good as a store: each a clear error.

use std::process::Command;
use std::time::Duration;

use audit_postgres_server::{Server, ServerOptions};
use serde_json::Value;

use crate::sandbox::{Ran, Sandbox, payments};
use crate::service::{LISTEN, Service};

const LIST: [&str; 3] = ["list", "--organization", "platform"];
const CREATE: [&str; 4] = ["organizations", "create", "--name", "Acme"];

/// Runs the program with these environment variables.
fn run_with(sandbox: &Sandbox, arguments: &[&str], variables: &[(&str, &str)]) -> Ran {
    let mut command: Command = sandbox.command(arguments);
    command.envs(variables.iter().copied()).output().unwrap().into()
}

/// Lists the platform's log of the store at `url`, which fails. Returns the standard error.
fn refused(url: &str) -> String {
    let sandbox = Sandbox::new();
    let given = sandbox.fails(2, &[&["--store", url], &LIST[..]].concat());
    let ran = run_with(&sandbox, &LIST, &[("AUDIT_STORE", url)]);
    assert_eq!((ran.code, ran.err), (Some(2), given.clone()), "the same from the environment");
    assert!(given.starts_with("error: ") && !given.contains("s3cret"), "{given}");
    given
}

#[test]
fn a_bad_url_is_an_error_that_does_not_repeat_the_password() {
    for (url, message) in [
        ("postgres://ana:s3cret@127.0.0.1:port/app", "`url` must be a URL of PostgreSQL"),
        ("postgres://ana:s3cret@127.0.0.1/app?colour=red", "`url` must be a URL of PostgreSQL"),
        ("postgres://ana:x@s3cret@127.0.0.1/app", "`@` in a password as `%40`"),
        ("postgres://ana:s3cret@127.0.0.1/app?sslmode=maybe", "`sslmode` must be disable, prefer"),
        ("postgres:ana:s3cret@127.0.0.1/app", "write sqlite:PATH, postgres://USER@HOST/DATABASE"),
        ("mysql://ana:s3cret@127.0.0.1/app", "write sqlite:PATH, postgres://USER@HOST/DATABASE"),
        ("host=127.0.0.1 password=s3cret", "write sqlite:PATH, postgres://USER@HOST/DATABASE"),
        (
            "postgres://ana:s3cret@127.0.0.1:1/app",
            "cannot open postgres://ana@127.0.0.1:1/app: connecting: ",
        ),
        (
            "postgres://ana:s3cret@no-such-host.invalid/app",
            "cannot open postgres://ana@no-such-host.invalid/app: connecting: ",
        ),
        (
            "postgres://ana@127.0.0.1:1/app?sslmode=verify-full&sslrootcert=none.pem",
            "`sslrootcert`",
        ),
    ] {
        let error = refused(url);
        assert!(error.contains(message), "{url}: {error}");
    }
}

#[test]
fn a_password_is_taken_from_the_environment_or_a_file() {
    let server = ServerOptions::new().tcp().start().unwrap();
    let database = server.database().unwrap();
    let url = database.tcp_url().unwrap();
    let (before, rest) = url.split_once("://postgres:").unwrap();
    let (password, host) = rest.split_once('@').unwrap();
    let without = format!("{before}://postgres@{host}");
    let wrong = format!("{before}://postgres:s3cret@{host}");
    let error = refused(&wrong);
    assert!(error.contains("password authentication failed for user \"postgres\""), "{error}");
    assert!(error.contains("hint: give the password in PGPASSWORD"), "{error}");
    assert!(refused(&without).contains("hint: give the password in PGPASSWORD"));
    let missing = refused(&url.replace(database.name(), "no_such_database"));
    assert!(missing.contains("database \"no_such_database\" does not exist"), "{missing}");

    let sandbox = Sandbox::new();
    let store = ("AUDIT_STORE", &*without);
    let ran = run_with(&sandbox, &CREATE, &[store, ("PGPASSWORD", password)]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let line = format!("127.0.0.1:*:{}:postgres:{password}", database.name());
    sandbox.file("passwords", &[&line]);
    sandbox.file(".pgpass", &[&line]);
    for file in ["passwords", ".pgpass"] {
        let variables = [store, ("PGPASSFILE", file)];
        let ran = run_with(&sandbox, &LIST, &variables);
        assert!(ran.code == Some(2) && ran.err.contains("its mode must be 0600"), "{ran:?}");
        let status = Command::new("chmod").arg("600").arg(sandbox.path(file)).status().unwrap();
        assert!(status.success());
        let variables = if file == ".pgpass" { &variables[..1] } else { &variables };
        assert_eq!(run_with(&sandbox, &LIST, variables).code, Some(0), "{file}");
    }
}

#[test]
fn a_database_without_a_store_gets_none_from_commands_that_read() {
    let sandbox = Sandbox::of_postgres();
    let organization = "6fa459ea-ee8a-4ca4-894e-db77e160355e";
    for command in [
        &LIST[..],
        &["tail", "--organization", "platform"],
        &["verify", "--all"],
        &["export", "--organization", "platform", "--format", "jsonl"],
        &["organizations", "list"],
        &["keys", "list", "--organization", organization],
        &["keys", "create", "--organization", organization, "--role", "admin", "--email", "a@b.c"],
        &["retention", "show", "--organization", "platform"],
        &["prune", "--all"],
        &["compact"],
        &["reindex", "--all"],
    ] {
        let error = sandbox.fails(2, command);
        assert!(error.contains("there is no store at postgres://"), "{command:?}: {error}");
    }
    let schemas = "SELECT count(*) FROM pg_namespace WHERE nspname = 'audit'";
    assert_eq!(sandbox.database().sql(schemas).unwrap(), "0");
    sandbox.ok(&CREATE);
    assert_eq!(sandbox.database().sql(schemas).unwrap(), "1");
    sandbox.ok(&LIST);
}

#[test]
fn a_database_that_could_lose_events_is_refused_with_the_setting() {
    let sandbox = Sandbox::of_postgres();
    let name = sandbox.database().name();
    let set = |setting: &str| {
        sandbox.database().sql(&format!("ALTER DATABASE {name} SET {setting}")).unwrap();
    };
    set("synchronous_commit = off");
    let error = sandbox.fails(2, &CREATE);
    assert!(error.contains("`synchronous_commit`\nhint: docs/postgres.md"), "{error}");
    let server = Server::shared().unwrap();
    let ascii = format!("{name}_ascii");
    let create =
        format!("CREATE DATABASE {ascii} TEMPLATE template0 ENCODING 'SQL_ASCII' LOCALE 'C'");
    server.sql(&create).unwrap();
    let error = refused(&sandbox.database().url().replace(name, &ascii));
    server.sql(&format!("DROP DATABASE {ascii}")).unwrap();
    assert!(error.contains("the encoding of the database must be UTF8"), "{error}");
}

#[test]
fn a_standby_is_read_and_verified_but_not_written() {
    let server = Server::start().unwrap();
    let sandbox = Sandbox::of_database(server.database().unwrap());
    sandbox.record("platform", &payments(0..3));
    let standby = server.standby().unwrap();
    let url = standby.url_of(sandbox.database());
    let at_standby = |arguments: &[&str]| run_with(&sandbox, arguments, &[("AUDIT_STORE", &url)]);
    for command in [&LIST[..], &["verify", "--all"], &["tail", "--organization", "platform"]] {
        let ran = at_standby(command);
        assert_eq!((ran.code, ran.out), (Some(0), sandbox.ok(command)), "{command:?}");
    }
    for command in [&CREATE[..], &["prune", "--all"], &["reindex", "--all"], &LISTEN] {
        let ran = at_standby(command);
        assert_eq!(ran.code, Some(2), "{command:?}");
        assert!(ran.err.contains("the server is a standby, which can only be read"), "{ran:?}");
        assert!(ran.err.contains("target_session_attrs=read-write"), "{ran:?}");
    }
}

#[test]
fn readiness_tells_apart_what_is_wrong_with_the_database() {
    let server = Server::start().unwrap();
    let service = Service::start(Sandbox::of_database(server.database().unwrap()), &LISTEN, &[]);
    let ready = || {
        let (status, body) = service.request("GET /readyz", "", "");
        (status, serde_json::from_str::<Value>(&body).unwrap_or_default())
    };
    assert_eq!(ready().0, 200);
    let database = service.sandbox.database();
    // For the connections that the service opens next.
    let set = |setting: &str| {
        let name = database.name();
        server.sql(&format!("ALTER DATABASE {name} {setting}")).unwrap();
        let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname";
        server.sql(&format!("{end} = '{name}'")).unwrap();
    };
    let wait_until_ready = || {
        while ready().0 != 200 {
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    for (setting, field, detail) in [
        ("synchronous_commit = off", value("synchronous_commit"), "a crash loses events"),
        ("default_transaction_read_only = on", Value::Null, "the store is read-only"),
    ] {
        set(&format!("SET {setting}"));
        let (status, problem) = loop {
            let (status, problem) = ready();
            // A connection that was ended may be noticed only when it is used.
            let is_ended = problem["detail"].as_str().is_some_and(|text| text.contains("engine"));
            if status == 503 && !is_ended {
                break (status, problem);
            }
        };
        assert_eq!((status, &problem["field"]), (503, &field), "{problem}");
        assert!(problem["detail"].as_str().unwrap().contains(detail), "{problem}");
        set("RESET ALL");
        wait_until_ready();
    }
    server.kill().unwrap();
    let (status, problem) = ready();
    assert_eq!(status, 503);
    assert!(problem["detail"].as_str().unwrap().contains("the storage engine failed"), "{problem}");
    assert!(service.log().contains("the store is not ready"));
    server.resume().unwrap();
    wait_until_ready();
    assert_eq!(service.end("TERM"), Some(0));
}

fn value(text: &str) -> Value {
    Value::String(text.to_owned())
}
