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
    /// The number of segments to announce next.
    ahead: usize,
    /// The ranks found in those of the announced segments that are next.
    found: VecDeque<RoaringBitmap>,
}

/// The number of segments announced first; doubles each time. Most pages end within the first few
/// segments.
const AHEAD: usize = 12;
/// The same for more than one clause, whose events are rarer.
const AHEAD_OF_SEVERAL: usize = 24;

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
        Self { reader, clauses, query, waiting, announced: 0, ahead, found: VecDeque::new() }
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
            self.announce_next()?;
        }
        let Some(segment) = self.waiting.pop() else { return Ok(None) };
        self.announced = self.announced.saturating_sub(1);
        let ranks = match self.found.pop_front() {
            Some(ranks) => ranks,
            None => self.open(&segment)?,
        };
        Ok(Some((segment, ranks)))
    }

    /// Announces the next segments. From a remote storage, reads at once what a page needs of them.
    fn announce_next(&mut self) -> Result<()> {
        let ahead = self.waiting.iter().rev().take(self.ahead);
        let ahead: Vec<Segment> = ahead.copied().collect();
        self.ahead *= 2;
        self.announced =
            self.reader.announce(&ahead, &self.clauses, &self.query, EVENTS_AHEAD as u64)?;
        if !P::IS_REMOTE {
            return Ok(());
        }
        let mut rows = Vec::new();
        let mut left = EVENTS_AHEAD;
        for segment in ahead.iter().take(self.announced) {
            let ranks = self.open(segment)?;
            let first: Vec<u32> = match self.query.order {
                Order::NewestFirst => ranks.iter().rev().take(left).collect(),
                _ => ranks.iter().take(left).collect(),
            };
            left -= first.len();
            rows.extend(first.into_iter().map(|rank| segment.table_row(rank)));
            self.found.push_back(ranks);
        }
        self.reader.parts.prefetch(rows.into_iter())
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
