//! A question to one log, and the page that answers it.

use std::borrow::Cow;
use std::cmp::Ordering;

use crate::limits::{self, NAME, PAGE};
use crate::{AuditEvent, Error, Filter, Log, Result, Sequence, Timestamp, Token, Violation};

/// The order in which a walk goes through a log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Order {
    /// By `(occurred_at, sequence)`, the latest first.
    #[default]
    NewestFirst,
    /// By `(occurred_at, sequence)`, the earliest first.
    OldestFirst,
    /// By `sequence`, the order in which the log took the events in.
    Sequence,
}

/// The place of an event in its log, in whichever order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Position {
    /// When the event occurred.
    pub occurred_at: Timestamp,
    /// The event's number.
    pub sequence: Sequence,
}

impl Position {
    /// The place of `event`.
    pub fn of(event: &AuditEvent) -> Self {
        Self { occurred_at: event.occurred_at, sequence: event.sequence }
    }
}

impl Order {
    /// Which of two places a walk in this order reaches first.
    pub fn compare(self, a: &Position, b: &Position) -> Ordering {
        let by_time = || (a.occurred_at, a.sequence).cmp(&(b.occurred_at, b.sequence));
        match self {
            Self::NewestFirst => by_time().reverse(),
            Self::OldestFirst => by_time(),
            Self::Sequence => a.sequence.cmp(&b.sequence),
        }
    }
}

/// A question to one log: which events, in which order, how many a page.
///
/// ```
/// use audit_core::{Filter, Log, Order, Query};
///
/// let query = Query::new(Log::Platform)
///     .filter(Filter::new().action("user.*"))
///     .order(Order::OldestFirst)
///     .limit(50);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    pub(crate) log: Log,
    pub(crate) filter: Filter,
    pub(crate) order: Order,
    pub(crate) limit: usize,
    pub(crate) bytes: usize,
    pub(crate) offset: u64,
    pub(crate) total: Total,
    pub(crate) endpoint: Cow<'static, str>,
}

/// Whether a page tells how many events match in all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Total {
    /// It does not; the cheaper way.
    #[default]
    Skip,
    /// It counts every event of the snapshot that matches, exactly.
    Exact,
}

impl Query {
    /// The events of a page unless [`Query::limit`] says otherwise.
    pub const DEFAULT_LIMIT: usize = 100;

    /// Every event of `log`, newest first, 100 a page.
    pub fn new(log: impl Into<Log>) -> Self {
        Self {
            log: log.into(),
            filter: Filter::new(),
            order: Order::default(),
            limit: Self::DEFAULT_LIMIT,
            bytes: usize::MAX,
            offset: 0,
            total: Total::Skip,
            endpoint: Cow::Borrowed(""),
        }
    }

    /// Sets which events.
    #[must_use]
    pub fn filter(mut self, filter: Filter) -> Self {
        self.filter = filter;
        self
    }

    /// Sets the order.
    #[must_use]
    pub fn order(mut self, order: Order) -> Self {
        self.order = order;
        self
    }

    /// Sets how many events a page holds at most: 1 to [`limits::PAGE`].
    #[must_use]
    pub fn limit(mut self, limit: usize) -> Self {
        self.limit = limit;
        self
    }

    /// Ends a page once its events have about so many bytes, so that it takes a bounded memory; but
    /// not before its first event. The walk goes on with its token as ever. Not bounded unless
    /// set.
    #[must_use]
    pub fn max_bytes(mut self, bytes: usize) -> Self {
        self.bytes = bytes;
        self
    }

    /// Leaves out the first `offset` events of the first page's walk.
    ///
    /// The store still steps over each of them; a walk by token does not.
    #[must_use]
    pub fn offset(mut self, offset: u64) -> Self {
        self.offset = offset;
        self
    }

    /// Also counts the events that match, exactly.
    #[must_use]
    pub fn with_total(mut self) -> Self {
        self.total = Total::Exact;
        self
    }

    /// Binds tokens to the endpoint `name`, so that another endpoint refuses them. At most
    /// [`NAME`] bytes.
    #[must_use]
    pub fn endpoint(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.endpoint = name.into();
        self
    }

    /// The log that is asked.
    pub fn log(&self) -> Log {
        self.log
    }

    /// Checks the limit, the endpoint and the filter.
    pub fn validate(&self) -> Result<()> {
        if !(1..=PAGE).contains(&self.limit) {
            let violation = Violation::OutOfRange { min: 1, max: PAGE.cast_signed() as i64 };
            return Err(Error::invalid("limit", violation));
        }
        if self.offset > Sequence::MAX.get() {
            return Err(Error::invalid("offset", Violation::OutOfRange { min: 0, max: i64::MAX }));
        }
        limits::text(format_args!("endpoint"), &self.endpoint, NAME)?;
        self.filter.validate()
    }
}

/// One page of a walk.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Page {
    /// The events, in the order of the query.
    pub events: Vec<AuditEvent>,
    /// The token of the next page; `None` when the walk is done.
    pub next: Option<Token>,
    /// How many events match, on every page, where the query asked for it.
    pub total: Option<u64>,
    /// The size of the log when the walk began: every page answers from these first events.
    pub bound: Sequence,
}

/// One page of a feed.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct FeedPage {
    /// The events, by sequence; empty when nothing new has come.
    pub events: Vec<AuditEvent>,
    /// The token with which to ask again; a feed has no end.
    pub token: Token,
    /// Whether the log held nothing more when this was read.
    pub caught_up: bool,
}

/// Where a feed begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FeedStart {
    /// With the log's first event.
    Beginning,
    /// With the first event that comes after this call.
    Now,
    /// With the event after this one, for example a page's [`bound`](Page::bound).
    After(Sequence),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_named_with_its_range() {
        for limit in [0, PAGE + 1, usize::MAX] {
            let error = Query::new(Log::Platform).limit(limit).validate().unwrap_err();
            assert_eq!(error.field(), Some("limit"));
            assert_eq!(error.violation(), Some(&Violation::OutOfRange { min: 1, max: 1_000 }));
        }
    }
}
