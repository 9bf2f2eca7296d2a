//! A walk by sequence.

use std::ops::Range;

use audit_core::backend::index::IndexQuery;
use audit_core::{Order, Position, Result, Sequence};
use roaring::RoaringBitmap;

use crate::segment::{Segment, SegmentInfo};
use crate::storage::ReadParts;
use crate::table::ROW_ENTRIES;
use crate::walked::{EVENTS_AHEAD, Segments};

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
    Many(Many),
}

/// Events of a segment that are looked up one by one.
struct Many {
    segment: Segment,
    ranks: RoaringBitmap,
    /// The events that are left.
    left: Range<u64>,
    /// The number of next events whose table entries are announced.
    announced: u64,
}

/// Up to this many events are sorted by sequence; more are looked up one by one.
const FEW: u64 = 256;

/// The most rows of a table that are announced at once.
const MOST_ROWS_AHEAD: u64 = 16;

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
            let Some((segment, opened)) = self.segments.open_if(|_| true)? else {
                return Ok(self.tail.next().map(|position| position.sequence));
            };
            self.current = self.enter(segment, opened.ranks)?;
        }
    }

    /// Returns the next event of the open segment.
    fn advance_within(&mut self) -> Result<Option<Sequence>> {
        match &mut self.current {
            Current::None => {}
            Current::Few(few) => return Ok(few.next()),
            Current::Many(many) => return many.advance(&mut self.segments),
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
                    self.segments.announce(&self.within)?;
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
        if ranks.len() > FEW {
            let SegmentInfo { first, last, .. } = *segment.info();
            let first = query.first_after().next().max(first);
            let left = first.get()..query.last().min(last).next().get();
            return Ok(Current::Many(Many { segment, ranks, left, announced: 0 }));
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

impl Many {
    /// Returns the next event that is found.
    fn advance<P: ReadParts>(&mut self, segments: &mut Segments<P>) -> Result<Option<Sequence>> {
        let is_reversed = segments.query.order == Order::SequenceReversed;
        while !self.left.is_empty() {
            if self.announced == 0 {
                self.announce(segments, is_reversed)?;
            }
            self.announced -= 1;
            let next = if is_reversed { self.left.next_back() } else { self.left.next() };
            let Some(next) = next else { break };
            let sequence = Sequence::new(next)?;
            if self.ranks.contains(segments.reader.rank(&self.segment, sequence)?) {
                return Ok(Some(sequence));
            }
        }
        Ok(None)
    }

    /// Announces as many events as can be expected to have a page of those found.
    fn announce<P: ReadParts>(
        &mut self,
        segments: &mut Segments<P>,
        is_reversed: bool,
    ) -> Result<()> {
        let density = u64::from(self.segment.len()).div_ceil(self.ranks.len().max(1));
        let most = MOST_ROWS_AHEAD * u64::from(ROW_ENTRIES);
        self.announced = density.saturating_mul(EVENTS_AHEAD as u64).min(most).max(1);
        let Range { start, end } = self.left;
        let ahead = if is_reversed {
            end.saturating_sub(self.announced).max(start)..end
        } else {
            start..start.saturating_add(self.announced).min(end)
        };
        let segment = &self.segment;
        let first = segment.info().first.get();
        let row = |sequence: u64| u32::try_from(sequence.saturating_sub(first)).unwrap_or(u32::MAX);
        let last = ahead.end.saturating_sub(1);
        let entries = ahead.step_by(ROW_ENTRIES as usize).chain([last]).map(row);
        segments.reader.prefetch_positions(segment, entries)
    }
}
