//! `audit prune`: removes the events that retention does not keep.

use audit_core::{ErrorKind, Log, Pruned, Sequence};
use serde::Serialize;

use crate::address::StoreAddress;
use crate::error::Result;
use crate::logs::Logs;
use crate::output::report;
use crate::{caller, progress};

/// Removes the events that a log's retention no longer keeps, oldest first.
///
/// Proofs of the other events stay valid, and an event of the log records what was removed. Up to
/// 31 events stay longer than retention requires. Appends may run meanwhile. If it is interrupted,
/// the next call continues.
///
/// If checkpoints are signed, sign one before: after events that no checkpoint covers were pruned,
/// nothing can prove any more that the log continues its latest checkpoint.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    logs: Logs,
    /// Prints JSON, one line for each log.
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  audit prune --organization ID
  audit prune --all --json";

/// The result for one log, as JSON.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Done {
    log: Log,
    /// The number of events that were removed.
    removed: u64,
    /// The sequence of the last event that is pruned.
    floor: Sequence,
    legal_hold: bool,
}

impl Arguments {
    pub(crate) async fn run(&self, address: &StoreAddress) -> Result<()> {
        let store = address.open_existing()?;
        for log in self.logs.of(&*store, address, []).await? {
            let bar = progress::waiting(format!("pruning {log}"));
            let pruned = store.prune(log, caller::context()).await;
            bar.finish_and_clear();
            let done = match pruned {
                Ok(Pruned { events, floor, .. }) => {
                    Done { log, removed: events, floor, legal_hold: false }
                }
                // The legal hold of one log does not stop the others.
                Err(error) if error.kind() == ErrorKind::LegalHold && self.logs.all => {
                    let floor = store.head(log).await?.pruned;
                    Done { log, removed: 0, floor, legal_hold: true }
                }
                Err(error) => return Err(error.into()),
            };
            report(|output| {
                let Done { log, removed, floor, legal_hold } = &done;
                match removed {
                    _ if self.json => output.json(&done),
                    _ if *legal_hold => {
                        output.line(format_args!("{log}: nothing removed, because of a legal hold"))
                    }
                    0 => output.line(format_args!("{log}: nothing to remove")),
                    _ => output
                        .line(format_args!("{log}: {removed} events removed, up to event {floor}")),
                }
            })?;
        }
        Ok(())
    }
}
