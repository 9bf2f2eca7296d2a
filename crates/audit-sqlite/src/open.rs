//! Opening a file, for writing or for reading.

use std::path::Path;
use std::time::Duration;

use audit_core::{Error, ErrorKind, Result};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, MAIN_DB, OpenFlags};

use crate::busy::{LONGEST_TIMEOUT, deadline, retry_busy};
use crate::error::sqlite;
use crate::file::{beside, require_file, require_one_name};
use crate::marks;
use crate::schema::{self, VERSION, version};

/// Older versions of SQLite can lose committed data when a WAL is reset.
const LEAST_SQLITE: i32 = 3_051_003;

/// Whether a file without tables gets them when it is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tables {
    Create,
    MustExist,
}

/// Opens the file for writing, and creates or migrates the tables.
pub(crate) fn open(path: &Path, tables: Tables, busy_timeout: Duration) -> Result<Connection> {
    require_safe_sqlite()?;
    require_file(path)?;
    let is_new = !path.exists();
    require_one_name(path)?;
    let mut flags = OpenFlags::default() - OpenFlags::SQLITE_OPEN_URI;
    if tables == Tables::MustExist {
        flags -= OpenFlags::SQLITE_OPEN_CREATE;
    }
    let mut connection =
        Connection::open_with_flags(path, flags).map_err(sqlite("opening the file"))?;
    if is_new {
        make_private(path)?;
    }
    if connection.is_readonly(MAIN_DB).map_err(sqlite("opening the file"))? {
        return Err(Error::new(ErrorKind::ReadOnly).with_context("opening the file"));
    }
    let deadline = deadline(busy_timeout);
    // Before anything is written. Until then, a WAL that does not belong to the file is left alone.
    marks::keep_wal(&connection, true)?;
    retry_busy(deadline, || match version(&connection)? {
        Some(VERSION) => marks::check(&connection, || open_file_alone(path)),
        None if tables == Tables::MustExist => Err(no_tables()),
        _ => Ok(()),
    })?;
    marks::keep_wal(&connection, false)?;
    retry_busy(deadline, || set_pragmas(&connection))?;
    retry_busy(deadline, || schema::migrate(&mut connection))?;
    Ok(connection)
}

/// The page cache of the writer, negative because SQLite then counts in KiB: room for the ends of
/// the tables, and for the pages of ids that do not rise with time.
const WRITE_CACHE_KIB: i64 = -16 << 10;

fn set_pragmas(connection: &Connection) -> Result<()> {
    let set = || {
        connection.busy_timeout(Duration::ZERO)?;
        keep_plans(connection)?;
        let mode: String =
            connection.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))?;
        connection.pragma_update(None, "synchronous", "full")?;
        connection.pragma_update(None, "cache_size", WRITE_CACHE_KIB)?;
        Ok(mode)
    };
    let mode = set().map_err(sqlite("opening the file"))?;
    set_secure_delete(connection)?;
    match mode.as_str() {
        "wal" => Ok(()),
        _ => Err(Error::new(ErrorKind::Incompatible)
            .with_context("the file cannot be put into WAL mode")),
    }
}

/// Makes the connection overwrite deleted data, including pages that become free. It costs little:
/// most pages that are freed are written again in the same transaction.
pub(crate) fn set_secure_delete(connection: &Connection) -> Result<()> {
    let set = connection.pragma_update(None, "secure_delete", "on");
    set.map_err(sqlite("setting secure_delete"))
}

fn no_tables() -> Error {
    Error::not_found("audit_store").with_context("the file has no tables of a store")
}

fn require_safe_sqlite() -> Result<()> {
    if rusqlite::version_number() < LEAST_SQLITE {
        let error = Error::new(ErrorKind::Incompatible);
        return Err(error.with_context("the linked SQLite is older than 3.51.3"));
    }
    Ok(())
}

/// Makes a new file readable by its owner only: it holds personal data and the secrets of the
/// store. SQLite gives the files that it creates beside it the same permissions.
#[cfg(unix)]
fn make_private(path: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;

    // By path: opening and closing the file here would drop SQLite's locks on it.
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).map_err(|error| {
        Error::new(ErrorKind::Unavailable)
            .with_context("setting the permissions of the file")
            .with_source(error)
    })
}

#[cfg(not(unix))]
fn make_private(_: &Path) -> Result<()> {
    Ok(())
}

/// Keeps the first plan of every statement, whatever is bound to it. Otherwise SQLite plans some
/// statements again at each call.
fn keep_plans(connection: &Connection) -> rusqlite::Result<()> {
    connection.set_prepared_statement_cache_capacity(64);
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map(drop)
}

