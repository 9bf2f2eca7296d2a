//! Checkpoints that were kept apart from the store.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use audit_core::Log;
use audit_merkle::{SignedCheckpoint, TreeHead};
use clap::Args;

use crate::error::{CliError, Result};
use crate::verifier::VerifierKey;

/// The options for kept checkpoints, and the key that must have signed them.
#[derive(Debug, Args)]
pub(crate) struct Kept {
    /// A kept checkpoint; may be repeated.
    #[arg(long = "checkpoint", value_name = "FILE", requires = "key")]
    files: Vec<PathBuf>,
    /// A directory of kept checkpoints: its files that end in `.checkpoint`.
    #[arg(long, value_name = "DIR", requires = "key")]
    checkpoints: Option<PathBuf>,
    /// The verifier key, printed by `audit checkpoint-key`.
    #[arg(long, visible_alias = "verifier", value_name = "KEY")]
    key: Option<VerifierKey>,
}

/// The heads of verified checkpoints, by log.
pub(crate) type Heads = BTreeMap<Log, Vec<TreeHead>>;

impl Kept {
    /// Returns `true` if checkpoints are given, or a directory, which may have none.
    pub(crate) fn is_given(&self) -> bool {
        self.checkpoints.is_some() || !self.files.is_empty()
    }

    /// Reads and verifies the checkpoints that are given one by one.
    pub(crate) fn files(&self) -> Result<Heads> {
        let mut heads = Heads::new();
        self.add(&self.files, &mut heads)?;
        Ok(heads)
    }

    /// Adds the checkpoints of the directory.
    pub(crate) fn add_directory(&self, heads: &mut Heads) -> Result<()> {
        let listed = self.checkpoints.as_deref().map(list).transpose()?;
        self.add(&listed.unwrap_or_default(), heads)
    }

    fn add(&self, paths: &[PathBuf], heads: &mut Heads) -> Result<()> {
        for path in paths {
            let (log, head) = self.one(path)?;
            heads.entry(log).or_default().push(head);
        }
        Ok(())
    }

    /// Reads and verifies the checkpoint in a file. Returns its log and its head.
    pub(crate) fn one(&self, path: &Path) -> Result<(Log, TreeHead)> {
        let Some(key) = &self.key else { return Err(CliError::new("--key is not given")) };
        let signed = checkpoint(path)?;
        let (name, origin) = (path.display(), signed.unverified().origin());
        let Some(log) = key.log_of(origin) else {
            let what =
                format!("{name} is a checkpoint of {origin}, but the key is of {}", key.name());
            return Err(CliError::new(what));
        };
        let verified = key.of(log).verify(&signed);
        let verified = verified.map_err(|error| {
            CliError::from_source(format!("{name} is not signed by the key"), error)
        })?;
        Ok((log, *verified.head()))
    }
}

/// Reads the checkpoint in a file without verifying it.
pub(crate) fn checkpoint(path: &Path) -> Result<SignedCheckpoint> {
    let name = path.display();
    let text = fs::read_to_string(path)
        .map_err(|error| CliError::from_source(format!("cannot read {name}"), error))?;
    text.parse().map_err(|error: audit_core::Error| {
        CliError::from_source(format!("{name} is not a checkpoint"), error)
    })
}

fn list(directory: &Path) -> Result<Vec<PathBuf>> {
    let read = || {
        let paths = fs::read_dir(directory)?.map(|entry| entry.map(|entry| entry.path()));
        let mut paths = paths.collect::<std::io::Result<Vec<_>>>()?;
        paths.retain(|path| path.extension().is_some_and(|end| end == "checkpoint"));
        paths.sort();
        Ok(paths)
    };
    read().map_err(|error: std::io::Error| {
        CliError::from_source(format!("cannot read {}", directory.display()), error)
    })
}
