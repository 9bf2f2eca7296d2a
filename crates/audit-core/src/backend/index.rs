//! Answers scans through an index, for authors of stores.
//!
//! A store keeps, for each [`Term`], the events that have it. A filter is then an intersection of
//! unions of such lists. The store chooses their form and implements [`Index`]; [`select`] makes
//! pages and totals of the events that the index finds.

use std::time::Duration;

use super::Term;
use crate::{Order, Position, Result, Scan, Sequence, Timestamp, Total};

/// A query to the index of one log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexQuery {
    /// An event matches if it has a term of each clause.
    pub clauses: Vec<Vec<Term>>,
    /// The order of the events found.
    pub order: Order,
    /// The highest sequence to return.
    pub bound: Sequence,
    /// Events up to this sequence are not returned: retention has pruned them.
    pub floor: Sequence,
    /// The earliest time to return.
    pub earliest: Timestamp,
    /// The latest time to return.
    pub latest: Timestamp,
    /// Resume after this position.
    pub after: Option<Position>,
}

impl IndexQuery {
    /// Returns the query of `scan`; `None` if its time range is empty. A store that does not know the head
    /// yet can ask what a query with the widest bounds reads.
    pub fn of(scan: &Scan, bound: Sequence, floor: Sequence) -> Option<Self> {
        let earliest = scan.filter.first_instant();
        let latest = match scan.filter.end_instant() {
            Some(end) if end <= earliest => return None,
            Some(end) => end.saturating_sub(Duration::from_nanos(1)),
            None => Timestamp::MAX,
        };
        let clauses = Term::clauses_of(&scan.filter);
        let (order, after) = (scan.order, scan.after);
        Some(Self { clauses, order, bound, floor, earliest, latest, after })
    }

    /// Returns `true` if `position` is within the bounds and the times, and after the position to
    /// resume after.
    pub fn reaches(&self, position: &Position) -> bool {
        let is_later = |after| self.order.compare(position, &after).is_gt();
        self.holds(position.sequence)
            && self.covers(position.occurred_at)
            && self.after.is_none_or(is_later)
    }

    /// Returns `true` if `sequence` is above the floor and within the bound.
    pub fn holds(&self, sequence: Sequence) -> bool {
        self.floor < sequence && sequence <= self.bound
    }

    /// Returns the sequence after which the first event can be found: the floor, or in the order of
    /// sequence the position to resume after if that is later.
    pub fn first_after(&self) -> Sequence {
        let after = self.after.filter(|_| self.order == Order::Sequence);
        after.map_or(self.floor, |after| after.sequence.max(self.floor))
    }

    /// Returns the highest sequence that can match: the bound, or in the reversed order of sequence
    /// the one before the position to resume after, if that is lower.
    pub fn last(&self) -> Sequence {
        let after = self.after.filter(|_| self.order == Order::SequenceReversed);
        after.map_or(self.bound, |after| after.sequence.previous().min(self.bound))
    }

    /// Returns the first and the last position by time that can match, both included. In an order
    /// by time, all positions between them come after the position to resume after.
    pub fn span(&self) -> (Position, Position) {
        let mut low = Position { occurred_at: self.earliest, sequence: Sequence::ZERO };
        let mut high = Position { occurred_at: self.latest, sequence: Sequence::MAX };
        let by_time = |a: &Position, b: &Position| Order::OldestFirst.compare(a, b);
        if let Some(after) = self.after {
            let next = successor(self.order, after);
            match self.order {
                Order::NewestFirst if by_time(&next, &high).is_lt() => high = next,
                Order::OldestFirst if by_time(&next, &low).is_gt() => low = next,
                _ => {}
            }
        }
        (low, high)
    }

    /// Returns `true` if `time` is within the range of times.
    pub fn covers(&self, time: Timestamp) -> bool {
        self.earliest <= time && time <= self.latest
    }
}

/// Returns the position after `position` in `order`. At an end of the numbers it is the same.
pub fn successor(order: Order, position: Position) -> Position {
    let sequence = match order {
        Order::NewestFirst | Order::SequenceReversed => position.sequence.previous(),
        Order::OldestFirst | Order::Sequence => position.sequence.next(),
    };
    Position { sequence, ..position }
}

/// The events that an index finds, each once, in the order of the query.
pub trait Matches: Iterator<Item = Result<Sequence>> {
    /// Passes over the next `count` events, or over all that are left if these are fewer. Returns
    /// how many it passed over.
    ///
    /// Visits each of them by default. A store of large logs overrides this, because `count` is a
    /// caller's offset: the cost should not grow with it.
    fn pass_over(&mut self, count: u64) -> Result<u64> {
        for passed in 0..count {
            match self.next() {
                Some(found) => found?,
                None => return Ok(passed),
            };
        }
        Ok(count)
    }
}

/// The index of one log, as one reader sees it.
pub trait Index {
    /// The events found.
    type Found<'a>: Matches
    where
        Self: 'a;

