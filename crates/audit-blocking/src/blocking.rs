//! The calls of a store, blocking.

use std::fmt;

use audit_core::{
    AuditEvent, AuditStore, AuditStoreExt as _, EventId, EventQuery, FeedPage, FeedStart, Head,
    Log, NewEvent, Page, Receipt, Result, Token,
};
use futures_util::TryStreamExt as _;
use futures_util::stream::BoxStream;

use crate::run;

/// Blocking calls of every [`AuditStore`], including `dyn` ones. See the [crate](crate).
pub trait BlockingExt: AuditStore {
    /// Returns the store with calls that block.
    fn blocking(&self) -> Blocking<'_, Self> {
        Blocking { store: self }
    }
}

impl<S: AuditStore + ?Sized> BlockingExt for S {}

/// A store whose calls block. Each is that of the same name in [`AuditStore`] or
/// [`AuditStoreExt`](audit_core::AuditStoreExt), with its errors and those of [`run`].
#[derive(Debug)]
pub struct Blocking<'s, S: AuditStore + ?Sized> {
    store: &'s S,
}

impl<S: AuditStore + ?Sized> Clone for Blocking<'_, S> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<S: AuditStore + ?Sized> Copy for Blocking<'_, S> {}

impl<'s, S: AuditStore + ?Sized> Blocking<'s, S> {
    /// Appends one event; it is durable when this returns.
    pub fn record(&self, log: impl Into<Log> + Send, event: NewEvent) -> Result<Receipt> {
        run(self.store.record(log, event))
    }

    /// Appends a batch of events, all or none; they are durable when this returns.
    pub fn append(&self, log: impl Into<Log>, events: Vec<NewEvent>) -> Result<Vec<Receipt>> {
        run(self.store.append(log.into(), events))
    }

    /// Returns the event `id` of `log`.
    pub fn get(&self, log: impl Into<Log>, id: EventId) -> Result<AuditEvent> {
        run(self.store.get(log.into(), id))
    }

    /// Returns the receipt of an event that the log holds.
    pub fn receipt_of(&self, log: impl Into<Log> + Send, id: EventId) -> Result<Receipt> {
        run(self.store.receipt_of(log, id))
    }

    /// Returns the head of `log`.
    pub fn head(&self, log: impl Into<Log>) -> Result<Head> {
        run(self.store.head(log.into()))
    }

    /// Returns every log that holds or held events.
    pub fn all_logs(&self) -> Result<Vec<Log>> {
        run(self.store.all_logs())
    }

    /// Returns the number of events that match the query's filter now.
    pub fn count(&self, query: &EventQuery) -> Result<u64> {
        run(self.store.count(query))
    }

    /// Returns the first page of a walk.
    pub fn page(&self, query: &EventQuery) -> Result<Page> {
        run(self.store.page(query))
    }

    /// Returns the page that `token` leads to.
    pub fn next_page(&self, query: &EventQuery, token: &Token) -> Result<Page> {
        run(self.store.next_page(query, token))
    }

    /// Returns the first page of a feed.
    pub fn feed(&self, query: &EventQuery, start: FeedStart) -> Result<FeedPage> {
        run(self.store.feed(query, start))
    }

    /// Returns the page of a feed after the one that returned `token`.
    pub fn next_feed(&self, query: &EventQuery, token: &Token) -> Result<FeedPage> {
        run(self.store.next_feed(query, token))
    }

    /// Waits until an event is appended after the position of `token`, then returns the next page of the
    /// feed.
    pub fn wait_feed(&self, query: &EventQuery, token: &Token) -> Result<FeedPage> {
        run(self.store.wait_feed(query, token))
    }

    /// Returns the events of a walk, page by page.
    pub fn walk(&self, query: EventQuery) -> Walk<'s> {
        Walk { events: Some(self.store.walk(query)) }
    }

    /// Returns the events of a feed: those in the log, then those appended later. It waits for these, and
    /// does not end.
    pub fn follow(&self, query: EventQuery, start: FeedStart) -> Walk<'s> {
        Walk { events: Some(self.store.follow(query, start)) }
    }
}

/// The events of a walk or a feed. It ends after an error.
pub struct Walk<'s> {
    events: Option<BoxStream<'s, Result<AuditEvent>>>,
}

impl Iterator for Walk<'_> {
    type Item = Result<AuditEvent>;

    fn next(&mut self) -> Option<Result<AuditEvent>> {
        let next = run(self.events.as_mut()?.try_next()).transpose();
        if !matches!(next, Some(Ok(_))) {
            self.events = None;
        }
        next
    }
}

impl fmt::Debug for Walk<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Walk").finish_non_exhaustive()
    }
}
