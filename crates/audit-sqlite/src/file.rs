//! The files that a store has open, and whether they are still those at its path.

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

/// The target of a symbolic link at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Links {
    /// The file to which it leads.
    Follow,
    /// Itself: it is not the file that was opened.
    Keep,
}

/// The identity of the file at a path.
struct Found {
    id: FileId,
    /// The number of names that the file has.
    names: u64,
}

impl FileId {
    /// Reads the identity of the file at `path`. Does not open the file, because closing it again
    /// would drop SQLite's locks on it.
    pub(crate) fn of(path: &Path) -> io::Result<Self> {
        Ok(Found::at(path, Links::Follow)?.id)
    }

    /// Returns `true` if `connection` has this file open as its main database.
    pub(crate) fn is_of(&self, connection: &Connection) -> bool {
        let path = connection.path().filter(|path| !path.is_empty());
        path.is_some_and(|path| Self::of(Path::new(path)).is_ok_and(|file| file == *self))
    }
}

impl Found {
    /// Returns what is at `path`.
    ///
    /// Does not ask for times. When a program has seen the time of a file, Linux (from 6.13 on) gives
    /// the next write a new one, which the next commit must write to the disk, too: an append would
    /// take a third longer.
    #[cfg(target_os = "linux")]
    fn at(path: &Path, links: Links) -> io::Result<Self> {
        use rustix::fs::{AtFlags, CWD, StatxFlags, makedev, statx};

        let flags = match links {
            Links::Follow => AtFlags::empty(),
            Links::Keep => AtFlags::SYMLINK_NOFOLLOW,
        };
        match statx(CWD, path, flags, StatxFlags::INO | StatxFlags::NLINK) {
            Ok(found) => {
                let device = makedev(found.stx_dev_major, found.stx_dev_minor);
                let id = FileId { device, inode: found.stx_ino };
                Ok(Self { id, names: found.stx_nlink.into() })
            }
            // The kernel or a sandbox does not have the call.
            Err(rustix::io::Errno::NOSYS) => Self::from_metadata(path, links),
            Err(error) => Err(error.into()),
        }
    }

    #[cfg(all(unix, not(target_os = "linux")))]
    fn at(path: &Path, links: Links) -> io::Result<Self> {
        Self::from_metadata(path, links)
    }

    #[cfg(unix)]
    fn from_metadata(path: &Path, links: Links) -> io::Result<Self> {
        use std::os::unix::fs::MetadataExt as _;

        let metadata = match links {
            Links::Follow => std::fs::metadata(path)?,
            Links::Keep => std::fs::symlink_metadata(path)?,
        };
        let id = FileId { device: metadata.dev(), inode: metadata.ino() };
        Ok(Self { id, names: metadata.nlink() })
    }

    #[cfg(not(unix))]
    fn at(path: &Path, _: Links) -> io::Result<Self> {
        Ok(Self { id: FileId { path: path.canonicalize()? }, names: 1 })
    }
}

/// The database file that a store has open, its WAL and the shared memory of the WAL. SQLite goes on
/// writing to them when they are moved, removed or replaced, and nobody finds what it writes.
#[derive(Debug)]
pub(crate) struct OpenFiles {
    id: FileId,
    /// That of the database first.
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
    /// of `statx`.
    ///
    /// # Errors
    /// [`Unavailable`](ErrorKind::Unavailable) otherwise. It ends when the files are put back.
    pub(crate) fn check(&self) -> Result<()> {
        self.check_first(self.files.len())
    }

    /// As [`OpenFiles::check`], of the database file alone, in one call of `statx`.
    pub(crate) fn check_database(&self) -> Result<()> {
        self.check_first(1)
    }

    fn check_first(&self, count: usize) -> Result<()> {
        for (path, opened) in self.files.iter().take(count) {
            let found = Found::at(path, Links::Keep).map_err(gone)?;
            if found.id != *opened {
                let error = Error::new(ErrorKind::Unavailable).with_context(
                    "another file is at the path of the store, or of its WAL, which is still open",
                );
                return Err(error);
            }
            if self.is_written {
                one_name(&found)?;
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
    Found::at(path, Links::Follow).map_or(Ok(()), |found| one_name(&found))
}

fn one_name(found: &Found) -> Result<()> {
    if found.names <= 1 {
        return Ok(());
    }
    let error = Error::new(ErrorKind::Unavailable);
    Err(error.with_context("the file of the store has another name, a hard link"))
}
