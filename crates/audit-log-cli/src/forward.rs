//! `audit forward`: delivers events to sinks, and shows and controls them.

mod run;

use audit_core::{Log, Sequence, Timestamp};
use audit_forward::{DeadEvent, ReplayFrom, SinkStatus, Sinks};
use clap::Subcommand;
use serde::Serialize;

use crate::address::StoreAddress;
use crate::error::{CliError, Result};
use crate::output::{Output, note, report};
use crate::text::cell;
use crate::view;

/// Delivers the events of the logs to sinks: webhooks, files, syslog servers and HTTP collectors.
///
/// The sinks are in a file; docs/in-and-out.md shows one. The store keeps the position of each. The other
/// commands need the name of a sink only, and can be given on any machine: the process that serves the sink
/// notices within about a second.
#[derive(Debug, Subcommand)]
#[command(after_help = EXAMPLES)]
pub(crate) enum Command {
    Run(run::Arguments),
    /// Shows the position of each sink in each log, and its lag.
    #[command(after_help = STATUS_EXAMPLES)]
    Status {
        /// The names of sinks [default: all].
        #[arg(value_name = "SINK")]
        sinks: Vec<String>,
        /// Prints a line of JSON for each sink.
        #[arg(long)]
        json: bool,
    },
    /// Stops the deliveries of a sink. Its position stays.
    #[command(after_help = PAUSE_EXAMPLES)]
    Pause {
        /// The name of the sink.
        #[arg(value_name = "SINK")]
        sink: String,
    },
    /// Resumes the deliveries of a sink.
    #[command(after_help = RESUME_EXAMPLES)]
    Resume {
        /// The name of the sink.
        #[arg(value_name = "SINK")]
        sink: String,
    },
    /// Delivers a log again from a given event on.
    #[command(after_help = REPLAY_EXAMPLES)]
    Replay {
        /// The name of the sink.
        #[arg(value_name = "SINK")]
        sink: String,
        /// The log: the id of an organization, or `platform`.
        #[arg(long, value_name = "ID|platform")]
        organization: Log,
        #[command(flatten)]
        from: From,
    },
    /// Lists the events that a sink refused finally, retries them, or drops them.
    #[command(subcommand)]
    Dead(Dead),
}

const STATUS_EXAMPLES: &str = "\
Examples:
  audit forward status
  audit forward status siem --json | jq '.logs[] | select(.lagEvents > 0)'";
const PAUSE_EXAMPLES: &str = "\
Examples:
  audit forward pause siem";
const RESUME_EXAMPLES: &str = "\
Examples:
  audit forward resume siem";
const REPLAY_EXAMPLES: &str = "\
Examples:
  audit forward replay siem --organization platform --sequence 1
  audit forward replay siem --organization ID --since 2026-11-01";
const DEAD_EXAMPLES: &str = "\
Examples:
  audit forward dead list siem
  audit forward dead retry siem --organization ID --all";
const LIST_EXAMPLES: &str = "\
Examples:
  audit forward dead list siem --json | jq -r .error";
const RETRY_EXAMPLES: &str = "\
Examples:
  audit forward dead retry siem --organization ID --sequence 17
  audit forward dead retry siem --organization ID --all";
const DROP_EXAMPLES: &str = "\
Examples:
  audit forward dead drop siem --organization ID --sequence 17";
const EXAMPLES: &str = "\
Examples:
  audit forward run sinks.toml
  audit forward status
  audit forward replay siem --organization ID --since 2026-11-01
  audit forward dead retry siem --organization ID --all";

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub(crate) struct From {
    /// The sequence of the first event.
    #[arg(long, value_name = "N")]
    sequence: Option<u64>,
    /// The time at or after which the first event was recorded: RFC 3339, or a date.
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
}

impl From {
    fn parse(&self) -> Result<ReplayFrom> {
        if let Some(time) = &self.since {
            return Ok(ReplayFrom::Time(Timestamp::parse_since(time)?));
        }
        Ok(ReplayFrom::Sequence(Sequence::new(self.sequence.unwrap_or(1).max(1))?))
    }
}

#[derive(Debug, Subcommand)]
#[command(after_help = DEAD_EXAMPLES)]
pub(crate) enum Dead {
    /// Lists the dead events, with the answer that refused each.
    #[command(after_help = LIST_EXAMPLES)]
    List {
        /// The name of the sink.
        #[arg(value_name = "SINK")]
        sink: String,
        /// Prints JSON Lines.
        #[arg(long)]
        json: bool,
    },
    /// Retries dead events. They are delivered after events with higher sequences.
    #[command(after_help = RETRY_EXAMPLES)]
    Retry(Selected),
    /// Forgets dead events. They stay in their log.
    #[command(after_help = DROP_EXAMPLES)]
    Drop(Selected),
}

#[derive(Debug, clap::Args)]
pub(crate) struct Selected {
    /// The name of the sink.
    #[arg(value_name = "SINK")]
    sink: String,
    /// The log: the id of an organization, or `platform`.
    #[arg(long, value_name = "ID|platform")]
    organization: Log,
    /// The sequence of the event.
    #[arg(long, value_name = "N", required_unless_present = "all", conflicts_with = "all")]
    sequence: Option<u64>,
    /// All dead events of the log.
    #[arg(long)]
    all: bool,
}

