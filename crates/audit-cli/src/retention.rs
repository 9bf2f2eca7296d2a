//! `audit retention` and `audit prune`: what a log keeps, and the removal of what it does not.

use std::time::Duration;

use audit_core::{AuditStore, Log, Retention};
use clap::{Args, Subcommand, ValueEnum};

use crate::address::StoreAddress;
use crate::failure::{Failure, Result};
use crate::output::{Output, tell};
use crate::{caller, tenant};

/// Shows and sets what a log keeps, and for how long.
#[derive(Debug, Subcommand)]
#[command(after_help = EXAMPLES)]
pub(crate) enum Command {
    /// Shows what a log keeps.
    #[command(after_help = SHOW_EXAMPLES)]
    Show {
        /// The log: the id of an organization, or `platform`.
        #[arg(long, value_name = "ID|platform")]
        organization: Log,
        /// Prints it as JSON on one line.
        #[arg(long)]
        json: bool,
    },
    /// Sets what a log keeps, with an event in it. Nothing is removed before `audit prune`.
    #[command(after_help = SET_EXAMPLES)]
    Set(Set),
}

/// What is to change.
#[derive(Debug, Args)]
pub(crate) struct Set {
    /// The log: the id of an organization, or `platform`.
    #[arg(long, value_name = "ID|platform")]
    organization: Log,
    /// Keeps events for so long after they were recorded: `365d`, `12h`, `90m`, `30s`.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    max_age: Option<Duration>,
    /// Keeps so many events, the newest.
    #[arg(long, value_name = "N")]
    max_events: Option<u64>,
    /// Keeps everything but what is bounded here.
    #[arg(long)]
    keep_everything: bool,
    /// Forbids to remove or erase anything, or no longer.
    #[arg(long, value_enum, value_name = "on|off")]
    legal_hold: Option<Hold>,
    /// Why.
    #[arg(long)]
    reason: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Hold {
    On,
    Off,
}

const EXAMPLES: &str = "\
Examples:
  audit retention show --organization ID
  audit retention set --organization ID --max-age 2555d";
const SHOW_EXAMPLES: &str = "\
Examples:
  audit retention show --organization platform --json";
const SET_EXAMPLES: &str = "\
Examples:
  audit retention set --organization ID --max-age 365d --max-events 10000000
  audit retention set --organization ID --legal-hold on --reason 'case 12/26'
  audit retention set --organization ID --keep-everything";

impl Command {
    pub(crate) async fn run(self, address: &StoreAddress) -> Result<()> {
        let store = address.open_existing()?;
        match self {
            Self::Show { organization, json } => {
                tenant::readable(&*store, address, organization).await?;
                show(&store.retention(organization).await?, json)
            }
            Self::Set(set) => {
                tenant::readable(&*store, address, set.organization).await?;
                set.run(&*store).await
            }
        }
    }
}

impl Set {
    async fn run(self, store: &dyn AuditStore) -> Result<()> {
        let before = store.retention(self.organization).await?;
        let mut retention = before;
        if self.keep_everything {
            (retention.max_age_seconds, retention.max_events) = (None, None);
        }
        if let Some(age) = self.max_age {
            retention = retention.max_age(age);
        }
        if let Some(events) = self.max_events {
            retention = retention.max_events(events);
        }
        retention = match self.legal_hold {
            Some(Hold::On) => retention.with_legal_hold(),
            Some(Hold::Off) => retention.without_legal_hold(),
            None => retention,
        };
        let by = caller::attribution();
        let by = match self.reason {
            Some(reason) => by.reason(reason),
            None => by,
        };
        store.set_retention(self.organization, retention, by).await?;
        show(&retention, false)
    }
}

fn show(retention: &Retention, json: bool) -> Result<()> {
    let mut output = Output::stdout();
    if json {
        output.json(retention)?;
        return output.hand_on();
    }
    let shown = |value: Option<String>| value.unwrap_or_else(|| "no bound".to_owned());
    let age = retention.max_age_seconds.map(|seconds| format!("{seconds} s"));
    let events = retention.max_events.map(|events| events.to_string());
    output.line(format_args!("max age:    {}", shown(age)))?;
    output.line(format_args!("max events: {}", shown(events)))?;
    output.line(format_args!("legal hold: {}", if retention.legal_hold { "on" } else { "off" }))?;
    output.hand_on()
}

fn duration(text: &str) -> Result<Duration, String> {
    const FORM: &str = "a number and d, h, m or s: 365d";
    let unit = text.chars().next_back().ok_or(FORM)?;
    let seconds = match unit {
        'd' => 86_400,
        'h' => 3_600,
        'm' => 60,
        's' => 1,
        _ => return Err(FORM.to_owned()),
    };
    let number: u64 = text[..text.len() - 1].parse().map_err(|_| FORM)?;
    number.checked_mul(seconds).map(Duration::from_secs).ok_or_else(|| FORM.to_owned())
}

/// Removes the first events of a log, as its retention says.
///
/// It goes in small steps while others append, and can be interrupted: the next call goes on. An
/// event tells which were removed, and every proof of what is left stays. Sign a checkpoint before:
/// without one at least as large as what goes, nothing shows later that the log goes on from there.
#[derive(Debug, Args)]
#[command(after_help = PRUNE_EXAMPLES)]
pub(crate) struct Prune {
    /// The log: the id of an organization, or `platform`.
    #[arg(long, value_name = "ID|platform")]
    organization: Log,
    /// Why.
    #[arg(long)]
    reason: Option<String>,
}

const PRUNE_EXAMPLES: &str = "\
Examples:
  audit checkpoint --organization ID --signing-key signing.key && audit prune --organization ID";

impl Prune {
    pub(crate) async fn run(self, address: &StoreAddress) -> Result<()> {
        let store = address.open_existing()?;
        tenant::readable(&*store, address, self.organization).await?;
        let by = caller::attribution();
        let by = match self.reason {
            Some(reason) => by.reason(reason),
            None => by,
        };
        let pruned = store.prune(self.organization, by).await.map_err(|error| {
            Failure::about(format!("the log {} was not pruned", self.organization), error)
        })?;
        tell(|output| {
            output.line(format_args!("removed: {}, up to event {}", pruned.events, pruned.floor))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_number_and_a_unit() {
        assert_eq!(duration("365d"), Ok(Duration::from_secs(31_536_000)));
        assert_eq!(duration("90m"), Ok(Duration::from_secs(5_400)));
        for text in ["", "d", "1", "-1d", "1y", "99999999999999999999d", "1 d", "1é"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
