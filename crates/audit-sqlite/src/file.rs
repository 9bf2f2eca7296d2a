//! The identity of the file that a store has open.

use std::io;
use std::path::Path;

use rusqlite::Connection;

/// The identity of a file, whatever path leads to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FileId {
    #[cfg(unix)]
    device: u64,
    #[cfg(unix)]
    inode: u64,
    #[cfg(not(unix))]
    path: std::path::PathBuf,
}

impl FileId {
    /// Reads the identity of the file at `path`. Does not open the file, because closing it again
    /// would drop SQLite's locks on it.
    #[cfg(unix)]
    pub(crate) fn of(path: &Path) -> io::Result<Self> {
        use std::os::unix::fs::MetadataExt as _;

        let metadata = std::fs::metadata(path)?;
        Ok(Self { device: metadata.dev(), inode: metadata.ino() })
    }

    /// Resolves the canonical path of the file at `path`.
    #[cfg(not(unix))]
    pub(crate) fn of(path: &Path) -> io::Result<Self> {
        Ok(Self { path: path.canonicalize()? })
    }

    /// Returns `true` if `connection` has this file open as its main database.
    pub(crate) fn is_of(&self, connection: &Connection) -> bool {
        let path = connection.path().filter(|path| !path.is_empty());
        path.is_some_and(|path| Self::of(Path::new(path)).is_ok_and(|file| file == *self))
    }
}