impl Selected {
    fn only(&self) -> Result<Option<Sequence>> {
        Ok(self.sequence.map(Sequence::new).transpose()?)
    }
}

impl Command {
    pub(crate) async fn run(self, address: &StoreAddress) -> Result<()> {
        match self {
            Self::Run(arguments) => arguments.run(address).await,
            Self::Status { sinks: names, json } => {
                let sinks = Sinks::of(address.open_for_reading().await?);
                status(&sinks, names, json).await
            }
            Self::Pause { sink } => named(&sink, open(address).await?.pause(&sink).await),
            Self::Resume { sink } => named(&sink, open(address).await?.resume(&sink).await),
            Self::Replay { sink, organization, from } => {
                let from = from.parse()?;
                let first = open(address).await?.replay(&sink, organization, from).await;
                let first = named(&sink, first)?;
                report(|output| output.line(format_args!("{sink}: {organization} from {first} on")))
            }
            Self::Dead(Dead::List { sink, json }) => {
                let sinks = Sinks::of(address.open_for_reading().await?);
                list(&named(&sink, sinks.dead(&sink).await)?, json)
            }
            Self::Dead(Dead::Retry(of)) => {
                let sinks = open(address).await?;
                let count = sinks.retry_dead(&of.sink, of.organization, of.only()?).await;
                counted(named(&of.sink, count)?, "to be tried again")
            }
            Self::Dead(Dead::Drop(of)) => {
                let sinks = open(address).await?;
                let count = sinks.drop_dead(&of.sink, of.organization, of.only()?).await;
                counted(named(&of.sink, count)?, "forgotten")
            }
        }
    }
}

async fn open(address: &StoreAddress) -> Result<Sinks> {
    Ok(Sinks::of(address.open_existing().await?))
}

/// Adds the name to the error for a sink that was never served.
fn named<T>(sink: &str, result: audit_core::Result<T>) -> Result<T> {
    result.map_err(|error| match (error.kind(), error.field()) {
        (audit_core::ErrorKind::NotFound, Some("sink")) => {
            CliError::new(format!("no sink {sink} was ever served from this store"))
                .hint("`audit forward status` lists them; `audit forward run` serves one")
        }
        _ => error.into(),
    })
}

fn counted(count: usize, what: &str) -> Result<()> {
    if count == 0 {
        return Err(CliError::new("no such event is dead").hint("see `audit forward dead list`"));
    }
    report(|output| output.line(format_args!("{count} {what}")))
}

async fn status(sinks: &Sinks, names: Vec<String>, json: bool) -> Result<()> {
    let names = if names.is_empty() { sinks.names().await? } else { names };
    if names.is_empty() && !json {
        note(format_args!("no sink was ever served from this store"));
    }
    let mut output = Output::stdout();
    for name in names {
        let status = named(&name, sinks.status(&name).await)?;
        if json { output.json(&status)? } else { print(&mut output, &status)? }
    }
    output.flush()
}

fn print(output: &mut Output<'_>, status: &SinkStatus) -> Result<()> {
    let paused = if status.paused { ", paused" } else { "" };
    let served = match status.served_at {
        Some(time) => format!("served, last sign of life {}", view::time(time)),
        None => "not served".to_owned(),
    };
    output.line(format_args!("{}: {served}{paused}", status.name))?;
    if let (Some(since), Some(error)) = (status.unavailable_since, &status.error) {
        output.line(format_args!("unavailable since {}: {}", view::time(since), cell(error)))?;
    }
    let rows = status.logs.iter().map(|log| {
        [
            log.log.to_string(),
            log.delivered.to_string(),
            log.lag_events.to_string(),
            format!("{:.1}", log.lag_seconds),
            log.delivered_at.map(view::time).unwrap_or_default(),
            log.dead.to_string(),
            log.missed.to_string(),
            log.error.as_deref().map(cell).unwrap_or_default(),
        ]
    });
    let header = [
        "LOG",
        "DELIVERED",
        "LAG",
        "LAG SECONDS",
        "DELIVERED AT",
        "DEAD",
        "MISSED",
        "REFUSED WITH",
    ];
    for line in view::table(&header, rows).lines() {
        output.line(line.trim_end())?;
    }
    Ok(())
}

/// A dead event as JSON.
#[derive(Serialize)]
struct Shown<'a> {
    log: Log,
    #[serde(flatten)]
    event: &'a DeadEvent,
}

fn list(dead: &[(Log, DeadEvent)], json: bool) -> Result<()> {
    let mut output = Output::stdout();
    if json {
        dead.iter().try_for_each(|(log, event)| output.json(&Shown { log: *log, event }))?;
        return output.flush();
    }
    let rows = dead.iter().map(|(log, dead)| {
        [
            log.to_string(),
            dead.sequence.to_string(),
            dead.id.to_string(),
            view::time(dead.at),
            dead.attempts.to_string(),
            cell(&dead.error),
        ]
    });
    let header = ["LOG", "SEQUENCE", "EVENT", "TRIED AT", "ATTEMPTS", "REFUSED WITH"];
    for line in view::table(&header, rows).lines() {
        output.line(line.trim_end())?;
    }
    output.flush()
}
