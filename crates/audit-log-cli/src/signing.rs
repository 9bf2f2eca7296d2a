//! The key that signs checkpoints, and the directory of the latest ones.

use std::fs;
use std::path::{Path, PathBuf};

use audit_core::{Error, ErrorKind, Log};
use audit_merkle::{CheckpointDirectory, CheckpointSigner, Notary};
use clap::Args;
use zeroize::Zeroizing;

use crate::error::{CliError, Result};
use crate::store::Store;

/// The options to sign checkpoints: both or neither.
#[derive(Clone, Debug, Args)]
pub(crate) struct Signing {
    /// The file of the private key, created by `audit checkpoint-key create`.
    #[arg(
        long,
        value_name = "FILE",
        env = "AUDIT_CHECKPOINT_KEY",
        required = false,
        requires = "checkpoints"
    )]
    checkpoint_key: PathBuf,
    /// The directory of the latest checkpoints, each in `LOG.checkpoint`. The next checkpoint is
    /// compared with them: keep the directory apart from the store, so that no backup restores
    /// both.
    #[arg(
        long,
        value_name = "DIR",
        env = "AUDIT_CHECKPOINTS",
        required = false,
        requires = "checkpoint_key"
    )]
    checkpoints: PathBuf,
}

impl Signing {
    /// Opens the notary, and the directory in which it publishes.
    pub(crate) fn notary(&self) -> Result<(Notary, CheckpointDirectory)> {
        let signer = signer(&self.checkpoint_key)?;
        let open = || {
            let directory = CheckpointDirectory::open(&self.checkpoints)?;
            Ok((Notary::new(signer, directory.clone())?, directory))
        };
        open().map_err(|error: Error| {
            let directory = self.checkpoints.display();
            CliError::from_source(format!("cannot keep checkpoints in {directory}"), error)
        })
    }
}

/// Reads the private key of a file.
pub(crate) fn signer(path: &Path) -> Result<CheckpointSigner> {
    let name = path.display();
    let text = fs::read_to_string(path).map(Zeroizing::new).map_err(|error| {
        CliError::from_source(format!("cannot read the key {name}"), error)
            .hint("create one with: audit checkpoint-key create NAME --output FILE")
    })?;
    text.trim().parse().map_err(|error: Error| {
        CliError::from_source(format!("{name} is not a private key"), error)
            .hint("give the file that `audit checkpoint-key create` wrote, not the verifier key")
    })
}

/// Returns `true` if the notary refuses the log, because the log contradicts the latest checkpoint,
/// that is lost, or no proof can be made.
pub(crate) fn is_refusal(error: &Error) -> bool {
    let contradicts = matches!(error.field(), Some("size" | "root" | "proof" | LOST));
    error.kind() == ErrorKind::Gone || (error.kind() == ErrorKind::Corrupt && contradicts)
}

/// The field of the error for a lost checkpoint.
const LOST: &str = "checkpoint";

/// Returns the error for a checkpoint that was not signed, with its cause and what the operator can
/// do.
pub(crate) async fn unsigned(
    (notary, directory): &(Notary, CheckpointDirectory),
    store: &dyn Store,
    log: Log,
    error: Error,
) -> CliError {
    let path = directory.file(log);
    let path = path.display();
    if error.field().is_some_and(|field| field.starts_with("latest")) {
        return CliError::from_source(format!("{path} was not signed with this key"), error)
            .hint("each key has its own directory: give the directory of this key");
    }
    if !is_refusal(&error) {
        return CliError::from_source(format!("cannot sign the checkpoint of {log}"), error);
    }
    let command = format!("audit checkpoint --organization {log} --first");
    if error.field() == Some(LOST) {
        let what = format!(
            "a checkpoint of {log} was signed before, and {path} is missing or older. Nothing was \
             signed"
        );
        return CliError::new(what).hint(format!(
            "put the file back from a copy. If there is none, verify the log, and sign a first \
             checkpoint again with: {command}"
        ));
    }
    let latest = notary.latest(log).await.ok().flatten();
    let signed = latest.map_or(0, |latest| latest.unverified().size().get());
    let (what, hint) = match (error.kind(), store.head(log).await) {
        (ErrorKind::Gone, _) => (
            format!(
                "events of {log} after event {signed} were pruned before a checkpoint of them was \
                 signed: nothing can prove any more that the log continues its latest checkpoint"
            ),
            format!(
                "sign before pruning. To continue, verify the log, and sign a first checkpoint \
                 again with: {command}"
            ),
        ),
        (_, Ok(head)) if head.size.get() < signed => (
            format!(
                "the log {log} was cut: it has {} events, and its latest checkpoint has {signed}. \
                 Nothing was signed",
                head.size
            ),
            restored(log, &path),
        ),
        _ => (
            format!(
                "the log {log} was rewritten: it does not begin with the {signed} events of its \
                 latest checkpoint. Nothing was signed"
            ),
            restored(log, &path),
        ),
    };
    CliError::new(what).hint(hint)
}

fn restored(log: Log, path: &dyn std::fmt::Display) -> String {
    format!(
        "if an old backup was restored, later events are lost: restore the newest backup. \
         Otherwise somebody changed the file. To find the change: audit verify --organization {log} \
         --checkpoint {path} --key KEY"
    )
}
