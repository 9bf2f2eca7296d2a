//! `audit import`: imports records of other systems, or of this one, into a log.

use std::path::PathBuf;
use std::pin::pin;

use audit_core::{Log, Timestamp};
use clap::builder::{PossibleValuesParser, TypedValueParser as _};

use crate::address::StoreAddress;
use crate::error::{Outcome, Result, chain};
use crate::output::{note, report};
use crate::signals::Signals;
use crate::text::line;
use crate::{progress, tenant};
use importer::{Importer, Refusal, Tally};
use input::Input;
use source::Source;
use verify::Expected;

mod importer;
mod input;
mod lines;
mod source;
mod verify;

/// Imports audit records into a log, from files with one JSON object a line.
///
/// A record that the log already has is counted as redelivered and changes nothing, so an import
/// can be repeated. A record that cannot be kept exactly is refused, and reported on the standard
/// error as `FILE:LINE: REASON`. If a signal ends the import, what was read is in the log, and the same
/// command imports the rest.
///
/// `native` is the JSON of events, as `export --format jsonl` writes it. The fields that a log adds
/// (log, sequence, recordedAt, clockReading, submittedBy, byStore, erased) are ignored. A line
/// without an id gets one derived from the line. Each other format is that of the system it is named after.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The log: the id of an organization that exists, or `platform`.
    #[arg(long, value_name = "ID|platform")]
    organization: Log,
    /// The format of the records.
    #[arg(long, value_name = "FORMAT", value_parser = PossibleValuesParser::new(Source::names())
        .try_map(|name| name.parse::<Source>()))]
    from: Source,
    /// The time (RFC 3339) of records without one; the time of the file's last change by default.
    /// The metadata of such an event says so.
    #[arg(long, value_name = "TIME")]
    received: Option<Timestamp>,
    /// Reads every imported event back in several orders and page sizes, and compares it with its
    /// record.
    #[arg(long)]
    verify: bool,
    /// Prints one JSON object for all files: read, recorded, redelivered, refused.
    #[arg(long)]
    json: bool,
    /// The files; `-` is the standard input.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  audit import --organization ID --from cloudtrail cloudtrail.jsonl
  audit import --organization ID --from okta --verify --json monday.jsonl tuesday.jsonl
  jq -c '.Records[]' trail.json | audit import --organization ID --from cloudtrail -
  audit --store memory: import --organization platform --from slack try.jsonl

Exit codes: 0 all records are in the log; 1 a record was refused, or --verify found a difference;
2 failure; 129, 130 or 143 interrupted by SIGHUP, SIGINT (Ctrl-C) or SIGTERM.";

impl Arguments {
    pub(crate) async fn run(self, address: &StoreAddress) -> Result<Outcome> {
        // A missing file is reported before any file is imported.
        self.files.iter().try_for_each(|path| input::find(path))?;
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
        importer.expected = self.verify.then(Expected::default);
        let mut all = Tally::default();
        let mut signals = Signals::listen()?;
        let mut stop = pin!(signals.recv());
        let mut interrupted = None;
        for path in &self.files {
            let input = Input::open(path)?;
            let name = line(&input.name).into_owned();
            let bar = progress::bytes(name.clone(), input.bytes);
            let refused = |Refusal { number, error }: Refusal| {
                let reason = line(&chain(&error)).into_owned();
                bar.suspend(|| note(format_args!("{name}:{number}: {reason}")));
            };
            let mut tally = Tally::default();
            let imported = importer.file(input, &bar, &refused, &mut tally, stop.as_mut()).await;
            bar.finish_and_clear();
            all += tally;
            if !self.json {
                report(|output| output.line(format_args!("{name}: {tally}")))?;
            }
            interrupted = imported?;
            if interrupted.is_some() {
                note(format_args!(
                    "interrupted in {name}: run the command again to import the rest; what is in the \
                     log already counts as redelivered"
                ));
                break;
            }
        }
        if self.json {
            report(|output| output.json(&all))?;
        } else if self.files.len() > 1 {
            report(|output| output.line(format_args!("all: {all}")))?;
        }
        if let Some(signal) = interrupted {
            return Ok(Outcome::Interrupted(signal));
        }
        let mut holds = true;
        for walk in verify::walks() {
            let Some(expected) = &importer.expected else { break };
            let walk = walk.run(&*store, self.organization, expected).await?;
            note(format_args!("{walk}"));
            holds &= walk.holds();
        }
        Ok(if all.refused == 0 && holds { Outcome::Done } else { Outcome::Refused })
    }
}
