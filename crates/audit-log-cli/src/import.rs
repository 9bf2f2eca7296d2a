//! `audit import`: imports records of other systems, or of this one, into a log.

use std::cell::Cell;
use std::io::Write as _;
use std::path::PathBuf;
use std::pin::pin;

use audit_core::Log;

use crate::address::StoreAddress;
use crate::error::{CliError, Outcome, Result, chain};
use crate::new_file::NewFile;
use crate::output::{note, report};
use crate::signals::Signals;
use crate::text::line;
use crate::{progress, tenant};
use importer::{Importer, Received};
use input::Input;
use pending::Refusal;
use source::Source;
use tally::Tally;
use verify::Expected;

mod appender;
pub(crate) mod importer;
pub(crate) mod input;
mod pending;
mod probe;
pub(crate) mod source;
pub(crate) mod tally;
mod verify;

/// Imports audit records into a log, from files of JSON as they were delivered.
///
/// A file can have one record a line, over several lines or one after another, a list of them, or a page
/// or envelope with records in it, and be compressed with gzip or Zstandard. Of a directory, all files in
/// it and below it are read, but those whose names begin with a dot.
///
/// A record that the log already has is counted as redelivered and changes nothing, so an import
/// can be repeated. A record that cannot be kept exactly is refused, and reported on the standard
/// error as `FILE:LINE: REASON`. A file whose first records are not of the named format is refused before
/// anything is recorded. If a signal ends the import, the records read so far are in the log, and the same
/// command imports the rest.
///
/// `native` is the JSON of events, as `export --format jsonl` writes it. The fields that a log adds
/// (log, sequence, recordedAt, clockReading, submittedBy, byStore, erased) are ignored. An event
/// without an id gets one derived from its source, or else from its values. Each other format is that of
/// the system it is named after; `audit mappings list` lists them. A file whose name ends in `.toml` is a
/// mapping of your own.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The log: the id of an organization that exists, or `platform`.
    #[arg(long, value_name = "ID|platform")]
    organization: Log,
    /// The format of the records: its name, or the file of a mapping.
    #[arg(long, value_name = "FORMAT", value_parser = Source::find)]
    from: Source,
    /// The time (RFC 3339) of records without one, or `modified`: that of the last change of their file.
    /// The metadata of such an event says so. Without it, a record without a time is refused.
    #[arg(long, value_name = "TIME|modified", value_parser = received)]
    received: Option<Received>,
    /// Writes the refused records to this file, which must not exist: as they came, and of a list or page
    /// the whole of it.
    #[arg(long, value_name = "FILE")]
    refused: Option<PathBuf>,
    /// Reads every imported event back in several orders and page sizes, and compares it with its
    /// record.
    #[arg(long)]
    verify: bool,
    /// Prints one JSON object for all files: read, recorded, redelivered, refused, and by their fields
    /// and causes, if there are any, times, tooLarge and refusals.
    #[arg(long)]
    json: bool,
    /// The files and directories; `-` is the standard input.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  audit import --organization ID --from cloudtrail cloudtrail.jsonl
  audit import --organization ID --from okta --verify --json monday.jsonl tuesday.jsonl
  audit import --organization ID --from cloudtrail AWSLogs/111122223333/CloudTrail
  audit import --organization ID --from ./our-product.toml --refused left.jsonl events.json.gz
  audit --store memory: import --organization platform --from slack try.jsonl

Exit codes: 0 all records are in the log; 1 a record was refused, or --verify found a difference;
2 failure; 129, 130 or 143 interrupted by SIGHUP, SIGINT (Ctrl-C) or SIGTERM.";

/// Reads the time of receipt.
fn received(text: &str) -> Result<Received, String> {
    if text == "modified" {
        return Ok(Received::Modified);
    }
    text.parse().map(Received::At).map_err(|error: audit_core::Error| error.to_string())
}

impl Arguments {
    pub(crate) async fn run(self, address: &StoreAddress) -> Result<Outcome> {
        // A missing file is reported before any file is imported.
        let files = input::find(&self.files)?;
        let mut left = self.refused.as_deref().map(NewFile::create).transpose()?;
        let store = match self.organization {
            Log::Platform => address.open().await?,
            Log::Organization(id) => {
                let store = address.open_existing().await?;
                tenant::existing(&*store, address, id).await?;
                store
            }
        };
        let mut importer = Importer::new(&*store, self.organization, self.from);
        importer.received = self.received;
        importer.appender.expected = self.verify.then(Expected::default);
        let mut all = Tally::default();
        let unwritten = Cell::new(None);
        let mut signals = Signals::listen().map_err(CliError::listening)?;
        let mut stop = pin!(signals.recv());
        let mut interrupted = None;
        for path in &files {
            let input = Input::open(path)?;
            let name = line(&input.name).into_owned();
            let bar = progress::bytes(name.clone(), input.bytes);
            let refused = |Refusal { line: number, part, text, error }: Refusal<'_>| {
                let reason = line(&chain(&error)).into_owned();
                let part = part.map_or_else(String::new, |part| format!("[{part}]"));
                bar.suspend(|| note(format_args!("{name}:{number}{part}: {reason}")));
                if let (Some(left), Some(text)) = (&left, text) {
                    let written = left.file().write_all(&[text, b"\n"].concat());
                    unwritten.replace(written.err().or(unwritten.take()));
                }
            };
            let mut tally = Tally::default();
            let imported = importer.file(input, &bar, &refused, &mut tally, stop.as_mut()).await;
            bar.finish_and_clear();
            if !self.json {
                report(|output| {
                    output.line(format_args!("{name}: {tally}"))?;
                    tally
                        .details()
                        .iter()
                        .try_for_each(|detail| output.line(format_args!("  {}", line(detail))))
                })?;
            }
            all += tally;
            interrupted = imported?;
            if interrupted.is_some() {
                note(format_args!(
                    "interrupted in {name}: run the command again to import the rest; what is in the \
                     log already counts as redelivered"
                ));
                break;
            }
        }
        if let Some(error) = unwritten.take() {
            return Err(CliError::from_source("cannot write the refused records", error));
        }
        // There is no file if nothing was refused.
        if let Some(left) = left.take().filter(|_| all.refused > 0) {
            left.publish()?;
        }
        if self.json {
            report(|output| output.json(&all))?;
        } else if files.len() > 1 {
            report(|output| output.line(format_args!("all: {all}")))?;
        }
        if let Some(signal) = interrupted {
            return Ok(Outcome::Interrupted(signal));
        }
        let mut holds = true;
        for walk in verify::walks() {
            let Some(expected) = &importer.appender.expected else { break };
            let walk = walk.run(&*store, self.organization, expected).await?;
            note(format_args!("{walk}"));
            holds &= walk.holds();
        }
        Ok(if all.refused == 0 && holds { Outcome::Done } else { Outcome::Refused })
    }
}
