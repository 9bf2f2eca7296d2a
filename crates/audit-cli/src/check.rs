//! `audit check`: verifies evidence, with nothing but a key.

use std::path::PathBuf;

use audit_merkle::{CheckpointVerifier, Evidence};
use clap::Args;

use crate::failure::{Failure, Result};
use crate::output::{Output, json};
use crate::text::visible;

/// Verifies evidence that `audit prove` wrote. It needs the file and the key, no database, no
/// network, and nobody's word.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The evidence.
    file: PathBuf,
    /// The public key of those who run the log, as `audit signing-key show` prints it.
    #[arg(long)]
    key: CheckpointVerifier,
    /// Prints the event alone, as JSON on one line.
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  audit check event.proof --key audit.acme.example+1f0a9ab3+AZ…
  audit check event.proof --key \"$(cat audit.pub)\" --json | jq .actor

Exit codes: 0 it is proved; 2 it is not, or could not be read.";

impl Arguments {
    pub(crate) fn run(&self) -> Result<()> {
        let shown = self.file.display();
        let text = std::fs::read_to_string(&self.file)
            .map_err(|error| Failure::about(format!("cannot read {shown}"), error))?;
        let evidence: Evidence = text
            .parse()
            .map_err(|error| Failure::about(format!("{shown} is no evidence"), error))?;
        let origin = evidence.checkpoint().unverified().origin().to_owned();
        // The key signs for its own name, and for the logs below it.
        let is_own = origin
            .strip_prefix(self.key.origin())
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        let verifier = if is_own { self.key.clone().with_origin(origin) } else { self.key.clone() };
        let proved = evidence
            .verify(&verifier)
            .map_err(|error| Failure::about(format!("{shown} proves nothing"), error))?;
        let mut output = Output::stdout();
        if !self.json {
            output.line(visible(&proved.to_string()))?;
            output.line("")?;
        }
        output.line(String::from_utf8_lossy(&json(&proved.event)?))?;
        output.hand_on()
    }
}
