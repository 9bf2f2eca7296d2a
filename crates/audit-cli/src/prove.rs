//! `audit prove`: an event, with all that proves it, in one file.

use std::path::PathBuf;

use audit_core::{EventId, Log};
use audit_merkle::ProvableExt as _;
use clap::Args;

use crate::address::StoreAddress;
use crate::checkpoint::{self, NotaryOptions};
use crate::failure::{Failure, Result};
use crate::output::Output;
use crate::tenant;

/// Writes an event and the proof that it is in the log, for somebody who has neither the database
/// nor trust in it.
///
/// `audit check` verifies it, as does any tool that reads C2SP tlog-proof.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The event.
    #[arg(value_name = "EVENT")]
    event: EventId,
    /// The log: the id of an organization, or `platform`.
    #[arg(long, value_name = "ID|platform")]
    organization: Log,
    /// Where to write the evidence, which is not replaced; the standard output unless given.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Leaves out names, addresses, texts and values.
    #[arg(long)]
    without_personal: bool,
    /// Proves it under this checkpoint, which is there already.
    #[arg(long, value_name = "FILE", conflicts_with = "signing_key")]
    checkpoint: Option<PathBuf>,
    #[command(flatten)]
    notary: NotaryOptions,
}

const EXAMPLES: &str = "\
Examples:
  audit prove 3fa85f64-5717-4562-b3fc-2c963f66afa6 --organization ID --signing-key signing.key
  audit prove EVENT --organization ID --checkpoint kept.checkpoint --output event.proof
  audit check event.proof --key audit.acme.example+…";

impl Arguments {
    pub(crate) async fn run(&self, address: &StoreAddress) -> Result<()> {
        let store = address.open_existing()?;
        tenant::readable(&*store, address, self.organization).await?;
        let signed = match (&self.checkpoint, self.notary.notary()?) {
            (Some(file), _) => checkpoint::read(file)?,
            (None, Some(notary)) => checkpoint::sign(&*store, &notary, self.organization).await?,
            (None, None) => {
                let hint = "name a kept one with --checkpoint, or sign one with --signing-key";
                return Err(Failure::new("evidence needs a checkpoint").hint(hint));
            }
        };
        let evidence = store.evidence(self.organization, self.event, signed).await;
        let evidence = evidence.map_err(|error| {
            Failure::about(format!("event {} cannot be proved", self.event), error)
        })?;
        let evidence = if self.without_personal { evidence.without_personal() } else { evidence };
        let text = evidence.to_string();
        let Some(path) = &self.output else {
            let mut output = Output::stdout();
            output.line(text.trim_end())?;
            return output.hand_on();
        };
        let write = || {
            let mut file = std::fs::File::create_new(path)?;
            std::io::Write::write_all(&mut file, text.as_bytes())
        };
        write().map_err(|error| Failure::about(format!("cannot write {}", path.display()), error))
    }
}
