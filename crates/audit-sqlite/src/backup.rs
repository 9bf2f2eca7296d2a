//! A copy of the file, taken while others write.

use std::path::Path;

use audit_core::{Error, ErrorKind, Result};
use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};

use crate::error::{io, sqlite};
use crate::read::Snapshot;

impl Snapshot<'_> {
    /// Copies the file, as this snapshot sees it, to `to`. The copy appears there when it is
    /// complete and on the disk.
    ///
    /// # Errors
    /// [`Conflict`](ErrorKind::Conflict) if a file exists there.
    pub(crate) fn copy_to(&self, to: &Path) -> Result<()> {
        const CONTEXT: &str = "writing the copy";
        if to.exists() {
            return Err(taken());
        }
        let directory = to.parent().unwrap_or(to);
        // Readable by its owner only, and removed on an error.
        let part = tempfile::Builder::new()
            .prefix(".audit-backup-")
            .tempfile_in(directory)
            .map_err(io(CONTEXT))?;
        let mut copy = Connection::open(part.path()).map_err(sqlite(CONTEXT))?;
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
        copy.close().map_err(|(_, error)| sqlite(CONTEXT)(error))?;
        part.as_file().sync_all().map_err(io(CONTEXT))?;
        part.persist_noclobber(to).map_err(|error| match error.error.kind() {
            std::io::ErrorKind::AlreadyExists => taken(),
            _ => io(CONTEXT)(error.error),
        })?;
        sync_directory(directory).map_err(io(CONTEXT))
    }
}

fn taken() -> Error {
    Error::new(ErrorKind::Conflict).with_field("to").with_context("the file exists")
}

/// Makes the name of a new file durable.
#[cfg(unix)]
fn sync_directory(directory: &Path) -> std::io::Result<()> {
    std::fs::File::open(directory)?.sync_all()
}

#[cfg(not(unix))]
fn sync_directory(_: &Path) -> std::io::Result<()> {
    Ok(())
}
