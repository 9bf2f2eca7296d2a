//! `audit checkpoint`: signs the checkpoints of logs.

use std::path::Path;

use audit_core::Log;
use audit_merkle::{SignedCheckpoint, TreeHead};

use crate::address::StoreAddress;
use crate::error::{Outcome, Result};
use crate::logs::Logs;
use crate::output::{note, tell};
use crate::signing::{Signing, is_refusal, unsigned};

/// Signs the checkpoint of a log: its number of events and the root hash of them all.
///
/// Writes it to the directory as `LOG.checkpoint`, where it replaces the latest one, and prints it
/// if it is of one log. Keep a copy where nobody who can write to the store can change it: with it,
/// `audit verify --checkpoint` finds every later change of these events.
///
/// Refuses a log that contradicts the latest checkpoint: an old backup was restored, or the file was
/// changed.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES, mut_group("Signing", |group| group.required(true)))]
pub(crate) struct Arguments {
    #[command(flatten)]
    logs: Logs,
    #[command(flatten)]
    signing: Signing,
}

const EXAMPLES: &str = "\
Examples:
  audit checkpoint --organization ID --checkpoint-key audit.key --checkpoints /srv/checkpoints
  audit checkpoint --all --checkpoint-key audit.key --checkpoints /srv/checkpoints
  audit checkpoint --organization platform --checkpoint-key audit.key --checkpoints dir > monday

Exit codes: 0 signed; 1 a log contradicts its latest checkpoint; 2 failure.";

impl Arguments {
    pub(crate) async fn run(&self, address: &StoreAddress) -> Result<Outcome> {
        let store = address.open_existing()?;
        let signing = self.signing.notary()?;
        let (notary, directory) = &signing;
        let mut outcome = Outcome::Done;
        for log in self.logs.of(&*store, address, notary.logs().await?).await? {
            match notary.checkpoint(&*store, log).await {
                Ok(signed) => self.print(&directory.file(log), log, &signed)?,
                Err(error) => {
                    let refused = is_refusal(&error);
                    let unsigned = unsigned(&signing, &*store, log, error).await;
                    if !refused {
                        return Err(unsigned);
                    }
                    note(format_args!("{unsigned}"));
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
            return tell(|output| output.line(format_args!("{log}  {size}  {root}  {path}")));
        }
        note(format_args!("written to {}", path.display()));
        tell(|output| output.line(signed.to_string().trim_end()))
    }
}
