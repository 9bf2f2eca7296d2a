//! `audit prove`: writes the evidence of an event, for offline verification.

use std::path::PathBuf;

use audit_core::{ErrorKind, EventId, Log, Sequence};
use audit_merkle::{Evidence, SignedCheckpoint, VerifyExt as _};

use crate::address::StoreAddress;
use crate::error::{CliError, Result};
use crate::new_file::NewFile;
use crate::output::Output;
use crate::signing::{Signing, unsigned};
use crate::store::Store;
use crate::{kept, tenant};

/// Writes the evidence that an event is in a log.
///
/// The evidence is the event, the proof and a signed checkpoint in one text (C2SP tlog-proof).
/// `audit check` verifies it with the verifier key, without the store. The checkpoint is a new one,
/// or one that was kept.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The event's id.
    #[arg(value_name = "EVENTID")]
    id: EventId,
    /// The log: the id of an organization, or `platform`.
    #[arg(long, value_name = "ID|platform")]
    organization: Log,
    #[command(flatten)]
    signing: Option<Signing>,
    /// A kept checkpoint, instead of a new one.
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<PathBuf>,
    /// Omits the personal data: names, addresses, texts, values. The rest stays proved.
    #[arg(long)]
    without_personal: bool,
    /// The file, which must not exist, by convention `….tlog-proof`. The standard output by
    /// default.
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  audit prove EVENTID --organization ID --checkpoint-key audit.key --checkpoints /srv/checkpoints \\
    --output paid.tlog-proof
  audit prove EVENTID --organization ID --checkpoint monday.checkpoint --without-personal";

impl Arguments {
    pub(crate) async fn run(&self, address: &StoreAddress) -> Result<()> {
        let file = self.output.as_deref().map(NewFile::create).transpose()?;
        let store = address.open_for_reading().await?;
        tenant::readable(&*store, address, self.organization).await?;
        let checkpoint = self.checkpoint(&*store).await?;
        let evidence = self.evidence(&*store, checkpoint).await?;
        let evidence =
            if self.without_personal { evidence.without_personal() } else { evidence }.to_string();
        let Some(file) = file else { return write(Output::stdout(), &evidence) };
        write(Output::to(file.file()), &evidence)?;
        file.publish()
    }

    async fn checkpoint(&self, store: &dyn Store) -> Result<SignedCheckpoint> {
        if let Some(path) = &self.checkpoint {
            return kept::checkpoint(path);
        }
        let Some(signing) = &self.signing else {
            return Err(CliError::new("no checkpoint is given").hint(
                "give --checkpoint-key and --checkpoints to sign one, or --checkpoint FILE",
            ));
        };
        let signing = signing.notary()?;
        match signing.0.checkpoint(store, self.organization).await {
            Ok(signed) => Ok(signed),
            Err(error) => Err(unsigned(&signing, store, self.organization, error).await),
        }
    }

    async fn evidence(&self, store: &dyn Store, checkpoint: SignedCheckpoint) -> Result<Evidence> {
        let (id, log) = (self.id, self.organization);
        let pruned = store.head(log).await?.pruned;
        store.evidence(log, id, checkpoint).await.map_err(|error| match error.kind() {
            ErrorKind::NotFound if pruned > Sequence::ZERO => CliError::new(format!(
                "there is no event {id} in {log}"
            ))
            .hint(format!("the first {pruned} events were pruned; the event may be one of them")),
            ErrorKind::NotFound => CliError::new(format!("there is no event {id} in {log}")),
            ErrorKind::Invalid if error.field() == Some("checkpoint.size") => {
                CliError::new(format!("the checkpoint is older than event {id}"))
                    .hint("give a later checkpoint, or sign a new one")
            }
            ErrorKind::Corrupt => {
                CliError::from_source(format!("{log} does not match the checkpoint"), error)
                    .hint(format!("to find the change: audit verify --organization {log}"))
            }
            _ => error.into(),
        })
    }
}

fn write(mut output: Output<'_>, evidence: &str) -> Result<()> {
    output.line(evidence.trim_end())?;
    output.flush()
}
