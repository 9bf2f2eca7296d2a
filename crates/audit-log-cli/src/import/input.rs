//! A file of records, or the standard input.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use audit_core::Timestamp;

use crate::error::{CliError, Result};

/// A file of records, or the standard input.
pub(crate) struct Input {
    /// The name to print.
    pub(crate) name: String,
    pub(crate) reader: Box<dyn Read + Send>,
    /// The size in bytes, if it is known.
    pub(crate) bytes: Option<u64>,
    /// The time of the last change, if it is known. The events in the file occurred before it.
    pub(crate) written_at: Option<Timestamp>,
}

/// Fails if there is no file at `path`. Does not read it.
pub(crate) fn find(path: &Path) -> Result<()> {
    if !is_stdin(path) {
        path.metadata().map_err(|error| unreadable(&path.display().to_string(), error))?;
    }
    Ok(())
}

impl Input {
    /// Opens the file at `path`; `-` is the standard input.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        if is_stdin(path) {
            let reader = Box::new(io::stdin());
            return Ok(Self { name: "-".to_owned(), reader, bytes: None, written_at: None });
        }
        let name = path.display().to_string();
        let opened = File::open(path).and_then(|file| Ok((file.metadata()?, file)));
        let (metadata, file) = opened.map_err(|error| unreadable(&name, error))?;
        let (mut bytes, mut written_at) = (None, None);
        if metadata.is_file() {
            bytes = Some(metadata.len());
            let modified = metadata.modified().ok();
            written_at = modified.and_then(|time| Timestamp::try_from(time).ok());
        }
        Ok(Self { name, reader: Box::new(file), bytes, written_at })
    }
}

fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// Returns the error for an input that cannot be read.
pub(crate) fn unreadable(name: &str, error: io::Error) -> CliError {
    CliError::from_source(format!("cannot read {name}"), error)
}
