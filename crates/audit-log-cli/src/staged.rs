//! `audit staged`: staged events that were refused.

use std::sync::Arc;

use audit_core::{ErrorKind, EventId, Log, RefusedEvent, StagingStore, Timestamp};
use clap::Subcommand;
use serde::Serialize;

use crate::address::StoreAddress;
use crate::error::{CliError, Outcome, Result};
use crate::output::{Output, note, report};
use crate::store::Store;
use crate::text::{cell, line};
use crate::{caller, view};

/// Lists, drops and stages again the staged events that were refused.
///
/// A service stages events in its own transactions, and the store takes them into their logs. What it
/// cannot take in, because another event has the id or a row is no event, it sets aside with the reason,
/// and records `log.staged_refused` in the log.
#[derive(Debug, Subcommand)]
#[command(after_help = EXAMPLES)]
pub(crate) enum Command {
    /// Lists the refused events, the oldest first.
    ///
    /// Prints how many events wait to be taken in, and how many were refused, to the standard error.
    #[command(after_help = LIST_EXAMPLES)]
    List {
        /// Prints JSON Lines, with the body of each event as it was staged.
        #[arg(long)]
        json: bool,
    },
    /// Deletes refused events for ever. Each log records that it was done, by whom and why.
    #[command(after_help = DROP_EXAMPLES)]
    Drop {
        /// The number of a refused event, as `audit staged list` prints it.
        #[arg(value_name = "NUMBER", required = true)]
        numbers: Vec<u64>,
        /// The reason, recorded in the log.
        #[arg(long)]
        reason: Option<String>,
    },
    /// Stages refused events again, as they are, and takes them in.
    ///
    /// For events whose cause of refusal is gone, such as a row that was changed in the table, or a limit
    /// of an earlier version. An event that is refused again gets a new number.
    #[command(after_help = RETRY_EXAMPLES)]
    Retry {
        /// The number of a refused event, as `audit staged list` prints it.
        #[arg(value_name = "NUMBER", required_unless_present = "all", conflicts_with = "all")]
        numbers: Vec<u64>,
        /// All that are refused now.
        #[arg(long)]
        all: bool,
    },
}

const EXAMPLES: &str = "\
Examples:
  audit staged list
  audit staged retry 3";
const LIST_EXAMPLES: &str = "\
Examples:
  audit staged list
  audit staged list --json | jq -r .reason";
const DROP_EXAMPLES: &str = "\
Examples:
  audit staged drop 3 4 --reason 'sent twice by a test'";
const RETRY_EXAMPLES: &str = "\
Examples:
  audit staged retry 3
  audit staged retry --all

Exit codes: 0 taken in; 1 an event was refused again; 2 failure.";

/// The number of events that are read at once. They can be large.
const PAGE: usize = 100;

/// A refused event as JSON.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown<'a> {
    number: u64,
    log: Option<Log>,
    id: Option<EventId>,
    refused_at: Timestamp,
    reason: &'a str,
    /// With replacement characters for what is not UTF-8.
    body: String,
}

impl<'a> From<&'a RefusedEvent> for Shown<'a> {
    fn from(refused: &'a RefusedEvent) -> Self {
        Self {
            number: refused.number,
            log: refused.log,
            id: refused.id,
            refused_at: refused.refused_at,
            reason: &refused.reason,
            body: String::from_utf8_lossy(&refused.body).into_owned(),
        }
    }
}

impl Command {
    pub(crate) async fn run(self, address: &StoreAddress) -> Result<Outcome> {
        match self {
            Self::List { json } => {
                list(&*staging(address.open_for_reading().await?, address)?, json).await?;
            }
            Self::Drop { numbers, reason } => {
                let store = staging(address.open_existing().await?, address)?;
                drop_refused(&*store, numbers, reason).await?;
            }
            Self::Retry { numbers, all } => {
                let store = staging(address.open_existing().await?, address)?;
                return retry(&*store, (!all).then_some(numbers)).await;
            }
        }
        Ok(Outcome::Done)
    }
}

