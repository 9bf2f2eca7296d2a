//! Files of the store: backups, restores, files of other applications, damaged indexes.

use std::fs;

use audit_sqlite::rusqlite::Connection;

use crate::sandbox::{Sandbox, json, lines, payments};

const PLATFORM: [&str; 2] = ["--organization", "platform"];

/// Returns a sandbox with a store of three events.
fn recorded() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.record("platform", &payments(0..3));
    sandbox
}

fn count(sandbox: &Sandbox, store: &str) -> usize {
    let list = ["--store", store, "list", "--organization", "platform", "--all", "--json"];
    lines(&sandbox.ok(&list)).len()
}

#[test]
fn a_backup_is_restored_over_a_store_that_went_on() {
    let sandbox = recorded();
    sandbox.ok(&["backup", "monday.db"]);
    assert!(sandbox.fails(2, &["backup", "monday.db"]).contains("the file exists"));
    sandbox.record("platform", &payments(3..5));
    // As if a service had been killed.
    fs::write(sandbox.path("audit.db-wal"), "").unwrap();
    assert!(sandbox.fails(2, &["restore", "monday.db"]).contains("--replace"));
    assert_eq!(count(&sandbox, "sqlite:audit.db"), 5);
    sandbox.ok(&["restore", "monday.db", "--replace"]);
    assert_eq!(count(&sandbox, "sqlite:audit.db"), 3);
    let files = fs::read_dir(sandbox.path("")).unwrap().map(|file| file.unwrap().file_name());
    let left: Vec<_> =
        files.filter(|name| name.to_string_lossy().starts_with("audit.db-")).collect();
    assert!(left.is_empty(), "{left:?}");
    // To where there is none.
    sandbox.ok(&["--store", "sqlite:other.db", "restore", "monday.db"]);
    assert_eq!(count(&sandbox, "sqlite:other.db"), 3);
}

#[test]
fn a_changed_backup_or_one_over_an_open_store_is_not_restored() {
    let sandbox = recorded();
    sandbox.ok(&["backup", "monday.db"]);
    let open = Connection::open(sandbox.path("audit.db")).unwrap();
    open.query_row("SELECT count(*) FROM audit_log", [], |_| Ok(())).unwrap();
    let refused = sandbox.fails(2, &["restore", "monday.db", "--replace"]);
    assert!(refused.contains("stop the service"), "{refused}");
    drop(open);
    let backup = Connection::open(sandbox.path("monday.db")).unwrap();
    backup.execute("UPDATE audit_event SET record = x'7b7d'", []).unwrap();
    drop(backup);
    sandbox.record("platform", &payments(3..4));
    sandbox.fails(1, &["restore", "monday.db", "--replace"]);
    assert_eq!(count(&sandbox, "sqlite:audit.db"), 4);
}

#[test]
fn a_damaged_store_is_replaced() {
    let sandbox = recorded();
    sandbox.ok(&["backup", "monday.db"]);
    fs::write(sandbox.path("audit.db"), "not a database, but a text of some length".repeat(99))
        .unwrap();
    sandbox.ok(&["restore", "monday.db", "--replace"]);
    assert_eq!(count(&sandbox, "sqlite:audit.db"), 3);
}

#[test]
fn another_applications_file_is_not_changed() {
    let sandbox = recorded();
    let path = sandbox.path("shop.db");
    let shop = Connection::open(&path).unwrap();
    shop.execute_batch("CREATE TABLE customer (id INTEGER PRIMARY KEY)").unwrap();
    drop(shop);
    fs::write(sandbox.path("empty.db"), "").unwrap();
    let before = fs::read(&path).unwrap();
    let organization = "6fa459ea-ee8a-4ca4-894e-db77e160355e";
    for command in [
        &["list", "--organization", "platform"][..],
        &["tail", "--organization", "platform"],
        &["verify", "--all"],
        &["export", "--organization", "platform", "--format", "jsonl"],
        &["organizations", "list"],
        &["organizations", "create", "--name", "Acme"],
        &["keys", "list", "--organization", organization],
        &["keys", "create", "--organization", organization, "--role", "admin", "--email", "a@b.c"],
        &["retention", "show", "--organization", "platform"],
        &["prune", "--all"],
        &["compact"],
        &["reindex", "--all"],
        &["backup", "copy.db"],
        &["serve", "--listen", "127.0.0.1:0"],
    ] {
        let error = sandbox.fails(2, &[&["--store", "sqlite:shop.db"], command].concat());
        assert!(error.contains("another application"), "{command:?}: {error}");
        assert!(fs::read(&path).unwrap() == before, "{command:?}");
    }
    sandbox.fails(2, &["--store", "sqlite:empty.db", "list", "--organization", "platform"]);
    sandbox.ok(&["backup", "monday.db"]);
    let replace = ["--store", "sqlite:shop.db", "restore", "monday.db", "--replace"];
    sandbox.fails(2, &replace);
    assert!(fs::read(&path).unwrap() == before);
}

#[test]
fn a_directory_or_a_pipe_is_no_store() {
    let sandbox = recorded();
    fs::create_dir(sandbox.path("store.d")).unwrap();
    let list = |store| [&["--store", store, "list"], &PLATFORM[..]].concat();
    let error = sandbox.fails(2, &list("sqlite:store.d"));
    assert!(error.contains("not that of a file"), "{error}");
    #[cfg(unix)]
    {
        let made = std::process::Command::new("mkfifo").arg(sandbox.path("pipe")).status().unwrap();
        assert!(made.success());
        let error = sandbox.fails(2, &list("sqlite:pipe"));
        assert!(error.contains("not that of a file"), "{error}");
    }
}

#[test]
fn a_wrong_index_is_named_and_rebuilt() {
    let sandbox = recorded();
    // The times of the tail, which reads believe.
    assert_eq!(
        sandbox.sql("UPDATE audit_tail SET data = CAST(x'01' || substr(data, 2) AS BLOB)"),
        1
    );
    let verify = [&["verify"], &PLATFORM[..], &["--json"]].concat();
    let ran = sandbox.run(&verify);
    assert_eq!(ran.code, Some(1));
    let finding = &json(&ran.out)["findings"][0];
    assert!(finding.as_str().unwrap().contains("the index of the events 1 to 3"), "{finding}");
    let rebuilt = sandbox.ok(&[&["reindex"], &PLATFORM[..]].concat());
    assert!(rebuilt.contains("rebuilt: the index of the events 1 to 3"), "{rebuilt}");
    sandbox.ok(&verify);
    assert!(sandbox.ok(&["reindex", "--all"]).contains("nothing to rebuild"));
}
