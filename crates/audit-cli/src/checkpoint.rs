//! `audit checkpoint`: what the logs state about themselves, signed.

use std::path::Path;

use audit_core::Log;
use audit_merkle::{SignedCheckpoint, TreeHead};

use crate::address::StoreAddress;
use crate::error::{Outcome, Result};
use crate::logs::Logs;
use crate::output::{note, tell};
use crate::signing::{Signing, is_refusal, unsigned};

/// Signs what a log states about itself.
///
/// That is how many events it has, and the hash of them all. The checkpoint is kept in the
/// directory as `LOG.checkpoint`, in the place of the last, and that of one log is printed. Whoever
/// keeps a copy where nobody who can write to the store can change it can tell for ever whether
/// those events are still what they were: `audit verify --checkpoint`.
///
/// A log that does not continue what was signed before is refused: an old backup was restored, or
/// the file was altered.
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

Exit codes: 0 signed; 1 a log is not what was signed before; 2 failure.";

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
        note(format_args!("kept in {}", path.display()));
        tell(|output| output.line(signed.to_string().trim_end()))
    }
}