fn staging(store: Arc<dyn Store>, address: &StoreAddress) -> Result<Arc<dyn StagingStore>> {
    store.staging().ok_or_else(|| CliError::new(format!("nothing can be staged in {address}")))
}

async fn list(store: &dyn StagingStore, json: bool) -> Result<()> {
    let counts = store.staged_counts().await?;
    if !json {
        note(format_args!("waiting: {}, refused: {}", counts.waiting, counts.refused));
    }
    let mut output = Output::stdout();
    let mut after = 0;
    loop {
        let page = store.refused(after, PAGE).await?;
        let Some(last) = page.last() else { return output.flush() };
        if json {
            page.iter().try_for_each(|refused| output.json(&Shown::from(refused)))?;
        } else {
            let rows = page.iter().map(|refused| {
                [
                    refused.number.to_string(),
                    view::time(refused.refused_at),
                    refused.log.map(|log| log.to_string()).unwrap_or_default(),
                    refused.id.map(|id| id.to_string()).unwrap_or_default(),
                    cell(&refused.reason),
                ]
            });
            let header = ["NUMBER", "REFUSED AT", "LOG", "EVENT", "REASON"];
            for line in view::table(&header, rows).lines() {
                output.line(line.trim_end())?;
            }
        }
        after = last.number;
    }
}

/// A refused event without its body.
#[derive(Debug)]
struct Refused {
    number: u64,
    log: Option<Log>,
    id: Option<EventId>,
    reason: String,
}

/// Returns the refused events after the number `after`.
async fn refused(store: &dyn StagingStore, mut after: u64) -> Result<Vec<Refused>> {
    let mut all = Vec::new();
    loop {
        let page = store.refused(after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(all) };
        after = last.number;
        all.extend(page.into_iter().map(|RefusedEvent { number, log, id, reason, .. }| Refused {
            number,
            log,
            id,
            reason,
        }));
    }
}

async fn drop_refused(
    store: &dyn StagingStore,
    numbers: Vec<u64>,
    reason: Option<String>,
) -> Result<()> {
    let mut by = caller::context();
    by.reason = reason;
    for number in numbers {
        store.drop_refused(number, by.clone()).await.map_err(|error| match error.kind() {
            ErrorKind::NotFound => missing(number),
            _ => error.into(),
        })?;
        report(|output| output.line(format_args!("{number}: dropped")))?;
    }
    Ok(())
}

/// Stages the refused events with these numbers, or all, and takes them in.
async fn retry(store: &dyn StagingStore, numbers: Option<Vec<u64>>) -> Result<Outcome> {
    let mut before = refused(store, 0).await?;
    let newest = before.last().map_or(0, |refused| refused.number);
    if let Some(numbers) = numbers {
        let is_there = |number: &u64| before.iter().any(|refused| refused.number == *number);
        if let Some(number) = numbers.iter().find(|number| !is_there(number)) {
            return Err(missing(*number));
        }
        before.retain(|refused| numbers.contains(&refused.number));
    }
    for refused in &before {
        store.restage(refused.number).await?;
    }
    store.take_in().await?;
    let mut again = refused(store, newest).await?;
    let mut outcome = Outcome::Done;
    for Refused { number, log, id, .. } in before {
        let same = again.iter().position(|again| (again.log, again.id) == (log, id));
        let Some(Refused { number: new, reason, .. }) = same.map(|at| again.remove(at)) else {
            report(|output| output.line(format_args!("{number}: taken in")))?;
            continue;
        };
        outcome = Outcome::Refused;
        let reason = line(&reason);
        report(|output| output.line(format_args!("{number}: refused again, as {new}: {reason}")))?;
    }
    Ok(outcome)
}

fn missing(number: u64) -> CliError {
    CliError::new(format!("there is no refused event {number}"))
        .hint("`audit staged list` prints their numbers")
}
