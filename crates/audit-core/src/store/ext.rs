//! What callers use day to day, built on any store: pages, tokens, feeds, streams.

use async_trait::async_trait;
use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt as _, TryStreamExt as _};

use super::scan::scan_of;
use crate::limits::MAX_LOGS_PAGE;
use crate::query::{Cursor, TokenKind};
use crate::{
    AuditEvent, AuditStore, Error, ErrorKind, EventQuery, FeedPage, FeedStart, Log, NewEvent,
    Order, Page, Position, Receipt, Result, Scan, ScanResult, Sequence, Timestamp, Token, Total,
};

/// What callers use day to day, for every [`AuditStore`], `dyn` ones included.
#[async_trait]
pub trait AuditStoreExt: AuditStore {
    /// Appends one event. See [`AuditStore::append`].
    async fn record(&self, log: impl Into<Log> + Send, event: NewEvent) -> Result<Receipt> {
        self.append(log.into(), vec![event]).await?.pop().ok_or_else(no_receipt)
    }

    /// The first page of a walk. It fixes the size of the log that the whole walk answers from.
    ///
    /// # Errors
    /// [`Invalid`](ErrorKind::Invalid) if the query breaks a bound.
    async fn page(&self, query: &EventQuery) -> Result<Page> {
        query.validate()?;
        let slice = self.scan(scan_of(query, None, query.offset)).await?;
        Ok(page(self.token_keys(), query, slice))
    }

    /// The page that `token` continues with. The page size may differ from call to call; a walk's
    /// offset applies to its first page only.
    ///
    /// # Errors
    /// [`InvalidToken`](ErrorKind::InvalidToken) if the token was not issued for this log, filter,
    /// order and endpoint. [`Behind`](ErrorKind::Behind) if this copy of the log is shorter than
    /// the one that the walk began on. [`Gone`](ErrorKind::Gone) if retention has removed the
    /// events at which the token stands. [`Invalid`](ErrorKind::Invalid) if the query breaks a
    /// bound.
    async fn next_page(&self, query: &EventQuery, token: &Token) -> Result<Page> {
        query.validate()?;
        let cursor = self.token_keys().verify(TokenKind::Walk, token, query)?;
        let slice = self.scan(scan_of(query, Some(cursor), 0)).await?;
        Ok(page(self.token_keys(), query, slice))
    }

    /// The first page of a feed: the events from `start` on that match the query's filter, by
    /// sequence. The query's order and offset play no part.
    ///
    /// # Errors
    /// [`Gone`](ErrorKind::Gone) if it is to start after an event that retention has removed
    /// together with the next. [`Invalid`](ErrorKind::Invalid) if the query breaks a bound.
    async fn feed(&self, query: &EventQuery, start: FeedStart) -> Result<FeedPage> {
        query.validate()?;
        let after = match start {
            FeedStart::Beginning => None,
            FeedStart::Now => Some(self.head(query.log).await?.size),
            FeedStart::After(sequence) => Some(sequence),
        };
        feed_page(self, query, after).await
    }

    /// The page of a feed that `token` continues with: the events that came since. An empty page
    /// has a token too.
    ///
    /// # Errors
    /// As [`AuditStoreExt::next_page`].
    async fn next_feed(&self, query: &EventQuery, token: &Token) -> Result<FeedPage> {
        query.validate()?;
        let cursor = self.token_keys().verify(TokenKind::Feed, token, &in_sequence(query))?;
        feed_page(self, query, Some(cursor.last.sequence)).await
    }

    /// Waits until the feed of `token` may have something new, then returns its next page, which
    /// can still be empty if what came does not match.
    async fn wait_feed(&self, query: &EventQuery, token: &Token) -> Result<FeedPage> {
        query.validate()?;
        let cursor = self.token_keys().verify(TokenKind::Feed, token, &in_sequence(query))?;
        // On a copy that is shorter, it would be a long wait for the wrong events.
        if self.head(query.log).await?.size < cursor.last.sequence {
            return Err(Error::new(ErrorKind::Behind));
        }
        self.wait_for_append(query.log, cursor.last.sequence).await?;
        feed_page(self, query, Some(cursor.last.sequence)).await
    }

