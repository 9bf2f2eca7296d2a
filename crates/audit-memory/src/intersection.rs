//! The walk over the postings of several terms.

use std::cmp::Ordering;

use audit_core::backend::Term;
use audit_core::backend::index::{IndexQuery, Matches, successor};
use audit_core::{Order, Position, Result, Sequence};

/// Reads the postings of one term.
pub(crate) trait PostingsCursor {
    /// Returns the first position at or after `from`, in the order of the query, whose sequence the
    /// query [holds](IndexQuery::holds). The caller never moves `from` backwards.
    fn seek(&mut self, from: Position) -> Result<Option<Position>>;
}

/// Walks over sorted postings side by side. Each cursor skips to the position of the others.
#[derive(Debug)]
pub(crate) struct Intersection<C> {
    clauses: Vec<Union<C>>,
    query: IndexQuery,
    /// The last position that can match.
    last: Position,
    /// Where the walk continues; `None` at the end.
    from: Option<Position>,
}

impl<C: PostingsCursor> Intersection<C> {
    /// Begins the walk. `open` returns the cursor of a term, in the order and within the bounds of
    /// the query.
    pub(crate) fn open(
        query: IndexQuery,
        mut open: impl FnMut(&Term) -> Result<C>,
    ) -> Result<Self> {
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
            Order::SequenceReversed => {
                let first = query.after.map_or(high, |after| successor(order, after));
                (first, Position { sequence: Sequence::ZERO, ..low })
            }
        };
        Ok(Self { clauses, query, last, from: Some(first) })
    }

    fn advance(&mut self) -> Result<Option<Sequence>> {
        let order = self.query.order;
        while let Some(from) = self.from {
            let Some(position) = self.meet(from)? else { break };
            // No event has the lowest or the highest position; the walk ends there.
            self.from = Some(successor(order, position)).filter(|after| *after != position);
            // By time, the span already bounds the times; by sequence, each time is checked.
            if order.is_by_time() || self.query.covers(position.occurred_at) {
                return Ok(Some(position.sequence));
            }
        }
        self.from = None;
        Ok(None)
    }

    fn ends_before(&self, position: &Position) -> bool {
        self.query.order.compare(position, &self.last) == Ordering::Greater
    }

    /// Returns the first position at or after `from` that all clauses have.
    fn meet(&mut self, from: Position) -> Result<Option<Position>> {
        let mut candidate = from;
        let mut agreed = 0;
        // Each clause in turn proposes a position; all must agree on it.
        while let Some(clause) = self.clauses.get_mut(agreed) {
            let Some(position) = clause.seek(candidate)? else { return Ok(None) };
            if self.ends_before(&position) {
                return Ok(None);
            }
            if agreed > 0 && position.sequence != candidate.sequence {
                // Start again with the first clause from there.
                agreed = 0;
            } else {
                agreed += 1;
            }
            candidate = position;
        }
        Ok((agreed > 0).then_some(candidate))
    }
}

// Steps over an offset: the postings in memory are sorted, not counted.
impl<C: PostingsCursor> Matches for Intersection<C> {}

impl<C: PostingsCursor> Iterator for Intersection<C> {
    type Item = Result<Sequence>;

    fn next(&mut self) -> Option<Self::Item> {
        self.advance().transpose()
    }
}

/// Walks over the events that at least one member has, in order.
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
