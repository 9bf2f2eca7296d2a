//! The address of a store in PostgreSQL.

use std::error::Error as _;
use std::fmt;

use audit_core::{Error, ErrorKind};
use audit_postgres::{PostgresOptions, PostgresStore};

use crate::error::chain;

/// The URL of a database. It is shown without its password.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct PostgresAddress {
    url: String,
    shown: String,
}

impl fmt::Display for PostgresAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for PostgresAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl PostgresAddress {
    pub(crate) fn parse(url: &str) -> audit_core::Result<Self> {
        Ok(Self { url: url.to_owned(), shown: audit_postgres::without_password(url)? })
    }

    /// Opens the store. The password may be where the programs of PostgreSQL look for it.
    pub(crate) async fn open(&self, options: PostgresOptions) -> audit_core::Result<PostgresStore> {
        PostgresStore::open_with(&self.url, options.with_password_of_environment()).await
    }
}

/// Returns what the user can do about a store that cannot be opened.
pub(crate) fn hint(error: &Error) -> Option<&'static str> {
    match (error.kind(), error.field()) {
        (ErrorKind::ReadOnly, _) => Some(
            "connect to the primary: name all hosts in the URL, with target_session_attrs=read-write",
        ),
        (ErrorKind::Incompatible, Some(_)) => {
            Some("docs/postgres.md lists what a store needs of its server")
        }
        (ErrorKind::Unavailable, None) => {
            let cause = error.source().map(chain).unwrap_or_default();
            cause.contains("password").then_some(
                "give the password in PGPASSWORD, in a password file, or in the URL in AUDIT_STORE: others \
                 can see that in --store",
            )
        }
        _ => None,
    }
}