/// How readers open a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// As a process that may write it, which SQLite needs for a WAL.
    Shared,
    /// Without writing it.
    ReadOnly,
    /// As one that nobody can change. Reads no WAL.
    Immutable,
}

/// Opens a file that has the tables, for reading, with a page cache of this many KiB.
pub(crate) fn open_reader(
    path: &Path,
    access: Access,
    busy_timeout: Duration,
    cache_kib: i64,
) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = match access {
        Access::Shared => {
            Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_READ_WRITE)
        }
        Access::ReadOnly => {
            Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_READ_ONLY)
        }
        Access::Immutable => {
            let flags = flags | OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
            Connection::open_with_flags(immutable_uri(path), flags)
        }
    };
    let connection = connection.map_err(sqlite("opening the file"))?;
    let prepare = || {
        connection.busy_timeout(busy_timeout.min(LONGEST_TIMEOUT))?;
        keep_plans(&connection)?;
        // Negative, because SQLite then counts in KiB.
        connection.pragma_update(None, "cache_size", -cache_kib)?;
        connection.pragma_update(None, "query_only", true)
    };
    prepare().map_err(sqlite("opening the file"))?;
    Ok(connection)
}

/// Returns the URI with which SQLite opens a file that nobody can change.
fn immutable_uri(path: &Path) -> String {
    use std::fmt::Write as _;

    let mut uri = "file:".to_owned();
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'_' | b'-' => {
                uri.push(char::from(*byte));
            }
            // Writing to a text cannot fail.
            _ => drop(write!(uri, "%{byte:02x}")),
        }
    }
    uri + "?immutable=1"
}

/// The page cache of the connection that checks the version.
const CHECK_CACHE_KIB: i64 = 64;

/// Opens the file without its WAL.
fn open_file_alone(path: &Path) -> Result<Connection> {
    open_reader(path, Access::Immutable, Duration::ZERO, CHECK_CACHE_KIB)
}

/// Opens a store that is only read, without changing a byte of another application's file. Returns
/// how readers can open it.
///
/// # Errors
/// [`NotFound`](ErrorKind::NotFound) if the file has no tables of a store.
/// [`ReadOnly`](ErrorKind::ReadOnly) if it has a WAL that cannot be read, because SQLite would
/// have to write beside it.
pub(crate) fn open_read_only(path: &Path, busy_timeout: Duration) -> Result<(Connection, Access)> {
    require_safe_sqlite()?;
    require_file(path)?;
    let open = |access| {
        let connection = open_reader(path, access, busy_timeout, CHECK_CACHE_KIB)?;
        marks::keep_wal(&connection, true)?;
        match version(&connection)? {
            Some(VERSION) => {
                marks::check(&connection, || open_file_alone(path))?;
                marks::keep_wal(&connection, false)?;
                Ok((connection, access))
            }
            Some(_) => Err(Error::new(ErrorKind::Incompatible)
                .with_context("the file was written by another version of this library")),
            None => Err(no_tables()),
        }
    };
    let cannot =
        |error: &Error| matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::ReadOnly);
    match open(Access::ReadOnly) {
        Ok(read_only) => {
            // A process that may write leaves nothing beside the file when it closes it.
            let shared = open(Access::Shared).ok();
            Ok(shared.filter(|(c, _)| !c.is_readonly(MAIN_DB).unwrap_or(true)).unwrap_or(read_only))
        }
        Err(error) if cannot(&error) && path.exists() => {
            let wal = std::fs::metadata(beside(path, "-wal"));
            if wal.is_ok_and(|wal| wal.len() > 0) {
                return Err(Error::new(ErrorKind::ReadOnly).with_source(error).with_context(
                    "the store has a WAL, which can be read only where a file can be made beside \
                     it: copy both to another directory",
                ));
            }
            open(Access::Immutable)
        }
        Err(error) => Err(error),
    }
}

/// Returns a number that SQLite changes with every commit of another connection.
pub(crate) fn data_version(connection: &Connection) -> Result<i64> {
    // Prepared once: a store that waits asks many times a second.
    let version =
        || connection.prepare_cached("PRAGMA data_version")?.query_row([], |row| row.get(0));
    version().map_err(sqlite("looking for changes of the file"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_a_later_version_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("audit.db");
        let connection = open(&path, Tables::Create, Duration::ZERO).unwrap();
        connection
            .execute("UPDATE audit_store SET value = value + 1 WHERE name = 'schema_version'", [])
            .unwrap();
        let error = open(&path, Tables::Create, Duration::ZERO).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Incompatible);
    }
}
