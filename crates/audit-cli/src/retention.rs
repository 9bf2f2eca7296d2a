//! `audit retention`: what a log keeps, and for how long.

use audit_core::{Log, Retention};
use clap::{Subcommand, ValueEnum};
use serde::Serialize;

use crate::address::{Store, StoreAddress};
use crate::error::Result;
use crate::output::Output;
use crate::period::Period;
use crate::{caller, tenant};

/// Shows and sets what a log keeps.
#[derive(Debug, Subcommand)]
#[command(after_help = EXAMPLES)]
pub(crate) enum Command {
    /// Shows what a log keeps.
    #[command(after_help = SHOW_EXAMPLES)]
    Show {
        /// The log: the id of an organization, or `platform`.
        #[arg(long, value_name = "ID|platform")]
        organization: Log,
        /// Prints JSON on one line.
        #[arg(long)]
        json: bool,
    },
    /// Sets what a log keeps, with an event that tells of it. What is not named stays as it is.
    ///
    /// Nothing is removed before `audit prune`.
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
    /// Why, as the log will tell.
    #[arg(long)]
    reason: Option<String>,
    /// Prints JSON on one line.
    #[arg(long)]
    json: bool,
}

/// What is set, at least one of them.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = true)]
struct Bounds {
    /// Keeps events for so long after they were recorded: 12h, 365d.
    #[arg(long, value_name = "PERIOD")]
    max_age: Option<Period>,
    /// Keeps so many events, the newest.
    #[arg(long, value_name = "N")]
    max_events: Option<u64>,
    /// Lifts both bounds.
    #[arg(long, conflicts_with_all = ["max_age", "max_events"])]
    keep_everything: bool,
    /// Forbids to prune and to erase, whatever the bounds say; or permits it again.
    #[arg(long, value_enum)]
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

/// What a log keeps, as JSON shows it.
#[derive(Serialize)]
struct Shown {
    log: Log,
    #[serde(flatten)]
    retention: Retention,
}

impl Command {
    pub(crate) async fn run(self, address: &StoreAddress) -> Result<()> {
        let store = address.open_existing()?;
        match self {
            Self::Show { organization: log, json } => {
                tenant::readable(&*store, address, log).await?;
                show(&*store, log, json).await
            }
            Self::Set(set) => {
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
        let mut by = caller::attribution();
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
        return output.hand_on();
    }
    let Retention { max_age_seconds, max_events, legal_hold, .. } = retention;
    let age =
        max_age_seconds.map_or("unbounded".to_owned(), |s| Period::from_seconds(s).to_string());
    let events = max_events.map_or("unbounded".to_owned(), |events| events.to_string());
    output.line(format_args!("log:          {log}"))?;
    output.line(format_args!("max age:      {age}"))?;
    output.line(format_args!("max events:   {events}"))?;
    output.line(format_args!("legal hold:   {}", if legal_hold { "on" } else { "off" }))?;
    output.hand_on()
}
