//! Converts PostgreSQL's errors to the library's.

use audit_core::{Error, ErrorKind};
use deadpool_postgres::{PoolError, TimeoutType};
use tokio_postgres::error::SqlState;

/// Returns a function that converts one of the driver's errors, which becomes the source.
pub(crate) fn postgres(context: &'static str) -> impl FnOnce(tokio_postgres::Error) -> Error {
    move |source| Error::new(kind_of(&source)).with_context(context).with_source(source)
}

/// Returns what the server's error means. An error without a code is one of the connection.
fn kind_of(error: &tokio_postgres::Error) -> ErrorKind {
    let Some(state) = error.code() else { return ErrorKind::Unavailable };
    // The first two characters of a code are its class.
    match (state.code().get(..2), state) {
        (_, &SqlState::LOCK_NOT_AVAILABLE) | (Some("40"), _) => ErrorKind::Busy,
        (_, &SqlState::DISK_FULL | &SqlState::OUT_OF_MEMORY) => ErrorKind::StorageFull,
        (_, &SqlState::READ_ONLY_SQL_TRANSACTION | &SqlState::INSUFFICIENT_PRIVILEGE) => {
            ErrorKind::ReadOnly
        }
        // The statements are fixed, so that these mean other tables than those of the library.
        (Some("42" | "3F"), _) => ErrorKind::Incompatible,
        // A row that cannot be there, because somebody edited the tables, or that cannot be read.
        (Some("22" | "23"), _) | (_, &SqlState::DATA_CORRUPTED | &SqlState::INDEX_CORRUPTED) => {
            ErrorKind::Corrupt
        }
        _ => ErrorKind::Unavailable,
    }
}

/// Converts an error of the pool.
pub(crate) fn pool(error: PoolError) -> Error {
    const CONTEXT: &str = "connecting";
    match error {
        PoolError::Backend(source) => connecting(source),
        PoolError::Timeout(TimeoutType::Wait) => all_in_use().with_source(error),
        PoolError::Closed => closed(),
        _ => Error::new(ErrorKind::Unavailable).with_context(CONTEXT).with_source(error),
    }
}

/// Returns the error of a call that waited too long for a connection.
pub(crate) fn all_in_use() -> Error {
    Error::new(ErrorKind::Busy).with_context("waiting for a connection: all are in use")
}

/// Converts an error of a new connection. Only the server's refusal of the caller is final.
pub(crate) fn connecting(source: tokio_postgres::Error) -> Error {
    Error::new(ErrorKind::Unavailable).with_context("connecting").with_source(source)
}

/// Returns the error for a server that is connected and does not answer. Its connection is closed then.
pub(crate) fn silent() -> Error {
    Error::new(ErrorKind::Unavailable).with_context("the server does not answer")
}

/// Returns the error for a store that was closed, or whose thread ended.
pub(crate) fn closed() -> Error {
    Error::new(ErrorKind::Closed)
}

/// Returns the error of a call that writes to a store that was opened for reading.
pub(crate) fn read_only() -> Error {
    Error::new(ErrorKind::ReadOnly).with_context("the store was opened for reading")
}

/// Returns the error for a row that no version of the library wrote.
pub(crate) fn damaged(source: Error) -> Error {
    Error::new(ErrorKind::Corrupt).with_context("reading a row").with_source(source)
}

/// Returns the error for a missing or impossible row.
pub(crate) fn corrupt(context: &'static str) -> Error {
    Error::new(ErrorKind::Corrupt).with_context(context)
}

/// Returns the error for a thread that could not be started.
pub(crate) fn thread(source: std::io::Error) -> Error {
    Error::new(ErrorKind::Unavailable).with_context("starting a thread").with_source(source)
}

/// Returns the error for a task that panicked, or that the end of the store cut off.
pub(crate) fn task(source: tokio::task::JoinError) -> Error {
    if source.is_cancelled() {
        return closed();
    }
    Error::new(ErrorKind::Unavailable)
        .with_context("a task of the store ended early")
        .with_source(source)
}
