//! `audit tail`: the last events of a log, and new ones.

use audit_core::{AuditEvent, AuditStoreExt as _, EventQuery, FeedStart, Sequence, limits};
use futures_util::TryStreamExt as _;
use futures_util::stream::BoxStream;

use crate::address::StoreAddress;
use crate::error::{CliError, Result};
use crate::output::{Output, note};
use crate::selection::Selection;
use crate::signals::Signals;
use crate::store::Store;
use crate::tenant;
use crate::view::Detail;

/// Prints the last events of a log, oldest first, and with -f also new ones.
///
/// The last events are those that occurred last. New events are printed as they are recorded, by
/// any process, each once, until the program is interrupted or its output is closed.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    selection: Selection,
    /// The number of existing events to print.
    #[arg(short = 'n', long, value_name = "N", default_value_t = 10)]
    lines: usize,
    /// Prints new events as they are recorded.
    #[arg(short, long)]
    follow: bool,
    #[command(flatten)]
    detail: Detail,
    /// Prints JSON Lines.
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  audit tail --organization platform
  audit tail -f --organization ID --action 'user.login.*'
  audit tail -f -n 0 --organization ID --json | jq .action";

impl Arguments {
    pub(crate) async fn run(&self, address: &StoreAddress) -> Result<()> {
        let query = self.selection.query()?;
        query.validate()?;
        let store = address.open_for_reading().await?;
        tenant::readable(&*store, address, self.selection.log()).await?;
        let mut signals = Signals::listen().map_err(CliError::listening)?;
        let mut output = Output::stdout();
        tokio::select! {
            ended = self.print(&*store, query, &mut output) => ended,
            _ = signals.recv() => Ok(()),
            () = reader_gone() => Ok(()),
        }
    }

    async fn print(
        &self,
        store: &dyn Store,
        query: EventQuery,
        output: &mut Output<'_>,
    ) -> Result<()> {
        let (events, seen) = last(store, &query, self.lines).await?;
        for event in events.iter().rev() {
            self.print_one(output, event)?;
        }
        output.flush()?;
        if events.is_empty() && self.lines > 0 && !self.follow && !self.json {
            note(format_args!("no events match"));
        }
        if self.follow {
            let mut events = after(store, query, seen);
            while let Some(event) = events.try_next().await? {
                self.print_one(output, &event)?;
                output.flush()?;
            }
        }
        Ok(())
    }

    fn print_one(&self, output: &mut Output<'_>, event: &AuditEvent) -> Result<()> {
        if self.json { output.json(event) } else { output.line(self.detail.line(event)) }
    }
}

/// Returns the events after sequence `seen`, as they are recorded.
fn after(
    store: &dyn Store,
    query: EventQuery,
    seen: Sequence,
) -> BoxStream<'_, audit_core::Result<AuditEvent>> {
    store.follow(query, FeedStart::After(seen))
}

/// Returns the last `count` events, latest first, and the size of the log when they were read.
async fn last(
    store: &dyn Store,
    query: &EventQuery,
    count: usize,
) -> Result<(Vec<AuditEvent>, Sequence)> {
    // A page is read even if `count` is 0, because it has the size of the log.
    let query = query.clone().limit(count.clamp(1, limits::MAX_PAGE_EVENTS));
    let mut page = store.page(&query).await?;
    let (mut events, bound) = (page.events, page.bound);
    while events.len() < count
        && let Some(token) = page.next
    {
        page = store.next_page(&query, &token).await?;
        events.append(&mut page.events);
    }
    events.truncate(count);
    Ok((events, bound))
}

/// Waits until the reader of the standard output closes it. Needs no write to detect that.
#[cfg(unix)]
async fn reader_gone() {
    use rustix::event::{PollFd, PollFlags, poll};

    let (gone, waiting) = tokio::sync::oneshot::channel();
    // The call can block for as long as the program runs, so it gets a thread of its own.
    std::thread::spawn(move || {
        let stdout = std::io::stdout();
        loop {
            // `poll` always reports a closed pipe, also for no flags.
            match poll(&mut [PollFd::new(&stdout, PollFlags::empty())], None) {
                Ok(_) => break gone.send(()),
                Err(rustix::io::Errno::INTR) => {}
                Err(_) => break Ok(()),
            }
        }
    });
    if waiting.await.is_err() {
        // It cannot be detected here; the next write fails.
        std::future::pending::<()>().await;
    }
}

/// Waits for ever: the next write to a closed output fails.
#[cfg(not(unix))]
async fn reader_gone() {
    std::future::pending::<()>().await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use audit_core::AuditStore as _;
    use audit_core::{Actor, Log, NewEvent, Timestamp};
    use audit_memory::MemoryStore;

    #[tokio::test]
    async fn the_last_events_can_be_more_than_a_page() {
        let store = MemoryStore::new().unwrap();
        let event = |micros| {
            let time = Timestamp::from_micros(micros).unwrap();
            NewEvent::new("a", Actor::system()).occurred_at(time)
        };
        store.append(Log::Platform, (0..2_500).map(event).collect()).await.unwrap();
        let query = EventQuery::new(Log::Platform);
        for (count, found) in [(0, 0), (1, 1), (1_000, 1_000), (2_400, 2_400), (9_999, 2_500)] {
            let (events, seen) = last(&store, &query, count).await.unwrap();
            assert_eq!((events.len(), seen.get()), (found, 2_500));
            let newest = events.iter().map(|event| event.sequence.get());
            assert!(newest.eq((1..=2_500).rev().take(found)));
        }
    }

    #[tokio::test]
    async fn events_between_the_last_page_and_the_feed_are_not_missed() {
        let store = MemoryStore::new().unwrap();
        let query = EventQuery::new(Log::Platform);
        let event = || NewEvent::new("a", Actor::system());
        store.record(Log::Platform, event()).await.unwrap();
        let (_, seen) = last(&store, &query, 1).await.unwrap();
        store.append(Log::Platform, vec![event(), event()]).await.unwrap();
        let mut events = after(&store, query, seen);
        for number in [2, 3] {
            assert_eq!(events.try_next().await.unwrap().unwrap().sequence.get(), number);
        }
    }
}
