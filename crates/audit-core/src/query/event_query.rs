//! The query of one log.

use std::borrow::Cow;

use crate::limits::{self, MAX_NAME_BYTES, MAX_PAGE_EVENTS};
use crate::{Error, EventId, Filter, Log, Order, Result, Sequence, Violation};

/// A query of one log: which events, in which order, how many per page.
///
/// ```
/// use audit_core::{Filter, Log, Order, EventQuery};
///
/// let query = EventQuery::new(Log::Platform)
///     .filter(Filter::new().action("user.*"))
///     .order(Order::OldestFirst)
///     .limit(50);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventQuery {
    pub(crate) log: Log,
    pub(crate) filter: Filter,
    pub(crate) order: Order,
    pub(crate) limit: usize,
    pub(crate) bytes: usize,
    pub(crate) offset: u64,
    pub(crate) total: Total,
    pub(crate) audience: Cow<'static, str>,
    pub(crate) around: Option<Anchor>,
}

/// The event around which a page is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Anchor {
    /// The event of this id.
    Id(EventId),
    /// The event of this sequence.
    Sequence(Sequence),
}

impl From<EventId> for Anchor {
    fn from(id: EventId) -> Self {
        Self::Id(id)
    }
}

impl From<Sequence> for Anchor {
    fn from(sequence: Sequence) -> Self {
        Self::Sequence(sequence)
    }
}

/// Whether a page has the number of all matching events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Total {
    /// Does not count. Costs less.
    #[default]
    Skip,
    /// Counts every matching event of the snapshot.
    Exact,
}

impl EventQuery {
    /// The events of a page unless [`EventQuery::limit`] is called.
    pub const DEFAULT_LIMIT: usize = 100;

    /// Creates a query for every event of `log`, newest first, 100 per page.
    pub fn new(log: impl Into<Log>) -> Self {
        Self {
            log: log.into(),
            filter: Filter::new(),
            order: Order::default(),
            limit: Self::DEFAULT_LIMIT,
            bytes: usize::MAX,
            offset: 0,
            total: Total::Skip,
            audience: Cow::Borrowed(""),
            around: None,
        }
    }

    /// Sets the filter.
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

    /// Sets the highest number of events of a page: 1 to [`limits::MAX_PAGE_EVENTS`].
    #[must_use]
    pub fn limit(mut self, limit: usize) -> Self {
        self.limit = limit;
        self
    }

    /// Ends a page once its events have about this many bytes, but not before its first event. The
    /// walk continues with the page's token. Not bounded by default.
    #[must_use]
    pub fn max_bytes(mut self, bytes: usize) -> Self {
        self.bytes = bytes;
        self
    }

    /// Skips the first `offset` matching events.
    ///
    /// The store steps over each of them, which a walk by token does not.
    #[must_use]
    pub fn offset(mut self, offset: u64) -> Self {
        self.offset = offset;
        self
    }

    /// Makes the first page the one around an event, given by its id or its sequence: about as many
    /// matching events before it as after it, and the event itself if it matches. The page has
    /// tokens in both directions. Not together with an offset.
    ///
    /// ```
    /// use audit_core::{AuditStore, AuditStoreExt, EventId, EventQuery, Log, Result};
    ///
    /// async fn context(store: &dyn AuditStore, id: EventId) -> Result<()> {
    ///     let query = EventQuery::new(Log::Platform).around(id).limit(21);
    ///     let page = store.page(&query).await?;
    ///     if let Some(token) = &page.previous {
    ///         let _before = store.next_page(&query, token).await?;
    ///     }
    ///     Ok(())
    /// }
    /// ```
    #[must_use]
    pub fn around(mut self, event: impl Into<Anchor>) -> Self {
        self.around = Some(event.into());
        self
    }

    /// Requests the number of all matching events.
    #[must_use]
    pub fn with_total(mut self) -> Self {
        self.total = Total::Exact;
        self
    }

    /// Binds tokens to the audience `name`, for example an endpoint: a query for another audience
    /// refuses them. At most [`MAX_NAME_BYTES`] bytes.
    #[must_use]
    pub fn audience(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.audience = name.into();
        self
    }

    /// Returns the log.
    pub fn log(&self) -> Log {
        self.log
    }

    /// Checks the limit, the audience and the filter.
    pub fn validate(&self) -> Result<()> {
        if !(1..=MAX_PAGE_EVENTS).contains(&self.limit) {
            let violation =
                Violation::OutOfRange { min: 1, max: MAX_PAGE_EVENTS.cast_signed() as i64 };
            return Err(Error::invalid("limit", violation));
        }
        if self.offset > Sequence::MAX.get() {
            return Err(Error::invalid("offset", Violation::OutOfRange { min: 0, max: i64::MAX }));
        }
        if self.offset > 0 && self.around.is_some() {
            return Err(Error::malformed("offset", "0 for a page around an event"));
        }
        limits::text(format_args!("audience"), &self.audience, MAX_NAME_BYTES)?;
        self.filter.validate()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_named_with_its_range() {
        for limit in [0, MAX_PAGE_EVENTS + 1, usize::MAX] {
            let error = EventQuery::new(Log::Platform).limit(limit).validate().unwrap_err();
            assert_eq!(error.field(), Some("limit"));
            assert_eq!(error.violation(), Some(&Violation::OutOfRange { min: 1, max: 1_000 }));
        }
    }
}
