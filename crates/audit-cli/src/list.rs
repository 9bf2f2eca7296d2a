//! `audit list`: a page of a log.

use audit_core::{AuditEvent, AuditStoreExt as _, Order, Token};
use clap::ValueEnum;

use crate::address::StoreAddress;
use crate::error::Result;
use crate::output::{Output, note};
use crate::selection::Selection;
use crate::{tenant, view};

/// Lists the events of a log, page by page.
///
/// For people it prints a table, in which control characters are escaped. With --json it prints
/// each event as JSON on a line. If more follow, the token of the next page goes to the standard
/// error: `next: TOKEN`. A walk by tokens shows the log as it was at its first page.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    selection: Selection,
    /// The order: by the time when they occurred, or by their numbers.
    #[arg(long, value_enum, default_value_t)]
    order: OrderName,
    /// The most events to list: 1 to 1,000.
    #[arg(long, value_name = "N", default_value_t = 50)]
    limit: usize,
    /// Continues behind the page that gave this token, which needs the same filters and order.
    #[arg(long)]
    token: Option<Token>,
    /// Lists all the rest.
    #[arg(long, conflicts_with = "limit")]
    all: bool,
    /// Also counts, on the standard error, all events that match: `total: N`.
    #[arg(long)]
    total: bool,
    /// Prints JSON Lines.
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  audit list --organization platform
  audit list --organization ID --action 'user.*' --actor-email ana@acme.example
  audit list --organization ID --since 2026-01-01T00:00:00Z --order oldest --limit 10 --total
  audit list --organization ID --target-type invoice --target-id inv_9 --all --json";

/// Events of a page of all: few enough that pages of large events are no burden.
pub(crate) const PAGE: usize = 100;
/// Tokens of this program are not those of a service on the same store.
const ENDPOINT: &str = "audit list";

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum OrderName {
    /// The latest first.
    #[default]
    Newest,
    /// The earliest first.
    Oldest,
    /// As the log took them in.
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

impl Arguments {
    pub(crate) async fn run(&self, address: &StoreAddress) -> Result<()> {
        let limit = if self.all { PAGE } else { self.limit };
        let query = self.selection.query().audience(ENDPOINT).order(self.order.into()).limit(limit);
        query.validate()?;
        let store = address.open_existing()?;
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
                Some(token) => {
                    output.hand_on()?;
                    note(format_args!("next: {token}"));
                    return Ok(());
                }
                None => return output.hand_on(),
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
        // Of a wide terminal's worth of columns, most rows end in blanks.
        view::events(events).lines().try_for_each(|line| output.line(line.trim_end()))
    }
}
