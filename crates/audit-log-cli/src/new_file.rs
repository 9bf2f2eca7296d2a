//! Files that the program creates.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::error::{CliError, Result};
use crate::unfinished;

/// A file that appears under its name only when it is complete. Only its owner can read it.
#[derive(Debug)]
pub(crate) struct NewFile {
    path: PathBuf,
    temporary: NamedTempFile,
}

impl NewFile {
    /// Creates a temporary file beside `path`. Fails if `path` exists.
    pub(crate) fn create(path: &Path) -> Result<Self> {
        if path.symlink_metadata().is_ok() {
            return Err(taken(path));
        }
        let temporary = unfinished::create(directory(path), ".audit-part-");
        let temporary = temporary.map_err(|error| unwritable(path, error))?;
        Ok(Self { path: path.to_owned(), temporary })
    }

    /// Returns the file, for writing.
    pub(crate) fn file(&self) -> &File {
        self.temporary.as_file()
    }

    /// Syncs the file and gives it its name. Fails if the name was taken meanwhile.
    pub(crate) fn publish(self) -> Result<()> {
        let Self { path, mut temporary } = self;
        let synced = temporary.flush().and_then(|()| temporary.as_file().sync_all());
        synced.map_err(|error| unwritable(&path, error))?;
        temporary.persist_noclobber(&path).map_err(|error| match error.error.kind() {
            std::io::ErrorKind::AlreadyExists => taken(&path),
            _ => unwritable(&path, error.error),
        })?;
        // Syncs the directory entry too, where directories can be synced.
        #[cfg(unix)]
        File::open(directory(&path))
            .and_then(|directory| directory.sync_all())
            .map_err(|error| unwritable(&path, error))?;
        Ok(())
    }
}

fn directory(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

fn taken(path: &Path) -> CliError {
    CliError::new(format!("{} already exists", path.display())).hint("give the name of a new file")
}

fn unwritable(path: &Path, error: std::io::Error) -> CliError {
    CliError::from_source(format!("cannot write {}", path.display()), error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_created_meanwhile_is_kept() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("out");
        let file = NewFile::create(&path).unwrap();
        std::fs::write(&path, "another's").unwrap();
        assert!(NewFile::create(&path).is_err());
        assert!(file.publish().is_err());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "another's");
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
    }
}
