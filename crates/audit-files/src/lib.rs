//! Files that appear under their name only when they are complete and on the disk.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use tempfile::NamedTempFile;

/// A file that is written under a temporary name, beside its final one. It is readable by its owner
/// only, and deleted when it is dropped.
///
/// It does not outlive a process that is killed for long: the next one that creates such a file deletes
/// it.
///
/// ```
/// use std::io::Write as _;
/// use audit_files::UnfinishedFile;
///
/// # fn main() -> std::io::Result<()> {
/// # let directory = tempfile::tempdir()?;
/// let file = UnfinishedFile::create(directory.path(), ".report-")?;
/// file.file().write_all(b"complete")?;
/// file.publish(&directory.path().join("report"))?;
/// assert_eq!(std::fs::read(directory.path().join("report"))?, b"complete");
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct UnfinishedFile(NamedTempFile);

impl UnfinishedFile {
    /// Creates a file in `directory`, whose name begins with `prefix`, and deletes those of processes
    /// that are gone. Its lock shows that its process lives.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn create(directory: &Path, prefix: &str) -> io::Result<Self> {
        for entry in fs::read_dir(directory)?.flatten() {
            let is_unfinished = entry.file_name().as_encoded_bytes().starts_with(prefix.as_bytes());
            if is_unfinished && entry.file_type().is_ok_and(|kind| kind.is_file()) {
                delete_abandoned(&entry.path());
            }
        }
        loop {
            let file = tempfile::Builder::new().prefix(prefix).tempfile_in(directory)?;
            match file.as_file().try_lock() {
                // Another process took the new file for an abandoned one before it was locked.
                Err(fs::TryLockError::WouldBlock) => {}
                _ if !file.path().exists() => {}
                // A file system without locks does not show which files are abandoned: none is deleted.
                Ok(()) | Err(fs::TryLockError::Error(_)) => return Ok(Self(file)),
            }
        }
    }

    /// Returns the temporary name.
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Returns the file, for writing.
    pub fn file(&self) -> &File {
        self.0.as_file()
    }

    /// Syncs the file and gives it the name `path`, in the directory in which it was created.
    ///
    /// # Errors
    /// [`AlreadyExists`](io::ErrorKind::AlreadyExists) if there is a file; it is kept. Those of the file
    /// system.
    pub fn publish(self, path: &Path) -> io::Result<()> {
        self.file().sync_all()?;
        self.0.persist_noclobber(path)?;
        sync_directory(directory_of(path))
    }

    /// Syncs the file and gives it the name `path`, in the directory in which it was created. Replaces a
    /// file that is there: a reader sees the old one or the new one.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn replace(self, path: &Path) -> io::Result<()> {
        self.file().sync_all()?;
        self.0.persist(path)?;
        sync_directory(directory_of(path))
    }
}

/// Returns the directory of the file at `path`.
pub fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Deletes the file if no process has its lock. A failure is left to the next call.
fn delete_abandoned(path: &Path) {
    if let Ok(file) = File::open(path)
        && file.try_lock().is_ok()
    {
        let _ = fs::remove_file(path);
    }
}

/// Makes the name of a file durable.
#[cfg(unix)]
fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

/// A directory cannot be synced here. A rename is durable by itself, or cannot be made so.
#[cfg(not(unix))]
fn sync_directory(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // a test that cannot set itself up fails
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn only_abandoned_files_are_deleted() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        let first = UnfinishedFile::create(directory.path(), ".part-").unwrap();
        fs::write(at(".part-abandoned"), "").unwrap();
        fs::write(at(".other"), "").unwrap();
        fs::create_dir(at(".part-directory")).unwrap();
        let second = UnfinishedFile::create(directory.path(), ".part-").unwrap();
        assert!(first.path().exists() && second.path().exists());
        assert!(!at(".part-abandoned").exists());
        assert!(at(".other").exists() && at(".part-directory").exists());
        drop((first, second));
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 2);
    }

    #[test]
    fn a_file_is_published_once_and_replaced_on_demand() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("out");
        let create = |content: &str| {
            let file = UnfinishedFile::create(directory.path(), ".part-").unwrap();
            file.file().write_all(content.as_bytes()).unwrap();
            file
        };
        create("first").publish(&path).unwrap();
        let error = create("second").publish(&path).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read_to_string(&path).unwrap(), "first");
        create("third").replace(&path).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "third");
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 1);
    }
}
