//! `audit verify`: reads a log from its beginning and says whether it is what was stated.

use std::path::PathBuf;
use std::time::Duration;

use audit_core::{AuditStore, Log};
use audit_merkle::{CheckpointVerifier, ProvableExt as _, Report, TreeHead, TreeSize};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use crate::address::StoreAddress;
use crate::checkpoint;
use crate::failure::{Failure, Outcome, Result};
use crate::output::{note, tell};
use crate::tenant::Logs;

/// Reads a log and says whether anything in it was altered.
///
/// Every record is hashed again, and the root compared with that of each checkpoint that is given,
/// once its signature holds; personal parts are compared with their records, and what is missing
/// with what the log says was erased or removed. Without a checkpoint that was kept elsewhere it
/// shows only that the file agrees with itself.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    logs: Logs,
    /// A checkpoint that was kept; can be repeated.
    #[arg(long, value_name = "FILE", requires = "key")]
    checkpoint: Vec<PathBuf>,
    /// A checkpoint that was kept, up to which the log was verified before: only what came behind it
    /// is read.
    #[arg(long, value_name = "FILE", requires = "key", conflicts_with = "all")]
    since: Option<PathBuf>,
    /// The public key of the log, as `audit signing-key show` prints it.
    #[arg(long, value_name = "KEY")]
    key: Option<CheckpointVerifier>,
}

const EXAMPLES: &str = "\
Examples:
  audit verify --organization ID --checkpoint kept/ID.checkpoint --key audit.acme.example+…
  audit verify --organization ID --since monday.checkpoint --checkpoint friday.checkpoint --key KEY
  audit verify --all

Exit codes: 0 nothing is wrong; 1 something is; 2 it could not be read.";

impl Arguments {
    pub(crate) async fn run(&self, address: &StoreAddress) -> Result<Outcome> {
        let store = address.open_existing()?;
        let mut outcome = Outcome::Done;
        for log in self.logs.all(&*store, address).await? {
            let heads = self.heads(log, &self.checkpoint)?;
            let since = self.heads(log, self.since.as_slice())?.pop();
            let report = verify(&*store, log, &heads, since).await?;
            let text = report.to_string();
            tell(|output| output.line(format_args!("log {log}: {text}")))?;
            let newest = heads.iter().chain(&since).map(|head| head.size).max();
            warn(&report, newest);
            if !report.is_intact() {
                outcome = Outcome::Refused;
            }
        }
        Ok(outcome)
    }

    /// What those of the checkpoints state that are of this log.
    fn heads(&self, log: Log, files: &[PathBuf]) -> Result<Vec<TreeHead>> {
        let Some(key) = &self.key else { return Ok(Vec::new()) };
        let verifier = key.clone().with_origin(format!("{}/{log}", key.origin()));
        let mut heads = Vec::new();
        for file in files {
            let signed = checkpoint::read(file)?;
            let of_another = signed.unverified().origin() != verifier.origin();
            if of_another && self.logs.is_all() {
                continue;
            }
            let wrong = |error| {
                Failure::about(format!("{} states nothing of {log}", file.display()), error)
            };
            heads.push(*verifier.verify(&signed).map_err(wrong)?.head());
        }
        Ok(heads)
    }
}

async fn verify(
    store: &dyn AuditStore,
    log: Log,
    heads: &[TreeHead],
    since: Option<TreeHead>,
) -> Result<Report> {
    let bar = ProgressBar::new(0);
    if let Ok(style) = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len} {per_sec} {eta}")
    {
        bar.set_style(style);
    }
    bar.set_message(log.to_string());
    bar.enable_steady_tick(Duration::from_millis(100));
    let report = store
        .verify(log, heads, since, &mut |progress| {
            bar.set_length(progress.end.get());
            bar.set_position(progress.read.get());
        })
        .await;
    bar.finish_and_clear();
    Ok(report?)
}

/// Says what a report does not show.
fn warn(report: &Report, newest: Option<TreeSize>) {
    match newest {
        None => note(format_args!(
            "no checkpoint was given: this shows that the log agrees with itself, not that it is what \
             it was"
        )),
        Some(newest) if newest < report.head.size => note(format_args!(
            "the events behind {newest} are stated by no checkpoint that was given"
        )),
        Some(_) => {}
    }
}
