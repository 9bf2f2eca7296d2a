//! `audit prove`: evidence that an event is in a log, for those who have nothing else.

use std::path::PathBuf;

use audit_core::{ErrorKind, EventId, Log, Sequence};
use audit_merkle::{Evidence, ProvableExt as _, SignedCheckpoint};

use crate::address::{Store, StoreAddress};
use crate::error::{CliError, Result};
use crate::new_file::NewFile;
use crate::output::Output;
use crate::signing::{Signing, unsigned};
use crate::{kept, tenant};

/// Writes the evidence that an event is in a log.
///
/// It is the event, the proof, and a signed checkpoint in one text (C2SP tlog-proof). Whoever has
/// it and the verifier key checks it with `audit check`, without the store and without asking
/// anyone. The checkpoint is that of now, signed for it, or one that was kept.
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
    /// A checkpoint that was signed before, rather than one of now.
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<PathBuf>,
    /// Leaves out the personal part: names, addresses, texts, values. The rest is proved as before.
    #[arg(long)]
    without_personal: bool,
    /// The file, which must not exist, customarily `….tlog-proof`. Without it, the standard output.
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
        let store = address.open_existing()?;
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
            return Err(CliError::new("there is no checkpoint to prove the event under").hint(
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
            ErrorKind::NotFound if pruned > Sequence::ZERO => {
                CliError::new(format!("there is no event {id} in {log}"))
                    .hint(format!("it may be one of the first {pruned}, which were pruned"))
            }
            ErrorKind::NotFound => CliError::new(format!("there is no event {id} in {log}")),
            ErrorKind::Invalid if error.field() == Some("checkpoint.size") => {
                CliError::new(format!("the checkpoint is from before event {id}"))
                    .hint("give a later one, or sign one of now")
            }
            ErrorKind::Corrupt => CliError::from_source(
                format!("{log} is not the log that the checkpoint states"),
                error,
            )
            .hint(format!("see what is wrong with: audit verify --organization {log}")),
            _ => error.into(),
        })
    }
}

fn write(mut output: Output<'_>, evidence: &str) -> Result<()> {
    output.line(evidence.trim_end())?;
    output.hand_on()
}
