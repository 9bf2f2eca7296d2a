//! Walks through the index, by time and by sequence.

use std::fmt;
use std::ops::Range;

use audit_core::backend::index::Matches;
use audit_core::{Position, Result, Sequence};

use crate::by_sequence::BySequence;
use crate::by_time::ByTime;
use crate::storage::ReadParts;
use crate::walked::Segments;

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
