//! Walks through the index, by time and by sequence.

use std::fmt;
use std::ops::Range;

use audit_core::backend::index::{IndexQuery, Matches};
use audit_core::{Position, Result, Sequence};
use roaring::RoaringBitmap;

use crate::by_sequence::BySequence;
use crate::by_time::ByTime;
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
    All(Range<u64>),
    AllReversed(Range<u64>),
    ByTime(ByTime<P>),
    BySequence(BySequence<P>),
}

impl<P: ReadParts> Found<P> {
    pub(crate) fn all(sequences: Range<u64>) -> Self {
        Self(Walk::All(sequences))
    }

    /// The same events, the last first.
    pub(crate) fn all_reversed(sequences: Range<u64>) -> Self {
        Self(Walk::AllReversed(sequences))
    }

    /// Begins a walk by time. `tail` has the events found in the tail, in order.
    pub(crate) fn by_time(segments: Segments<P>, tail: Vec<Position>) -> Self {
        Self(Walk::ByTime(ByTime::new(segments, tail)))
    }

    /// Begins a walk by sequence. `tail` has the events found in the tail, in order.
    pub(crate) fn by_sequence(segments: Segments<P>, tail: Vec<Position>) -> Self {
        Self(Walk::BySequence(BySequence::new(segments, tail)))
    }
}

impl<P: ReadParts> Iterator for Found<P> {
    type Item = Result<Sequence>;

    fn next(&mut self) -> Option<Self::Item> {
        match &mut self.0 {
            Walk::All(sequences) => sequences.next().map(Sequence::new),
            Walk::AllReversed(sequences) => sequences.next_back().map(Sequence::new),
            Walk::ByTime(walk) => walk.advance().transpose(),
            Walk::BySequence(walk) => walk.advance().transpose(),
        }
    }
}

impl<P: ReadParts> Matches for Found<P> {
    fn pass_over(&mut self, count: u64) -> Result<u64> {
        let passed = |left: &Range<u64>| count.min(left.end.saturating_sub(left.start));
        Ok(match &mut self.0 {
            Walk::All(left) => {
                let passed = passed(left);
                left.start += passed;
                passed
            }
            Walk::AllReversed(left) => {
                let passed = passed(left);
                left.end -= passed;
                passed
            }
            Walk::ByTime(walk) => walk.pass_over(count)?,
            Walk::BySequence(walk) => walk.pass_over(count)?,
        })
    }
}

/// The segments of a walk.
pub(crate) struct Segments<P> {
    pub(crate) reader: SegmentReader<P>,
    pub(crate) clauses: Vec<Vec<TermKey>>,
    pub(crate) query: IndexQuery,
    /// The segments that are not opened yet, the next one last.
    pub(crate) waiting: Vec<Segment>,
    /// The number of waiting segments that have been announced.
    announced: usize,
    /// The number of segments to announce next.
    ahead: usize,
}

/// The number of segments announced first; doubles each time. Most pages end within the first few
/// segments.
const AHEAD: usize = 12;

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
    pub(crate) fn open_if(
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
        Ok(Some((segment, self.open(&segment)?)))
    }

    /// Returns the ranks found in a segment.
    pub(crate) fn open(&mut self, segment: &Segment) -> Result<RoaringBitmap> {
        self.reader.find(segment, &mut self.clauses, &self.query)
    }

    /// Returns the number of events of a segment that match `query`, which has the clauses of the
    /// walk.
    pub(crate) fn count(&mut self, segment: &Segment, query: &IndexQuery) -> Result<u64> {
        self.reader.count(segment, &mut self.clauses, query)
    }

    /// Announces all waiting segments: they are going to be counted.
    pub(crate) fn announce(&mut self) -> Result<()> {
        self.announced = self.waiting.len();
        self.reader.prefetch(self.waiting.iter(), &self.clauses)
    }

    /// Takes the next segment, without opening it.
    pub(crate) fn pass(&mut self) {
        self.announced = self.announced.saturating_sub(usize::from(self.waiting.pop().is_some()));
    }
}
