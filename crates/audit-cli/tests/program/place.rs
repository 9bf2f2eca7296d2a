//! The program as a process, on a store in a directory of its own.

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use audit_sqlite::rusqlite::Connection;
use serde_json::{Value, json as value};

/// How checkpoints are signed with the key of [`Place::checkpoint_key`].
pub(crate) const SIGNING: [&str; 4] =
    ["--checkpoint-key", "audit.key", "--checkpoints", "checkpoints"];

/// So many payments, each of an invoice of its own, by three people.
pub(crate) fn payments(numbers: std::ops::Range<u32>) -> Vec<Value> {
    let paid = |number| {
        let by =
            value!({"kind": "user", "id": format!("u_{}", number % 3), "email": "ana@x.example"});
        let of = value!([{"type": "invoice", "id": format!("inv_{number}")}]);
        value!({"action": "invoice.paid", "actor": by, "targets": of})
    };
    numbers.map(paid).collect()
}

/// A directory with a store, in which the program runs.
pub(crate) struct Place {
    directory: tempfile::TempDir,
}

/// What a run of the program gave.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// A file of these lines; its path.
    pub(crate) fn file(&self, name: &str, lines: &[impl ToString]) -> String {
        let lines: Vec<_> = lines.iter().map(ToString::to_string).collect();
        std::fs::write(self.path(name), lines.join("\n") + "\n").unwrap();
        name.to_owned()
    }

    /// The program, to run here, without what the environment would tell it.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_audit"));
        command.args(arguments).current_dir(self.directory.path()).stdin(Stdio::null());
        for name in ["AUDIT_STORE", "AUDIT_LISTEN", "RUST_LOG", "LOGNAME"] {
            command.env_remove(name);
        }
        command.env("USER", "ana");
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        self.command(arguments).output().unwrap().into()
    }

    /// Runs the program, which must succeed; its standard output.
    pub(crate) fn ok(&self, arguments: &[&str]) -> String {
        let ran = self.run(arguments);
        assert_eq!(ran.code, Some(0), "{arguments:?}: {ran:?}");
        ran.out
    }

    /// Runs the program, which must end with `code`; its standard error.
    pub(crate) fn fails(&self, code: i32, arguments: &[&str]) -> String {
        let ran = self.run(arguments);
        assert_eq!(ran.code, Some(code), "{arguments:?}: {ran:?}");
        ran.err
    }

    /// A new organization; its id.
    pub(crate) fn organization(&self) -> String {
        let made = self.ok(&["organizations", "create", "--name", "Acme", "--json"]);
        json(&made)["id"].as_str().unwrap().to_owned()
    }

    /// A new private key in `audit.key`; its verifier key.
    pub(crate) fn checkpoint_key(&self) -> String {
        let create = ["checkpoint-key", "create", "audit.example.com", "--output", "audit.key"];
        self.ok(&create).trim_end().to_owned()
    }

    /// Signs a checkpoint of a log; its text.
    pub(crate) fn checkpoint(&self, log: &str) -> String {
        self.ok(&[&["checkpoint", "--organization", log], &SIGNING[..]].concat())
    }

    /// Changes the store behind the program's back; how many rows.
    pub(crate) fn sql(&self, sql: &str) -> usize {
        Connection::open(self.path("audit.db")).unwrap().execute(sql, []).unwrap()
    }

    /// Copies the store to `copy.db`.
    pub(crate) fn back_up(&self) {
        std::fs::copy(self.path("audit.db"), self.path("copy.db")).unwrap();
    }

    /// Puts another file in the place of the store.
    pub(crate) fn restore(&self, name: &str) {
        for side in ["audit.db-wal", "audit.db-shm"] {
            let _ = std::fs::remove_file(self.path(side));
        }
        std::fs::copy(self.path(name), self.path("audit.db")).unwrap();
    }

    /// Imports native events into a log.
    pub(crate) fn record(&self, log: &str, events: &[Value]) {
        let file = self.file("events.jsonl", events);
        self.ok(&["import", "--organization", log, "--from", "native", &file]);
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// A text of one line, which is JSON.
pub(crate) fn json(line: &str) -> Value {
    assert_eq!(line.matches('\n').count(), 1, "{line}");
    serde_json::from_str(line).unwrap()
}

/// A text of which each line is JSON.
pub(crate) fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

pub(crate) fn keys(value: &Value) -> Vec<&str> {
    let mut keys: Vec<_> = value.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}

/// Ends a process as an operator would.
#[cfg(unix)]
pub(crate) fn signal(child: &std::process::Child, name: &str) {
    let kill = format!("kill -{name} {}", child.id());
    assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
}
