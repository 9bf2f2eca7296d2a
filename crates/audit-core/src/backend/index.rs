//! How a query is answered through an index: the terms of an event, and the walk over the lists
//! that a store keeps for each term. For those who write a store.
//!
//! A store keeps, for each [`Term`], which events have it. A filter is then a conjunction of unions
//! of such lists. What they are made of is the store's own affair: it implements [`Index`], and
//! [`select`] makes pages and totals of what that finds. A store whose lists are sorted positions
//! implements [`PostingsCursor`] and leaves the walk to [`Intersection`].

use std::cmp::Ordering;
use std::time::Duration;

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
            Some(end) => end.saturating_sub(Duration::from_nanos(1)),
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

    fn covers(&self, time: Timestamp) -> bool {
        self.earliest <= time && time <= self.latest
    }
}

/// The place right behind `position`.
fn successor(order: Order, position: Position) -> Position {
    let sequence = match order {
        Order::NewestFirst => position.sequence.previous(),
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

/// A reader of the list of one term.
pub trait PostingsCursor {
    /// The first position at or after `from` in the cursor's order, of a sequence that the query
    /// [holds](IndexQuery::holds). Calls come with `from` never going back.
    fn seek(&mut self, from: Position) -> Result<Option<Position>>;
}

/// The walk for a store that keeps, for each term, a sorted list of positions: the lists are read
/// side by side, each leaping to where the others are.
#[derive(Debug)]
pub struct Intersection<C> {
    clauses: Vec<Union<C>>,
    query: IndexQuery,
    /// The last place that can be wanted.
    last: Position,
    /// Where to go on; `None` at the end.
    from: Option<Position>,
}

impl<C: PostingsCursor> Intersection<C> {
    /// Begins the walk; `open` gives the reader of a term's list, in the order and within the
    /// bounds of the query.
    pub fn open(query: IndexQuery, mut open: impl FnMut(&Term) -> Result<C>) -> Result<Self> {
        let order = query.order;
        let mut member = |term: &Term| Ok(Member { cursor: open(term)?, head: Head::Unread });
        let clauses = query
            .clauses
            .iter()
            .map(|terms| {
                let members = terms.iter().map(&mut member).collect::<Result<_>>()?;
                Ok(Union { members, order })
            })
            .collect::<Result<_>>()?;
        let (low, high) = query.span();
        let (first, last) = match order {
            Order::NewestFirst => (high, low),
            Order::OldestFirst => (low, high),
            Order::Sequence => {
                let first = query.after.map_or(low, |after| successor(order, after));
                (first, Position { sequence: Sequence::MAX, ..high })
            }
        };
        Ok(Self { clauses, query, last, from: Some(first) })
    }

    fn advance(&mut self) -> Result<Option<Sequence>> {
        let order = self.query.order;
        while let Some(from) = self.from {
            let Some(position) = self.meet(from)? else { break };
            // No event stands at an end of the numbers; on damaged lists, the walk ends there.
            self.from = Some(successor(order, position)).filter(|after| *after != position);
            // In an order by time the span is the range; by sequence, each time is looked at.
            if order != Order::Sequence || self.query.covers(position.occurred_at) {
                return Ok(Some(position.sequence));
            }
        }
        self.from = None;
        Ok(None)
    }

    fn ends_before(&self, position: &Position) -> bool {
        self.query.order.compare(position, &self.last) == Ordering::Greater
    }

    /// The first place at or after `from` where all clauses meet.
    fn meet(&mut self, from: Position) -> Result<Option<Position>> {
        let mut candidate = from;
        let mut agreed = 0;
        // Each group in turn says where it could be; all must say the same.
        while let Some(group) = self.clauses.get_mut(agreed) {
            let Some(position) = group.seek(candidate)? else { return Ok(None) };
            if self.ends_before(&position) {
                return Ok(None);
            }
            if agreed > 0 && position.sequence != candidate.sequence {
                // The first group goes on from there.
                agreed = 0;
            } else {
                agreed += 1;
            }
            candidate = position;
        }
        Ok((agreed > 0).then_some(candidate))
    }
}

impl<C: PostingsCursor> Iterator for Intersection<C> {
    type Item = Result<Sequence>;

    fn next(&mut self) -> Option<Self::Item> {
        self.advance().transpose()
    }
}

/// The events that are in at least one member's list, in order.
#[derive(Debug)]
struct Union<C> {
    members: Vec<Member<C>>,
    order: Order,
}

#[derive(Debug)]
struct Member<C> {
    cursor: C,
    head: Head,
}

#[derive(Clone, Copy, Debug)]
enum Head {
    Unread,
    At(Position),
    End,
}

impl<C: PostingsCursor> Union<C> {
    fn seek(&mut self, from: Position) -> Result<Option<Position>> {
        let mut least: Option<Position> = None;
        for Member { cursor, head } in &mut self.members {
            let stale = match head {
                Head::Unread => true,
                Head::At(at) => self.order.compare(at, &from) == Ordering::Less,
                Head::End => false,
            };
            if stale {
                *head = cursor.seek(from)?.map_or(Head::End, Head::At);
            }
            if let Head::At(at) = *head
                && least.is_none_or(|least| self.order.compare(&at, &least) == Ordering::Less)
            {
                least = Some(at);
            }
        }
        Ok(least)
    }
}
