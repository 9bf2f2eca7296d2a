//! The program as a process, in a temporary directory.

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::LazyLock;

#[cfg(feature = "postgres")]
use audit_postgres_server::{Database, Server};
use audit_sqlite::rusqlite::Connection;
use serde_json::{Value, json as value};

/// The options to sign checkpoints with the key of [`Sandbox::checkpoint_key`].
pub(crate) const SIGNING: [&str; 4] =
    ["--checkpoint-key", "audit.key", "--checkpoints", "checkpoints"];

/// Returns the payments with these numbers, each of its own invoice, by three people.
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
pub(crate) struct Sandbox {
    directory: tempfile::TempDir,
    /// The database of the store; without one the store is a file.
    #[cfg(feature = "postgres")]
    database: Option<Database>,
}

/// The result of a run of the program.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Sandbox {
    pub(crate) fn new() -> Self {
        Self {
            directory: tempfile::tempdir().unwrap(),
            #[cfg(feature = "postgres")]
            database: None,
        }
    }

    /// Returns a sandbox whose store is an empty database of the server for tests.
    #[cfg(feature = "postgres")]
    pub(crate) fn of_postgres() -> Self {
        Self::of_database(Server::shared().unwrap().database().unwrap())
    }

    #[cfg(feature = "postgres")]
    pub(crate) fn of_database(database: Database) -> Self {
        Self { database: Some(database), ..Self::new() }
    }

    #[cfg(feature = "postgres")]
    pub(crate) fn database(&self) -> &Database {
        self.database.as_ref().unwrap()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Writes a file of these lines. Returns its name.
    pub(crate) fn file(&self, name: &str, lines: &[impl ToString]) -> String {
        let lines: Vec<_> = lines.iter().map(ToString::to_string).collect();
        std::fs::write(self.path(name), lines.join("\n") + "\n").unwrap();
        name.to_owned()
    }

    /// Returns a command that runs the program in the directory, without options from the
    /// environment.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = program();
        command.args(arguments).current_dir(self.directory.path()).stdin(Stdio::null());
        for name in
            ["AUDIT_STORE", "AUDIT_LISTEN", "RUST_LOG", "LOGNAME", "PGPASSWORD", "PGPASSFILE"]
        {
            command.env_remove(name);
        }
        command.env("USER", "ana").env("HOME", self.directory.path());
        #[cfg(feature = "postgres")]
        if let Some(database) = &self.database {
            command.env("AUDIT_STORE", database.url());
        }
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        self.command(arguments).output().unwrap().into()
    }

    /// Runs the program, which must succeed. Returns its standard output.
    pub(crate) fn ok(&self, arguments: &[&str]) -> String {
        let ran = self.run(arguments);
        assert_eq!(ran.code, Some(0), "{arguments:?}: {ran:?}");
        ran.out
    }

    /// Runs the program, which must end with `code`. Returns its standard error.
    pub(crate) fn fails(&self, code: i32, arguments: &[&str]) -> String {
        let ran = self.run(arguments);
        assert_eq!(ran.code, Some(code), "{arguments:?}: {ran:?}");
        ran.err
    }

    /// Creates an organization. Returns its id.
    pub(crate) fn organization(&self) -> String {
        let made = self.ok(&["organizations", "create", "--name", "Acme", "--json"]);
        json(&made)["id"].as_str().unwrap().to_owned()
    }

    /// Creates a private key in `audit.key`. Returns its verifier key.
    pub(crate) fn checkpoint_key(&self) -> String {
        let create = ["checkpoint-key", "create", "audit.example.com", "--output", "audit.key"];
        self.ok(&create).trim_end().to_owned()
    }

    /// Signs a checkpoint of a log. Returns its text.
    pub(crate) fn checkpoint(&self, log: &str) -> String {
        self.ok(&[&["checkpoint", "--organization", log], &SIGNING[..]].concat())
    }

    /// Changes the store without the program. Returns the number of changed rows.
    pub(crate) fn sql(&self, sql: &str) -> usize {
        Connection::open(self.path("audit.db")).unwrap().execute(sql, []).unwrap()
    }

    /// Copies the store to `copy.db`.
    pub(crate) fn back_up(&self) {
        std::fs::copy(self.path("audit.db"), self.path("copy.db")).unwrap();
    }

    /// Replaces the store by another file.
    pub(crate) fn restore(&self, name: &str) {
        for side in ["audit.db-wal", "audit.db-shm"] {
            let _ = std::fs::remove_file(self.path(side));
        }
        std::fs::copy(self.path(name), self.path("audit.db")).unwrap();
    }

    /// Imports native events into a log.
    pub(crate) fn record(&self, log: &str, events: &[Value]) {
        let file = self.file("events.jsonl", events);
        let import =
            ["import", "--organization", log, "--from", "native", "--received", "modified"];
        self.ok(&[&import[..], &[&file]].concat());
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

/// Parses a text that is one line of JSON.
pub(crate) fn json(line: &str) -> Value {
    assert_eq!(line.matches('\n').count(), 1, "{line}");
    serde_json::from_str(line).unwrap()
}

/// Parses a text of JSON Lines.
pub(crate) fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

pub(crate) fn keys(value: &Value) -> Vec<&str> {
    let mut keys: Vec<_> = value.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}

/// Returns the command of the program. A process inherits the signals that are ignored, as `nohup` does
/// with hangups, and the program then ignores them, too: `env` undoes that where it can.
fn program() -> Command {
    const DEFAULT: &str = "--default-signal=HUP,INT,TERM";
    static IS_KNOWN: LazyLock<bool> = LazyLock::new(|| {
        let status = Command::new("env").args([DEFAULT, "true"]).stderr(Stdio::null()).status();
        status.is_ok_and(|status| status.success())
    });
    let audit = env!("CARGO_BIN_EXE_audit");
    if !*IS_KNOWN {
        return Command::new(audit);
    }
    let mut command = Command::new("env");
    command.args([DEFAULT, audit]);
    command
}

/// Sends a signal to a process.
#[cfg(unix)]
pub(crate) fn signal(child: &std::process::Child, name: &str) {
    let kill = format!("kill -{name} {}", child.id());
    assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
}
