//! The formats, for a file or a stream of many events.

use std::fmt;
use std::str::FromStr;

use audit_core::{AuditEvent, Error, Result};
use serde::Serialize;

use crate::{Ocsf, Syslog, cef, cloud_event, csv_header, csv_row, otlp};

/// A format of events: each is a line, in a row of CSV with the line breaks of its texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Format {
    /// The JSON of the event, exact.
    JsonLines,
    /// A row of CSV, after a header.
    Csv,
    /// A `CloudEvent` in JSON.
    CloudEvents,
    /// A line of the Common Event Format.
    Cef,
    /// A syslog message, RFC 5424.
    Syslog,
    /// A request of the OpenTelemetry protocol in JSON.
    Otlp,
    /// An event of OCSF in JSON.
    Ocsf,
}

impl Format {
    /// All formats.
    pub const ALL: [Self; 7] = [
        Self::JsonLines,
        Self::Csv,
        Self::CloudEvents,
        Self::Cef,
        Self::Syslog,
        Self::Otlp,
        Self::Ocsf,
    ];

    /// Returns the name: `jsonl`, `csv`, `cloudevents`, `cef`, `syslog`, `otlp` or `ocsf`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::JsonLines => "jsonl",
            Self::Csv => "csv",
            Self::CloudEvents => "cloudevents",
            Self::Cef => "cef",
            Self::Syslog => "syslog",
            Self::Otlp => "otlp",
            Self::Ocsf => "ocsf",
        }
    }

    /// Returns the media type of a text in the format.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8; header=present",
            Self::Cef | Self::Syslog => "text/plain; charset=utf-8",
            Self::JsonLines | Self::CloudEvents | Self::Otlp | Self::Ocsf => {
                "application/jsonl; charset=utf-8"
            }
        }
    }

    /// Returns the ending of the name of a file in the format, without the dot.
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Cef | Self::Syslog => "log",
            Self::JsonLines | Self::CloudEvents | Self::Otlp | Self::Ocsf => "jsonl",
        }
    }

    /// Returns `true` if each line is JSON.
    pub const fn is_json(self) -> bool {
        !matches!(self, Self::Csv | Self::Cef | Self::Syslog)
    }

    const fn line_end(self) -> &'static [u8] {
        match self {
            Self::Csv => b"\r\n",
            _ => b"\n",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Format {
    type Err = Error;

    /// Reads a [name](Format::name).
    ///
    /// # Errors
    /// Fails if no format has this name.
    fn from_str(name: &str) -> Result<Self> {
        let known = Self::ALL.into_iter().find(|format| format.name() == name);
        known.ok_or_else(|| {
            Error::malformed("format", "jsonl, csv, cloudevents, cef, syslog, otlp or ocsf")
        })
    }
}

/// Writes events one after another, for a file or a stream.
///
/// ```
/// use audit_core::{Actor, AuditEvent, Log, NewEvent, Sequence, Timestamp};
/// use audit_export::{Encoder, Format};
///
/// let event = NewEvent::new("user.login", Actor::user("u_7"));
/// let event = AuditEvent::new(Log::Platform, Sequence::ZERO.next(), Timestamp::MIN, event);
/// let encoder = Encoder::new(Format::Csv);
/// let mut text = Vec::new();
/// encoder.begin(&mut text);
/// encoder.write(&event, &mut text)?;
/// assert!(text.starts_with(b"log,sequence,") && text.ends_with(b"\r\n"));
/// # Ok::<(), audit_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Encoder {
    format: Format,
    syslog: Syslog,
    ocsf: Ocsf,
}

impl Encoder {
    /// Creates an encoder. Syslog messages name no host and the program `audit`; events of OCSF, the product
    /// `audit`.
    pub fn new(format: Format) -> Self {
        Self { format, syslog: Syslog::default(), ocsf: Ocsf::default() }
    }

    /// Sets the sender of syslog messages.
    #[must_use]
    pub fn with_syslog(mut self, sender: Syslog) -> Self {
        self.syslog = sender;
        self
    }

    /// Sets how events of OCSF are written.
    #[must_use]
    pub fn with_ocsf(mut self, ocsf: Ocsf) -> Self {
        self.ocsf = ocsf;
        self
    }

    /// Returns the format.
    pub const fn format(&self) -> Format {
        self.format
    }

    /// Appends what comes before the first event: the header of CSV, and nothing in the other formats.
    pub fn begin(&self, text: &mut Vec<u8>) {
        if self.format == Format::Csv {
            text.extend_from_slice(csv_header().as_bytes());
            text.extend_from_slice(self.format.line_end());
        }
    }

    /// Appends an event, and the end of its line.
    ///
    /// # Errors
    /// Fails as [`json_line`](crate::json_line) does. Then a part of the event can be in the text.
    pub fn write(&self, event: &AuditEvent, text: &mut Vec<u8>) -> Result<()> {
        match self.format {
            Format::JsonLines => write_json(event, text)?,
            Format::Csv => text.extend_from_slice(csv_row(event)?.as_bytes()),
            Format::CloudEvents => write_json(&cloud_event(event)?, text)?,
            Format::Cef => text.extend_from_slice(cef(event)?.as_bytes()),
            Format::Syslog => text.extend_from_slice(self.syslog.message(event)?.as_bytes()),
            Format::Otlp => write_json(&otlp([event])?, text)?,
            Format::Ocsf => write_json(&self.ocsf.event(event)?, text)?,
        }
        text.extend_from_slice(self.format.line_end());
        Ok(())
    }
}

fn write_json(value: &impl Serialize, text: &mut Vec<u8>) -> Result<()> {
    serde_json::to_writer(text, value)
        .map_err(|error| Error::malformed("", "JSON").with_source(error))
}
