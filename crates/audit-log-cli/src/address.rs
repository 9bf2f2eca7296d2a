//! The address of the store.

use std::fmt;
use std::fs;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use audit_core::ErrorKind;
use audit_memory::MemoryStore;
#[cfg(feature = "postgres")]
use audit_postgres::{PostgresOptions, PostgresStore};
use audit_sqlite::{SqliteOptions, SqliteStore};

use crate::error::{CliError, Result};
#[cfg(feature = "postgres")]
use crate::postgres::{self, PostgresAddress};
use crate::store::Store;

/// The address of the store: `sqlite:PATH`, `postgres://…` or `memory:`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum StoreAddress {
    Sqlite(PathBuf),
    #[cfg(feature = "postgres")]
    Postgres(PostgresAddress),
    Memory,
}

/// The error for a text that is not an address. It repeats no text that may have a password.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct InvalidAddress(String);

impl std::error::Error for InvalidAddress {}

impl fmt::Display for InvalidAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl InvalidAddress {
    fn of(text: &str) -> Self {
        Self(match text {
            "memory" => "write memory:".to_owned(),
            text if text.starts_with("memory:") => "write memory: alone".to_owned(),
            // A URL of another kind, or one that is misspelled.
            text if text.is_empty() || text.contains(['@', '=']) || text.contains(":/") => {
                "write sqlite:PATH, postgres://USER@HOST/DATABASE, or memory:".to_owned()
            }
            "sqlite" | "sqlite:" => "write sqlite:PATH".to_owned(),
            path => format!("for the file {path} write sqlite:{path}"),
        })
    }
}

impl FromStr for StoreAddress {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Self, InvalidAddress> {
        match text.split_once(':') {
            Some(("sqlite", path)) if !path.is_empty() => Ok(Self::Sqlite(path.into())),
            Some(("memory", "")) => Ok(Self::Memory),
            Some(("postgres" | "postgresql", rest)) if rest.starts_with("//") => of_postgres(text),
            _ => Err(InvalidAddress::of(text)),
        }
    }
}

#[cfg(feature = "postgres")]
fn of_postgres(url: &str) -> Result<StoreAddress, InvalidAddress> {
    let address = PostgresAddress::parse(url);
    // The error names the fault, and does not repeat the URL.
    let invalid = |error: audit_core::Error| InvalidAddress(crate::error::chain(&error));
    address.map(StoreAddress::Postgres).map_err(invalid)
}

#[cfg(not(feature = "postgres"))]
fn of_postgres(_: &str) -> Result<StoreAddress, InvalidAddress> {
    Err(InvalidAddress("this program was built without the feature `postgres`".to_owned()))
}

impl fmt::Display for StoreAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            #[cfg(feature = "postgres")]
            Self::Postgres(address) => address.fmt(f),
            Self::Memory => f.write_str("memory:"),
        }
    }
}

impl StoreAddress {
    /// Opens the store. Creates it if there is no file, or an empty one, or if the database has none. Does
    /// not make a store of another application's file.
    #[cfg_attr(not(feature = "postgres"), expect(clippy::unused_async))]
    pub(crate) async fn open(&self) -> Result<Arc<dyn Store>> {
        match self {
            Self::Sqlite(path) => {
                let has_content = path.metadata().is_ok_and(|file| file.len() > 0);
                let options = if has_content { existing() } else { SqliteOptions::default() };
                Ok(Arc::new(self.open_file(options)?))
            }
            #[cfg(feature = "postgres")]
            Self::Postgres(address) => {
                Ok(Arc::new(self.opened(address.open(PostgresOptions::default()).await)?))
            }
            Self::Memory => Ok(Arc::new(MemoryStore::new()?)),
        }
    }

    /// Opens an existing store. Fails if it does not exist, so that a mistyped path does not look like
    /// a store without events.
    pub(crate) async fn open_existing(&self) -> Result<Arc<dyn Store>> {
        match self {
            Self::Sqlite(_) => {
                self.must_exist()?;
                Ok(Arc::new(self.open_file(existing())?))
            }
            #[cfg(feature = "postgres")]
            Self::Postgres(address) => Ok(Arc::new(self.existing_tables(address).await?)),
            Self::Memory => self.open().await,
        }
    }

    /// Opens an existing store for reading. It and its directory may be write-protected, and a server may
    /// be a standby.
    pub(crate) async fn open_for_reading(&self) -> Result<Arc<dyn Store>> {
        match self {
            Self::Sqlite(_) => {
                self.must_exist()?;
                Ok(Arc::new(self.open_file(SqliteOptions::default().read_only())?))
            }
            #[cfg(feature = "postgres")]
            Self::Postgres(address) => {
                let options = PostgresOptions::default().read_only();
                Ok(Arc::new(self.opened(address.open(options).await)?))
            }
            Self::Memory => self.open().await,
        }
    }

    /// Opens the file of the store; only `sqlite:` has one.
    pub(crate) fn open_file(&self, options: SqliteOptions) -> Result<SqliteStore> {
        let Self::Sqlite(path) = self else { return Err(self.has_no_file()) };
        self.opened(SqliteStore::open_with(path, options))
    }

    #[cfg(feature = "postgres")]
    async fn existing_tables(&self, address: &PostgresAddress) -> Result<PostgresStore> {
        self.opened(address.open(PostgresOptions::default().existing()).await)
    }

