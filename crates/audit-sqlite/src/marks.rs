//! Marks, which show whether the WAL beside a file continues that file.
//!
//! Once the whole WAL is written back, the next commit can begin it from its start. So the writer adds
//! a mark to that commit: a random value, together with the mark before it, which is in the file by
//! then. The newest mark in the file alone is therefore the newest of the file with its WAL, or the
//! one before it. If a WAL was left beside another copy of the file, it is neither.

use audit_core::{Error, ErrorKind, Result, TokenKeys};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, params};

use crate::error::sqlite;

/// Reads the newest mark.
pub(crate) const READ: &str = "SELECT mark, previous FROM audit_mark WHERE id = 1";
/// Writes a mark.
pub(crate) const WRITE: &str = "UPDATE audit_mark SET mark = ?1, previous = ?2 WHERE id = 1";

const CONTEXT: &str = "reading the marks of the WAL";

/// A mark, and the one before it.
struct Mark {
    value: Vec<u8>,
    previous: Vec<u8>,
}

/// Returns the newest mark that the connection sees.
fn read(connection: &Connection) -> Result<Mark> {
    let read = || {
        let mut statement = connection.prepare_cached(READ)?;
        statement.query_row([], |row| Ok(Mark { value: row.get(0)?, previous: row.get(1)? }))
    };
    read().map_err(sqlite(CONTEXT))
}

fn write(connection: &Connection, previous: &[u8]) -> Result<()> {
    let value = TokenKeys::generate_secret()?;
    let write = || connection.prepare_cached(WRITE)?.execute(params![value, previous]);
    write().map(drop).map_err(sqlite("writing a mark of the WAL"))
}

/// Writes the next mark.
pub(crate) fn advance(connection: &Connection) -> Result<()> {
    write(connection, &read(connection)?.value)
}

/// Begins the marks, in a new file or in a copy of one: no WAL of another file continues it.
pub(crate) fn begin(connection: &Connection) -> Result<()> {
    write(connection, &[])
}

/// Checks that the WAL, if there is one, continues the file. `open_file` opens the file alone, without
/// its WAL.
///
/// # Errors
/// [`Corrupt`](ErrorKind::Corrupt) with the field `wal` otherwise.
pub(crate) fn check(
    connection: &Connection,
    open_file: impl Fn() -> Result<Connection>,
) -> Result<()> {
    // A process that has the file open may write a mark in between, but not at each attempt.
    for _ in 0..ATTEMPTS {
        let newest = read(connection)?;
        let in_file = open_file().and_then(|file| read(&file));
        if read(connection)?.value != newest.value {
            continue;
        }
        return match in_file {
            Ok(mark) if mark.value != newest.value && mark.value != newest.previous => {
                Err(Error::new(ErrorKind::Corrupt).with_field("wal").with_context(OTHER_COPY))
            }
            // The tables themselves are in the WAL only: nothing has been written back since.
            _ => Ok(()),
        };
    }
    Ok(())
}

const ATTEMPTS: usize = 8;

const OTHER_COPY: &str = "the WAL beside the file was left by another copy of the store: move the \
                          file that ends in -wal away, and the one that ends in -shm";

/// Sets whether the connection leaves the WAL as it is when it is closed. Otherwise SQLite writes it
/// into the file.
pub(crate) fn keep_wal(connection: &Connection, keeps: bool) -> Result<()> {
    let set = connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, keeps);
    set.map(drop).map_err(sqlite("opening the file"))
}
