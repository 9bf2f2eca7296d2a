//! Converts SQLite's errors to the library's.

use audit_core::{Error, ErrorKind, Result};
use rusqlite::ErrorCode;

/// Returns a function that converts one of SQLite's errors, which becomes the source.
pub(crate) fn sqlite(context: &'static str) -> impl FnOnce(rusqlite::Error) -> Error {
    move |source| Error::new(kind_of(&source)).with_context(context).with_source(source)
}

fn kind_of(error: &rusqlite::Error) -> ErrorKind {
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => ErrorKind::Busy,
        Some(ErrorCode::DiskFull) => ErrorKind::StorageFull,
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => ErrorKind::ReadOnly,
        // No code means that a row does not have the types of the schema.
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) | None => ErrorKind::Corrupt,
        // The statements are fixed, so that this means a missing table.
        Some(ErrorCode::Unknown) => ErrorKind::Incompatible,
        Some(_) => ErrorKind::Unavailable,
    }
}

/// Returns the error for a store that was closed, or whose thread ended.
pub(crate) fn closed() -> Error {
    Error::new(ErrorKind::Closed)
}

/// Returns the error of a call that writes to a store that was opened for reading.
pub(crate) fn read_only() -> Error {
    Error::new(ErrorKind::ReadOnly).with_context("the store was opened for reading")
}

/// Returns the error for a path that cannot be resolved.
pub(crate) fn path(source: std::io::Error) -> Error {
    Error::new(ErrorKind::Unavailable).with_context("finding the file").with_source(source)
}

/// Returns a function that converts one of the file system's errors, which becomes the source.
pub(crate) fn io(context: &'static str) -> impl FnOnce(std::io::Error) -> Error {
    use std::io::ErrorKind as Io;
    move |source| {
        let kind = match source.kind() {
            Io::StorageFull | Io::QuotaExceeded | Io::FileTooLarge => ErrorKind::StorageFull,
            Io::ReadOnlyFilesystem | Io::PermissionDenied => ErrorKind::ReadOnly,
            _ => ErrorKind::Unavailable,
        };
        Error::new(kind).with_context(context).with_source(source)
    }
}

/// Returns the error for a row that no version of the library wrote.
pub(crate) fn damaged(source: Error) -> Error {
    Error::new(ErrorKind::Corrupt).with_context("reading a row").with_source(source)
}

/// Returns the error for a thread that could not be started.
pub(crate) fn thread(source: std::io::Error) -> Error {
    Error::new(ErrorKind::Unavailable).with_context("starting a thread").with_source(source)
}

/// Returns the outcome for one of its waiters. The first waiter gets the error with its source; the
/// others get one of the same kind, with this context.
pub(crate) fn hand_out(outcome: &mut Result<()>, context: &'static str) -> Result<()> {
    let Err(error) = outcome else { return Ok(()) };
    let again = Error::new(error.kind()).with_context(context);
    std::mem::replace(outcome, Err(again))
}