    /// Adds to the error of a store that cannot be opened what the user can do.
    fn opened<S>(&self, opened: audit_core::Result<S>) -> Result<S> {
        opened.map_err(|error| {
            let is_no_store = error.kind() == ErrorKind::NotFound;
            let hint = match self {
                #[cfg(feature = "postgres")]
                Self::Postgres(_) if is_no_store => return self.missing(),
                #[cfg(feature = "postgres")]
                Self::Postgres(_) => postgres::hint(&error),
                _ if is_no_store => Some(
                    "the file is empty, a copy without its WAL, or of another application; it was \
                     not changed",
                ),
                _ => None,
            };
            let error = CliError::from_source(format!("cannot open {self}"), error);
            match hint {
                Some(hint) => error.hint(hint),
                None => error,
            }
        })
    }

    /// Returns the error of a command that only a file has.
    pub(crate) fn has_no_file(&self) -> CliError {
        match self {
            #[cfg(feature = "postgres")]
            Self::Postgres(_) => CliError::new(format!("{self} is not a file"))
                .hint("copy the database with pg_basebackup or pg_dump; see docs/postgres.md"),
            _ => CliError::new("a store in memory has no file"),
        }
    }

    pub(crate) fn must_exist(&self) -> Result<()> {
        if let Self::Sqlite(path) = self {
            let found = path.try_exists();
            let found =
                found.map_err(|error| CliError::from_source(format!("cannot open {self}"), error));
            if !found? {
                return Err(self.missing());
            }
        }
        Ok(())
    }

    fn missing(&self) -> CliError {
        let hint = format!(
            "give another with --store, or create it: {} organizations create --name NAME",
            self.command()
        );
        CliError::new(format!("there is no store at {self}")).hint(hint)
    }

    /// Rewrites the store without unused space. Returns its size before and after in bytes, for a file
    /// with the WAL.
    pub(crate) async fn compact(&self) -> Result<(u64, u64)> {
        match self {
            Self::Sqlite(path) => {
                self.must_exist()?;
                // The WAL is beside the file itself, not beside a link to it.
                let mut wal = path.canonicalize().unwrap_or_else(|_| path.clone()).into_os_string();
                wal.push("-wal");
                let size = || match path.metadata() {
                    Ok(file) => Ok(file.len() + fs::metadata(&wal).map_or(0, |wal| wal.len())),
                    Err(error) => Err(CliError::from_source(format!("cannot read {self}"), error)),
                };
                let store = self.open_file(existing())?;
                let before = size()?;
                store.compact().await?;
                Ok((before, size()?))
            }
            #[cfg(feature = "postgres")]
            Self::Postgres(address) => {
                let store = self.existing_tables(address).await?;
                let before = store.size().await?;
                store.compact().await?;
                Ok((before, store.size().await?))
            }
            Self::Memory => Err(self.has_no_file()),
        }
    }

    /// Returns the shell command that runs this program on this store, without a subcommand. It has no
    /// password.
    pub(crate) fn command(&self) -> String {
        let program = std::env::args_os().next().unwrap_or_else(|| "audit".into());
        let program = program.to_string_lossy();
        format!("{} --store {}", shell_word(&program), shell_word(&self.to_string()))
    }
}

fn existing() -> SqliteOptions {
    SqliteOptions::default().existing()
}

/// Quotes `text` as one word of a POSIX shell.
fn shell_word(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-:=@%+,".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_parsed_or_rejected_with_advice() {
        const ANY: &str = "write sqlite:PATH, postgres://USER@HOST/DATABASE, or memory:";
        assert_eq!("sqlite:a:b.db".parse::<StoreAddress>().unwrap().to_string(), "sqlite:a:b.db");
        assert_eq!("memory:".parse::<StoreAddress>().unwrap(), StoreAddress::Memory);
        for (text, advice) in [
            ("audit.db", "for the file audit.db write sqlite:audit.db"),
            ("", ANY),
            ("sqlite:", "write sqlite:PATH"),
            ("postgres:u:secret@h/d", ANY),
            ("postgress://u:secret@h/d", ANY),
            ("host=h password=secret", ANY),
            ("memory", "write memory:"),
            ("memory:x", "write memory: alone"),
        ] {
            assert_eq!(text.parse::<StoreAddress>().unwrap_err().to_string(), advice);
        }
    }

    #[cfg(feature = "postgres")]
    #[test]
    fn the_url_of_a_database_is_shown_without_its_password() {
        let address: StoreAddress = "postgresql://u:secret@h/d?sslmode=require".parse().unwrap();
        assert_eq!(address.to_string(), "postgres://u@h/d?sslmode=require");
        assert!(!format!("{address:?} {}", address.command()).contains("secret"));
        for url in
            ["postgres://u:secret@h:port/d", "postgres://u:se@cret@h/d", "postgres://h/d?x=secret"]
        {
            let error = url.parse::<StoreAddress>().unwrap_err().to_string();
            assert!(error.contains("`url` must be") && !error.contains("cret"), "{error}");
        }
    }

    #[test]
    fn a_shell_word_is_quoted() {
        assert_eq!(shell_word("sqlite:/a/b.db"), "sqlite:/a/b.db");
        assert_eq!(shell_word("a b'c$"), r"'a b'\''c$'");
        assert_eq!(shell_word(""), "''");
    }
}
