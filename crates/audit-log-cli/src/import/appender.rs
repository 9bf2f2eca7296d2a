//! The append of mapped records, batch after batch, while the next is mapped.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

use audit_core::{Error, ErrorKind, EventId, Log, NewEvent, Receipt, Result, Timestamp};
use audit_import::Mapped;
use futures_util::future::{BoxFuture, MaybeDone, maybe_done};

use super::pending::{Disposition, Pending, Refuse, Waiting};
use super::source::{Source, matches};
use super::tally::Tally;
use super::verify::{Expected, digest};
use crate::store::Store;

/// Appends records to one log.
pub(crate) struct Appender<'a> {
    store: &'a dyn Store,
    log: Log,
    source: Source,
    /// The events of the files that the log must have; `None` if they are not verified.
    pub(crate) expected: Option<Expected>,
    under_way: Option<UnderWay<'a>>,
}

/// An append that is not known to be durable yet.
struct UnderWay<'a> {
    append: MaybeDone<BoxFuture<'a, Result<Vec<Receipt>>>>,
    waiting: Vec<Waiting>,
    /// The ids and digests of the events, if they are verified.
    digests: Vec<(EventId, EventId)>,
    received: Option<Timestamp>,
}

impl<'a> Appender<'a> {
    pub(crate) fn new(store: &'a dyn Store, log: Log, source: Source) -> Self {
        Self { store, log, source, expected: None, under_way: None }
    }

    /// Begins the append of a batch, once the one before is durable.
    pub(crate) async fn begin(
        &mut self,
        batch: Pending,
        tally: &mut Tally,
        refuse: Refuse<'_>,
    ) -> Result<()> {
        self.finish(tally, refuse).await?;
        let Pending { events, waiting, received, .. } = batch;
        if events.is_empty() {
            return Ok(());
        }
        let digest = |event: &NewEvent| (event.id, digest(event));
        let digests = match self.expected {
            Some(_) => events.iter().map(digest).collect(),
            None => Vec::new(),
        };
        // The first poll queues the append.
        let mut append = maybe_done(self.store.append(self.log, events));
        poll_fn(|context| Poll::Ready(Pin::new(&mut append).poll(context).is_ready())).await;
        self.under_way = Some(UnderWay { append, waiting, digests, received });
        Ok(())
    }

    /// Waits until what was begun is durable, and counts it.
    pub(crate) async fn finish(&mut self, tally: &mut Tally, refuse: Refuse<'_>) -> Result<()> {
        let Some(mut under_way) = self.under_way.take() else { return Ok(()) };
        (&mut under_way.append).await;
        let Some(appended) = Pin::new(&mut under_way.append).take_output() else { return Ok(()) };
        let UnderWay { waiting, digests, received, .. } = under_way;
        match appended {
            Ok(receipts) => {
                for (waiting, receipt) in waiting.into_iter().zip(receipts) {
                    waiting.count(&of_receipt(receipt), tally, refuse);
                }
                if let Some(expected) = &mut self.expected {
                    for (id, digest) in digests {
                        expected.insert(id, digest);
                    }
                }
                Ok(())
            }
            Err(error) if is_of_events(&error) => {
                self.append_parts(waiting, received, tally, refuse).await
            }
            Err(error) => Err(error),
        }
    }

    /// Appends the records of a batch of which one is not accepted, is too large, or is in the log with other
    /// content: those that the log does not have with one call if that succeeds, else one by one.
    async fn append_parts(
        &mut self,
        waiting: Vec<Waiting>,
        received: Option<Timestamp>,
        tally: &mut Tally,
        refuse: Refuse<'_>,
    ) -> Result<()> {
        let mut unknown = Vec::new();
        for waiting in waiting {
            let Some(record) = self.again(&waiting, received) else { continue };
            match self.recorded(record.event.id).await? {
                Some(recorded) => {
                    let disposition = self.compare(&record, &recorded);
                    waiting.count(&disposition, tally, refuse);
                }
                None => unknown.push((waiting, record)),
            }
        }
        if unknown.is_empty() {
            return Ok(());
        }
        let events = unknown.iter().map(|(_, record)| record.event.clone()).collect();
        match self.store.append(self.log, events).await {
            Ok(receipts) => {
                for ((waiting, record), receipt) in unknown.into_iter().zip(receipts) {
                    self.expect(&record.event);
                    waiting.count(&of_receipt(receipt), tally, refuse);
                }
            }
            Err(error) if is_of_events(&error) => {
                for (waiting, record) in unknown {
                    let disposition = self.append_one(&record).await?;
                    waiting.count(&disposition, tally, refuse);
                }
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    async fn append_one(&mut self, record: &Mapped) -> Result<Disposition> {
        match self.store.append(self.log, vec![record.event.clone()]).await {
            Ok(receipts) => {
                self.expect(&record.event);
                Ok(receipts.into_iter().map(of_receipt).next().unwrap_or(Disposition::Recorded))
            }
            Err(error) if error.kind() == ErrorKind::Invalid => Ok(Disposition::Refused(error)),
            Err(error) if error.kind() == ErrorKind::Conflict => {
                let Some(recorded) = self.recorded(record.event.id).await? else {
                    return Err(error);
                };
                Ok(self.compare(record, &recorded))
            }
            Err(error) => Err(error),
        }
    }

    /// Maps a record again, which succeeded before.
    fn again(&self, waiting: &Waiting, received: Option<Timestamp>) -> Option<Mapped> {
        self.source.read(&waiting.text, received).into_iter().nth(waiting.number)?.ok()
    }

    async fn recorded(&self, id: EventId) -> Result<Option<NewEvent>> {
        match self.store.get(self.log, id).await {
            Ok(event) => Ok(Some(event.into_content())),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Compares a record with `recorded`, the event that the log has under its id.
    fn compare(&mut self, record: &Mapped, recorded: &NewEvent) -> Disposition {
        if !matches(record, recorded) {
            return Disposition::Refused(conflict());
        }
        self.expect(recorded);
        Disposition::Redelivered
    }

    fn expect(&mut self, event: &NewEvent) {
        if let Some(expected) = &mut self.expected {
            expected.insert(event.id, digest(event));
        }
    }
}

/// Returns whether an append failed for the sake of its events, not of the store.
fn is_of_events(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Invalid | ErrorKind::Conflict)
}

fn of_receipt(receipt: Receipt) -> Disposition {
    if receipt.redelivered { Disposition::Redelivered } else { Disposition::Recorded }
}

/// Returns the error for a record whose id belongs to other content.
pub(crate) fn conflict() -> Error {
    Error::new(ErrorKind::Conflict).with_field("id")
}
