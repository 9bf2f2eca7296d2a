//! Walks through the index, by time and by sequence.

use std::fmt;
use std::iter::Rev;
use std::ops::RangeInclusive;

use audit_core::backend::index::IndexQuery;
use audit_core::{Order, Position, Result, Sequence};
use roaring::RoaringBitmap;

use crate::reader::SegmentReader;
use crate::segment::Segment;
use crate::storage::ReadParts;
use crate::term_key::TermKey;

/// The events found, in the order of the query.
pub struct Found<P>(Walk<P>);

impl<P> fmt::Debug for Found<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Found").finish_non_exhaustive()
    }
}

enum Walk<P> {
    /// Every event, by sequence.
    All(RangeInclusive<u64>),
    AllReversed(Rev<RangeInclusive<u64>>),
    ByTime(ByTime<P>),
    BySequence(BySequence<P>),
}

impl<P: ReadParts> Found<P> {
    pub(crate) fn all(sequences: RangeInclusive<u64>) -> Self {
        Self(Walk::All(sequences))
    }

    /// The same events, the last first.
    pub(crate) fn all_reversed(sequences: RangeInclusive<u64>) -> Self {
        Self(Walk::AllReversed(sequences.rev()))
    }

    /// Begins a walk by time. `tail` has the events found in the tail, in order.
    pub(crate) fn by_time(segments: Segments<P>, tail: Vec<Position>) -> Self {
        let mut segments = segments;
        let order = segments.query.order;
        segments.waiting.sort_by(|a, b| order.compare(&b.start(order), &a.start(order)));
        let mut tail = tail.into_iter();
        let head = tail.next();
        let open = head.map(|head| Open { head, rest: Rest::Tail(tail) }).into_iter().collect();
        Self(Walk::ByTime(ByTime { segments, open }))
    }

    /// Begins a walk by sequence. `tail` has the events found in the tail, in order.
    pub(crate) fn by_sequence(segments: Segments<P>, tail: Vec<Position>) -> Self {
        let tail = tail.into_iter();
        Self(Walk::BySequence(BySequence { segments, current: Current::None, tail }))
    }
}

impl<P: ReadParts> Iterator for Found<P> {
    type Item = Result<Sequence>;

    fn next(&mut self) -> Option<Self::Item> {
        match &mut self.0 {
            Walk::All(sequences) => sequences.next().map(Sequence::new),
            Walk::AllReversed(sequences) => sequences.next().map(Sequence::new),
            Walk::ByTime(walk) => walk.advance().transpose(),
            Walk::BySequence(walk) => walk.advance().transpose(),
        }
    }
}

/// The segments of a walk.
pub(crate) struct Segments<P> {
    reader: SegmentReader<P>,
    clauses: Vec<Vec<TermKey>>,
    query: IndexQuery,
    /// The segments that are not opened yet, the next one last.
    waiting: Vec<Segment>,
    /// The number of waiting segments that have been announced.
    announced: usize,
    /// The number of segments to announce next.
    ahead: usize,
}

/// The number of segments announced first; doubles each time. Most pages end within the first few
/// segments.
const AHEAD: usize = 12;

/// The number of events whose table entries are announced when a segment is opened: one page.
const RANKS_AHEAD: usize = 50;

impl<P: ReadParts> Segments<P> {
    /// Begins a walk through `waiting`, the next segment last.
    pub(crate) fn new(
        parts: P,
        clauses: Vec<Vec<TermKey>>,
        query: IndexQuery,
        waiting: Vec<Segment>,
    ) -> Self {
        let reader = SegmentReader::new(parts);
        Self { reader, clauses, query, waiting, announced: 0, ahead: AHEAD }
    }

