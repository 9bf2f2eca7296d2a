//! `audit reindex`: rebuilds derived data from the records.

use audit_core::Log;
use serde::Serialize;

use crate::address::StoreAddress;
use crate::error::Result;
use crate::logs::Logs;
use crate::output::report;
use crate::progress;

/// Compares the index of a log with its records, and rebuilds what does not match.
///
/// The index and the list of event ids are derived from the records. Damage that a command or the
/// service meets is rebuilt by itself. `audit verify` finds the rest; this mends it. The service may
/// run meanwhile.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    logs: Logs,
    /// Prints one line of JSON for each log.
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  audit reindex --organization ID
  audit reindex --all";

/// The result for one log as JSON.
#[derive(Serialize)]
struct Done {
    log: Log,
    /// The data that was rebuilt, in words.
    rebuilt: Vec<String>,
}

impl Arguments {
    pub(crate) async fn run(&self, address: &StoreAddress) -> Result<()> {
        let store = address.open_existing().await?;
        for log in self.logs.of(&*store, address, []).await? {
            let bar = progress::waiting(format!("reindexing {log}"));
            let found = store.reindex(log).await;
            bar.finish_and_clear();
            let rebuilt: Vec<_> = found?.iter().map(ToString::to_string).collect();
            report(|output| {
                if self.json {
                    return output.json(&Done { log, rebuilt });
                }
                if rebuilt.is_empty() {
                    return output.line(format_args!("{log}: nothing to rebuild"));
                }
                let lines = rebuilt.iter();
                let mut lines = lines.map(|what| format!("{log}: rebuilt: {what}"));
                lines.try_for_each(|line| output.line(line))
            })?;
        }
        Ok(())
    }
}
