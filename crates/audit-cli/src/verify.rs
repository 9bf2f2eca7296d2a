//! `audit verify`: whether a log is still what it was.

use std::path::PathBuf;

use audit_core::{ErrorKind, Log};
use audit_merkle::{Progress, ProvableExt as _, TreeHead};

use crate::address::{Store, StoreAddress};
use crate::error::{CliError, Outcome, Result};
use crate::kept::Kept;
use crate::logs::Logs;
use crate::output::tell;
use crate::progress;
use verdict::Verdict;

mod verdict;

/// Verifies that a log is what it was.
///
/// It reads the log and says which event was changed, removed, moved or inserted, and whether the
/// log was cut. It compares it with checkpoints that were kept apart from the store, with what the
/// store itself states, and with what the log tells of itself: erasing and pruning are told in the
/// log, and are no faults. Without a kept checkpoint it cannot be told whether somebody who can
/// write the file has rewritten it whole.
///
/// Others may go on appending; what they append is left to the next time.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    logs: Logs,
    #[command(flatten)]
    kept: Kept,
    /// Reads only what is behind this kept checkpoint, which stands for the events before.
    #[arg(long, value_name = "FILE", requires = "key", conflicts_with = "all")]
    since: Option<PathBuf>,
    /// Prints JSON, one line for each log.
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  audit verify --organization ID --checkpoint monday.checkpoint --key \"$(cat audit.pub)\"
  audit verify --organization ID --since monday.checkpoint --key \"$(cat audit.pub)\"
  audit verify --all --checkpoints /srv/checkpoints --key \"$(cat audit.pub)\"
  audit verify --all --json | jq 'select(.intact | not)'

Exit codes: 0 intact; 1 something is wrong; 2 failure.";

impl Arguments {
    pub(crate) async fn run(&self, address: &StoreAddress) -> Result<Outcome> {
        let mut kept = self.kept.files()?;
        let since = self.since.as_deref().map(|path| self.kept.one(path)).transpose()?;
        if let Some((log, head)) = since {
            kept.entry(log).or_default().push(head);
        }
        if let Some(other) = kept.keys().find(|log| !self.logs.has(**log)) {
            return Err(CliError::new(format!("a checkpoint is of {other}, which is another log")));
        }
        self.kept.add_directory(&mut kept)?;
        let since = since.map(|(_, head)| head);
        let store = address.open_existing()?;
        let mut outcome = Outcome::Done;
        for log in self.logs.of(&*store, address, kept.keys().copied()).await? {
            let heads = kept.get(&log).map(Vec::as_slice).unwrap_or_default();
            let verdict = verify(&*store, log, heads, since).await?;
            tell(|output| if self.json { output.json(&verdict) } else { verdict.print(output) })?;
            if !verdict.intact {
                outcome = Outcome::Refused;
            }
        }
        Ok(outcome)
    }
}

async fn verify(
    store: &dyn Store,
    log: Log,
    heads: &[TreeHead],
    since: Option<TreeHead>,
) -> Result<Verdict> {
    let bar = progress::events(log.to_string());
    let verified = async {
        let pruned = store.head(log).await?.pruned.get();
        let before = since.map_or(pruned, |since| since.size.get());
        let mut on_progress = |progress: Progress| {
            bar.set_length(progress.end.get().saturating_sub(before));
            bar.set_position(progress.read.get().saturating_sub(before));
        };
        Ok((pruned, store.verify(log, heads, since, &mut on_progress).await?))
    };
    let verified: audit_core::Result<_> = verified.await;
    bar.finish_and_clear();
    match verified {
        Ok((pruned, report)) => Ok(Verdict::new(log, pruned, heads, &report)),
        // What cannot even be read is not what it was.
        Err(error) if error.kind() == ErrorKind::Corrupt => {
            Ok(Verdict::unreadable(log, heads, &error))
        }
        Err(error) if error.kind() == ErrorKind::Gone => {
            Err(CliError::from_source(format!("cannot verify {log} from --since on"), error)
                .hint("events behind that checkpoint were pruned: name a later one"))
        }
        Err(error) => Err(error.into()),
    }
}
