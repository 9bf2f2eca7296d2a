//! Reading a segment.

use std::ops::Range;

use audit_core::backend::index::IndexQuery;
use audit_core::{Order, Position, Result, Sequence};
use roaring::RoaringBitmap;

use crate::bucket::{Bucket, Location};
use crate::bytes::damaged;
use crate::part::PartId;
use crate::postings;
use crate::segment::Segment;
use crate::storage::ReadParts;
use crate::table::{self, TableEntry};
use crate::term_key::TermKey;

/// Reads segments.
#[derive(Debug)]
pub(crate) struct SegmentReader<P> {
    pub(crate) parts: P,
    /// The row of a table that was read last, with its part.
    row: Option<(PartId, Vec<u8>)>,
}

/// The postings of a term in one segment.
struct Postings {
    len: u64,
    location: Location<Vec<u8>>,
}

impl<P: ReadParts> SegmentReader<P> {
    pub(crate) fn new(parts: P) -> Self {
        Self { parts, row: None }
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

    /// Announces the buckets of `clauses` in some segments.
    pub(crate) fn prefetch<'s>(
        &mut self,
        segments: impl Iterator<Item = &'s Segment>,
        clauses: &[Vec<TermKey>],
    ) -> Result<()> {
        let of_segment =
            |segment: &'s Segment| clauses.iter().flatten().map(|key| segment.bucket_of(key));
        self.parts.prefetch(segments.flat_map(of_segment))
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
        let (mut low, mut high) = (0, segment.len());
        while low < high {
            let middle = low.midpoint(high);
            let found = self.position(segment, middle)?;
            if Order::OldestFirst.compare(&found, &position).is_lt() {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        Ok(low)
    }

    /// Returns the ranks within the span of `query`.
    fn ranks_within(&mut self, segment: &Segment, query: &IndexQuery) -> Result<Range<u32>> {
        let (low, high) = query.span();
        let by_time = |a: &Position, b: &Position| Order::OldestFirst.compare(a, b);
        let begin = if by_time(&segment.start(Order::OldestFirst), &low).is_ge() {
            0
        } else {
            self.ranks_before(segment, low)?
        };
        let end = if by_time(&segment.start(Order::NewestFirst), &high).is_le() {
            segment.len()
        } else {
            let after = Position { sequence: high.sequence.next(), ..high };
            self.ranks_before(segment, after)?
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
            let union = self.postings(segment, &clauses[at])?;
            if union.is_empty() {
                clauses.swap(0, at);
                return Ok(RoaringBitmap::new());
            }
            unions.push((union.iter().map(|postings| postings.len).sum::<u64>(), union));
        }
        // The shortest first: often it has no event, and the others need not be read.
        unions.sort_by_key(|(len, _)| *len);
        self.prefetch_overflows(segment, &unions)?;
        let mut found: Option<RoaringBitmap> = None;
        for (_, union) in unions {
            let mut ranks = RoaringBitmap::new();
            for postings in union {
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

    fn prefetch_overflows(
        &mut self,
        segment: &Segment,
        unions: &[(u64, Vec<Postings>)],
    ) -> Result<()> {
        let postings = unions.iter().flat_map(|(_, union)| union);
        self.parts.prefetch(postings.filter_map(|postings| match &postings.location {
            Location::Overflow { part, .. } => Some(segment.part(*part)),
            Location::Inline(_) => None,
        }))
    }

    /// Returns the number of events that match `query`.
    pub(crate) fn count(
        &mut self,
        segment: &Segment,
        clauses: &mut [Vec<TermKey>],
        query: &IndexQuery,
    ) -> Result<u64> {
        let is_whole = self.ranks_within(segment, query)? == (0..segment.len());
        let (first, last) = (segment.info().first, segment.info().last);
        if query.holds(first) && query.holds(last) {
            return match clauses {
                [] if is_whole => Ok(u64::from(segment.len())),
                [clause] if is_whole && clause.len() == 1 => {
                    Ok(self.postings(segment, clause)?.iter().map(|postings| postings.len).sum())
                }
                _ => Ok(self.find(segment, clauses, query)?.len()),
            };
        }
        let found = self.find(segment, clauses, query)?;
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
