//! `audit list`: the events of a log, by pages.

use audit_core::{Anchor, AuditEvent, AuditStoreExt as _, EventId, Order, Sequence, Token};
use clap::ValueEnum;

use crate::address::StoreAddress;
use crate::error::Result;
use crate::output::{Output, note};
use crate::selection::Selection;
use crate::tenant;
use crate::view::Detail;

/// Lists the events of a log, page by page.
///
/// Prints a table, one line an event, or with --json one line of JSON for each event. On a terminal the
/// lines have its width. Control characters and invisible ones are escaped. If more events follow, it prints the token of the next page to the standard error: `next:
/// TOKEN`. The pages that follow by token show the log as it was at the first page.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    selection: Selection,
    /// The order: by the time of the events, or by their sequence.
    #[arg(long, value_enum, default_value_t)]
    order: OrderName,
    /// The highest number of events to list, from 1 to 1,000.
    #[arg(long, value_name = "N", default_value_t = 50)]
    limit: usize,
    /// Continues with the page that this token of another page leads to. Filters and order must be
    /// the same.
    #[arg(long)]
    token: Option<Token>,
    /// Begins with the page around an event, given by its id or its sequence.
    #[arg(long, value_name = "EVENTID|SEQUENCE", value_parser = anchor, conflicts_with = "token")]
    around: Option<Anchor>,
    /// Lists all events, or all that follow the token.
    #[arg(long, conflicts_with = "limit")]
    all: bool,
    /// Prints the number of events that match to the standard error: `total: N`.
    #[arg(long)]
    total: bool,
    #[command(flatten)]
    detail: Detail,
    /// Prints JSON Lines.
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  audit list --organization platform
  audit list --organization ID --action 'user.*' --actor-email ana@acme.example
  audit list --organization ID --since 2026-11-01 --until 2026-11-30 --limit 10 --total
  audit list --organization ID --outcome denied --wide
  audit list --organization ID --target-type invoice --target-id inv_9 --all --json";

/// The number of events in a page of a complete walk. It is small, because events can be large.
pub(crate) const PAGE: usize = 100;
/// The audience of the program's tokens. A service on the same store has other audiences.
const AUDIENCE: &str = "audit list";

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum OrderName {
    /// Latest first.
    #[default]
    Newest,
    /// Earliest first.
    Oldest,
    /// In the order in which they were recorded.
    Sequence,
}

impl From<OrderName> for Order {
    fn from(name: OrderName) -> Self {
        match name {
            OrderName::Newest => Self::NewestFirst,
            OrderName::Oldest => Self::OldestFirst,
            OrderName::Sequence => Self::Sequence,
        }
    }
}

/// Reads the id or the sequence of an event.
fn anchor(text: &str) -> audit_core::Result<Anchor> {
    match text.parse::<u64>() {
        Ok(sequence) => Sequence::new(sequence).map(Into::into),
        Err(_) => text.parse::<EventId>().map(Into::into),
    }
}

impl Arguments {
    pub(crate) async fn run(&self, address: &StoreAddress) -> Result<()> {
        let limit = if self.all { PAGE } else { self.limit };
        let query =
            self.selection.query()?.audience(AUDIENCE).order(self.order.into()).limit(limit);
        let query = match self.around {
            Some(event) => query.around(event),
            None => query,
        };
        query.validate()?;
        let store = address.open_for_reading().await?;
        tenant::readable(&*store, address, self.selection.log()).await?;
        if self.total {
            let total = store.count(&query).await?;
            note(format_args!("total: {total}"));
        }
        let mut page = match &self.token {
            Some(token) => store.next_page(&query, token).await?,
            None => store.page(&query).await?,
        };
        let mut output = Output::stdout();
        if page.events.is_empty() && !self.json {
            note(format_args!("no events match"));
        }
        loop {
            self.print(&mut output, &page.events)?;
            match page.next {
                Some(token) if self.all => page = store.next_page(&query, &token).await?,
                next => {
                    output.flush()?;
                    if !self.all
                        && let Some(token) = page.previous
                    {
                        note(format_args!("previous: {token}"));
                    }
                    if let Some(token) = next {
                        note(format_args!("next: {token}"));
                    }
                    return Ok(());
                }
            }
        }
    }

    fn print(&self, output: &mut Output<'_>, events: &[AuditEvent]) -> Result<()> {
        if self.json {
            return events.iter().try_for_each(|event| output.json(event));
        }
        if events.is_empty() {
            return Ok(());
        }
        self.detail.table(events).into_iter().try_for_each(|line| output.line(line))
    }
}
