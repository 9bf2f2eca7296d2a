//! A copy of the file, taken while others write.

use std::path::Path;
use std::time::Duration;

use audit_core::{Error, ErrorKind, Result};
use audit_files::{UnfinishedFile, directory_of};
use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};

use crate::error::{io, sqlite};
use crate::file::{beside, require_file};
use crate::read::Snapshot;
use crate::{marks, schema};

const CONTEXT: &str = "writing the copy";

impl Snapshot<'_> {
    /// Copies the file, as this snapshot sees it, to `to`. The copy appears there when it is
    /// complete and on the disk.
    ///
    /// # Errors
    /// [`Conflict`](ErrorKind::Conflict) if a file exists there.
    pub(crate) fn copy_to(&self, to: &Path) -> Result<()> {
        if to.symlink_metadata().is_ok() || beside_are_files(to) {
            return Err(taken());
        }
        self.unfinished(to)?.publish(to).map_err(|error| match error.kind() {
            std::io::ErrorKind::AlreadyExists => taken(),
            _ => io(CONTEXT)(error),
        })
    }

    /// Copies the file, as this snapshot sees it, over the store at `to`, and removes the WAL of
    /// that store.
    ///
    /// # Errors
    /// [`Busy`](ErrorKind::Busy) if somebody has that store open. [`Conflict`](ErrorKind::Conflict)
    /// if it is the database of another application.
    pub(crate) fn copy_over(&self, to: &Path) -> Result<()> {
        // The file itself, not a link to it.
        let to = &to.canonicalize().unwrap_or_else(|_| to.to_owned());
        let copy = self.unfinished(to)?;
        // Until the end, so that nobody opens the old file and gives the new one its WAL.
        let _old = Replaced::lock(to)?;
        for path in BESIDE.map(|end| beside(to, end)) {
            match std::fs::remove_file(path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(io(CONTEXT)(error));
                }
                _ => {}
            }
        }
        copy.replace(to).map_err(io(CONTEXT))
    }

    /// Returns a complete copy, on the disk, under a temporary name beside `to`.
    fn unfinished(&self, to: &Path) -> Result<UnfinishedFile> {
        let unfinished = UnfinishedFile::create(directory_of(to), ".audit-backup-");
        let unfinished = unfinished.map_err(io(CONTEXT))?;
        let mut copy = Connection::open(unfinished.path()).map_err(sqlite(CONTEXT))?;
        let write = |copy: &mut Connection| {
            // The copy needs no journal: it is not visible before it is complete.
            copy.pragma_update(None, "synchronous", "off")?;
            copy.pragma_update(None, "journal_mode", "off")?;
            Backup::new(self.connection, copy)?.step(-1)
        };
        match write(&mut copy).map_err(sqlite(CONTEXT))? {
            StepResult::Done => {}
            _ => return Err(Error::new(ErrorKind::Busy).with_context(CONTEXT)),
        }
        // So that no WAL of the original seems to continue the copy.
        marks::begin(&copy)?;
        copy.close().map_err(|(_, error)| sqlite(CONTEXT)(error))?;
        // Before anything of another store is removed.
        unfinished.file().sync_all().map_err(io(CONTEXT))?;
        Ok(unfinished)
    }
}

/// The files that SQLite keeps beside a database.
const BESIDE: [&str; 3] = ["-wal", "-shm", "-journal"];

/// Returns `true` if a WAL or a journal is at `path`, which SQLite would play into a file there.
fn beside_are_files(path: &Path) -> bool {
    BESIDE.iter().any(|end| beside(path, end).symlink_metadata().is_ok())
}

/// A store that is being replaced, locked so that nobody can open it.
struct Replaced {
    _connection: Option<Connection>,
}

impl Replaced {
    fn lock(path: &Path) -> Result<Self> {
        require_file(path)?;
        if !path.exists() {
            return Ok(Self { _connection: None });
        }
        match lock_store(path) {
            Ok(connection) => Ok(Self { _connection: Some(connection) }),
            // SQLite cannot lock a file that is no database. Who has it open notices that it is
            // replaced.
            Err(error) if error.kind() == ErrorKind::Corrupt => Ok(Self { _connection: None }),
            Err(error) => Err(error),
        }
    }
}

fn lock_store(path: &Path) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(sqlite(CONTEXT))?;
    connection.busy_timeout(Duration::ZERO).map_err(sqlite(CONTEXT))?;
    let is_empty = std::fs::metadata(path).is_ok_and(|metadata| metadata.len() == 0);
    if !is_empty && !schema::has_tables(&connection)? {
        let error = Error::new(ErrorKind::Conflict).with_field("to");
        return Err(error.with_context("the file is a database without the tables of a store"));
    }
    let lock = || {
        // Writes the WAL back and removes it. Succeeds only if no other connection is open.
        connection.pragma_update_and_check(None, "journal_mode", "delete", |_| Ok(()))?;
        connection.execute_batch("BEGIN EXCLUSIVE")
    };
    let busy = |error: Error| match error.kind() {
        ErrorKind::Busy => error.with_context("the store is open elsewhere: stop the service"),
        _ => error,
    };
    lock().map_err(sqlite(CONTEXT)).map_err(busy)?;
    Ok(connection)
}

fn taken() -> Error {
    Error::new(ErrorKind::Conflict).with_field("to").with_context("the file exists")
}
