//! Unfinished files: written under a temporary name, beside their final one. They do not outlive a
//! process that is killed for long: the next one that creates such a file deletes them.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use tempfile::NamedTempFile;

/// Creates an unfinished file in `directory`, whose name begins with `prefix`, and deletes those of
/// processes that are gone. It is readable by its owner only, and deleted when it is dropped. Its
/// lock shows that its process lives.
pub(crate) fn create(directory: &Path, prefix: &str) -> io::Result<NamedTempFile> {
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
            Ok(()) | Err(fs::TryLockError::Error(_)) => return Ok(file),
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_abandoned_files_are_deleted() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        let first = create(directory.path(), ".part-").unwrap();
        fs::write(at(".part-abandoned"), "").unwrap();
        fs::write(at(".other"), "").unwrap();
        fs::create_dir(at(".part-directory")).unwrap();
        let second = create(directory.path(), ".part-").unwrap();
        assert!(first.path().exists() && second.path().exists());
        assert!(!at(".part-abandoned").exists());
        assert!(at(".other").exists() && at(".part-directory").exists());
        drop((first, second));
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 2);
    }
}
