//! `audit verify`: finds changes of a log.

use std::collections::BTreeSet;
use std::path::PathBuf;

use audit_core::limits::MAX_ORGANIZATIONS_PAGE;
use audit_core::{ErrorKind, Log};
use audit_merkle::{Reference, TreeHead, Verdict, VerifyExt as _};

use crate::address::StoreAddress;
use crate::error::{CliError, Outcome, Result};
use crate::kept::Kept;
use crate::logs::Logs;
use crate::output::{note, report};
use crate::progress;
use crate::store::Store;
use result::LogResult;

mod result;

/// Verifies that a log is unchanged.
///
/// Reads the log and prints which event was changed, removed, moved or inserted, and whether the
/// log was cut. Compares it with checkpoints that were kept apart from the store, with the store's
/// own head and tree, and with the erasures and prunings that the log records, which are no
/// findings. Compares the retention, the legal hold, the organizations and their keys that the store
/// keeps with the events that declare them. Without --since, compares the index with
/// the records: `audit reindex` mends it. Without a kept checkpoint, a file that was rewritten as a whole cannot be detected.
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

Exit codes: 0 intact; 1 there is a finding; 2 failure; 3 nothing is wrong, but of a log nothing was
verified: it has no events, or checkpoints were given and none of them is of the log and can be
compared. A store without logs is 3, too.";

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
        let store = address.open_for_reading().await?;
        let mut known: BTreeSet<Log> = kept.keys().copied().collect();
        if self.logs.all {
            let organizations = organizations(&*store).await?;
            // The platform's log records each of them, and may be missing, too.
            known.extend((!organizations.is_empty()).then_some(Log::Platform));
            known.extend(organizations);
        }
        let logs = self.logs.of(&*store, address, known).await?;
        let reference = if since.is_some() || self.kept.is_given() {
            Reference::Checkpoint
        } else {
            Reference::StoreHead
        };
        let mut outcome = Outcome::Done;
        if logs.is_empty() {
            note(format_args!("the store has no logs: nothing was verified"));
            outcome = Outcome::NothingVerified;
        }
        for log in logs {
            let heads = kept.get(&log).map(Vec::as_slice).unwrap_or_default();
            let result = self::log(&*store, log, heads, since, reference).await?;
            report(|output| if self.json { output.json(&result) } else { result.print(output) })?;
            outcome = outcome.worse(match result.verdict {
                Verdict::Intact => Outcome::Done,
                Verdict::NotIntact => Outcome::Refused,
                Verdict::NothingVerified => Outcome::NothingVerified,
            });
        }
        Ok(outcome)
    }
}

/// Returns the logs of all organizations, which may be missing.
async fn organizations(store: &dyn Store) -> Result<Vec<Log>> {
    let (mut logs, mut after) = (Vec::new(), None);
    loop {
        let page = store.organizations(after, MAX_ORGANIZATIONS_PAGE).await?;
        let Some(last) = page.last() else { return Ok(logs) };
        after = Some(last.id);
        logs.extend(page.iter().map(|organization| Log::from(organization.id)));
    }
}

/// Verifies one log, and compares its derived data with it.
pub(crate) async fn log(
    store: &dyn Store,
    log: Log,
    heads: &[TreeHead],
    since: Option<TreeHead>,
    reference: Reference,
) -> Result<LogResult> {
    let bar = progress::events(log.to_string());
    let verified = async {
        let pruned = store.head(log).await?.pruned.get();
        let before = since.map_or(pruned, |since| since.size.get());
        let verification = store.verify(log).against(heads);
        let verification = verification.with_retention(store).with_tenants(store);
        let mut verification = verification.on_progress(|progress| {
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
            let mut result = LogResult::new(log, pruned, reference, &report);
            // Changed records are not what the index was made of.
            let is_unchanged = report.finding.is_none() && report.personal.is_empty();
            let compares = is_unchanged && since.is_none();
            if compares {
                result.add_derived(&store.check_derived(log).await?);
            }
            Ok(result)
        }
        // Only a changed log cannot be read.
        Err(error) if error.kind() == ErrorKind::Corrupt => {
            Ok(LogResult::unreadable(log, reference, &error))
        }
        Err(error) if error.kind() == ErrorKind::Gone => {
            Err(CliError::from_source(format!("cannot verify {log} after --since"), error)
                .hint("events after that checkpoint were pruned: give a later checkpoint"))
        }
        Err(error) => Err(error.into()),
    }
}
