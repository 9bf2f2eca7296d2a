//! `audit verify`: finds changes of a log.

use std::path::PathBuf;

use audit_core::{ErrorKind, Log};
use audit_merkle::{TreeHead, VerifyExt as _};

use crate::address::{Store, StoreAddress};
use crate::error::{CliError, Outcome, Result};
use crate::kept::Kept;
use crate::logs::Logs;
use crate::output::report;
use crate::progress;
use verdict::Verdict;

mod verdict;

/// Verifies that a log is unchanged.
///
/// Reads the log and prints which event was changed, removed, moved or inserted, and whether the
/// log was cut. Compares it with checkpoints that were kept apart from the store, with the store's
/// own head and tree, and with the erasures and prunings that the log records, which are no
/// findings. Without --since, compares the index with the records, too: `audit reindex` mends it. Without a kept checkpoint, a file that was rewritten as a whole cannot be detected.
///
/// Appends may run meanwhile. The next verification reads the events that are appended meanwhile.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    logs: Logs,
    #[command(flatten)]
    kept: Kept,
    /// Reads only the events after this kept checkpoint, which covers the events before.
    #[arg(long, value_name = "FILE", requires = "key", conflicts_with = "all")]
    since: Option<PathBuf>,
    /// Prints one line of JSON for each log.
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  audit verify --organization ID --checkpoint monday.checkpoint --key \"$(cat audit.pub)\"
  audit verify --organization ID --since monday.checkpoint --key \"$(cat audit.pub)\"
  audit verify --all --checkpoints /srv/checkpoints --key \"$(cat audit.pub)\"
  audit verify --all --json | jq 'select(.intact | not)'

Exit codes: 0 intact; 1 there is a finding; 2 failure.";

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
        let store = address.open_for_reading()?;
        let mut outcome = Outcome::Done;
        for log in self.logs.of(&*store, address, kept.keys().copied()).await? {
            let heads = kept.get(&log).map(Vec::as_slice).unwrap_or_default();
            let verdict = self::log(&*store, log, heads, since).await?;
            report(|output| if self.json { output.json(&verdict) } else { verdict.print(output) })?;
            if !verdict.intact {
                outcome = Outcome::Refused;
            }
        }
        Ok(outcome)
    }
}

/// Verifies one log, and compares its derived data with it.
pub(crate) async fn log(
    store: &dyn Store,
    log: Log,
    heads: &[TreeHead],
    since: Option<TreeHead>,
) -> Result<Verdict> {
    let bar = progress::events(log.to_string());
    let verified = async {
        let pruned = store.head(log).await?.pruned.get();
        let before = since.map_or(pruned, |since| since.size.get());
        let mut verification = store.verify(log).against(heads).on_progress(|progress| {
            bar.set_length(progress.end.get().saturating_sub(before));
            bar.set_position(progress.read.get().saturating_sub(before));
        });
        if let Some(since) = since {
            verification = verification.since(since);
        }
        Ok((pruned, verification.await?))
    };
    let verified: audit_core::Result<_> = verified.await;
    bar.finish_and_clear();
    match verified {
        Ok((pruned, report)) => {
            let mut verdict = Verdict::new(log, pruned, heads, &report);
            // Changed records are not what the index was made of.
            let is_unchanged = report.finding.is_none() && report.personal.is_empty();
            let compares = is_unchanged && since.is_none();
            if let Some(store) = store.sqlite().filter(|_| compares) {
                verdict.add_derived(&store.check_derived(log).await?);
            }
            Ok(verdict)
        }
        // Only a changed log cannot be read.
        Err(error) if error.kind() == ErrorKind::Corrupt => {
            Ok(Verdict::unreadable(log, heads, &error))
        }
        Err(error) if error.kind() == ErrorKind::Gone => {
            Err(CliError::from_source(format!("cannot verify {log} after --since"), error)
                .hint("events after that checkpoint were pruned: give a later checkpoint"))
        }
        Err(error) => Err(error.into()),
    }
}