    /// Opens the next segment if `is_next` accepts it, and returns it with the ranks found in it.
    fn open_if(
        &mut self,
        is_next: impl FnOnce(&Segment) -> bool,
    ) -> Result<Option<(Segment, RoaringBitmap)>> {
        if !self.waiting.last().is_some_and(is_next) {
            return Ok(None);
        }
        if self.announced == 0 {
            let ahead = self.waiting.iter().rev().take(self.ahead);
            self.announced = ahead.len();
            self.reader.prefetch(ahead, &self.clauses)?;
            self.ahead *= 2;
        }
        let Some(segment) = self.waiting.pop() else { return Ok(None) };
        self.announced -= 1;
        let ranks = self.reader.find(&segment, &mut self.clauses, &self.query)?;
        Ok(Some((segment, ranks)))
    }
}

/// A walk by time: merges the tail and the open segments. A segment is opened when the walk reaches
/// its first event.
struct ByTime<P> {
    segments: Segments<P>,
    open: Vec<Open>,
}

struct Open {
    head: Position,
    rest: Rest,
}

enum Rest {
    Tail(std::vec::IntoIter<Position>),
    Segment(Segment, roaring::bitmap::IntoIter),
}

impl<P: ReadParts> ByTime<P> {
    fn advance(&mut self) -> Result<Option<Sequence>> {
        let order = self.segments.query.order;
        loop {
            let heads = self.open.iter().enumerate();
            let next = heads.min_by(|(_, a), (_, b)| order.compare(&a.head, &b.head));
            let next = next.map(|(index, open)| (index, open.head));
            let comes_first = |segment: &Segment| {
                next.is_none_or(|(_, head)| order.compare(&segment.start(order), &head).is_lt())
            };
            if let Some((segment, ranks)) = self.segments.open_if(comes_first)? {
                let reader = &mut self.segments.reader;
                match order {
                    Order::NewestFirst => {
                        reader
                            .prefetch_positions(&segment, ranks.iter().rev().take(RANKS_AHEAD))?;
                    }
                    _ => reader.prefetch_positions(&segment, ranks.iter().take(RANKS_AHEAD))?,
                }
                let mut rest = Rest::Segment(segment, ranks.into_iter());
                if let Some(head) = rest.advance(&mut self.segments)? {
                    self.open.push(Open { head, rest });
                }
                continue;
            }
            let Some((index, head)) = next else { return Ok(None) };
            let open = &mut self.open[index];
            match open.rest.advance(&mut self.segments)? {
                Some(head) => open.head = head,
                None => {
                    self.open.swap_remove(index);
                }
            }
            return Ok(Some(head.sequence));
        }
    }
}

impl Rest {
    fn advance<P: ReadParts>(&mut self, segments: &mut Segments<P>) -> Result<Option<Position>> {
        match self {
            Self::Tail(positions) => Ok(positions.next()),
            Self::Segment(segment, ranks) => loop {
                let rank = match segments.query.order {
                    Order::NewestFirst => ranks.next_back(),
                    _ => ranks.next(),
                };
                let Some(rank) = rank else { return Ok(None) };
                let position = segments.reader.position(segment, rank)?;
                if segments.query.holds(position.sequence) {
                    return Ok(Some(position));
                }
            },
        }
    }
}

/// A walk by sequence: one segment after the other, then the tail; reversed, first the tail.
struct BySequence<P> {
    segments: Segments<P>,
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
    fn is_reversed(&self) -> bool {
        self.segments.query.order == Order::SequenceReversed
    }

    fn advance(&mut self) -> Result<Option<Sequence>> {
        if self.is_reversed()
            && let Some(position) = self.tail.next()
        {
            return Ok(Some(position.sequence));
        }
        loop {
            match &mut self.current {
                Current::None => {}
                Current::Few(few) => {
                    if let Some(sequence) = few.next() {
                        return Ok(Some(sequence));
                    }
                }
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
            let Some((segment, ranks)) = self.segments.open_if(|_| true)? else {
                return Ok(self.tail.next().map(|position| position.sequence));
            };
            self.current = self.enter(segment, ranks)?;
        }
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
