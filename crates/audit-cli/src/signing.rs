//! The key that signs checkpoints, and where they are kept.

use std::fs;
use std::path::{Path, PathBuf};

use audit_core::{Error, ErrorKind, Log};
use audit_merkle::{CheckpointDirectory, CheckpointSigner, Notary};
use clap::Args;
use zeroize::Zeroizing;

use crate::address::Store;
use crate::error::{CliError, Result};

/// What signs checkpoints: both options or none. A command that cannot do without says so.
#[derive(Clone, Debug, Args)]
pub(crate) struct Signing {
    /// The file of the private key, which `audit checkpoint-key create` makes.
    #[arg(
        long,
        value_name = "FILE",
        env = "AUDIT_CHECKPOINT_KEY",
        required = false,
        requires = "checkpoints"
    )]
    checkpoint_key: PathBuf,
    /// The directory of the last signed checkpoints, `LOG.checkpoint` each. It is what the next are
    /// held against: keep it apart from the store, so that no backup restores both.
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

/// The private key of a file.
pub(crate) fn signer(path: &Path) -> Result<CheckpointSigner> {
    let name = path.display();
    let text = fs::read_to_string(path).map(Zeroizing::new).map_err(|error| {
        CliError::from_source(format!("cannot read the key {name}"), error)
            .hint("make one with: audit checkpoint-key create NAME --output FILE")
    })?;
    text.trim().parse().map_err(|error: Error| {
        CliError::from_source(format!("{name} is no private key"), error)
            .hint("it is the file that `audit checkpoint-key create` made, not the verifier key")
    })
}

/// Whether the notary refuses a log: what is there now cannot be what was signed before, or cannot
/// be shown to be.
pub(crate) fn is_refusal(error: &Error) -> bool {
    let denies = matches!(error.field(), Some("size" | "root" | "proof"));
    error.kind() == ErrorKind::Gone || (error.kind() == ErrorKind::Corrupt && denies)
}

/// What a failure to sign means to who runs the store.
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
            .hint("each key has a directory of its own: name that of this key");
    }
    if !is_refusal(&error) {
        return CliError::from_source(format!("cannot sign the checkpoint of {log}"), error);
    }
    let latest = notary.latest(log).await.ok().flatten();
    let signed = latest.map_or(0, |latest| latest.unverified().size().get());
    let (what, hint) = match (error.kind(), store.head(log).await) {
        (ErrorKind::Gone, _) => (
            format!(
                "events of {log} behind event {signed} were pruned before any checkpoint of them \
                 was signed: nothing can show any more that the log continues what was signed"
            ),
            format!(
                "sign before pruning. To go on, verify the log, keep {path} elsewhere, and take it \
                 out of the directory: the next checkpoint is then a first one"
            ),
        ),
        (_, Ok(head)) if head.size.get() < signed => (
            format!(
                "the log {log} was cut: it has {} events, and {signed} were signed. Nothing is \
                 signed",
                head.size
            ),
            restored(log, &path),
        ),
        _ => (
            format!(
                "the log {log} was rewritten: it does not begin with the {signed} events that were \
                 signed. Nothing is signed"
            ),
            restored(log, &path),
        ),
    };
    CliError::new(what).hint(hint)
}

fn restored(log: Log, path: &dyn std::fmt::Display) -> String {
    format!(
        "was an old backup restored? Then the events since are lost: put the newest copy back. \
         Otherwise somebody changed the file; this tells where: audit verify --organization {log} \
         --checkpoint {path} --key KEY"
    )
}
