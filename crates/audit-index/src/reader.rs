//! Reading a segment.

use std::collections::HashMap;
use std::ops::Range;

use audit_core::backend::index::IndexQuery;
use audit_core::{Order, Position, Result, Sequence};
use roaring::RoaringBitmap;

use crate::bucket::{Bucket, Location};
use crate::bytes::{damaged, time_to_number};
use crate::opened::Opened;
use crate::part::PartId;
use crate::postings;
use crate::segment::Segment;
use crate::storage::ReadParts;
use crate::table::{self, TableEntry};
use crate::term_key::TermKey;

/// Reads segments.
#[derive(Debug)]
pub(crate) struct SegmentReader<P> {
    pub(crate) parts: Opened<P>,
    /// The row of a table that was read last, with its part.
    row: Option<(PartId, Vec<u8>)>,
    /// The rows that searches have found, by segment and time.
    pub(crate) found: HashMap<(i64, i64), u32>,
}

/// The postings of a term in one segment.
pub(crate) struct Postings {
    len: u64,
    location: Location<Vec<u8>>,
}

/// The postings of the terms of a clause in one segment.
pub(crate) struct Union {
    /// The sum of their lengths.
    pub(crate) len: u64,
    postings: Vec<Postings>,
}

impl<P: ReadParts> SegmentReader<P> {
    pub(crate) fn new(parts: P) -> Self {
        Self { parts: Opened(parts), row: None, found: HashMap::new() }
    }

    fn entry(&mut self, segment: &Segment, number: u32) -> Result<TableEntry> {
        let part = segment.table_row(number);
        if let Some((_, row)) = self.row.as_ref().filter(|(read, _)| *read == part) {
            return table::entry(row, number, segment.info().first, segment.len());
        }
        let mut row = self.row.take().map(|(_, row)| row).unwrap_or_default();
        row.clear();
        let row = self.parts.read(part, move |data| {
            row.extend(data);
            Ok(row)
        })?;
        let entry = table::entry(&row, number, segment.info().first, segment.len());
        self.row = Some((part, row));
        entry
    }

    /// Returns the event of a rank.
    pub(crate) fn position(&mut self, segment: &Segment, rank: u32) -> Result<Position> {
        Ok(self.entry(segment, rank)?.position)
    }

    /// Returns the rank of an event.
    pub(crate) fn rank(&mut self, segment: &Segment, sequence: Sequence) -> Result<u32> {
        Ok(self.entry(segment, segment.offset_of(sequence)?)?.rank_of_offset)
    }

    /// Announces the table entries of some ranks.
    pub(crate) fn prefetch_positions(
        &mut self,
        segment: &Segment,
        ranks: impl Iterator<Item = u32>,
    ) -> Result<()> {
        self.parts.prefetch(ranks.map(|rank| segment.table_row(rank)))
    }

