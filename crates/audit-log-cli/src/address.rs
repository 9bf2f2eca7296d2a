//! The address of the store.

use std::fmt;
use std::fs;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use audit_core::{ErrorKind, RetentionStore, TenantStore};
use audit_memory::MemoryStore;
use audit_sqlite::{SqliteOptions, SqliteStore};

use crate::error::{CliError, Result};

/// A store with every trait that the program uses.
pub(crate) trait Store: RetentionStore + TenantStore {
    /// Returns the store if it is one file.
    fn sqlite(&self) -> Option<&SqliteStore>;
}

impl Store for SqliteStore {
    fn sqlite(&self) -> Option<&SqliteStore> {
        Some(self)
    }
}

impl Store for MemoryStore {
    fn sqlite(&self) -> Option<&SqliteStore> {
        None
    }
}

/// The address of the store: `sqlite:PATH` or `memory:`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum StoreAddress {
    Sqlite(PathBuf),
    Memory,
}

/// The error for a text that is not an address.
#[derive(Debug)]
pub(crate) struct InvalidAddress(String);

impl std::error::Error for InvalidAddress {}

impl fmt::Display for InvalidAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_str() {
            "" | "sqlite" | "sqlite:" => f.write_str("write sqlite:PATH, or memory:"),
            "memory" => f.write_str("write memory:"),
            text if text.starts_with("memory:") => f.write_str("write memory: alone"),
            path => write!(f, "for the file {path} write sqlite:{path}"),
        }
    }
}

impl FromStr for StoreAddress {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Self, InvalidAddress> {
        match text.split_once(':') {
            Some(("sqlite", path)) if !path.is_empty() => Ok(Self::Sqlite(path.into())),
            Some(("memory", "")) => Ok(Self::Memory),
            _ => Err(InvalidAddress(text.to_owned())),
        }
    }
}

impl fmt::Display for StoreAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            Self::Memory => f.write_str("memory:"),
        }
    }
}

impl StoreAddress {
    /// Opens the store. Creates it if there is no file, or an empty one. Does not make a store of
    /// another application's file.
    pub(crate) fn open(&self) -> Result<Arc<dyn Store>> {
        let has_content = |path: &PathBuf| path.metadata().is_ok_and(|file| file.len() > 0);
        match self {
            Self::Sqlite(path) if has_content(path) => self.open_with(existing()),
            _ => self.open_with(SqliteOptions::default()),
        }
    }

    /// Opens an existing store. Fails if it does not exist, so that a mistyped path does not look like
    /// a store without events.
    pub(crate) fn open_existing(&self) -> Result<Arc<dyn Store>> {
        self.must_exist()?;
        self.open_with(existing())
    }

    /// Opens an existing store for reading. It and its directory may be write-protected.
    pub(crate) fn open_for_reading(&self) -> Result<Arc<dyn Store>> {
        self.must_exist()?;
        self.open_with(SqliteOptions::default().read_only())
    }

    fn open_with(&self, options: SqliteOptions) -> Result<Arc<dyn Store>> {
        Ok(match self {
            Self::Sqlite(_) => Arc::new(self.open_file(options)?),
            Self::Memory => Arc::new(MemoryStore::new()?),
        })
    }

    /// Opens the file of the store; only `sqlite:` has one.
    pub(crate) fn open_file(&self, options: SqliteOptions) -> Result<SqliteStore> {
        let Self::Sqlite(path) = self else {
            return Err(CliError::new("a store in memory has no file"));
        };
        SqliteStore::open_with(path, options).map_err(|error| {
            let is_no_store =
                error.kind() == ErrorKind::NotFound && error.field() == Some("audit_store");
            let error = CliError::from_source(format!("cannot open {self}"), error);
            if is_no_store {
                return error.hint(
                    "the file is empty, a copy without its WAL, or of another application; it was \
                     not changed",
                );
            }
            error
        })
    }

    pub(crate) fn must_exist(&self) -> Result<()> {
        if let Self::Sqlite(path) = self {
            let found = path.try_exists();
            let found =
                found.map_err(|error| CliError::from_source(format!("cannot open {self}"), error));
            if !found? {
                let hint = format!(
                    "give another with --store, or create it: {} organizations create --name NAME",
                    self.command()
                );
                return Err(CliError::new(format!("there is no store at {self}")).hint(hint));
            }
        }
        Ok(())
    }

    /// Rewrites the store's file without unused space. Returns its size before and after, with the
    /// WAL, in bytes.
    pub(crate) async fn compact(&self) -> Result<(u64, u64)> {
        self.must_exist()?;
        let Self::Sqlite(path) = self else {
            return Err(CliError::new("a store in memory has no file to compact"));
        };
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

    /// Returns the shell command that runs this program on this store, without a subcommand.
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
        assert_eq!("sqlite:a:b.db".parse::<StoreAddress>().unwrap().to_string(), "sqlite:a:b.db");
        assert_eq!("memory:".parse::<StoreAddress>().unwrap(), StoreAddress::Memory);
        for (text, advice) in [
            ("audit.db", "for the file audit.db write sqlite:audit.db"),
            ("", "write sqlite:PATH, or memory:"),
            ("sqlite:", "write sqlite:PATH, or memory:"),
            ("memory", "write memory:"),
            ("memory:x", "write memory: alone"),
        ] {
            assert_eq!(text.parse::<StoreAddress>().unwrap_err().to_string(), advice);
        }
    }

    #[test]
    fn a_shell_word_is_quoted() {
        assert_eq!(shell_word("sqlite:/a/b.db"), "sqlite:/a/b.db");
        assert_eq!(shell_word("a b'c$"), r"'a b'\''c$'");
        assert_eq!(shell_word(""), "''");
    }
}
