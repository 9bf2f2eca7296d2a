//! `audit check`: verifies evidence offline.

use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;

use audit_core::AuditEvent;
use audit_core::Sequence;
use audit_merkle::{Evidence, PersonalProof, RootHash, VerifiedEvent};
use serde::Serialize;

use crate::error::{CliError, Outcome, Result, chain};
use crate::output::{Output, note};
use crate::text::visible;
use crate::verifier::VerifierKey;
use crate::view;

/// Verifies evidence that `audit prove` wrote, and prints the proved event.
///
/// Needs the evidence and the verifier key of the log's owner. Opens no store and no connection.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The file of the evidence; `-` is the standard input.
    file: PathBuf,
    /// The verifier key, received from its owner over a channel that you trust.
    #[arg(long, visible_alias = "verifier", value_name = "KEY")]
    key: VerifierKey,
    /// Prints the proved event as one line of JSON.
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  audit check paid.tlog-proof --key \"$(cat audit.pub)\"
  audit check paid.tlog-proof --key audit.example.com+5a3c2d1e+AbC… --json | jq .event.action

Exit codes: 0 proved; 1 not proved; 2 failure.";

/// The highest number of bytes that are read; evidence has fewer.
const MAX_BYTES: u64 = 16 << 20;

/// A proved event as JSON.
#[derive(Serialize)]
struct Shown<'a> {
    origin: &'a str,
    size: Sequence,
    root: RootHash,
    personal: &'static str,
    event: &'a AuditEvent,
}

impl Arguments {
    pub(crate) fn run(&self) -> Result<Outcome> {
        let text = self.read()?;
        match self.prove(&text) {
            Ok(proved) => {
                self.print(&proved)?;
                Ok(Outcome::Done)
            }
            Err(why) => {
                note(format_args!("NOT PROVED: {}", visible(&why)));
                Ok(Outcome::Refused)
            }
        }
    }

    fn read(&self) -> Result<Vec<u8>> {
        let reader: io::Result<Box<dyn Read>> = if self.file.as_os_str() == "-" {
            Ok(Box::new(io::stdin().lock()))
        } else {
            File::open(&self.file).map(|file| Box::new(file) as _)
        };
        let mut text = Vec::new();
        let read = reader.and_then(|reader| reader.take(MAX_BYTES).read_to_end(&mut text));
        let name = self.file.display();
        read.map_err(|error| CliError::from_source(format!("cannot read {name}"), error))?;
        Ok(text)
    }

    /// Verifies the evidence; fails with the reason.
    fn prove(&self, text: &[u8]) -> Result<VerifiedEvent, String> {
        let text = std::str::from_utf8(text).map_err(|_| "this is not evidence".to_owned())?;
        let evidence: Evidence =
            text.parse().map_err(|error| format!("this is not evidence: {}", chain(&error)))?;
        let origin = evidence.checkpoint().unverified().origin();
        let (name, log) = (self.key.name(), self.key.log_of(origin));
        let log =
            log.ok_or_else(|| format!("the evidence is of {origin}, but the key is of {name}"))?;
        let proved = evidence.verify(&self.key.of(log)).map_err(|error| chain(&error))?;
        if proved.event.log != log {
            return Err(format!(
                "the event is of log {}, but the checkpoint is of log {log}",
                proved.event.log
            ));
        }
        Ok(proved)
    }

    fn print(&self, proved: &VerifiedEvent) -> Result<()> {
        let mut output = Output::stdout();
        if self.json {
            output.json(&Shown {
                origin: &proved.origin,
                size: proved.head.size,
                root: proved.head.root,
                personal: match proved.personal {
                    PersonalProof::Intact => "intact",
                    PersonalProof::Absent => "absent",
                },
                event: &proved.event,
            })?;
        } else {
            output.line(format_args!("PROVED\n{}\n", visible(&proved.to_string())))?;
            output.line(view::line(&proved.event))?;
        }
        output.flush()
    }
}
