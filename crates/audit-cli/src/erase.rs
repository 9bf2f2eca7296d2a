//! `audit erase`: what a person may ask to be forgotten.

use std::collections::BTreeSet;
use std::io::{self, BufRead as _, Write as _};

use audit_core::{
    AuditStoreExt as _, Erasure, EventId, EventQuery, Filter, Log, RetentionStoreExt as _,
};
use serde::Serialize;

use crate::address::{Store, StoreAddress};
use crate::error::{CliError, Result};
use crate::output::{Output, note};
use crate::selection::Selection;
use crate::{caller, progress, tenant};

/// Erases the personal parts of events, for ever: names, addresses, texts, values, metadata.
///
/// The records stay, and are proved as before: who by their ids, what, to what, and when. An event
/// of the log tells how many were erased, by whom and why, not whose. Interrupted, it goes on with
/// what is left when it is called again.
///
/// Copies are not reached: backups, exports, evidence that was given away.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    selection: Selection,
    /// The id of an event, rather than a filter; it can be given several times.
    #[arg(long, value_name = "EVENTID")]
    id: Vec<EventId>,
    /// Why, as the log will tell.
    #[arg(long)]
    reason: String,
    /// Only tells how many events match.
    #[arg(long)]
    dry_run: bool,
    /// Does not ask.
    #[arg(long, short)]
    yes: bool,
    /// Prints JSON on one line: matched, erased.
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  audit erase --organization ID --actor-id u_7 --reason 'request 4711' --dry-run
  audit erase --organization ID --actor-id u_7 --reason 'request 4711'
  audit erase --organization ID --target-type user --target-id u_7 --reason 'request 4711' --yes
  audit erase --organization ID --id EVENTID --reason 'a password in a message'";

/// What was done, as JSON shows it.
#[derive(Serialize)]
struct Done {
    /// The events that match, those that were erased before among them.
    matched: u64,
    /// The events that had a personal part, and have none any more.
    erased: u64,
}

impl Arguments {
    pub(crate) async fn run(self, address: &StoreAddress) -> Result<()> {
        let log = self.selection.log();
        let erasure = self.erasure()?;
        let store = address.open_existing()?;
        tenant::readable(&*store, address, log).await?;
        store.retention(log).await?.permits_removal()?;
        let matched = matched(&*store, log, &erasure).await?;
        let mut done = Done { matched, erased: 0 };
        if !self.json {
            note(format_args!("events of {log} that match: {matched}"));
        }
        if !self.dry_run && matched > 0 {
            if !self.yes && !confirmed() {
                return Err(CliError::new("not confirmed: nothing was erased")
                    .hint("answer yes, or give --yes"));
            }
            let bar = progress::waiting("erasing".to_owned());
            let by = caller::attribution().reason(self.reason);
            let erased = store.erase(log, erasure, by).await;
            bar.finish_and_clear();
            done.erased = erased?.events;
        }
        let mut output = Output::stdout();
        if self.json {
            output.json(&done)?;
        } else if !self.dry_run {
            output.line(format_args!("events erased: {}", done.erased))?;
        }
        output.hand_on()
    }

    fn erasure(&self) -> Result<Erasure> {
        let filter = self.selection.filter();
        let ids: BTreeSet<_> = self.id.iter().copied().collect();
        let erasure = match (ids.is_empty(), filter == Filter::new()) {
            (true, false) => Erasure::matching(filter),
            (false, true) => Erasure::Events(ids.into_iter().collect()),
            (true, true) => {
                return Err(CliError::new("that would be the whole log: nothing was erased")
                    .hint("name events with --id, or give a filter"));
            }
            (false, false) => {
                return Err(CliError::new("--id names the events; give no filter with it"));
            }
        };
        erasure.validate()?;
        Ok(erasure)
    }
}

/// How many events of the log the erasure is of.
async fn matched(store: &dyn Store, log: Log, erasure: &Erasure) -> Result<u64> {
    match erasure {
        Erasure::Matching(filter) => {
            let query = EventQuery::new(log).filter((**filter).clone());
            Ok(store.count(&query).await?)
        }
        Erasure::Events(ids) => {
            for id in ids {
                store.get(log, *id).await.map_err(|error| {
                    CliError::from_source(format!("cannot erase event {id} of {log}"), error)
                })?;
            }
            Ok(ids.len() as u64)
        }
    }
}

/// Asks whoever runs the program. That there is nobody is a no.
fn confirmed() -> bool {
    let question = "Erase their names, addresses, texts and values for ever? [y/N]";
    let _ = write!(io::stderr(), "{question} ").and_then(|()| io::stderr().flush());
    let mut answer = String::new();
    let answered = io::stdin().lock().read_line(&mut answer);
    answered.is_ok() && matches!(answer.trim(), "y" | "Y" | "yes")
}
