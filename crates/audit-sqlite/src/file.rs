//! The files that a store has open, and whether they are still those at its path.

use std::fs::Metadata;
use std::io;
use std::path::{Path, PathBuf};

use audit_core::{Error, ErrorKind, Result};
use rusqlite::Connection;

use crate::error;

/// The identity of a file, whatever path leads to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FileId {
    #[cfg(unix)]
    device: u64,
    #[cfg(unix)]
    inode: u64,
    #[cfg(not(unix))]
    path: PathBuf,
}

impl FileId {
    /// Reads the identity of the file at `path`. Does not open the file, because closing it again
    /// would drop SQLite's locks on it.
    #[cfg(unix)]
    pub(crate) fn of(path: &Path) -> io::Result<Self> {
        Ok(Self::from_metadata(&std::fs::metadata(path)?))
    }

    /// Resolves the canonical path of the file at `path`.
    #[cfg(not(unix))]
    pub(crate) fn of(path: &Path) -> io::Result<Self> {
        Ok(Self { path: path.canonicalize()? })
    }

    #[cfg(unix)]
    fn from_metadata(metadata: &Metadata) -> Self {
        use std::os::unix::fs::MetadataExt as _;

        Self { device: metadata.dev(), inode: metadata.ino() }
    }

    /// Returns `true` if this is the file at `path`, which has this metadata.
    #[cfg(unix)]
    fn is_at(&self, _: &Path, metadata: &Metadata) -> bool {
        *self == Self::from_metadata(metadata)
    }

    #[cfg(not(unix))]
    fn is_at(&self, path: &Path, _: &Metadata) -> bool {
        Self::of(path).is_ok_and(|file| file == *self)
    }

    /// Returns `true` if `connection` has this file open as its main database.
    pub(crate) fn is_of(&self, connection: &Connection) -> bool {
        let path = connection.path().filter(|path| !path.is_empty());
        path.is_some_and(|path| Self::of(Path::new(path)).is_ok_and(|file| file == *self))
    }
}

/// The database file that a store has open, its WAL and the shared memory of the WAL. SQLite goes on
/// writing to them when they are moved, removed or replaced, and nobody finds what it writes.
#[derive(Debug)]
pub(crate) struct OpenFiles {
    id: FileId,
    files: Vec<(PathBuf, FileId)>,
    is_written: bool,
}

/// The names of the files beside the database file that SQLite keeps while it is open.
const BESIDE: [&str; 2] = ["-wal", "-shm"];

impl OpenFiles {
    /// Returns the files of the database at `path`, which must be canonical, and open in WAL mode.
    ///
    /// # Errors
    /// [`Unavailable`](ErrorKind::Unavailable) if a file is missing.
    pub(crate) fn of(path: &Path) -> Result<Self> {
        let mut open = Self { is_written: true, ..Self::of_read_only(path)? };
        for path in BESIDE.map(|end| beside(path, end)) {
            let id = FileId::of(&path).map_err(error::path)?;
            open.files.push((path, id));
        }
        Ok(open)
    }

    /// Returns the file of a database that is only read.
    pub(crate) fn of_read_only(path: &Path) -> Result<Self> {
        let id = FileId::of(path).map_err(error::path)?;
        let files = vec![(path.to_owned(), id.clone())];
        Ok(Self { id, files, is_written: false })
    }

    /// Returns the identity of the database file.
    pub(crate) fn id(&self) -> &FileId {
        &self.id
    }

    /// Checks that each file is still the one at its path, under no other name. It costs three calls
    /// of `lstat`.
    ///
    /// # Errors
    /// [`Unavailable`](ErrorKind::Unavailable) otherwise. It ends when the files are put back.
    pub(crate) fn check(&self) -> Result<()> {
        for (path, opened) in &self.files {
            let metadata = std::fs::symlink_metadata(path).map_err(gone)?;
            if !opened.is_at(path, &metadata) {
                let error = Error::new(ErrorKind::Unavailable).with_context(
                    "another file is at the path of the store, or of its WAL, which is still open",
                );
                return Err(error);
            }
            if self.is_written {
                one_name(&metadata)?;
            }
        }
        Ok(())
    }
}

/// Returns the path of the file beside `path` whose name ends in `end`.
pub(crate) fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}

fn gone(source: io::Error) -> Error {
    Error::new(ErrorKind::Unavailable)
        .with_context("the file of the store, or its WAL, is no longer at its path")
        .with_source(source)
}

/// Checks that what is at `path`, if anything, is a file and no directory or pipe.
///
/// # Errors
/// [`Unavailable`](ErrorKind::Unavailable) otherwise.
pub(crate) fn require_file(path: &Path) -> Result<()> {
    if std::fs::metadata(path).is_ok_and(|metadata| !metadata.is_file()) {
        let error = Error::new(ErrorKind::Unavailable);
        return Err(error.with_context("the path of the store is not that of a file"));
    }
    Ok(())
}

/// Checks that the file at `path`, if there is one, has no other name: SQLite would keep a WAL for
/// each name.
///
/// # Errors
/// [`Unavailable`](ErrorKind::Unavailable) otherwise.
pub(crate) fn require_one_name(path: &Path) -> Result<()> {
    std::fs::metadata(path).map_or(Ok(()), |metadata| one_name(&metadata))
}

fn one_name(metadata: &Metadata) -> Result<()> {
    if !has_another_name(metadata) {
        return Ok(());
    }
    let error = Error::new(ErrorKind::Unavailable);
    Err(error.with_context("the file of the store has another name, a hard link"))
}

#[cfg(unix)]
fn has_another_name(metadata: &Metadata) -> bool {
    std::os::unix::fs::MetadataExt::nlink(metadata) > 1
}

#[cfg(not(unix))]
fn has_another_name(_: &Metadata) -> bool {
    false
}
