//! Conveniences over every store: single events, pages, feeds and streams.

use async_trait::async_trait;
use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt as _, TryStreamExt as _};

use super::scan::scan_of;
use super::{history, paging};
use crate::limits::MAX_LOGS_PAGE;
use crate::query::{Cursor, HistoryMark, TokenKind};
use crate::{
    AuditEvent, AuditStore, EntriesRequest, Error, ErrorKind, EventId, EventQuery, FeedPage,
    FeedStart, Log, NewEvent, Order, Page, Position, Receipt, Result, Scan, Sequence, Submitted,
    Timestamp, Token, Total,
};

/// Conveniences over every [`AuditStore`], including `dyn` ones.
#[async_trait]
pub trait AuditStoreExt: AuditStore {
    /// Appends one event. See [`AuditStore::append`].
    async fn record(&self, log: impl Into<Log> + Send, event: NewEvent) -> Result<Receipt> {
        self.append(log.into(), vec![event]).await?.pop().ok_or_else(no_receipt)
    }

    /// Begins to append a batch at once, without waiting. The append is carried through even if the
    /// returned future is dropped, as that of a request handler is when its client disconnects. See
    /// [`AuditStore::append`].
    ///
    /// Wait for the receipts where a caller can act on a failure: nobody learns of the failure of
    /// an append whose future was dropped.
    ///
    /// ```
    /// use audit_core::{Actor, AuditStore, AuditStoreExt, Log, NewEvent, Result};
    ///
    /// async fn pay(store: &dyn AuditStore) -> Result<()> {
    ///     // The invoice is paid here. From the next line on its event is recorded, too, whether or
    ///     // not the client waits.
    ///     let event = NewEvent::new("invoice.paid", Actor::user("u_7"));
    ///     store.submit(Log::Platform, vec![event]).await?;
    ///     Ok(())
    /// }
    /// ```
    fn submit(&self, log: impl Into<Log>, events: Vec<NewEvent>) -> Submitted<'_> {
        Submitted::begin(self.append(log.into(), events))
    }

    /// Returns the first page of a walk, or the page around the event that the query names. It fixes
    /// the size of the log that the whole walk reads.
    ///
    /// # Errors
    /// [`Invalid`](ErrorKind::Invalid) if the query exceeds a limit.
    /// [`NotFound`](ErrorKind::NotFound) if the log does not hold the event of
    /// [`EventQuery::around`].
    async fn page(&self, query: &EventQuery) -> Result<Page> {
        query.validate()?;
        match query.around {
            Some(anchor) => paging::around(self, query, anchor).await,
            None => paging::first(self, query).await,
        }
    }

    /// Returns the page that `token` leads to: the one after a page for its [`Page::next`], the one
    /// before it for its [`Page::previous`]. The page size may differ from call to call. Ignores the
    /// query's offset, and the event that it names.
    ///
    /// # Errors
    /// [`InvalidToken`](ErrorKind::InvalidToken) if the token was not issued for this log, filter,
    /// order and audience. [`HistoryChanged`](ErrorKind::HistoryChanged) if the log does not begin
    /// with the events that it had when the token was issued: an older copy of the store was put
    /// back. [`Gone`](ErrorKind::Gone) if retention removed the events at the token's position.
    /// [`Invalid`](ErrorKind::Invalid) if the query exceeds a limit.
    async fn next_page(&self, query: &EventQuery, token: &Token) -> Result<Page> {
        query.validate()?;
        match self.token_keys().verify(token, query)? {
            (TokenKind::Next, cursor) => paging::after(self, query, cursor).await,
            (TokenKind::Previous, cursor) => paging::before(self, query, cursor).await,
            (TokenKind::Feed, _) => Err(Error::new(ErrorKind::InvalidToken)),
        }
    }

    /// Returns the first page of a feed: the events from `start` on that match the query's filter,
    /// by sequence. Ignores the query's order and offset.
    ///
    /// # Errors
    /// [`Gone`](ErrorKind::Gone) if `start` is after an event that retention removed together with
    /// the next. [`Behind`](ErrorKind::Behind) if the log does not hold the event of `start`.
    /// [`Invalid`](ErrorKind::Invalid) if the query exceeds a limit.
    async fn feed(&self, query: &EventQuery, start: FeedStart) -> Result<FeedPage> {
        query.validate()?;
        let after = match start {
            FeedStart::Beginning => None,
            FeedStart::Now => Some(self.head(query.log).await?.size),
            FeedStart::After(sequence) => Some(sequence),
        };
        feed_page(self, query, after, None).await
    }

    /// Returns the page of a feed after the one that returned `token`: the events appended since. An
    /// empty page has a token, too.
    ///
    /// # Errors
    /// As [`AuditStoreExt::next_page`].
    async fn next_feed(&self, query: &EventQuery, token: &Token) -> Result<FeedPage> {
        query.validate()?;
        let cursor = feed_cursor(self, query, token)?;
        feed_page(self, query, Some(cursor.last.sequence), Some(&cursor)).await
    }

    /// Waits until an event is appended after the position of `token`, then returns the next page of
    /// the feed. The page is empty if none of the new events matches.
    ///
    /// # Errors
    /// As [`AuditStoreExt::next_page`], at once.
    async fn wait_feed(&self, query: &EventQuery, token: &Token) -> Result<FeedPage> {
        query.validate()?;
        let cursor = feed_cursor(self, query, token)?;
        // In another history, it would wait for the wrong events.
        history::require(self, query.log, &cursor).await?;
        self.wait_for_append(query.log, cursor.last.sequence).await?;
        feed_page(self, query, Some(cursor.last.sequence), Some(&cursor)).await
    }

    /// Returns for each of `events`, which are of a page of the feed, the token that continues after
    /// it. For a consumer that acknowledges single events; a whole page has its
    /// [own token](FeedPage::token).
    ///
    /// # Errors
    /// [`Gone`](ErrorKind::Gone) if retention removed an event meanwhile.
    async fn feed_tokens(&self, query: &EventQuery, events: &[AuditEvent]) -> Result<Vec<Token>> {
        query.validate()?;
        let sequences = || events.iter().map(|event| event.sequence);
        let marks = history::marks(self, query.log, sequences()).await?;
        let tokens = sequences().zip(marks);
        Ok(tokens.map(|(sequence, mark)| feed_token(self, query, sequence, mark)).collect())
    }

    /// Returns the receipt of an event that the log holds: for a caller that [staged](crate::Staged) it,
    /// or whose append was interrupted.
    ///
    /// # Errors
    /// [`NotFound`](ErrorKind::NotFound) if the log does not hold the event.
    async fn receipt_of(&self, log: impl Into<Log> + Send, id: EventId) -> Result<Receipt> {
        let log = log.into();
        let AuditEvent { sequence, recorded_at, .. } = self.get(log, id).await?;
        let after = Sequence::new(sequence.get().saturating_sub(1))?;
        let request = EntriesRequest::default().after(after).limit(1);
        let entry = self.entries(log, request).await?.into_iter().next();
        // Retention can have removed it meanwhile.
        let entry = entry.filter(|entry| entry.sequence == sequence);
        let leaf = entry.ok_or_else(|| Error::not_found("event"))?.leaf;
        Ok(Receipt { id, sequence, recorded_at, leaf, redelivered: false })
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

    /// Returns the number of events that match the query's filter now.
    async fn count(&self, query: &EventQuery) -> Result<u64> {
        query.validate()?;
        let scan = Scan { limit: 0, total: Total::Exact, ..scan_of(query, None, 0) };
        Ok(self.scan(scan).await?.total.unwrap_or_default())
    }

    /// Returns the events of a walk as a stream, which ends with the walk.
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

    /// Returns the events of a feed as a stream: those in the log, then those appended later. The
    /// stream waits and does not end.
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

/// Returns the position of a feed's token.
fn feed_cursor<S: AuditStore + ?Sized>(
    store: &S,
    query: &EventQuery,
    token: &Token,
) -> Result<Cursor> {
    match store.token_keys().verify(token, &in_sequence(query))? {
        (TokenKind::Feed, cursor) => Ok(cursor),
        _ => Err(Error::new(ErrorKind::InvalidToken)),
    }
}

/// Returns the query to which the tokens of a feed are bound.
fn in_sequence(query: &EventQuery) -> EventQuery {
    query.clone().order(Order::Sequence).offset(0)
}

/// Reads the events after `after`. `from` is the cursor of the token that leads there.
async fn feed_page<S: AuditStore + ?Sized>(
    store: &S,
    query: &EventQuery,
    after: Option<Sequence>,
    from: Option<&Cursor>,
) -> Result<FeedPage> {
    let query = in_sequence(query);
    let after = after.map(in_feed);
    let scan = Scan { after, ..scan_of(&query, None, 0) };
    let (result, last, others, marks) = loop {
        let result = store.scan(scan.clone()).await?;
        if after.is_some_and(|after| result.bound < after.sequence) {
            let error = Error::new(ErrorKind::Behind);
            return Err(if from.is_some() { history::of_token(error) } else { error });
        }
        let last = match result.events.last() {
            Some(event) if result.more => event.sequence,
            _ => result.bound,
        };
        // The scan returned the mark of all that it read; others are read in one call.
        let others = from.map(|cursor| cursor.bound).into_iter().chain([last]);
        let others: Vec<_> = others.filter(|size| *size != result.bound).collect();
        match history::marks(store, query.log, others.iter().copied()).await {
            // Retention has removed them since the scan: another begins after what it removed, or
            // says that the place is gone.
            Err(error) if error.kind() == ErrorKind::Gone => {}
            marks => break (result, last, others, marks?),
        }
    };
    let mark_of = |size| match others.iter().zip(&marks).find(|(other, _)| **other == size) {
        Some((_, mark)) => Ok(*mark),
        None => history::mark_of(&result),
    };
    if let Some(cursor) = from {
        history::require_mark(cursor, mark_of(cursor.bound)?)?;
    }
    let mark = mark_of(last)?;
    let token = feed_token(store, &query, last, mark);
    Ok(FeedPage { events: result.events, token, caught_up: !result.more })
}

/// Returns the position of an event in a feed, whose order ignores the time.
fn in_feed(sequence: Sequence) -> Position {
    Position { occurred_at: Timestamp::MIN, sequence }
}

fn feed_token<S: AuditStore + ?Sized>(
    store: &S,
    query: &EventQuery,
    last: Sequence,
    history: HistoryMark,
) -> Token {
    let cursor = Cursor { last: in_feed(last), bound: last, history };
    store.token_keys().sign(TokenKind::Feed, &cursor, &in_sequence(query))
}