    /// Returns the number of events before `position` by time.
    fn ranks_before(&mut self, segment: &Segment, position: Position) -> Result<u32> {
        let Range { start: mut low, end: mut high } = self.bounds(segment, position)?;
        while low < high {
            let middle = low.midpoint(high);
            if self.is_before(segment, middle, position)? {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        Ok(low)
    }

    fn is_before(&mut self, segment: &Segment, rank: u32, position: Position) -> Result<bool> {
        let found = self.position(segment, rank)?;
        Ok(Order::OldestFirst.compare(&found, &position).is_lt())
    }

    /// Returns the ranks between which that of the first event is that is not before `position`: those
    /// of a row, if a search has found the row.
    fn bounds(&mut self, segment: &Segment, position: Position) -> Result<Range<u32>> {
        let time = time_to_number(position.occurred_at);
        let len = segment.len();
        let Some(row) = self.found.get(&(segment.id(), time)).copied() else { return Ok(0..len) };
        let start = row.saturating_mul(table::ROW_ENTRIES).min(len);
        let end = start.saturating_add(table::ROW_ENTRIES).min(len);
        // Events of one time can fill many rows.
        let begins = start == 0 || start < len && self.is_before(segment, start, position)?;
        if begins && (end == len || !self.is_before(segment, end, position)?) {
            return Ok(start..end);
        }
        Ok(0..len)
    }

    /// Returns the ranks within the span of `query`.
    fn ranks_within(&mut self, segment: &Segment, query: &IndexQuery) -> Result<Range<u32>> {
        let (low, high) = cuts(segment, query);
        let begin = low.map_or(Ok(0), |low| self.ranks_before(segment, low))?;
        let end = match high {
            None => segment.len(),
            Some(high) => {
                let after = Position { sequence: high.sequence.next(), ..high };
                self.ranks_before(segment, after)?
            }
        };
        Ok(begin..end)
    }

    /// Returns the ranks of the events that have a term of each clause and are within the span of
    /// `query`. If the segment has no event for one of the clauses, moves that clause to the front,
    /// because the next segment may have none for it either.
    pub(crate) fn find(
        &mut self,
        segment: &Segment,
        clauses: &mut [Vec<TermKey>],
        query: &IndexQuery,
    ) -> Result<RoaringBitmap> {
        let mut unions = Vec::with_capacity(clauses.len());
        for at in 0..clauses.len() {
            let union = self.union(segment, &clauses[at])?;
            if union.postings.is_empty() {
                clauses.swap(0, at);
                return Ok(RoaringBitmap::new());
            }
            unions.push(union);
        }
        // The shortest first: often it has no event, and the others need not be read.
        unions.sort_by_key(|union| union.len);
        self.parts.prefetch(overflows_of(segment, &unions))?;
        let mut found: Option<RoaringBitmap> = None;
        for Union { postings, .. } in unions {
            let mut ranks = RoaringBitmap::new();
            for postings in postings {
                ranks |= self.decode(segment, &postings)?;
            }
            let both = match found {
                Some(found) => found & ranks,
                None => ranks,
            };
            if both.is_empty() {
                return Ok(both);
            }
            found = Some(both);
        }
        let within = self.ranks_within(segment, query)?;
        let Some(mut found) = found else {
            let mut all = RoaringBitmap::new();
            all.insert_range(within);
            return Ok(all);
        };
        found.remove_range(..within.start);
        found.remove_range(within.end..);
        Ok(found)
    }

    /// Returns the postings of each clause; `None` if the segment has no event for one of them.
    pub(crate) fn locate(
        &mut self,
        segment: &Segment,
        clauses: &[Vec<TermKey>],
    ) -> Result<Option<Vec<Union>>> {
        let mut unions = Vec::with_capacity(clauses.len());
        for clause in clauses {
            let union = self.union(segment, clause)?;
            if union.postings.is_empty() {
                return Ok(None);
            }
            unions.push(union);
        }
        Ok(Some(unions))
    }

    fn union(&mut self, segment: &Segment, clause: &[TermKey]) -> Result<Union> {
        let postings = self.postings(segment, clause)?;
        Ok(Union { len: postings.iter().map(|postings| postings.len).sum(), postings })
    }

    /// Returns the number of events that match `query`.
    pub(crate) fn count(
        &mut self,
        segment: &Segment,
        clauses: &mut [Vec<TermKey>],
        query: &IndexQuery,
    ) -> Result<u64> {
        if is_length(segment, clauses, query) {
            return match clauses {
                [clause] => Ok(self.union(segment, clause)?.len),
                _ => Ok(u64::from(segment.len())),
            };
        }
        let found = self.find(segment, clauses, query)?;
        if query.holds(segment.info().first) && query.holds(segment.info().last) {
            return Ok(found.len());
        }
        Ok(self.held(segment, found, query)?.len())
    }

    /// Returns those of `ranks` whose sequences `query` holds. Visits the events outside the bounds,
    /// or those found if they are fewer.
    pub(crate) fn held(
        &mut self,
        segment: &Segment,
        mut ranks: RoaringBitmap,
        query: &IndexQuery,
    ) -> Result<RoaringBitmap> {
        let (first, last) = (segment.info().first, segment.info().last);
        let below = first.get()..(query.floor.get() + 1).max(first.get());
        let beyond = (query.bound.get() + 1).max(below.end)..last.get() + 1;
        let outside = (below.end - below.start) + beyond.end.saturating_sub(beyond.start);
        if outside <= ranks.len() {
            for outside in below.chain(beyond) {
                ranks.remove(self.rank(segment, Sequence::new(outside)?)?);
            }
            return Ok(ranks);
        }
        for rank in ranks.clone() {
            if !query.holds(self.position(segment, rank)?.sequence) {
                ranks.remove(rank);
            }
        }
        Ok(ranks)
    }

    /// Reads the postings of the terms of a clause. Reads each bucket once: the terms are sorted,
    /// and so their buckets are.
    fn postings(&mut self, segment: &Segment, clause: &[TermKey]) -> Result<Vec<Postings>> {
        let mut found = Vec::with_capacity(clause.len());
        let of_bucket = clause.chunk_by(|a, b| segment.bucket_of(a) == segment.bucket_of(b));
        for keys in of_bucket {
            let Some(first) = keys.first() else { continue };
            self.parts.read(segment.bucket_of(first), |bucket| {
                Bucket(bucket).find(keys, |location| {
                    let postings = match location {
                        Location::Inline(bytes) => Postings {
                            len: postings::len(bytes)?,
                            location: Location::Inline(bytes.to_vec()),
                        },
                        Location::Overflow { part, len } => {
                            Postings { len, location: Location::Overflow { part, len } }
                        }
                    };
                    if postings.len > u64::from(segment.len()) {
                        return Err(damaged());
                    }
                    found.push(postings);
                    Ok(())
                })
            })?;
        }
        Ok(found)
    }

    fn decode(&mut self, segment: &Segment, postings: &Postings) -> Result<RoaringBitmap> {
        match &postings.location {
            Location::Inline(bytes) => postings::decode(bytes),
            Location::Overflow { part, .. } => {
                self.parts.read(segment.part(*part), postings::decode)
            }
        }
    }
}

/// Returns the first and the last position of a query if there are events of the segment before or after
/// it.
pub(crate) fn cuts(segment: &Segment, query: &IndexQuery) -> (Option<Position>, Option<Position>) {
    let (low, high) = query.span();
    let by_time = |a: &Position, b: &Position| Order::OldestFirst.compare(a, b);
    let is_low = by_time(&segment.start(Order::OldestFirst), &low).is_lt();
    let is_high = by_time(&segment.start(Order::NewestFirst), &high).is_gt();
    (is_low.then_some(low), is_high.then_some(high))
}

/// Returns `true` if the number of events of a segment that match `query` is a length that is stored.
pub(crate) fn is_length(segment: &Segment, clauses: &[Vec<TermKey>], query: &IndexQuery) -> bool {
    let is_one = match clauses {
        [] => true,
        [clause] => clause.len() == 1,
        _ => false,
    };
    let is_held = query.holds(segment.info().first) && query.holds(segment.info().last);
    is_one && is_held && cuts(segment, query) == (None, None)
}

/// Returns the parts with the long ones of some postings.
pub(crate) fn overflows_of(segment: &Segment, unions: &[Union]) -> impl Iterator<Item = PartId> {
    let postings = unions.iter().flat_map(|union| &union.postings);
    postings.filter_map(|postings| match &postings.location {
        Location::Overflow { part, .. } => Some(segment.part(*part)),
        Location::Inline(_) => None,
    })
}