    /// Returns every log that holds or held events, in ascending order.
    async fn all_logs(&self) -> Result<Vec<Log>> {
        let mut logs = Vec::new();
        loop {
            let page = self.logs(logs.last().copied(), MAX_LOGS_PAGE).await?;
            let is_last = page.len() < MAX_LOGS_PAGE;
            logs.extend(page);
            if is_last {
                return Ok(logs);
            }
        }
    }

    /// How many events match the query's filter now.
    async fn count(&self, query: &EventQuery) -> Result<u64> {
        query.validate()?;
        let scan = Scan { limit: 0, total: Total::Exact, ..scan_of(query, None, 0) };
        Ok(self.scan(scan).await?.total.unwrap_or_default())
    }

    /// Every event of a walk, page after page. The stream ends when the walk does.
    ///
    /// ```no_run
    /// use audit_core::{AuditStore, AuditStoreExt, Log, EventQuery, Result};
    /// use futures_util::TryStreamExt;
    ///
    /// async fn print(store: &dyn AuditStore) -> Result<()> {
    ///     let mut events = store.walk(EventQuery::new(Log::Platform));
    ///     while let Some(event) = events.try_next().await? {
    ///         println!("{} {}", event.occurred_at, event.action);
    ///     }
    ///     Ok(())
    /// }
    /// ```
    fn walk(&self, query: EventQuery) -> BoxStream<'_, Result<AuditEvent>> {
        enum At {
            First,
            Next(Token),
            End,
        }
        let pages = stream::try_unfold((query, At::First), move |(query, at)| async move {
            let page = match at {
                At::First => self.page(&query).await?,
                At::Next(token) => self.next_page(&query, &token).await?,
                At::End => return Ok(None),
            };
            let at = page.next.map_or(At::End, At::Next);
            Ok::<_, Error>(Some((stream::iter(page.events.into_iter().map(Ok)), (query, at))))
        });
        pages.try_flatten().boxed()
    }

    /// Every event of a feed, those that are there and those that come. The stream waits, and does
    /// not end.
    fn follow(&self, query: EventQuery, start: FeedStart) -> BoxStream<'_, Result<AuditEvent>> {
        let pages = stream::try_unfold((query, None), move |(query, at)| async move {
            let page = match at {
                None => self.feed(&query, start).await?,
                Some((token, true)) => self.wait_feed(&query, &token).await?,
                Some((token, false)) => self.next_feed(&query, &token).await?,
            };
            let at = Some((page.token, page.caught_up));
            Ok::<_, Error>(Some((stream::iter(page.events.into_iter().map(Ok)), (query, at))))
        });
        pages.try_flatten().boxed()
    }
}

impl<S: AuditStore + ?Sized> AuditStoreExt for S {}

fn no_receipt() -> Error {
    Error::new(ErrorKind::Unavailable).with_context("the store returned no receipt")
}

fn page(keys: &crate::TokenKeys, query: &EventQuery, slice: ScanResult) -> Page {
    let ScanResult { events, more, total, bound } = slice;
    let last = events.last().filter(|_| more).map(Position::of);
    let next = last.map(|last| keys.sign(TokenKind::Walk, &Cursor { last, bound }, query));
    Page { events, next, total, bound }
}

/// A feed's query as its tokens are bound to it.
fn in_sequence(query: &EventQuery) -> EventQuery {
    query.clone().order(Order::Sequence).offset(0)
}

async fn feed_page<S: AuditStore + ?Sized>(
    store: &S,
    query: &EventQuery,
    after: Option<Sequence>,
) -> Result<FeedPage> {
    let query = in_sequence(query);
    // The time plays no part in the order, so that a place in a feed is its sequence.
    let cursor = |sequence| Cursor {
        last: Position { occurred_at: Timestamp::MIN, sequence },
        bound: sequence,
    };
    let slice = store.scan(Scan { bound: None, ..scan_of(&query, after.map(cursor), 0) }).await?;
    if after.is_some_and(|after| slice.bound < after) {
        return Err(Error::new(ErrorKind::Behind));
    }
    let last = match slice.events.last() {
        Some(event) if slice.more => event.sequence,
        _ => slice.bound,
    };
    let token = store.token_keys().sign(TokenKind::Feed, &cursor(last), &query);
    Ok(FeedPage { events: slice.events, token, caught_up: !slice.more })
}
