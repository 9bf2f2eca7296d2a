//! `audit export`: the events of a log as a file.

use std::io::{IsTerminal as _, stdout};
use std::path::PathBuf;
use std::time::Duration;

use audit_core::{AuditEvent, AuditStoreExt as _, EventQuery, FeedStart, Order, Sequence};
use audit_export::{Encoder, Format};
use clap::ValueEnum;
use tokio::sync::oneshot;

use crate::address::StoreAddress;
use crate::error::{CliError, Outcome, Result};
use crate::list::PAGE;
use crate::new_file::NewFile;
use crate::output::{Output, note, visible_json};
use crate::selection::Selection;
use crate::signals::Signals;
use crate::store::Store;
use crate::tenant;
use crate::text::line;

/// Exports the events of a log in the order of their sequence, as of the start of the export.
///
/// JSON Lines are exact: `audit import --from native` reads them back. `cloudevents`, `cef`, `syslog`,
/// `otlp` and `ocsf` are lines for other systems, with all of the event in each. CSV (RFC 4180, with a
/// header) is for spreadsheets. Absent and empty texts are both empty cells, and nested values are
/// JSON. A text that a spreadsheet could interpret as a formula gets an apostrophe: one that begins
/// with = + - @, a full-width form of these, a tab or a line break, also after white space; and within
/// a text such a sign after ; , | a tab, a line break or a quotation mark, at which some spreadsheets
/// begin a cell. In nested values the sign is written as its JSON escape. On a terminal, control
/// characters and invisible ones are escaped.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    selection: Selection,
    /// The format.
    #[arg(long, value_enum)]
    format: FormatName,
    /// Begins CSV with a byte order mark, which some spreadsheets need to read UTF-8.
    #[arg(long)]
    bom: bool,
    /// Exports only the events after this one, for example after the last one of another export.
    #[arg(long, value_name = "SEQUENCE", value_parser = sequence)]
    after: Option<Sequence>,
    /// The file, which must not exist. It appears when the export is complete. The standard output
    /// by default.
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  audit export --organization ID --format jsonl --output acme.jsonl
  audit export --organization ID --format csv --bom --since 2026-11-01 > november.csv
  audit export --organization ID --format jsonl --after 4711 > new.jsonl
  audit export --organization platform --format jsonl | gzip > platform.jsonl.gz

Exit codes: 0 complete; 2 failure; 129, 130 or 143 interrupted by SIGHUP, SIGINT (Ctrl-C) or
SIGTERM. Then no file is written; the standard output has whole events, and --after continues
after them.";

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum FormatName {
    /// JSON Lines: one event a line.
    Jsonl,
    /// Comma-separated values: one event a row.
    Csv,
    /// `CloudEvents` 1.0 in JSON: one event a line, all of it in `data`.
    #[value(name = "cloudevents")]
    CloudEvents,
    /// The Common Event Format: one event a line, all of it as JSON in `cs6`.
    Cef,
    /// Syslog, RFC 5424: one message a line, with the event as JSON.
    Syslog,
    /// Logs of the OpenTelemetry protocol: a line for each event, the JSON of a request with it.
    Otlp,
    /// The Open Cybersecurity Schema Framework in JSON: one event a line, with what its schema has no
    /// attribute for in `unmapped`.
    Ocsf,
}

impl From<FormatName> for Format {
    fn from(name: FormatName) -> Self {
        match name {
            FormatName::Jsonl => Self::JsonLines,
            FormatName::Csv => Self::Csv,
            FormatName::CloudEvents => Self::CloudEvents,
            FormatName::Cef => Self::Cef,
            FormatName::Syslog => Self::Syslog,
            FormatName::Otlp => Self::Otlp,
            FormatName::Ocsf => Self::Ocsf,
        }
    }
}

/// Reads the sequence of an event.
fn sequence(text: &str) -> Result<Sequence, String> {
    let number = text.parse().map_err(|_| "a sequence is a whole number".to_owned())?;
    Sequence::new(number).map_err(|error| error.to_string())
}

/// The time after a signal in which the reader of the standard output can take what is written already.
const GRACE: Duration = Duration::from_secs(2);

/// The events that were written.
#[derive(Clone, Copy, Debug, Default)]
struct Written {
    count: u64,
    /// The last of them; that of `--after` before the first.
    last: Sequence,
}

