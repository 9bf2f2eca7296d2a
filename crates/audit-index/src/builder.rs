//! Building a segment.

use std::ops::Range;

use audit_core::{Result, Sequence};

use crate::bucket::{self, Location, bucket_of};
use crate::bytes::{damaged, time_from_number, time_to_number};
use crate::entry::IndexEntry;
use crate::postings;
use crate::segment::{BUCKET_BYTES, MAX_BUCKET_BITS, MAX_PARTS, SegmentInfo};
use crate::table;
use crate::term_key::TermKey;

/// Postings with more bytes get their own part.
const INLINE_BYTES: usize = 1_024;

/// Collects the postings of a segment, by key.
pub(crate) struct SegmentBuilder {
    /// The time of each event, by offset.
    times: Vec<i64>,
    /// The offset of each rank.
    order: Vec<u32>,
    /// The rank of each offset.
    rank_of: Vec<u32>,
    /// For each term, by key: the range of its postings in `bytes`, and their length.
    terms: Vec<(TermKey, Range<usize>, u64)>,
    bytes: Vec<u8>,
}

impl SegmentBuilder {
    /// Begins a segment of events with these times, in the order of their sequences.
    pub(crate) fn new(times: Vec<i64>) -> Result<Self> {
        let len = u32::try_from(times.len()).map_err(|_| damaged())?;
        let mut order: Vec<u32> = (0..len).collect();
        // Stable, so that events of one time stay in order; fast, because most are already sorted.
        order.sort_by_key(|offset| times[*offset as usize]);
        let mut rank_of = vec![0; times.len()];
        for (rank, offset) in (0..).zip(&order) {
            rank_of[*offset as usize] = rank;
        }
        Ok(Self { times, order, rank_of, terms: Vec::new(), bytes: Vec::new() })
    }

    /// Returns the rank of each offset.
    pub(crate) fn ranks(&self) -> &[u32] {
        &self.rank_of
    }

    /// Adds the postings of the next key.
    pub(crate) fn push(&mut self, key: TermKey, ranks: &mut [u32]) -> Result<()> {
        if self.terms.last().is_some_and(|(last, ..)| *last >= key) {
            return Err(damaged());
        }
        if !ranks.is_sorted() {
            ranks.sort_unstable();
        }
        let begin = self.bytes.len();
        postings::encode(ranks, &mut self.bytes)?;
        self.terms.push((key, begin..self.bytes.len(), ranks.len() as u64));
        Ok(())
    }

    /// Completes the segment, which begins with the event `first`.
    pub(crate) fn finish(self, first: Sequence) -> Result<NewSegment> {
        let bytes = self.bytes.len() + self.terms.len() * size_of::<TermKey>();
        let bucket_bits = (bytes / BUCKET_BYTES).next_power_of_two().ilog2().min(MAX_BUCKET_BITS);
        let time = |rank: Option<&u32>| rank.and_then(|at| self.times.get(*at as usize));
        let (Some(earliest), Some(latest)) = (time(self.order.first()), time(self.order.last()))
        else {
            return Err(damaged());
        };
        let info = SegmentInfo {
            first,
            last: Sequence::new(first.get() + self.times.len() as u64 - 1)?,
            earliest: time_from_number(*earliest),
            latest: time_from_number(*latest),
            bucket_bits,
        };
        let segment = NewSegment { info, builder: self };
        if segment.part_count() > u64::from(MAX_PARTS) { Err(damaged()) } else { Ok(segment) }
    }
}

/// A segment that is ready to be written.
#[derive(Debug)]
pub struct NewSegment {
    info: SegmentInfo,
    builder: SegmentBuilder,
}

impl std::fmt::Debug for SegmentBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut debug = f.debug_struct("SegmentBuilder");
        debug.field("events", &self.times.len()).field("terms", &self.terms.len());
        debug.finish_non_exhaustive()
    }
}

impl NewSegment {
    /// Builds the segment of `entries`, which begin with the event `first`.
    ///
    /// # Errors
    /// [`Corrupt`](audit_core::ErrorKind::Corrupt) if there are no entries, or more than a segment
    /// can have.
    pub fn of(first: Sequence, entries: &[IndexEntry]) -> Result<Self> {
        let times = entries.iter().map(|entry| time_to_number(entry.occurred_at)).collect();
        let mut builder = SegmentBuilder::new(times)?;
        let mut pairs: Vec<(TermKey, u32)> =
            Vec::with_capacity(entries.iter().map(|entry| entry.keys.len()).sum());
        for (entry, rank) in entries.iter().zip(builder.ranks()) {
            pairs.extend(entry.keys.iter().map(|key| (*key, *rank)));
        }
        pairs.sort_unstable();
        let mut ranks = Vec::new();
        for of_key in pairs.chunk_by(|a, b| a.0 == b.0) {
            ranks.clear();
            ranks.extend(of_key.iter().map(|(_, rank)| *rank));
            if let Some((key, _)) = of_key.first() {
                builder.push(*key, &mut ranks)?;
            }
        }
        builder.finish(first)
    }

    /// Returns the events and the times that the segment covers.
    pub fn info(&self) -> &SegmentInfo {
        &self.info
    }

    fn table_rows(&self) -> usize {
        self.builder.times.len().div_ceil(table::ROW_ENTRIES as usize)
    }

    /// Returns the number of parts.
    pub fn part_count(&self) -> u64 {
        let overflows = self.builder.terms.iter().filter(|(_, range, _)| is_overflow(range));
        (self.table_rows() + (1 << self.info.bucket_bits) + overflows.count()) as u64
    }

    /// Calls `visit` with each part, by number, from 0.
    pub fn for_each_part(&self, mut visit: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        self.for_each_table_row(&mut visit)?;
        let mut overflow =
            u32::try_from(self.table_rows() + (1 << self.info.bucket_bits)).unwrap_or(u32::MAX);
        let mut terms = self.builder.terms.iter().peekable();
        let mut row = Vec::with_capacity(BUCKET_BYTES * 2);
        for number in 0..1 << self.info.bucket_bits {
            row.clear();
            while let Some((key, range, len)) =
                terms.next_if(|(key, ..)| bucket_of(key, self.info.bucket_bits) == number)
            {
                if is_overflow(range) {
                    bucket::push(&mut row, key, &Location::Overflow { part: overflow, len: *len });
                    overflow += 1;
                } else {
                    let postings = self.builder.bytes.get(range.clone()).ok_or_else(damaged)?;
                    bucket::push(&mut row, key, &Location::Inline(postings));
                }
            }
            visit(&row)?;
        }
        let overflows =
            self.builder.terms.iter().map(|(_, range, _)| range).filter(|r| is_overflow(r));
        for range in overflows {
            visit(self.builder.bytes.get(range.clone()).ok_or_else(damaged)?)?;
        }
        Ok(())
    }

    fn for_each_table_row(&self, visit: &mut impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        let SegmentBuilder { times, order, rank_of, .. } = &self.builder;
        let mut row = Vec::with_capacity(table::ROW_BYTES);
        let rows = order.chunks(table::ROW_ENTRIES as usize);
        for (order, rank_of) in rows.zip(rank_of.chunks(table::ROW_ENTRIES as usize)) {
            row.clear();
            for (offset, rank) in order.iter().zip(rank_of) {
                table::push(&mut row, times[*offset as usize], *offset, *rank);
            }
            visit(&row)?;
        }
        Ok(())
    }
}

fn is_overflow(range: &Range<usize>) -> bool {
    range.len() > INLINE_BYTES
}
