//! `audit prune`: removes what retention does not keep.

use audit_core::{ErrorKind, Log, Pruned, Sequence};
use serde::Serialize;

use crate::address::StoreAddress;
use crate::error::Result;
use crate::logs::Logs;
use crate::output::tell;
use crate::{caller, progress};

/// Removes the events that a log's retention does not keep any more, the oldest first.
///
/// What is left is proved as before, and an event of the log tells what was removed. Up to 31
/// events stay longer than they must. Appends go on meanwhile; interrupted, it is finished by the
/// next call.
///
/// Sign a checkpoint before, where checkpoints are signed: of events that were pruned unsigned
/// nothing can show any more that the log continues the last checkpoint.
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

/// What was done, as JSON shows it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Done {
    log: Log,
    /// How many events were removed.
    removed: u64,
    /// The last event that is gone.
    floor: Sequence,
    legal_hold: bool,
}

impl Arguments {
    pub(crate) async fn run(&self, address: &StoreAddress) -> Result<()> {
        let store = address.open_existing()?;
        for log in self.logs.of(&*store, address, []).await? {
            let bar = progress::waiting(format!("pruning {log}"));
            let pruned = store.prune(log, caller::attribution()).await;
            bar.finish_and_clear();
            let done = match pruned {
                Ok(Pruned { events, floor, .. }) => {
                    Done { log, removed: events, floor, legal_hold: false }
                }
                // One log's hold keeps no other from it.
                Err(error) if error.kind() == ErrorKind::LegalHold && self.logs.all => {
                    let floor = store.head(log).await?.pruned;
                    Done { log, removed: 0, floor, legal_hold: true }
                }
                Err(error) => return Err(error.into()),
            };
            tell(|output| {
                let Done { log, removed, floor, legal_hold } = &done;
                match removed {
                    _ if self.json => output.json(&done),
                    _ if *legal_hold => {
                        output.line(format_args!("{log}: nothing removed, by a legal hold"))
                    }
                    0 => output.line(format_args!("{log}: nothing to remove")),
                    _ => output.line(format_args!(
                        "{log}: {removed} events removed; those up to {floor} are gone"
                    )),
                }
            })?;
        }
        Ok(())
    }
}