    /// Returns the events that match, each once, in order. An implementation should find them one
    /// by one as the iterator advances: a page takes the first few of what may be many.
    fn find(&self, query: IndexQuery) -> Result<Self::Found<'_>>;

    /// Returns how many events match. Visits each of them by default; a store that can count faster
    /// overrides this.
    fn count(&self, query: IndexQuery) -> Result<u64> {
        self.find(query)?.try_fold(0, |count, found| found.map(|_| count + 1))
    }
}

/// The events that a scan selects.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Selection {
    /// The events of the page, in the scan's order, at most its limit.
    pub sequences: Vec<Sequence>,
    /// `true` if another event matches after them.
    pub more: bool,
    /// How many events match in all, if the scan asks for the total.
    pub total: Option<u64>,
}

impl Selection {
    /// Reads the selected events by `read`, until they have the bytes that `scan` asks for; `size`
    /// returns the [size](crate::backend::StoredEvent::size) of one. Returns them, and `true` if
    /// another event matches after them.
    pub fn read<E>(
        &self,
        scan: &Scan,
        mut read: impl FnMut(Sequence) -> Result<E>,
        size: impl Fn(&E) -> usize,
    ) -> Result<(Vec<E>, bool)> {
        let mut events = Vec::new();
        let mut bytes = 0;
        for sequence in &self.sequences {
            if bytes > 0 && bytes >= scan.bytes {
                return Ok((events, true));
            }
            let event = read(*sequence)?;
            bytes += size(&event);
            events.push(event);
        }
        Ok((events, self.more))
    }
}

/// Answers `scan` from `index`, over the events with sequences up to `bound`, of which those up to
/// `floor` are [pruned](crate::Head::pruned).
pub fn select<I: Index>(
    index: &I,
    scan: &Scan,
    bound: Sequence,
    floor: Sequence,
) -> Result<Selection> {
    let Some(query) = IndexQuery::of(scan, bound, floor) else {
        let total = (scan.total == Total::Exact).then_some(0);
        return Ok(Selection { sequences: Vec::new(), more: false, total });
    };
    // The total is that of the whole walk, not of this page. Its order makes no difference.
    let whole = || IndexQuery { after: None, order: Order::OldestFirst, ..query.clone() };
    if let Scan { limit: 0, after: None, total: Total::Exact, .. } = scan {
        // The total says whether there is more. To look for the first event can take as long again.
        let total = index.count(whole())?;
        return Ok(Selection {
            sequences: Vec::new(),
            more: total > scan.offset,
            total: Some(total),
        });
    }
    let mut found = index.find(query.clone())?;
    let passed = found.pass_over(scan.offset)?;
    let mut sequences = Vec::new();
    let mut more = false;
    for sequence in found {
        let sequence = sequence?;
        if sequences.len() == scan.limit {
            more = true;
            break;
        }
        sequences.push(sequence);
    }
    let total = match scan.total {
        Total::Skip => None,
        Total::Exact if scan.after.is_some() || more => Some(index.count(whole())?),
        Total::Exact => Some(passed + sequences.len() as u64),
    };
    Ok(Selection { sequences, more, total })
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::Log;

    /// Finds each of the events 1 to 3, and counts the calls.
    #[derive(Default)]
    struct Three {
        finds: Cell<u32>,
        counts: Cell<u32>,
    }

    impl Matches for std::vec::IntoIter<Result<Sequence>> {}

    impl Index for Three {
        type Found<'a> = std::vec::IntoIter<Result<Sequence>>;

        fn find(&self, _: IndexQuery) -> Result<Self::Found<'_>> {
            self.finds.set(self.finds.get() + 1);
            Ok((1..=3).map(Sequence::new).collect::<Vec<_>>().into_iter())
        }

        fn count(&self, _: IndexQuery) -> Result<u64> {
            self.counts.set(self.counts.get() + 1);
            Ok(3)
        }
    }

    #[test]
    fn a_total_alone_is_counted_and_not_looked_for() {
        for (offset, more) in [(0, true), (2, true), (3, false), (u64::MAX, false)] {
            let index = Three::default();
            let scan = Scan { limit: 0, offset, total: Total::Exact, ..Scan::new(Log::Platform) };
            let selection = select(&index, &scan, Sequence::MAX, Sequence::ZERO).unwrap();
            assert_eq!((selection.total, selection.more), (Some(3), more), "{offset}");
            assert_eq!(selection.sequences, []);
            assert_eq!((index.finds.get(), index.counts.get()), (0, 1));
        }
    }

    #[test]
    fn a_page_that_holds_all_that_match_needs_no_count() {
        let index = Three::default();
        let scan = Scan { limit: 3, total: Total::Exact, ..Scan::new(Log::Platform) };
        let selection = select(&index, &scan, Sequence::MAX, Sequence::ZERO).unwrap();
        assert_eq!(
            (selection.total, selection.more, selection.sequences.len()),
            (Some(3), false, 3)
        );
        assert_eq!((index.finds.get(), index.counts.get()), (1, 0));
    }
}
