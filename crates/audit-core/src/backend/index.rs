//! How a query is answered through an index: the terms of an event, and the walk over the lists
//! that a store keeps for each term. For those who write a store.
//!
//! A store keeps, for each [`Term`], which events have it. A filter is then a conjunction of unions
//! of such lists. What they are made of is the store's own affair: it implements [`Index`], and
//! [`select`] makes pages and totals of what that finds.

use super::Term;
use crate::{Order, Position, Result, Scan, Sequence, Timestamp, Total};

/// What is looked for in a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexQuery {
    /// An event is wanted if it has a term of each group.
    pub clauses: Vec<Vec<Term>>,
    /// In which order.
    pub order: Order,
    /// Among the first so many events of the log.
    pub bound: Sequence,
    /// But not these first ones, which retention has removed.
    pub floor: Sequence,
    /// The first instant that is wanted.
    pub earliest: Timestamp,
    /// The last instant that is wanted.
    pub latest: Timestamp,
    /// Only what comes behind this place.
    pub after: Option<Position>,
}

impl IndexQuery {
    /// What `scan` looks for; `None` where its time range is empty.
    fn of(scan: &Scan, bound: Sequence, floor: Sequence) -> Option<Self> {
        let earliest = scan.filter.first_instant();
        let latest = match scan.filter.end_instant() {
            Some(end) if end <= earliest => return None,
            Some(end) => end.saturating_add_micros(-1),
            None => Timestamp::MAX,
        };
        let clauses = Term::clauses_of(&scan.filter);
        let (order, after) = (scan.order, scan.after);
        Some(Self { clauses, order, bound, floor, earliest, latest, after })
    }

    /// Whether an event at `position` is within the bound, the times, and behind the beginning.
    pub fn reaches(&self, position: &Position) -> bool {
        let behind = |after| self.order.compare(position, &after).is_gt();
        self.holds(position.sequence)
            && self.covers(position.occurred_at)
            && self.after.is_none_or(behind)
    }

    /// Whether the event of that number is wanted, as far as its number tells.
    pub fn holds(&self, sequence: Sequence) -> bool {
        self.floor < sequence && sequence <= self.bound
    }

    /// The number after which the events that are wanted come: the floor, or in the order of
    /// sequence the beginning if that is later.
    pub fn first_after(&self) -> Sequence {
        let after = self.after.filter(|_| self.order == Order::Sequence);
        after.map_or(self.floor, |after| after.sequence.max(self.floor))
    }

    /// The last number that can be wanted: the bound, or in the reversed order of sequence the one
    /// before the beginning if that is earlier.
    pub fn last(&self) -> Sequence {
        let after = self.after.filter(|_| self.order == Order::SequenceReversed);
        after.map_or(self.bound, |after| after.sequence.previous().min(self.bound))
    }

    /// The places by time between which all that is wanted lies, both included. In an order by
    /// time, what lies between them is behind the beginning.
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

/// What a store keeps so that events are found by their terms, for one log and one reader.
pub trait Index {
    /// The events found.
    type Found<'a>: Iterator<Item = Result<Sequence>>
    where
        Self: 'a;

    /// Looks for events: each one that is wanted, once, in order. An implementation finds them as
    /// they are asked for, since a page takes the first few of what may be many.
    fn find(&self, query: IndexQuery) -> Result<Self::Found<'_>>;

    /// How many events are wanted. A store that knows better than to look at each overrides this.
    fn count(&self, query: IndexQuery) -> Result<u64> {
        self.find(query)?.try_fold(0, |count, found| found.map(|_| count + 1))
    }
}

/// What a scan selects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    /// The events of the page, in the scan's order, at most its limit.
    pub sequences: Vec<Sequence>,
    /// Whether a further event matches after them.
    pub more: bool,
    /// How many match in all, where the scan asks for it.
    pub total: Option<u64>,
}

impl Selection {
    /// Reads the events selected, as many as have the bytes that `scan` asks for, by `read`, each of
    /// a [size](crate::backend::StoredEvent::size); and says whether a further one matches after them.
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

/// Answers `scan` from `index`, over the first `bound` events of the log, of which those up to
/// `floor` are [gone](crate::Head::pruned).
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
    // From the walk's beginning, whichever page this is; the order makes no difference.
    let whole = || IndexQuery { after: None, order: Order::OldestFirst, ..query.clone() };
    let mut sequences = Vec::new();
    let mut more = false;
    let mut passed = 0;
    for found in index.find(query.clone())? {
        let sequence = found?;
        if passed < scan.offset {
            passed += 1;
        } else if sequences.len() < scan.limit {
            sequences.push(sequence);
        } else {
            more = true;
            break;
        }
    }
    let total = match scan.total {
        Total::Skip => None,
        Total::Exact if scan.after.is_some() || more => Some(index.count(whole())?),
        Total::Exact => Some(passed + sequences.len() as u64),
    };
    Ok(Selection { sequences, more, total })
}
