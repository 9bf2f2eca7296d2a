//! The scan: the one read that every page, total and feed is made of.

use crate::query::Cursor;
use crate::tree::NodeHash;
#[cfg(doc)]
use crate::tree::NodeId;
use crate::{
    AuditEvent, Error, ErrorKind, EventQuery, Filter, Head, Log, Order, Position, Result, Sequence,
    Total,
};

/// The request of [`AuditStore::scan`](crate::AuditStore::scan).
///
/// ```
/// use audit_core::{Filter, Log, Order, Scan};
///
/// let logins = Filter::new().action("user.login");
/// let scan = Scan::new(Log::Platform).filter(logins).order(Order::Sequence).limit(50);
/// assert_eq!(scan.after, None);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Scan {
    /// The log.
    pub log: Log,
    /// The events to select.
    pub filter: Filter,
    /// The order of the events.
    pub order: Order,
    /// Resume after this position. It need not be that of a matching event.
    pub after: Option<Position>,
    /// Highest sequence to read.
    pub bound: Option<Sequence>,
    /// Number of matching events to skip.
    pub offset: u64,
    /// Highest number of events to return.
    pub limit: usize,
    /// Stop once the events returned have this many bytes, as stored or as JSON.
    pub bytes: usize,
    /// Whether to count the matching events.
    pub total: Total,
}

/// Returns the number of bytes that `event` has as JSON.
pub(super) fn bytes_of(event: &AuditEvent) -> usize {
    /// Counts the bytes written.
    struct Count(usize);

    impl std::io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    let mut count = Count(0);
    // Counting cannot fail, and neither can writing an event.
    let _ = serde_json::to_writer(&mut count, event);
    count.0
}

impl Scan {
    /// Creates the scan of the newest events of `log`: as many as a page has by default, of any
    /// size, not counted.
    pub fn new(log: impl Into<Log>) -> Self {
        scan_of(&EventQuery::new(log), None, 0)
    }

    /// Selects the events that match `filter`.
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

    /// Resumes after this position.
    #[must_use]
    pub fn after(mut self, position: Position) -> Self {
        self.after = Some(position);
        self
    }

    /// Sets the highest sequence to read.
    #[must_use]
    pub fn bound(mut self, sequence: Sequence) -> Self {
        self.bound = Some(sequence);
        self
    }

    /// Sets the number of matching events to skip.
    #[must_use]
    pub fn offset(mut self, offset: u64) -> Self {
        self.offset = offset;
        self
    }

    /// Sets the highest number of events to return.
    #[must_use]
    pub fn limit(mut self, limit: usize) -> Self {
        self.limit = limit;
        self
    }

    /// Stops once the events returned have this many bytes.
    #[must_use]
    pub fn bytes(mut self, bytes: usize) -> Self {
        self.bytes = bytes;
        self
    }

    /// Sets whether to count the matching events.
    #[must_use]
    pub fn total(mut self, total: Total) -> Self {
        self.total = total;
        self
    }

    /// Returns how many of `events`, the matching events after the offset in order, fit in one
    /// result. Used by stores without an index.
    pub fn fitting(&self, events: &[AuditEvent]) -> usize {
        let mut bytes = 0;
        let fit = events.iter().take(self.limit).take_while(|event| {
            let fits = bytes == 0 || bytes < self.bytes;
            bytes += bytes_of(event);
            fits
        });
        fit.count()
    }

    /// Returns the highest sequence to read in a log with this head.
    ///
    /// # Errors
    /// [`ErrorKind::Behind`] if the scan's bound exceeds the log's size, [`ErrorKind::Gone`] if the
    /// scan resumes after an event that retention removed together with the next.
    pub fn bound_within(&self, head: Head) -> Result<Sequence> {
        if self.after.is_some_and(|after| after.sequence < head.pruned) {
            return Err(Error::new(ErrorKind::Gone));
        }
        match self.bound {
            Some(bound) if bound > head.size => Err(Error::new(ErrorKind::Behind)),
            Some(bound) => Ok(bound),
            None => Ok(head.size),
        }
    }
}

/// The result of [`AuditStore::scan`](crate::AuditStore::scan).
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ScanResult {
    /// The events, in order.
    pub events: Vec<AuditEvent>,
    /// Whether more events match after the last.
    pub more: bool,
    /// The number of matching events, if the scan asked for it.
    pub total: Option<u64>,
    /// The highest sequence that the scan read.
    pub bound: Sequence,
    /// The hash of the node that [identifies](NodeId::identifying) the first `bound` events, to which
    /// tokens are bound; `None` if there are no events, or if the node is damaged. A store may leave it
    /// out of a scan with the limit 0: a total has no token.
    pub end: Option<NodeHash>,
}

impl ScanResult {
    /// Creates the result of a scan up to `bound`, whose node is `end`, without a total.
    pub fn new(
        events: Vec<AuditEvent>,
        more: bool,
        bound: Sequence,
        end: Option<NodeHash>,
    ) -> Self {
        Self { events, more, total: None, bound, end }
    }

    /// Sets the number of matching events; `None` if the scan did not ask for it.
    #[must_use]
    pub fn total(mut self, total: Option<u64>) -> Self {
        self.total = total;
        self
    }
}

/// Returns the scan that answers `query` from `cursor` on.
pub(crate) fn scan_of(query: &EventQuery, cursor: Option<Cursor>, offset: u64) -> Scan {
    Scan {
        log: query.log,
        filter: query.filter.clone(),
        order: query.order,
        after: cursor.map(|cursor| cursor.last),
        bound: cursor.map(|cursor| cursor.bound),
        offset,
        limit: query.limit,
        bytes: query.bytes,
        total: query.total,
    }
}
