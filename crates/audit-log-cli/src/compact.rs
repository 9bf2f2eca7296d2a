//! `audit compact`: rewrites the store without unused space.

use serde::Serialize;

use crate::address::StoreAddress;
use crate::error::Result;
use crate::output::report;
use crate::progress;

/// Rewrites the store without unused space.
///
/// Returns the space of pruned events to the file system, and removes the last remains of erased
/// data from the unused bytes of pages. Appends wait meanwhile. It needs space for two more copies
/// of the file, one of them in the directory for temporary files (`SQLITE_TMPDIR`).
///
/// In PostgreSQL it rewrites the tables of keys and of the index, but not those of events: autovacuum
/// frees their space for later events. The role must own the tables.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Prints JSON.
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  audit prune --all && audit compact";

/// The result as JSON.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Done {
    /// The size before, in bytes.
    before: u64,
    /// The size now, in bytes.
    after: u64,
}

impl Arguments {
    pub(crate) async fn run(&self, address: &StoreAddress) -> Result<()> {
        let bar = progress::waiting(format!("compacting {address}"));
        let sizes = address.compact().await;
        bar.finish_and_clear();
        let (before, after) = sizes?;
        report(|output| {
            if self.json {
                return output.json(&Done { before, after });
            }
            output.line(format_args!("{address}: {before} bytes before, {after} now"))
        })
    }
}
