//! The segments of a walk, announced some ahead of it.

use std::collections::VecDeque;

use audit_core::backend::index::IndexQuery;
use audit_core::{Order, Result};
use roaring::RoaringBitmap;

use crate::reader::SegmentReader;
use crate::segment::Segment;
use crate::storage::ReadParts;
use crate::term_key::TermKey;

/// The segments of a walk.
pub(crate) struct Segments<P> {
    pub(crate) reader: SegmentReader<P>,
    pub(crate) clauses: Vec<Vec<TermKey>>,
    pub(crate) query: IndexQuery,
    /// The segments that are not opened yet, the next one last.
    pub(crate) waiting: Vec<Segment>,
    /// The number of waiting segments that have been announced.
    announced: usize,
    /// The most segments to announce next; doubles each time.
    ahead: usize,
    /// The fewest. A walk that needs more segments than were expected reads several at once in time.
    least: usize,
    /// What was found in those of the announced segments that are next.
    found: VecDeque<OpenedSegment>,
}

/// What was found in a segment.
pub(crate) struct OpenedSegment {
    pub(crate) ranks: RoaringBitmap,
    /// The number of first ranks, in the order of the walk, whose table entries are announced.
    pub(crate) announced: usize,
}

/// The number of segments announced first. Most pages end within the first few segments.
const AHEAD: usize = 12;
/// The same for more than one clause, whose events are rarer.
const AHEAD_OF_SEVERAL: usize = 24;
/// The fewest segments announced when a walk goes on; doubles each time.
const LEAST_AHEAD: usize = 4;

/// The number of events whose table entries are announced at first: a page.
pub(crate) const EVENTS_AHEAD: usize = 64;
/// The most that are announced later, when a walk goes on.
pub(crate) const MOST_EVENTS_AHEAD: usize = 1_024;

/// Returns how many segments a walk announces at first.
pub(crate) fn segments_ahead(clauses: &[Vec<TermKey>]) -> usize {
    if clauses.len() > 1 { AHEAD_OF_SEVERAL } else { AHEAD }
}

impl<P: ReadParts> Segments<P> {
    /// Begins a walk through `waiting`, the next segment last.
    pub(crate) fn new(
        parts: P,
        clauses: Vec<Vec<TermKey>>,
        query: IndexQuery,
        waiting: Vec<Segment>,
    ) -> Self {
        let reader = SegmentReader::new(parts);
        let ahead = segments_ahead(&clauses);
        let found = VecDeque::new();
        Self { reader, clauses, query, waiting, announced: 0, ahead, least: 0, found }
    }

    /// Opens the next segment if `is_next` accepts it, and returns it with what was found in it.
    pub(crate) fn open_if(
        &mut self,
        is_next: impl FnOnce(&Segment) -> bool,
    ) -> Result<Option<(Segment, OpenedSegment)>> {
        if !self.waiting.last().is_some_and(is_next) {
            return Ok(None);
        }
        if P::IS_REMOTE && self.announced == 0 {
            self.announce_next()?;
        }
        let Some(segment) = self.waiting.pop() else { return Ok(None) };
        self.announced = self.announced.saturating_sub(1);
        let found = match self.found.pop_front() {
            Some(found) => found,
            None => OpenedSegment { ranks: self.open(&segment)?, announced: 0 },
        };
        Ok(Some((segment, found)))
    }

    /// Announces the next segments, and reads at once what a page needs of them.
    fn announce_next(&mut self) -> Result<()> {
        let least = self.least.max(self.begun());
        let ahead = self.waiting.iter().rev().take(self.ahead.max(least));
        let ahead: Vec<Segment> = ahead.copied().collect();
        self.ahead *= 2;
        self.least = (self.least * 2).max(LEAST_AHEAD);
        self.announced =
            self.reader.announce(&ahead, &self.clauses, &self.query, least, EVENTS_AHEAD as u64)?;
        let opened = ahead.iter().take(self.announced).map(|segment| self.open(segment));
        let opened = opened.collect::<Result<Vec<_>>>()?;
        // The events of segments that are walked together come in turn.
        let in_least: u64 = opened.iter().take(least).map(RoaringBitmap::len).sum();
        let (mut rows, mut left) = (Vec::new(), EVENTS_AHEAD);
        for (at, (segment, ranks)) in ahead.iter().zip(opened).enumerate() {
            let announced = if at < least { share(ranks.len(), in_least) } else { left };
            let first: Vec<u32> = match self.query.order {
                Order::NewestFirst | Order::SequenceReversed => {
                    ranks.iter().rev().take(announced).collect()
                }
                Order::OldestFirst | Order::Sequence => ranks.iter().take(announced).collect(),
            };
            left = left.saturating_sub(first.len());
            rows.extend(first.into_iter().map(|rank| segment.table_row(rank)));
            self.found.push_back(OpenedSegment { ranks, announced });
        }
        self.reader.parts.prefetch(rows.into_iter())
    }

    /// Returns how many of the next segments begin before the first position that the walk can return. It
    /// opens all of them before it returns an event.
    fn begun(&self) -> usize {
        let order = self.query.order;
        let (low, high) = self.query.span();
        let first = match order {
            Order::NewestFirst => high,
            Order::OldestFirst => low,
            Order::Sequence | Order::SequenceReversed => return 0,
        };
        let is_begun = |segment: &&Segment| order.compare(&segment.start(order), &first).is_lt();
        self.waiting.iter().rev().take_while(is_begun).count()
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

    /// Announces all waiting segments: they are going to be counted by `query`, which has the clauses of
    /// the walk.
    pub(crate) fn announce(&mut self, query: &IndexQuery) -> Result<()> {
        self.announced = self.waiting.len();
        self.found.clear();
        self.reader.announce_counts(&self.waiting, &self.clauses, query)
    }

    /// Takes the next segment, without opening it.
    pub(crate) fn pass(&mut self) {
        self.announced = self.announced.saturating_sub(usize::from(self.waiting.pop().is_some()));
        self.found.pop_front();
    }
}

/// Returns how many events of a segment are announced, in which `found` of `all` were found: as many as a
/// page can be expected to have of them, and a few more.
fn share(found: u64, all: u64) -> usize {
    const SPARE: usize = 4;
    let share = (found * EVENTS_AHEAD as u64).div_ceil(all.max(1));
    SPARE + usize::try_from(share).unwrap_or(EVENTS_AHEAD)
}
