//! `audit erase`: erases personal data.

use std::collections::BTreeSet;
use std::io::{self, BufRead as _, Write as _};

use audit_core::{
    AuditStoreExt as _, Erasure, ErrorKind, EventId, EventQuery, Filter, Log,
    RetentionStoreExt as _,
};
use serde::Serialize;

use crate::address::StoreAddress;
use crate::error::{CliError, Outcome, Result};
use crate::holders::Holders;
use crate::output::{Output, note};
use crate::selection::Selection;
use crate::store::Store;
use crate::{caller, progress, tenant};

/// Erases the personal data of events for ever: names, addresses, texts, values, metadata.
///
/// The records stay, with the ids, the actions and the times, and their proofs stay valid. An event
/// of the log records the number of erased events, by whom and why, but not which. If it is
/// interrupted, the next call continues.
///
/// An erasure by e-mail address alone also removes the address from the revoked API keys of the
/// organization.
///
/// Does not reach copies: backups, exports, and evidence that others have.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    selection: Selection,
    /// The id of an event, instead of a filter; may be repeated.
    #[arg(long, value_name = "EVENTID")]
    id: Vec<EventId>,
    /// The reason, recorded in the log.
    #[arg(long)]
    reason: String,
    /// Prints the number of events that match, and erases nothing.
    #[arg(long)]
    dry_run: bool,
    /// Erases without asking.
    #[arg(long, short)]
    yes: bool,
    /// Prints one line of JSON: matched, erased, keys, damaged.
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  audit erase --organization ID --actor-id u_7 --reason 'request 4711' --dry-run
  audit erase --organization ID --actor-id u_7 --reason 'request 4711'
  audit erase --organization ID --target-type user --target-id u_7 --reason 'request 4711' --yes
  audit erase --organization ID --id EVENTID --reason 'a password in a message'

Exit codes: 0 erased; 1 events are damaged, and it is unknown whether they match; 2 failure.";

/// The result as JSON.
#[derive(Serialize)]
struct Done {
    /// The number of events that match, including those that were erased before.
    matched: u64,
    /// The number of events whose personal data was erased now.
    erased: u64,
    /// The number of revoked keys from which the address of the holder was removed.
    keys: usize,
    /// The events that are damaged, so that it is unknown whether they match.
    damaged: Vec<String>,
}

impl Arguments {
    pub(crate) async fn run(self, address: &StoreAddress) -> Result<Outcome> {
        let log = self.selection.log();
        let erasure = self.erasure()?;
        let store = address.open_existing().await?;
        tenant::readable(&*store, address, log).await?;
        store.retention(log).await?.permits_removal()?;
        let matched = matched(&*store, log, &erasure).await?;
        let holders = match &erasure {
            Erasure::Matching(filter) => Holders::find(&*store, log, filter).await?,
            Erasure::Events(_) => Holders::default(),
        };
        let mut done = Done { matched, erased: 0, keys: 0, damaged: Vec::new() };
        if !self.json {
            note(format_args!("events of {log} that match: {matched}"));
            if !holders.revoked.is_empty() {
                note(format_args!("revoked keys of this holder: {}", holders.revoked.len()));
            }
        }
        if !self.dry_run && (matched > 0 || !holders.revoked.is_empty()) {
            if !self.yes && !confirmed() {
                return Err(CliError::new("not confirmed: nothing was erased")
                    .hint("answer yes, or give --yes"));
            }
            let bar = progress::waiting("erasing".to_owned());
            let by = caller::context().reason(self.reason);
            let erased = store.erase(log, erasure, by.clone()).await;
            bar.finish_and_clear();
            let erased = erased?;
            holders.forget(&*store, &by).await?;
            done.keys = holders.revoked.len();
            done.erased = erased.events;
            done.damaged = erased.damaged.iter().map(ToString::to_string).collect();
        }
        let mut output = Output::stdout();
        if self.json {
            output.json(&done)?;
        } else if !self.dry_run {
            output.line(format_args!("events erased: {}", done.erased))?;
            if done.keys > 0 {
                output.line(format_args!("keys whose holder was forgotten: {}", done.keys))?;
            }
        }
        output.flush()?;
        for key in holders.in_use {
            let command = address.command();
            note(format_args!(
                "key {key} keeps the address: revoke it, then run: {command} keys forget {key}"
            ));
        }
        for damaged in &done.damaged {
            note(format_args!("not erased: {damaged} is damaged; see `audit verify`"));
        }
        Ok(if done.damaged.is_empty() { Outcome::Done } else { Outcome::Refused })
    }

    fn erasure(&self) -> Result<Erasure> {
        let filter = self.selection.filter()?;
        let ids: BTreeSet<_> = self.id.iter().copied().collect();
        let erasure = match (ids.is_empty(), filter == Filter::new()) {
            (true, false) => Erasure::matching(filter),
            (false, true) => Erasure::Events(ids.into_iter().collect()),
            (true, true) => {
                return Err(CliError::new("this selects the whole log: nothing was erased")
                    .hint("select events with --id or with a filter"));
            }
            (false, false) => {
                return Err(CliError::new("--id selects the events: give no filter with it"));
            }
        };
        erasure.validate()?;
        Ok(erasure)
    }
}

/// Counts the events of the log that the erasure selects.
async fn matched(store: &dyn Store, log: Log, erasure: &Erasure) -> Result<u64> {
    match erasure {
        Erasure::Matching(filter) => {
            let query = EventQuery::new(log).filter((**filter).clone());
            Ok(store.count(&query).await?)
        }
        Erasure::Events(ids) => {
            for id in ids {
                match store.get(log, *id).await {
                    Err(error) if error.kind() != ErrorKind::Corrupt => {
                        let what = format!("cannot erase event {id} of {log}");
                        return Err(CliError::from_source(what, error));
                    }
                    _ => {}
                }
            }
            Ok(ids.len() as u64)
        }
    }
}

/// Asks the user to confirm. Returns `false` if there is no answer.
fn confirmed() -> bool {
    let question = "Erase the names, addresses, texts and values of these events for ever? [y/N]";
    let _ = write!(io::stderr(), "{question} ").and_then(|()| io::stderr().flush());
    let mut answer = String::new();
    let answered = io::stdin().lock().read_line(&mut answer);
    answered.is_ok() && matches!(answer.trim(), "y" | "Y" | "yes")
}
