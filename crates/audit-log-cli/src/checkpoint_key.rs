//! `audit checkpoint-key`: creates and shows the key that signs checkpoints.

use std::io::Write as _;
use std::path::PathBuf;

use audit_merkle::CheckpointSigner;
use clap::Subcommand;

use crate::error::{CliError, Result};
use crate::new_file::NewFile;
use crate::output::{Output, note};
use crate::signing;

/// Creates and shows the key that signs checkpoints.
#[derive(Debug, Subcommand)]
#[command(after_help = EXAMPLES)]
pub(crate) enum Command {
    /// Creates a private key in a new file, and prints its verifier key.
    ///
    /// Anyone who has the private key can sign any log as yours. Only its owner can read the file;
    /// keep it apart from the store and out of its backups. The verifier key is public. Hand it to
    /// everyone who verifies your checkpoints, over a channel that they trust.
    #[command(after_help = CREATE_EXAMPLES)]
    Create {
        /// The permanent name of the signer: a host name, or another name without spaces and
        /// pluses. The origin of each log is `NAME/LOG`.
        name: String,
        /// The file, which must not exist.
        #[arg(long, short, value_name = "FILE")]
        output: PathBuf,
    },
    /// Prints the verifier key of a private key.
    #[command(after_help = SHOW_EXAMPLES)]
    Show {
        /// The file of the private key.
        #[arg(value_name = "FILE", env = "AUDIT_CHECKPOINT_KEY")]
        file: PathBuf,
    },
}

const EXAMPLES: &str = "\
Examples:
  audit checkpoint-key create audit.example.com --output audit.key
  audit checkpoint-key show audit.key";
const CREATE_EXAMPLES: &str = "\
Examples:
  audit checkpoint-key create audit.example.com --output /etc/audit/checkpoint.key > audit.pub";
const SHOW_EXAMPLES: &str = "\
Examples:
  audit checkpoint-key show audit.key > audit.pub";

impl Command {
    pub(crate) fn run(self) -> Result<()> {
        let signer = match self {
            Self::Create { name, output } => create(&name, &output)?,
            Self::Show { file } => signing::signer(&file)?,
        };
        let mut output = Output::stdout();
        output.line(signer.verifier())?;
        output.flush()
    }
}

fn create(name: &str, path: &std::path::Path) -> Result<CheckpointSigner> {
    let signer = CheckpointSigner::generate(name)?;
    let file = NewFile::create(path)?;
    let name = path.display();
    writeln!(file.file(), "{}", signer.secret_text())
        .map_err(|error| CliError::from_source(format!("cannot write {name}"), error))?;
    file.publish()?;
    note(format_args!("{name} is the private key: keep it secret. This is its verifier key:"));
    Ok(signer)
}
