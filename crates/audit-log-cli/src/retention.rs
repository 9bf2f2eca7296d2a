//! `audit retention`: the retention of a log.

use audit_core::{Log, Retention};
use clap::{Subcommand, ValueEnum};
use serde::Serialize;

use crate::address::StoreAddress;
use crate::error::Result;
use crate::output::Output;
use crate::period::Period;
use crate::store::Store;
use crate::{caller, tenant};

/// Shows and sets the retention of a log.
#[derive(Debug, Subcommand)]
#[command(after_help = EXAMPLES)]
pub(crate) enum Command {
    /// Shows the retention of a log.
    #[command(after_help = SHOW_EXAMPLES)]
    Show {
        /// The log: the id of an organization, or `platform`.
        #[arg(long, value_name = "ID|platform")]
        organization: Log,
        /// Prints JSON on one line.
        #[arg(long)]
        json: bool,
    },
    /// Sets the retention of a log, and records an event. Bounds that are not given do not change.
    ///
    /// Removes nothing; `audit prune` does.
    #[command(after_help = SET_EXAMPLES)]
    Set(Set),
}

#[derive(Debug, clap::Args)]
pub(crate) struct Set {
    /// The log: the id of an organization, or `platform`.
    #[arg(long, value_name = "ID|platform")]
    organization: Log,
    #[command(flatten)]
    bounds: Bounds,
    /// The reason, recorded in the log.
    #[arg(long)]
    reason: Option<String>,
    /// Prints JSON on one line.
    #[arg(long)]
    json: bool,
}

/// The bounds to set, at least one.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = true)]
struct Bounds {
    /// The time for which events are kept after they were recorded: 12h, 365d.
    #[arg(long, value_name = "PERIOD")]
    max_age: Option<Period>,
    /// The number of events that are kept, the newest.
    #[arg(long, value_name = "N")]
    max_events: Option<u64>,
    /// Removes both bounds.
    #[arg(long, conflicts_with_all = ["max_age", "max_events"])]
    keep_everything: bool,
    /// Forbids pruning and erasing whatever the bounds, or permits them again.
    #[arg(long, value_enum, value_name = "ON|OFF")]
    legal_hold: Option<Switch>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Switch {
    On,
    Off,
}

const EXAMPLES: &str = "\
Examples:
  audit retention show --organization ID
  audit retention set --organization ID --max-age 365d";
const SHOW_EXAMPLES: &str = "\
Examples:
  audit retention show --organization ID --json";
const SET_EXAMPLES: &str = "\
Examples:
  audit retention set --organization ID --max-age 365d --max-events 10000000
  audit retention set --organization ID --legal-hold on --reason 'case 11'
  audit retention set --organization ID --keep-everything";

/// The retention of a log as JSON.
#[derive(Serialize)]
struct Shown {
    log: Log,
    #[serde(flatten)]
    retention: Retention,
}

impl Command {
    pub(crate) async fn run(self, address: &StoreAddress) -> Result<()> {
        match self {
            Self::Show { organization: log, json } => {
                let store = address.open_for_reading().await?;
                tenant::readable(&*store, address, log).await?;
                show(&*store, log, json).await
            }
            Self::Set(set) => {
                let store = address.open_existing().await?;
                tenant::readable(&*store, address, set.organization).await?;
                set.run(&*store).await
            }
        }
    }
}

impl Set {
    async fn run(self, store: &dyn Store) -> Result<()> {
        let log = self.organization;
        let retention = self.bounds.applied(store.retention(log).await?);
        let mut by = caller::context();
        by.reason = self.reason;
        store.set_retention(log, retention, by).await?;
        show(store, log, self.json).await
    }
}

impl Bounds {
    fn applied(&self, mut retention: Retention) -> Retention {
        if self.keep_everything {
            (retention.max_age_seconds, retention.max_events) = (None, None);
        }
        if let Some(age) = self.max_age {
            retention = retention.max_age(age.duration());
        }
        if let Some(events) = self.max_events {
            retention = retention.max_events(events);
        }
        if let Some(hold) = self.legal_hold {
            retention.legal_hold = hold == Switch::On;
        }
        retention
    }
}

async fn show(store: &dyn Store, log: Log, json: bool) -> Result<()> {
    let retention = store.retention(log).await?;
    let mut output = Output::stdout();
    if json {
        output.json(&Shown { log, retention })?;
        return output.flush();
    }
    let Retention { max_age_seconds, max_events, legal_hold, .. } = retention;
    let age =
        max_age_seconds.map_or("unbounded".to_owned(), |s| Period::from_seconds(s).to_string());
    let events = max_events.map_or("unbounded".to_owned(), |events| events.to_string());
    output.line(format_args!("log:          {log}"))?;
    output.line(format_args!("max age:      {age}"))?;
    output.line(format_args!("max events:   {events}"))?;
    output.line(format_args!("legal hold:   {}", if legal_hold { "on" } else { "off" }))?;
    output.flush()
}
