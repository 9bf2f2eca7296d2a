//! The error.

use std::path::PathBuf;
use std::{error, fmt, io};

/// Why a server or a database is not there.
#[derive(Debug)]
#[non_exhaustive]
pub enum ServerError {
    /// The programs of PostgreSQL were not found. The message says how to install them.
    NotInstalled {
        /// The directories in which they were looked for.
        searched: Vec<PathBuf>,
    },
    /// A file, a directory or a process could not be created or used.
    Io {
        /// The action.
        action: &'static str,
        /// The cause.
        source: io::Error,
    },
    /// A program of PostgreSQL failed.
    Failed {
        /// The action.
        action: &'static str,
        /// The output of the program.
        output: String,
    },
    /// A URL is not that of a PostgreSQL database. It is not repeated here, as it can hold a password.
    Url {
        /// The fault.
        fault: &'static str,
    },
    /// The server was not started by this process, which therefore does not stop it or change it.
    NotOwned,
}

impl ServerError {
    pub(crate) fn io(action: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { action, source }
    }
}

impl fmt::Display for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotInstalled { searched } => {
                f.write_str(
                    "no PostgreSQL server is installed (Debian, Ubuntu: apt-get install postgresql; \
                     Fedora: dnf install postgresql-server; macOS: brew install postgresql), and \
                     AUDIT_POSTGRES_URL names none; initdb, postgres and psql were looked for in ",
                )?;
                for (n, directory) in searched.iter().enumerate() {
                    let separator = if n == 0 { "" } else { ", " };
                    write!(f, "{separator}{}", directory.display())?;
                }
                Ok(())
            }
            Self::Io { action, .. } => f.write_str(action),
            Self::Failed { action, output } => write!(f, "{action}: {}", output.trim()),
            Self::Url { fault } => write!(f, "the URL of a PostgreSQL server: {fault}"),
            Self::NotOwned => f.write_str("the server was not started by this process"),
        }
    }
}

impl error::Error for ServerError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}
