//! The options of a server.

use std::path::PathBuf;

use crate::{Server, ServerError};

/// The options of a server that a test starts.
///
/// ```no_run
/// use audit_postgres_server::ServerOptions;
///
/// # fn main() -> Result<(), audit_postgres_server::ServerError> {
/// let server = ServerOptions::new().setting("max_connections", "20").start()?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct ServerOptions {
    pub(crate) binaries: Option<PathBuf>,
    pub(crate) settings: Vec<(String, String)>,
    pub(crate) tcp: bool,
    pub(crate) archives: bool,
}

impl ServerOptions {
    /// The defaults: durable, on a unix socket only, with at most 200 connections.
    pub fn new() -> Self {
        Self::default()
    }

    /// Uses the programs of PostgreSQL in this directory. By default they are looked for.
    pub fn binaries(mut self, directory: impl Into<PathBuf>) -> Self {
        self.binaries = Some(directory.into());
        self
    }

    /// Sets a parameter of the server, as in `postgresql.conf`. The last value of a parameter counts.
    pub fn setting(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.settings.push((name.into(), value.into()));
        self
    }

    /// Writes nothing to the disk in time: `fsync`, `full_page_writes` and `synchronous_commit` are
    /// off. For tests that promise nothing. A store that checks whether its server is durable refuses
    /// such a server.
    pub fn fast(self) -> Self {
        ["fsync", "full_page_writes", "synchronous_commit"]
            .into_iter()
            .fold(self, |options, name| options.setting(name, "off"))
    }

    /// Listens on a free port of the loopback interface as well, for clients that cannot use unix
    /// sockets. Such clients need a password, which is in [`Database::tcp_url`](crate::Database::tcp_url).
    pub fn tcp(mut self) -> Self {
        self.tcp = true;
        self
    }

    /// Archives the WAL in the directory of the server, from which its [backups](Server::backup) are
    /// restored.
    pub fn archive(mut self) -> Self {
        self.archives = true;
        self
    }

    /// Starts the server.
    ///
    /// # Errors
    /// [`NotInstalled`](ServerError::NotInstalled) if the programs are not found;
    /// [`Failed`](ServerError::Failed) if the server does not start, with the end of its log.
    pub fn start(&self) -> Result<Server, ServerError> {
        Server::start_with(self)
    }
}
