//! Files that the program creates.

use std::fs::File;
use std::path::{Path, PathBuf};

use audit_files::{UnfinishedFile, directory_of};

use crate::error::{CliError, Result};

/// A file that appears under its name only when it is complete. Only its owner can read it.
#[derive(Debug)]
pub(crate) struct NewFile {
    path: PathBuf,
    unfinished: UnfinishedFile,
}

impl NewFile {
    /// Creates a temporary file beside `path`. Fails if `path` exists.
    pub(crate) fn create(path: &Path) -> Result<Self> {
        if path.symlink_metadata().is_ok() {
            return Err(taken(path));
        }
        let unfinished = UnfinishedFile::create(directory_of(path), ".audit-part-");
        let unfinished = unfinished.map_err(|error| unwritable(path, error))?;
        Ok(Self { path: path.to_owned(), unfinished })
    }

    /// Returns the file, for writing.
    pub(crate) fn file(&self) -> &File {
        self.unfinished.file()
    }

    /// Syncs the file and gives it its name. Fails if the name was taken meanwhile.
    pub(crate) fn publish(self) -> Result<()> {
        let Self { path, unfinished } = self;
        unfinished.publish(&path).map_err(|error| match error.kind() {
            std::io::ErrorKind::AlreadyExists => taken(&path),
            _ => unwritable(&path, error),
        })
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
