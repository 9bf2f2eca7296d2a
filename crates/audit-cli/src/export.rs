//! `audit export`: all events of a log as a file.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use audit_core::{AuditStore, AuditStoreExt as _, Order, Query};
use clap::ValueEnum;
use futures_util::TryStreamExt as _;
use tempfile::NamedTempFile;

use crate::address::StoreAddress;
use crate::failure::{Failure, Result};
use crate::list::PAGE;
use crate::output::Output;
use crate::selection::Selection;
use crate::signals::Signals;
use crate::tenant;

mod csv;

/// Exports the events of a log, by their numbers, as of when it begins.
///
/// JSON Lines are exact: `audit import --from native` reads them back. CSV (RFC 4180, with a
/// header) is for spreadsheets: absent and empty texts are both empty cells, nested values are JSON
/// texts, and a cell that a spreadsheet could take for a formula, because it begins with = + - @,
/// their full-width forms, a tab or a line break, or with white space before one of them, has an
/// apostrophe before it.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    selection: Selection,
    /// The format.
    #[arg(long, value_enum)]
    format: FormatName,
    /// The file, which must not exist; it is there when all of it is on the disk. Without it, the
    /// standard output.
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  audit export --organization ID --format jsonl --output acme.jsonl
  audit export --organization ID --format csv --since 2026-01-01T00:00:00Z > january.csv
  audit export --organization platform --format jsonl | gzip > platform.jsonl.gz";

#[derive(Clone, Copy, Debug, ValueEnum)]
enum FormatName {
    /// JSON Lines: an event a line.
    Jsonl,
    /// Comma-separated values: an event a row.
    Csv,
}

impl Arguments {
    pub(crate) async fn run(&self, address: &StoreAddress) -> Result<()> {
        let query = self.selection.query().order(Order::Sequence).limit(PAGE);
        query.validate()?;
        let file = self.output.as_deref().map(NewFile::create).transpose()?;
        let store = address.open_existing()?;
        tenant::readable(&*store, address, self.selection.log()).await?;
        let Some(file) = file else {
            return self.write(&*store, query, Output::stdout()).await;
        };
        let mut signals = Signals::listen()?;
        tokio::select! {
            written = self.write(&*store, query, Output::to(file.temporary.as_file())) => written?,
            () = signals.recv() => return Err(Failure::new("interrupted; no file was written")),
        }
        file.publish()
    }

    async fn write(
        &self,
        store: &dyn AuditStore,
        query: Query,
        mut output: Output<'_>,
    ) -> Result<()> {
        let mut events = store.walk(query);
        match self.format {
            FormatName::Jsonl => {
                while let Some(event) = events.try_next().await? {
                    output.json(&event)?;
                }
            }
            FormatName::Csv => {
                let mut rows = csv::Rows::begin(&mut output)?;
                while let Some(event) = events.try_next().await? {
                    rows.write(&event)?;
                }
                rows.end()?;
            }
        }
        output.hand_on()
    }
}

/// A file that is there whole, or not at all. Only its owner can read it.
#[derive(Debug)]
struct NewFile {
    path: PathBuf,
    temporary: NamedTempFile,
}

impl NewFile {
    fn create(path: &Path) -> Result<Self> {
        if path.symlink_metadata().is_ok() {
            return Err(taken(path));
        }
        let temporary = NamedTempFile::with_prefix_in(".audit-export-", directory(path));
        let temporary = temporary.map_err(|error| unwritable(path, error))?;
        Ok(Self { path: path.to_owned(), temporary })
    }

    fn publish(self) -> Result<()> {
        let Self { path, mut temporary } = self;
        let synced = temporary.flush().and_then(|()| temporary.as_file().sync_all());
        synced.map_err(|error| unwritable(&path, error))?;
        temporary.persist_noclobber(&path).map_err(|error| match error.error.kind() {
            std::io::ErrorKind::AlreadyExists => taken(&path),
            _ => unwritable(&path, error.error),
        })?;
        // So that its name is on the disk, too, where directories can be synced.
        #[cfg(unix)]
        std::fs::File::open(directory(&path))
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

fn taken(path: &Path) -> Failure {
    Failure::new(format!("{} is there already", path.display())).hint("name a new file")
}

fn unwritable(path: &Path, error: std::io::Error) -> Failure {
    Failure::about(format!("cannot write {}", path.display()), error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_came_meanwhile_is_kept() {
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
