//! SQLite's errors in the terms of the library.

use audit_core::{Error, ErrorKind};
use rusqlite::ErrorCode;

/// The library's error for one of SQLite's, which it keeps as the source.
pub(crate) fn sqlite(context: &'static str) -> impl FnOnce(rusqlite::Error) -> Error {
    move |source| Error::new(kind_of(&source)).with_context(context).with_source(source)
}

fn kind_of(error: &rusqlite::Error) -> ErrorKind {
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => ErrorKind::Busy,
        Some(ErrorCode::DiskFull) => ErrorKind::StorageFull,
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => ErrorKind::ReadOnly,
        // None is a row of another shape than the schema's.
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) | None => ErrorKind::Corrupt,
        // Of fixed statements it says that a table is not there.
        Some(ErrorCode::Unknown) => ErrorKind::Incompatible,
        Some(_) => ErrorKind::Unavailable,
    }
}

/// The store has been closed, or its thread is gone.
pub(crate) fn closed() -> Error {
    Error::new(ErrorKind::Closed)
}

/// The path is none.
pub(crate) fn path(source: std::io::Error) -> Error {
    Error::new(ErrorKind::Unavailable).with_context("finding the file").with_source(source)
}

/// The library's error for one of the file system's, which it keeps as the source.
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

/// What a row holds is not what any version wrote.
pub(crate) fn damaged(source: Error) -> Error {
    Error::new(ErrorKind::Corrupt).with_context("reading a row").with_source(source)
}

/// A thread could not be started.
pub(crate) fn thread(source: std::io::Error) -> Error {
    Error::new(ErrorKind::Unavailable).with_context("starting a thread").with_source(source)
}
