//! `audit erase`: what a person asks to be forgotten.

use std::io::{self, IsTerminal as _, Write as _};

use audit_core::{AuditStoreExt as _, Erasure, EventId};
use clap::Args;

use crate::address::StoreAddress;
use crate::failure::{Failure, Outcome, Result};
use crate::output::{note, tell};
use crate::selection::Selection;
use crate::{caller, tenant};

/// Erases the personal parts of events: names, addresses, texts, values, metadata.
///
/// The records stay, with the ids in them, and every proof of them. An event tells how many were
/// erased, by whom and why, not whose. It cannot be undone; backups hold what they held.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    selection: Selection,
    /// The id of an event, instead of filters; can be repeated.
    #[arg(long, value_name = "EVENT")]
    id: Vec<EventId>,
    /// Why. It stands in the log: name no person.
    #[arg(long)]
    reason: String,
    /// Says how many events match, and erases nothing.
    #[arg(long)]
    dry_run: bool,
    /// Does not ask.
    #[arg(long)]
    yes: bool,
}

const EXAMPLES: &str = "\
Examples:
  audit erase --organization ID --actor-id u_7 --reason 'request 4711' --dry-run
  audit erase --organization ID --actor-email ana@acme.example --reason 'request 4711' --yes
  audit erase --organization ID --id 3fa85f64-5717-4562-b3fc-2c963f66afa6 --reason 'request 4711'

Exit codes: 0 it is erased; 1 it was not confirmed; 2 failure.";

impl Arguments {
    pub(crate) async fn run(self, address: &StoreAddress) -> Result<Outcome> {
        let log = self.selection.log();
        let by_filter = Erasure::matching(self.selection.filter());
        let erasure = match (self.id.is_empty(), by_filter.validate().is_ok()) {
            (true, _) => by_filter,
            (false, false) => Erasure::Events(self.id),
            (false, true) => {
                return Err(Failure::new("give either --id or filters, not both"));
            }
        };
        erasure.validate().map_err(|error| {
            Failure::about("nothing is selected", error)
                .hint("name an event, or at least one filter")
        })?;
        let store = address.open_existing()?;
        tenant::readable(&*store, address, log).await?;
        let count = match &erasure {
            Erasure::Events(ids) => ids.len() as u64,
            Erasure::Matching(_) => store.count(&self.selection.query()).await?,
        };
        let events = if count == 1 { "event" } else { "events" };
        if self.dry_run {
            tell(|output| output.line(format_args!("{count} {events} would be erased")))?;
            return Ok(Outcome::Done);
        }
        if !self.yes && !confirmed(&format!("Erase the personal parts of {count} {events}"))? {
            note(format_args!("nothing was erased"));
            return Ok(Outcome::Refused);
        }
        let by = caller::attribution().reason(self.reason);
        let erased = store.erase(log, erasure, by).await?.events;
        let rest = count.saturating_sub(erased);
        tell(|output| output.line(format_args!("erased: {erased}, erased before: {rest}")))?;
        Ok(Outcome::Done)
    }
}

/// Asks on the terminal.
fn confirmed(question: &str) -> Result<bool> {
    if !io::stdin().is_terminal() {
        return Err(Failure::new("there is nobody to ask").hint("say --yes"));
    }
    let mut answer = String::new();
    let mut ask = || {
        write!(io::stderr(), "{question}, for ever? [y/N] ")?;
        io::stdin().read_line(&mut answer)
    };
    ask().map_err(|error| Failure::about("cannot ask", error))?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
