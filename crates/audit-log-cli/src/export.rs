//! `audit export`: the events of a log as a file.

use std::path::PathBuf;

use audit_core::{AuditStoreExt as _, EventQuery, Order};
use clap::ValueEnum;
use futures_util::TryStreamExt as _;

use crate::address::{Store, StoreAddress};
use crate::error::{CliError, Result};
use crate::list::PAGE;
use crate::new_file::NewFile;
use crate::output::Output;
use crate::selection::Selection;
use crate::signals::Signals;
use crate::tenant;

mod csv;

/// Exports the events of a log in the order of their sequence, as of the start of the export.
///
/// JSON Lines are exact: `audit import --from native` reads them back. CSV (RFC 4180, with a
/// header) is for spreadsheets. Absent and empty texts are both empty cells, and nested values are
/// JSON. A cell that a spreadsheet could interpret as a formula is prefixed with an apostrophe: one
/// that begins with = + - @, a full-width form of these, a tab or a line break, also after white
/// space.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    selection: Selection,
    /// The format.
    #[arg(long, value_enum)]
    format: FormatName,
    /// The file, which must not exist. It appears when the export is complete. The standard output
    /// by default.
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
    /// JSON Lines: one event a line.
    Jsonl,
    /// Comma-separated values: one event a row.
    Csv,
}

impl Arguments {
    pub(crate) async fn run(&self, address: &StoreAddress) -> Result<()> {
        let query = self.selection.query()?.order(Order::Sequence).limit(PAGE);
        query.validate()?;
        let file = self.output.as_deref().map(NewFile::create).transpose()?;
        let store = address.open_for_reading()?;
        tenant::readable(&*store, address, self.selection.log()).await?;
        let Some(file) = file else {
            return self.write(&*store, query, Output::stdout()).await;
        };
        let mut signals = Signals::listen()?;
        tokio::select! {
            written = self.write(&*store, query, Output::to(file.file())) => written?,
            () = signals.recv() => return Err(CliError::new("interrupted: no file was written")),
        }
        file.publish()
    }

    async fn write(
        &self,
        store: &dyn Store,
        query: EventQuery,
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
        output.flush()
    }
}
