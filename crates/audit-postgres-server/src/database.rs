//! A database of a server.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::ServerError;
use crate::guard::without_settings;
use crate::url::{ServerUrl, split_password};

/// How to reach a server.
#[derive(Clone, Debug)]
pub(crate) struct Address {
    pub(crate) url: ServerUrl,
    pub(crate) tcp: Option<ServerUrl>,
    /// The program with which SQL is run.
    pub(crate) psql: PathBuf,
}

impl Address {
    /// Runs SQL and returns what it returns: a line for each row, its columns separated by `|`.
    pub(crate) fn sql(&self, url: &str, sql: &str) -> Result<String, ServerError> {
        let mut command = Command::new(&self.psql);
        without_settings(&mut command);
        // Other users of the machine see arguments, and not the environment.
        let (url, password) = split_password(url);
        if let Some(password) = password {
            command.env("PGPASSWORD", OsString::from_vec(password));
        }
        command.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", &url, "-c", sql]);
        command.stdin(Stdio::null());
        let output = command.output().map_err(ServerError::io("running psql"))?;
        if !output.status.success() {
            let output = String::from_utf8_lossy(&output.stderr).into_owned();
            return Err(ServerError::Failed { action: "running SQL", output });
        }
        let rows = String::from_utf8_lossy(&output.stdout);
        Ok(rows.trim_end_matches('\n').to_owned())
    }
}

/// A database. When it is dropped, it is removed, and its connections are closed.
#[derive(Debug)]
pub struct Database {
    address: Arc<Address>,
    name: String,
    url: String,
}

impl Database {
    /// Creates a database, as a copy of the one with the name `template`.
    pub(crate) fn create(address: &Arc<Address>, template: &str) -> Result<Self, ServerError> {
        let name = unique_name();
        let sql = format!("CREATE DATABASE {name} TEMPLATE {template}");
        address.sql(&address.url.own(), &sql)?;
        Ok(Self { address: Arc::clone(address), url: address.url.database(&name), name })
    }

    /// Returns its URL, of the form `postgres://postgres@%2Fdirectory%2Fof%2Fthe%2Fsocket/name`, which
    /// libpq, tokio-postgres, sqlx and Diesel read.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Returns its URL at a port of this machine; `None` unless the server was started with
    /// [`ServerOptions::tcp`](crate::ServerOptions::tcp).
    pub fn tcp_url(&self) -> Option<String> {
        self.address.tcp.as_ref().map(|server| server.database(&self.name))
    }

    /// Returns its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Creates a copy of it: a database that was prepared once serves many tests. Nobody may be
    /// connected to it.
    ///
    /// # Errors
    /// [`Failed`](ServerError::Failed) if somebody is.
    pub fn copy(&self) -> Result<Self, ServerError> {
        Self::create(&self.address, &self.name)
    }

    /// Runs SQL with `psql`, in one transaction if it is several statements, and returns its rows: a
    /// line each, the columns separated by `|`.
    ///
    /// # Errors
    /// [`Failed`](ServerError::Failed) with what the server says.
    pub fn sql(&self, sql: &str) -> Result<String, ServerError> {
        self.address.sql(&self.url, sql)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // A server that was stopped has no databases to remove.
        let sql = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        let _ = self.address.sql(&self.address.url.own(), &sql);
    }
}

/// Returns a name that no other test on the same server uses.
fn unique_name() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("audit_test_{}_{since}_{count}", std::process::id())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_password_is_no_argument_of_psql() {
        let directory = tempfile::tempdir().unwrap();
        let psql = directory.path().join("psql");
        fs::write(&psql, "#!/bin/sh\necho \"$*\"; echo \"$PGPASSWORD\"\n").unwrap();
        fs::set_permissions(&psql, fs::Permissions::from_mode(0o755)).unwrap();
        let url = ServerUrl::parse("postgres://u:s%23cret@h/x?sslmode=require").unwrap();
        let address = Address { url, tcp: None, psql };
        let output = address.sql(&address.url.own(), "SELECT 1").unwrap();
        let (arguments, password) = output.split_once('\n').unwrap();
        assert!(arguments.ends_with("-d postgres://u@h/x?sslmode=require -c SELECT 1"));
        assert_eq!(password, "s#cret");
    }
}
