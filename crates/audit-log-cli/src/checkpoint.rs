//! `audit checkpoint`: signs the checkpoints of logs.

use std::path::Path;

use audit_core::Log;
use audit_merkle::{SignedCheckpoint, TreeHead};

use crate::address::StoreAddress;
use crate::error::{Outcome, Result};
use crate::logs::Logs;
use crate::output::{note, report};
use crate::signing::{Signing, is_refusal, unsigned};

/// Signs the checkpoint of a log: the number of its events and their root hash.
///
/// Writes it to the directory as `LOG.checkpoint`, in place of the previous one, and prints it if
/// one log is given. Keep a copy where nobody with write access to the store can change it: with
/// the copy, `audit verify --checkpoint` finds every later change to these events.
///
/// Does not sign a log that contradicts its latest checkpoint, because an old backup was restored
/// or the file was changed.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES, mut_group("Signing", |group| group.required(true)))]
pub(crate) struct Arguments {
    #[command(flatten)]
    logs: Logs,
    #[command(flatten)]
    signing: Signing,
    /// Signs a first checkpoint although one was signed before, and keeps that one as
    /// LOG.checkpoint.old. For a log whose latest checkpoint is lost or cannot be continued; verify
    /// the log before.
    #[arg(long, conflicts_with = "all")]
    first: bool,
}

const EXAMPLES: &str = "\
Examples:
  audit checkpoint --organization ID --checkpoint-key audit.key --checkpoints /srv/checkpoints
  audit checkpoint --all --checkpoint-key audit.key --checkpoints /srv/checkpoints
  audit checkpoint --organization platform --checkpoint-key audit.key --checkpoints dir > monday

Exit codes: 0 signed; 1 a log contradicts its latest checkpoint, or that is lost; 2 failure.";

impl Arguments {
    pub(crate) async fn run(&self, address: &StoreAddress) -> Result<Outcome> {
        let store = address.open_for_reading().await?;
        let signing = self.signing.notary()?;
        let (notary, directory) = &signing;
        let mut outcome = Outcome::Done;
        for log in self.logs.of(&*store, address, notary.logs().await?).await? {
            if self.first {
                directory.start_over(log).await?;
            }
            match notary.checkpoint(&*store, log).await {
                Ok(signed) => self.print(&directory.file(log), log, &signed)?,
                Err(error) => {
                    let refused = is_refusal(&error);
                    let error = unsigned(&signing, &*store, log, error).await;
                    if !refused {
                        return Err(error);
                    }
                    note(format_args!("{error}"));
                    outcome = Outcome::Refused;
                }
            }
        }
        Ok(outcome)
    }

    fn print(&self, path: &Path, log: Log, signed: &SignedCheckpoint) -> Result<()> {
        let TreeHead { size, root } = signed.unverified().head();
        if self.logs.all {
            let path = path.display();
            return report(|output| output.line(format_args!("{log}  {size}  {root}  {path}")));
        }
        note(format_args!("written to {}", path.display()));
        report(|output| output.line(signed.to_string().trim_end()))
    }
}
