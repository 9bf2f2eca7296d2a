//! Marks, which show whether the WAL beside a file continues that file.
//!
//! Each time the WAL begins from its start, the writer writes a mark: a random value, together with
//! the mark before it. Marks alternate between two tables of one row, each on a page of its own. So
//! the newest mark is in the WAL, and the one before it in the file. If a WAL was left beside another
//! copy of the file, SQLite shows a mixture of both, in which these two do not follow each other.

use audit_core::{Error, ErrorKind, Result, TokenKeys};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, params};

use crate::error::sqlite;

/// Reads the last mark with an even number.
pub(crate) const READ_EVEN: &str =
    "SELECT number, mark, previous FROM audit_mark_even WHERE id = 1";
/// Reads the last mark with an odd number.
pub(crate) const READ_ODD: &str = "SELECT number, mark, previous FROM audit_mark_odd WHERE id = 1";
/// Writes a mark with an even number.
pub(crate) const WRITE_EVEN: &str =
    "UPDATE audit_mark_even SET number = ?1, mark = ?2, previous = ?3 WHERE id = 1";
/// Writes a mark with an odd number.
pub(crate) const WRITE_ODD: &str =
    "UPDATE audit_mark_odd SET number = ?1, mark = ?2, previous = ?3 WHERE id = 1";

const CONTEXT: &str = "reading the marks of the WAL";

/// A mark.
struct Mark {
    number: i64,
    value: Vec<u8>,
    previous: Vec<u8>,
}

/// Returns the newest mark and the one before it.
fn read(connection: &Connection) -> Result<[Mark; 2]> {
    let one = |sql| {
        let mut statement = connection.prepare_cached(sql)?;
        statement.query_row([], |row| {
            Ok(Mark { number: row.get(0)?, value: row.get(1)?, previous: row.get(2)? })
        })
    };
    let (even, odd) =
        one(READ_EVEN).and_then(|even| Ok((even, one(READ_ODD)?))).map_err(sqlite(CONTEXT))?;
    Ok(if even.number > odd.number { [even, odd] } else { [odd, even] })
}

fn write(connection: &Connection, mark: &Mark) -> Result<()> {
    let sql = if mark.number % 2 == 0 { WRITE_EVEN } else { WRITE_ODD };
    let values = params![mark.number, mark.value, mark.previous];
    let write = || connection.prepare_cached(sql)?.execute(values);
    write().map(drop).map_err(sqlite("writing a mark of the WAL"))
}

/// Writes the next mark.
pub(crate) fn advance(connection: &Connection) -> Result<()> {
    let [newest, _] = read(connection)?;
    let value = TokenKeys::generate_secret()?.to_vec();
    let number = newest.number.saturating_add(1);
    write(connection, &Mark { number, value, previous: newest.value })
}

/// Begins the marks anew, in a new file or in a copy of one: no WAL of another file continues it.
pub(crate) fn begin(connection: &Connection) -> Result<()> {
    let first = TokenKeys::generate_secret()?.to_vec();
    let second = TokenKeys::generate_secret()?.to_vec();
    write(connection, &Mark { number: 0, value: first.clone(), previous: Vec::new() })?;
    write(connection, &Mark { number: 1, value: second, previous: first })
}

/// Checks that the WAL, if there is one, continues the file.
///
/// # Errors
/// [`Corrupt`](ErrorKind::Corrupt) with the field `wal` otherwise.
pub(crate) fn check(connection: &Connection) -> Result<()> {
    // Both from one snapshot.
    let snapshot = connection.unchecked_transaction().map_err(sqlite(CONTEXT))?;
    let [newest, before] = read(&snapshot)?;
    if newest.number == before.number.saturating_add(1) && newest.previous == before.value {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Corrupt).with_field("wal").with_context(
        "the WAL beside the file was left by another copy of the store: move the file that ends in \
         -wal away, and the one that ends in -shm",
    ))
}

/// Sets whether the connection leaves the WAL as it is when it is closed. Otherwise SQLite writes it
/// into the file.
pub(crate) fn keep_wal(connection: &Connection, keeps: bool) -> Result<()> {
    let set = connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, keeps);
    set.map(drop).map_err(sqlite("opening the file"))
}