impl Arguments {
    pub(crate) async fn run(&self, address: &StoreAddress) -> Result<Outcome> {
        let query = self.selection.query()?.order(Order::Sequence).limit(PAGE);
        query.validate()?;
        if self.bom && self.format != FormatName::Csv {
            return Err(CliError::new("--bom is for --format csv"));
        }
        let file = self.output.as_deref().map(NewFile::create).transpose()?;
        let store = address.open_for_reading().await?;
        tenant::readable(&*store, address, self.selection.log()).await?;
        let mut signals = Signals::listen().map_err(CliError::listening)?;
        let (sender, mut signalled) = oneshot::channel();
        let is_file = file.is_some();
        tokio::spawn(async move {
            let signal = signals.recv().await;
            let _ = sender.send(signal);
            if !is_file {
                tokio::time::sleep(GRACE).await;
                note(format_args!(
                    "interrupted: nobody reads the output, which may end within an event"
                ));
                std::process::exit(signal.exit_code().into());
            }
        });
        let mut written = Written { last: self.after.unwrap_or_default(), ..Written::default() };
        let mut output = match &file {
            Some(file) => Output::to(file.file()),
            None => Output::stdout(),
        };
        let signal = tokio::select! {
            complete = self.write(&*store, query, &mut output, &mut written) => {
                complete?;
                None
            }
            signal = &mut signalled => signal.ok(),
        };
        output.flush()?;
        drop(output);
        let Written { count, last } = written;
        match (file, signal) {
            (Some(_), Some(signal)) => {
                note(format_args!("interrupted: no file was written; run the command again"));
                Ok(Outcome::Interrupted(signal))
            }
            (None, Some(signal)) => {
                note(format_args!(
                    "interrupted: {count} events were written; to go on, add --after {last}"
                ));
                Ok(Outcome::Interrupted(signal))
            }
            (file, None) => {
                file.map_or(Ok(()), NewFile::publish)?;
                if count == 0 {
                    note(format_args!("no events match"));
                }
                Ok(Outcome::Done)
            }
        }
    }

    async fn write(
        &self,
        store: &dyn Store,
        query: EventQuery,
        output: &mut Output<'_>,
        written: &mut Written,
    ) -> Result<()> {
        let mut rows = Rows::begin(self, output)?;
        let size = store.head(query.log()).await?.size;
        if let Some(after) = self.after.filter(|after| *after > size) {
            let message = format!("--after {after} is beyond the log, which has {size} events");
            return Err(CliError::new(message));
        }
        let start = self.after.map_or(FeedStart::Beginning, FeedStart::After);
        let mut page = store.feed(&query, start).await?;
        loop {
            for event in &page.events {
                if event.sequence > size {
                    return Ok(());
                }
                rows.write(event)?;
                written.count += 1;
                written.last = event.sequence;
            }
            if page.caught_up {
                return Ok(());
            }
            page = store.next_feed(&query, &page.token).await?;
        }
    }
}

/// Writes the events to the output.
struct Rows<'a, 'b> {
    output: &'a mut Output<'b>,
    encoder: Encoder,
    /// Whether the output is a terminal, so that hidden characters are escaped.
    shown: bool,
    text: Vec<u8>,
}

impl<'a, 'b> Rows<'a, 'b> {
    fn begin(arguments: &Arguments, output: &'a mut Output<'b>) -> Result<Self> {
        let encoder = Encoder::new(arguments.format.into());
        let shown = arguments.output.is_none() && stdout().is_terminal();
        let mut text = Vec::new();
        encoder.begin(&mut text);
        if shown && !text.is_empty() {
            output.line(line(String::from_utf8_lossy(&text).trim_end()))?;
            return Ok(Self { output, encoder, shown, text });
        }
        if arguments.bom {
            output.bytes("\u{feff}".as_bytes())?;
        }
        output.bytes(&text)?;
        Ok(Self { output, encoder, shown, text })
    }

    fn write(&mut self, event: &AuditEvent) -> Result<()> {
        self.text.clear();
        self.encoder.write(event, &mut self.text)?;
        let text = String::from_utf8_lossy(self.text.trim_ascii_end());
        // In JSON, also in a file, an escape is the same text.
        if self.encoder.format().is_json() {
            self.output.line(visible_json(&text))
        } else if self.shown {
            self.output.line(line(&text))
        } else {
            self.output.bytes(&self.text)
        }
    }
}
