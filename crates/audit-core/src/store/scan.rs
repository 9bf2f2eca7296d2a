//! The scan: the one read that every page, total and feed is made of.

use crate::query::Cursor;
use crate::{
    AuditEvent, Error, ErrorKind, EventQuery, Filter, Head, Log, Order, Position, Result, Sequence,
    Total,
};

/// What [`AuditStore::scan`] is to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scan {
    /// The log.
    pub log: Log,
    /// Which events.
    pub filter: Filter,
    /// In which order.
    pub order: Order,
    /// Begin behind this place, which need not be that of an event that matches.
    pub after: Option<Position>,
    /// Look at the first so many events of the log only.
    pub bound: Option<Sequence>,
    /// Leave out so many of the events that match.
    pub offset: u64,
    /// Return at most so many.
    pub limit: usize,
    /// Return no more once those returned have so many bytes, as JSON.
    pub bytes: usize,
    /// Whether to count those that match.
    pub total: Total,
}

/// How many bytes `event` has as JSON.
fn bytes_of(event: &AuditEvent) -> usize {
    /// Counts what is written.
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
    // Neither the count nor an event can fail.
    let _ = serde_json::to_writer(&mut count, event);
    count.0
}

impl Scan {
    /// How many of `events`, which match behind the offset, in order, fit a slice.
    pub fn fitting(&self, events: &[AuditEvent]) -> usize {
        let mut bytes = 0;
        let fit = events.iter().take(self.limit).take_while(|event| {
            let fits = bytes == 0 || bytes < self.bytes;
            bytes += bytes_of(event);
            fits
        });
        fit.count()
    }

    /// The bound to scan to in a log that ends at `head`.
    ///
    /// # Errors
    /// [`ErrorKind::Behind`] if the scan's bound is beyond it, [`ErrorKind::Gone`] if the scan
    /// goes on from an event that retention has removed together with the next.
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

/// What [`AuditStore::scan`] read.
#[derive(Clone, Debug, PartialEq)]
pub struct ScanResult {
    /// The events, in order.
    pub events: Vec<AuditEvent>,
    /// Whether more match behind the last.
    pub more: bool,
    /// How many match, if the scan asked.
    pub total: Option<u64>,
    /// The size of the log to which the scan looked.
    pub bound: Sequence,
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
