//! What callers use day to day, built on any store: pages, tokens, feeds, streams.

use async_trait::async_trait;
use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt as _, TryStreamExt as _};

use crate::limits::PAGE;
use crate::token::{Kind, Place};
use crate::{
    Attribution, AuditEvent, AuditStore, ChangeSetId, Erased, Erasure, Error, ErrorKind, FeedPage,
    FeedStart, Log, NewEvent, Order, Page, Position, Query, Receipt, Result, Scan, Sequence, Slice,
    Timestamp, Token, Total,
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
    async fn page(&self, query: &Query) -> Result<Page> {
        query.validate()?;
        let slice = self.scan(scan(query, None, query.offset)).await?;
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
    async fn next_page(&self, query: &Query, token: &Token) -> Result<Page> {
        query.validate()?;
        let place = self.token_keys().verify(Kind::Walk, token, query)?;
        let slice = self.scan(scan(query, Some(place), 0)).await?;
        Ok(page(self.token_keys(), query, slice))
    }

    /// The first page of a feed: the events from `start` on that match the query's filter, by
    /// sequence. The query's order and offset play no part.
    ///
    /// # Errors
    /// [`Gone`](ErrorKind::Gone) if it is to start after an event that retention has removed
    /// together with the next. [`Invalid`](ErrorKind::Invalid) if the query breaks a bound.
    async fn feed(&self, query: &Query, start: FeedStart) -> Result<FeedPage> {
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
    async fn next_feed(&self, query: &Query, token: &Token) -> Result<FeedPage> {
        query.validate()?;
        let place = self.token_keys().verify(Kind::Feed, token, &in_sequence(query))?;
        feed_page(self, query, Some(place.last.sequence)).await
    }

    /// Waits until the feed of `token` may have something new, then returns its next page, which
    /// can still be empty if what came does not match.
    async fn wait_feed(&self, query: &Query, token: &Token) -> Result<FeedPage> {
        query.validate()?;
        let place = self.token_keys().verify(Kind::Feed, token, &in_sequence(query))?;
        // On a copy that is shorter, it would be a long wait for the wrong events.
        if self.head(query.log).await?.size < place.last.sequence {
            return Err(Error::new(ErrorKind::Behind));
        }
        self.wait_beyond(query.log, place.last.sequence).await?;
        feed_page(self, query, Some(place.last.sequence)).await
    }

    /// How many events match the query's filter now.
    async fn count(&self, query: &Query) -> Result<u64> {
        query.validate()?;
        let scan = Scan { limit: 0, total: Total::Exact, ..scan(query, None, 0) };
        Ok(self.scan(scan).await?.total.unwrap_or_default())
    }

    /// Erases the personal parts of the events that `erasure` selects: names, addresses, texts,
    /// values, metadata. The records stay, and every proof with them; readers see the events
    /// [marked](AuditEvent::erased).
    ///
    /// It is done a thousand events at a time, each time with an event that says how many and why
    /// ([`Erasure::event`]). What is appended meanwhile is left out. Called again, after a fault for
    /// instance, it goes on with what is left.
    ///
    /// # Errors
    /// [`Held`](ErrorKind::Held) under a legal hold. [`NotFound`](ErrorKind::NotFound) if it names
    /// an event that the log does not hold. [`Invalid`](ErrorKind::Invalid) if the filter breaks a
    /// bound, or has no condition. [`Corrupt`](ErrorKind::Corrupt) if the store finds events that do
    /// not meet the filter: of these none is erased.
    async fn erase(&self, log: Log, erasure: Erasure, by: Attribution) -> Result<Erased> {
        erasure.validate()?;
        // One for all the events that tell of it.
        let by = Attribution { change_set_id: by.change_set_id.or(Some(ChangeSetId::new())), ..by };
        let mut erased = Erased::default();
        match erasure {
            Erasure::Events(ids) => {
                let mut sequences = Vec::with_capacity(ids.len());
                for id in ids {
                    sequences.push(self.get(log, id).await?.sequence);
                }
                erased.events = self.erase_events(log, sequences, by).await?;
            }
            Erasure::Matching(filter) => {
                let size = self.head(log).await?.size;
                let query = Query::new(log).filter(*filter).order(Order::Sequence).limit(PAGE);
                let mut at = Scan { bound: Some(size), ..scan(&query, None, 0) };
                loop {
                    let slice = match self.scan(at.clone()).await {
                        // Pruned meanwhile: it goes on with what is left.
                        Err(error) if error.kind() == ErrorKind::Gone => {
                            let floor = self.head(log).await?.pruned;
                            if at.after.is_none_or(|after| after.sequence >= floor) {
                                return Err(error);
                            }
                            let occurred_at = Timestamp::MIN;
                            at.after = Some(Position { occurred_at, sequence: floor });
                            continue;
                        }
                        slice => slice?,
                    };
                    // An index that is wrong must not have others' events erased.
                    if !slice.events.iter().all(|event| at.filter.matches(event)) {
                        let error = Error::new(ErrorKind::Corrupt);
                        return Err(error.with_context("finding what is to be erased"));
                    }
                    let left = slice.events.iter().filter(|event| !event.erased);
                    let sequences = left.map(|event| event.sequence).collect();
                    // Without any, too: it clears away what an earlier call was kept from.
                    erased.events += self.erase_events(log, sequences, by.clone()).await?;
                    match slice.events.last().filter(|_| slice.more) {
                        Some(last) => at.after = Some(Position::of(last)),
                        None => break,
                    }
                }
            }
        }
        Ok(erased)
    }

    /// Every event of a walk, page after page. The stream ends when the walk does.
    ///
    /// ```no_run
    /// use audit_core::{AuditStore, AuditStoreExt, Log, Query, Result};
    /// use futures_util::TryStreamExt;
    ///
    /// async fn print(store: &dyn AuditStore) -> Result<()> {
    ///     let mut events = store.walk(Query::new(Log::Platform));
    ///     while let Some(event) = events.try_next().await? {
    ///         println!("{} {}", event.occurred_at, event.action);
    ///     }
    ///     Ok(())
    /// }
    /// ```
    fn walk(&self, query: Query) -> BoxStream<'_, Result<AuditEvent>> {
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
    fn follow(&self, query: Query, start: FeedStart) -> BoxStream<'_, Result<AuditEvent>> {
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

fn scan(query: &Query, place: Option<Place>, offset: u64) -> Scan {
    Scan {
        log: query.log,
        filter: query.filter.clone(),
        order: query.order,
        after: place.map(|place| place.last),
        bound: place.map(|place| place.bound),
        offset,
        limit: query.limit,
        bytes: query.bytes,
        total: query.total,
    }
}

fn page(keys: &crate::TokenKeys, query: &Query, slice: Slice) -> Page {
    let Slice { events, more, total, bound } = slice;
    let last = events.last().filter(|_| more).map(Position::of);
    let next = last.map(|last| keys.sign(Kind::Walk, &Place { last, bound }, query));
    Page { events, next, total, bound }
}

/// A feed's query as its tokens are bound to it.
fn in_sequence(query: &Query) -> Query {
    query.clone().order(Order::Sequence).offset(0)
}

async fn feed_page<S: AuditStore + ?Sized>(
    store: &S,
    query: &Query,
    after: Option<Sequence>,
) -> Result<FeedPage> {
    let query = in_sequence(query);
    // The time plays no part in the order, so that a place in a feed is its sequence.
    let place = |sequence| Place {
        last: Position { occurred_at: Timestamp::MIN, sequence },
        bound: sequence,
    };
    let slice = store.scan(Scan { bound: None, ..scan(&query, after.map(place), 0) }).await?;
    if after.is_some_and(|after| slice.bound < after) {
        return Err(Error::new(ErrorKind::Behind));
    }
    let last = match slice.events.last() {
        Some(event) if slice.more => event.sequence,
        _ => slice.bound,
    };
    let token = store.token_keys().sign(Kind::Feed, &place(last), &query);
    Ok(FeedPage { events: slice.events, token, caught_up: !slice.more })
}
