//! `audit signing-key`: the key that signs checkpoints.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use audit_merkle::CheckpointSigner;
use clap::Subcommand;

use crate::failure::{Failure, Result};
use crate::output::Output;

/// Creates and shows the key that signs checkpoints.
#[derive(Debug, Subcommand)]
#[command(after_help = EXAMPLES)]
pub(crate) enum Command {
    /// Creates a key and prints what others know it by.
    ///
    /// The file is readable by its owner alone, and is never replaced. What is printed belongs where
    /// those find it who are to check, and where nobody can change it unseen.
    #[command(after_help = CREATE_EXAMPLES)]
    Create {
        /// The name under which it signs, for ever: a domain and a path of yours.
        name: String,
        /// The file to make.
        #[arg(long, value_name = "FILE", default_value = "signing.key")]
        output: PathBuf,
    },
    /// Prints what others know the key by.
    #[command(after_help = SHOW_EXAMPLES)]
    Show {
        /// The file of the key.
        #[arg(value_name = "FILE")]
        key: PathBuf,
    },
}

const EXAMPLES: &str = "\
Examples:
  audit signing-key create audit.acme.example";
const CREATE_EXAMPLES: &str = "\
Examples:
  audit signing-key create audit.acme.example --output /etc/audit/signing.key > audit.pub";
const SHOW_EXAMPLES: &str = "\
Examples:
  audit signing-key show signing.key";

impl Command {
    pub(crate) fn run(self) -> Result<()> {
        let signer = match self {
            Self::Create { name, output } => create(&name, &output)?,
            Self::Show { key } => read(&key)?,
        };
        let mut output = Output::stdout();
        output.line(signer.verifier())?;
        output.hand_on()
    }
}

fn create(name: &str, path: &Path) -> Result<CheckpointSigner> {
    let signer = CheckpointSigner::generate(name)?;
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let write = || {
        let mut file = options.open(path)?;
        writeln!(file, "{}", signer.secret_text())?;
        file.sync_all()
    };
    write().map_err(|error| Failure::about(format!("cannot make {}", path.display()), error))?;
    Ok(signer)
}

/// The key of a file.
pub(crate) fn read(path: &Path) -> Result<CheckpointSigner> {
    let failed = |error| Failure::about(format!("cannot read {}", path.display()), error);
    let text = std::fs::read_to_string(path).map_err(failed)?;
    text.trim_end().parse().map_err(|error| {
        Failure::about(format!("{} is no signing key", path.display()), error)
            .hint("make one with: audit signing-key create NAME")
    })
}
