//! `audit checkpoint`: what a log states of itself, signed.

use std::path::PathBuf;

use audit_core::{AuditStore, Error, ErrorKind, Log};
use audit_merkle::{Notary, SignedCheckpoint};
use clap::Args;

use crate::address::StoreAddress;
use crate::failure::{Failure, Result};
use crate::output::Output;
use crate::signing_key;
use crate::tenant::Logs;

/// Signs and publishes the checkpoint of a log: how many events it has, and their root.
///
/// It is signed only if the log still begins with all that was signed before, so that a restored
/// backup, or a log that was changed, is refused. The last checkpoint of each log is kept in a
/// directory, as LOG.checkpoint: publish that file, and keep the directory apart from the database.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    logs: Logs,
    #[command(flatten)]
    notary: NotaryOptions,
}

const EXAMPLES: &str = "\
Examples:
  audit checkpoint --organization ID --signing-key signing.key --checkpoints published
  audit checkpoint --all --signing-key signing.key --checkpoints /srv/www/checkpoints";

/// Who signs.
#[derive(Debug, Args)]
pub(crate) struct NotaryOptions {
    /// The key that signs, as `audit signing-key create` makes it.
    #[arg(long, value_name = "FILE", env = "AUDIT_SIGNING_KEY")]
    signing_key: Option<PathBuf>,
    /// The directory of the last checkpoint of each log.
    #[arg(
        long,
        value_name = "DIRECTORY",
        env = "AUDIT_CHECKPOINTS",
        default_value = "checkpoints"
    )]
    checkpoints: PathBuf,
}

impl NotaryOptions {
    /// The notary, if a key is named.
    pub(crate) fn notary(&self) -> Result<Option<Notary>> {
        let Some(key) = &self.signing_key else { return Ok(None) };
        let notary = Notary::new(signing_key::read(key)?, &self.checkpoints);
        notary.map(Some).map_err(|error| {
            Failure::about(format!("cannot use {}", self.checkpoints.display()), error)
        })
    }
}

impl Arguments {
    pub(crate) async fn run(&self, address: &StoreAddress) -> Result<()> {
        let notary = self.notary.notary()?.ok_or_else(|| {
            Failure::new("no key signs").hint(
                "name one with --signing-key, or make one with: audit signing-key create NAME",
            )
        })?;
        let store = address.open_existing()?;
        let mut output = Output::stdout();
        for log in self.logs.all(&*store, address).await? {
            let signed = sign(&*store, &notary, log).await?;
            output.line(signed.to_string().trim_end())?;
            output.line("")?;
            output.hand_on()?;
        }
        Ok(())
    }
}

/// The checkpoint of `log` as it is now.
pub(crate) async fn sign(
    store: &dyn AuditStore,
    notary: &Notary,
    log: Log,
) -> Result<SignedCheckpoint> {
    notary.checkpoint(store, log).await.map_err(|error: Error| {
        let denies = error.kind() == ErrorKind::Corrupt;
        let failure = Failure::about(format!("the log {log} was not signed"), error);
        if denies {
            failure.hint(format!(
                "the log is not a continuation of what {} states: was a backup restored, or the \
                 log changed? Find out with `audit verify`",
                notary.path(log).display(),
            ))
        } else {
            failure
        }
    })
}

/// A checkpoint in a file.
pub(crate) fn read(path: &std::path::Path) -> Result<SignedCheckpoint> {
    let failed = |error| Failure::about(format!("cannot read {}", path.display()), error);
    let text = std::fs::read_to_string(path).map_err(failed)?;
    let no_checkpoint =
        |error| Failure::about(format!("{} is no signed checkpoint", path.display()), error);
    text.parse().map_err(no_checkpoint)
}
