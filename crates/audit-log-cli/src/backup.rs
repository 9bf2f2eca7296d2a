//! `audit backup`: copies the store while it is served.

use std::path::PathBuf;

use crate::address::StoreAddress;
use crate::error::{CliError, Result};
use crate::output::report;
use crate::progress;

/// Copies the store to a new file, also while a service has it open.
///
/// The copy holds every event that was acknowledged before. It appears when it is complete. It is a
/// store, with the secrets of this one: keep it as safe. Do not copy the file of a store that is open
/// by other means: the newest events are in the file beside it that ends in -wal. `audit restore`
/// puts a backup back.
///
/// A database is copied with `pg_basebackup` or `pg_dump`: see docs/postgres.md.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The file of the copy, which must not exist.
    file: PathBuf,
}

const EXAMPLES: &str = "\
Examples:
  audit backup monday.db
  audit --store sqlite:/srv/audit.db backup /mnt/backups/$(date +%F).db";

impl Arguments {
    pub(crate) async fn run(&self, address: &StoreAddress) -> Result<()> {
        let name = self.file.display();
        let store = address.open_for_reading().await?;
        let Some(store) = store.file() else { return Err(address.has_no_file()) };
        let bar = progress::waiting(format!("copying {address}"));
        let copied = store.backup(&self.file).await;
        bar.finish_and_clear();
        copied.map_err(|error| CliError::from_source(format!("cannot write {name}"), error))?;
        report(|output| output.line(format_args!("copied {address} to {name}")))
    }
}
