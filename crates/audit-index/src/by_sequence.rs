//! A walk by sequence.

use audit_core::backend::index::IndexQuery;
use audit_core::{Order, Position, Result, Sequence};
use roaring::RoaringBitmap;

use crate::segment::Segment;
use crate::storage::ReadParts;
use crate::walk::Segments;

/// A walk by sequence: one segment after the other, then the tail; reversed, first the tail.
pub(crate) struct BySequence<P> {
    segments: Segments<P>,
    /// The query, with the position to resume after as a bound.
    within: IndexQuery,
    current: Current,
    tail: std::vec::IntoIter<Position>,
}

/// The rest of the open segment.
enum Current {
    None,
    /// A few events, by sequence.
    Few(std::vec::IntoIter<Sequence>),
    /// Many ranks: each event of the segment in turn is looked up among them.
    Many {
        segment: Segment,
        ranks: RoaringBitmap,
        next: Sequence,
    },
    /// The same, the last event first.
    ManyReversed {
        segment: Segment,
        ranks: RoaringBitmap,
        next: Sequence,
    },
}

/// Up to this many events are sorted by sequence; more are looked up one by one.
const FEW: u64 = 256;

impl<P: ReadParts> BySequence<P> {
    pub(crate) fn new(segments: Segments<P>, tail: Vec<Position>) -> Self {
        let query = &segments.query;
        let (floor, bound) = (query.first_after(), query.last());
        let within = IndexQuery { floor, bound, after: None, ..query.clone() };
        Self { segments, within, current: Current::None, tail: tail.into_iter() }
    }

    fn is_reversed(&self) -> bool {
        self.segments.query.order == Order::SequenceReversed
    }

    pub(crate) fn advance(&mut self) -> Result<Option<Sequence>> {
        if self.is_reversed()
            && let Some(position) = self.tail.next()
        {
            return Ok(Some(position.sequence));
        }
        loop {
            if let Some(sequence) = self.advance_within()? {
                return Ok(Some(sequence));
            }
            let Some((segment, ranks)) = self.segments.open_if(|_| true)? else {
                return Ok(self.tail.next().map(|position| position.sequence));
            };
            self.current = self.enter(segment, ranks)?;
        }
    }

    /// Returns the next event of the open segment.
    fn advance_within(&mut self) -> Result<Option<Sequence>> {
        match &mut self.current {
            Current::None => {}
            Current::Few(few) => return Ok(few.next()),
            Current::ManyReversed { segment, ranks, next } => {
                let first = self.segments.query.first_after().next().max(segment.info().first);
                while *next >= first {
                    let sequence = *next;
                    *next = sequence.previous();
                    if ranks.contains(self.segments.reader.rank(segment, sequence)?) {
                        return Ok(Some(sequence));
                    }
                }
            }
            Current::Many { segment, ranks, next } => {
                while *next <= segment.info().last.min(self.segments.query.bound) {
                    let sequence = *next;
                    *next = sequence.next();
                    if ranks.contains(self.segments.reader.rank(segment, sequence)?) {
                        return Ok(Some(sequence));
                    }
                }
            }
        }
        Ok(None)
    }

    /// Passes over the next `count` events. Counts the events of each segment, and steps through
    /// the one in which the passed events end.
    pub(crate) fn pass_over(&mut self, count: u64) -> Result<u64> {
        let mut passed = 0;
        while passed < count {
            if self.is_reversed() && self.tail.next().is_some() || self.advance_within()?.is_some()
            {
                passed += 1;
                continue;
            }
            self.current = Current::None;
            if let Some(next) = self.segments.waiting.last().copied() {
                if passed == 0 {
                    self.segments.announce()?;
                }
                let len = self.segments.count(&next, &self.within)?;
                if passed + len <= count {
                    self.segments.pass();
                    passed += len;
                    continue;
                }
            }
            if self.advance()?.is_none() {
                break;
            }
            passed += 1;
        }
        Ok(passed)
    }

    fn enter(&mut self, segment: Segment, ranks: RoaringBitmap) -> Result<Current> {
        let query = &self.segments.query;
        if ranks.len() > FEW && self.is_reversed() {
            let next = query.last().min(segment.info().last);
            return Ok(Current::ManyReversed { segment, ranks, next });
        }
        if ranks.len() > FEW {
            let next = query.first_after().next().max(segment.info().first);
            return Ok(Current::Many { segment, ranks, next });
        }
        self.segments.reader.prefetch_positions(&segment, ranks.iter())?;
        let mut few = Vec::new();
        for rank in ranks {
            let position = self.segments.reader.position(&segment, rank)?;
            if query.reaches(&position) {
                few.push(position.sequence);
            }
        }
        few.sort_unstable();
        if self.is_reversed() {
            few.reverse();
        }
        Ok(Current::Few(few.into_iter()))
    }
}
