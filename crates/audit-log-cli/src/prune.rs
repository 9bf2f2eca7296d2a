//! `audit prune`: removes the events that retention does not keep.

use audit_core::{ErrorKind, Log, Pruned, Pruning, Sequence};
use serde::Serialize;

use crate::address::StoreAddress;
use crate::error::{Outcome, Result};
use crate::logs::Logs;
use crate::output::report;
use crate::{caller, progress};

/// Removes the events that a log's retention no longer keeps, oldest first.
///
/// Proofs of the other events stay valid, and an event of the log records the removed range. Up to
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
    /// Prunes by age even if the clock is more than two years ahead of a log's last event. Without
    /// it, such a log is left as it is, because the clock may be wrong.
    #[arg(long)]
    trust_clock: bool,
    /// Prints JSON, one line for each log.
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  audit prune --organization ID
  audit prune --all --json

Exit codes: 0 pruned; 1 a log was left because the clock is years ahead of it; 2 failure.";

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
    /// Whether nothing was removed because the clock is far ahead of the log's last event.
    clock_ahead: bool,
}

impl Arguments {
    pub(crate) async fn run(&self, address: &StoreAddress) -> Result<Outcome> {
        let store = address.open_existing().await?;
        let mut outcome = Outcome::Done;
        for log in self.logs.of(&*store, address, []).await? {
            let bar = progress::waiting(format!("pruning {log}"));
            let pruned = store.prune(log, self.pruning()).await;
            bar.finish_and_clear();
            let done = match pruned {
                Ok(Pruned { events, floor, .. }) => {
                    let (legal_hold, clock_ahead) = (false, false);
                    Done { log, removed: events, floor, legal_hold, clock_ahead }
                }
                // One log that is not pruned does not stop the others.
                Err(error)
                    if self.logs.all
                        && matches!(error.kind(), ErrorKind::LegalHold | ErrorKind::ClockAhead) =>
                {
                    let floor = store.head(log).await?.pruned;
                    let legal_hold = error.kind() == ErrorKind::LegalHold;
                    let clock_ahead = !legal_hold;
                    if clock_ahead {
                        outcome = Outcome::Refused;
                    }
                    Done { log, removed: 0, floor, legal_hold, clock_ahead }
                }
                Err(error) => return Err(error.into()),
            };
            report(|output| {
                let Done { log, removed, floor, legal_hold, clock_ahead } = &done;
                match removed {
                    _ if self.json => output.json(&done),
                    _ if *legal_hold => {
                        output.line(format_args!("{log}: nothing removed, because of a legal hold"))
                    }
                    _ if *clock_ahead => output.line(format_args!(
                        "{log}: nothing removed, because the clock is more than two years ahead of \
                         its last event; if the clock is right, give --trust-clock"
                    )),
                    0 => output.line(format_args!("{log}: nothing to remove")),
                    _ => output
                        .line(format_args!("{log}: {removed} events removed, up to event {floor}")),
                }
            })?;
        }
        Ok(outcome)
    }

    fn pruning(&self) -> Pruning {
        let pruning = Pruning::from(caller::context());
        if self.trust_clock { pruning.trusting_the_clock() } else { pruning }
    }
}
