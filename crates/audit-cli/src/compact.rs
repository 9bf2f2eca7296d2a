//! `audit compact`: writes the store's file anew, without what is unused.

use serde::Serialize;

use crate::address::StoreAddress;
use crate::error::Result;
use crate::output::tell;
use crate::progress;

/// Writes the store's file anew, without what is unused.
///
/// It gives the space of events that were pruned back to the system, and removes the last trace of
/// what was erased, down to the unused bytes of pages. Appends wait meanwhile. It needs room for
/// two more copies of the file, one of them where `SQLITE_TMPDIR` says that temporary files go.
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

/// What was done, as JSON shows it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Done {
    /// The bytes of the file.
    before: u64,
    after: u64,
}

impl Arguments {
    pub(crate) async fn run(&self, address: &StoreAddress) -> Result<()> {
        let bar = progress::waiting(format!("compacting {address}"));
        let sizes = address.compact().await;
        bar.finish_and_clear();
        let (before, after) = sizes?;
        tell(|output| {
            if self.json {
                return output.json(&Done { before, after });
            }
            output.line(format_args!("{address}: {before} bytes before, {after} now"))
        })
    }
}
