//! Merging adjacent segments into one, some parts at a time.

use audit_core::{Result, Sequence};

use crate::bucket::{Bucket, Location, bucket_of};
use crate::buckets::BucketWriter;
use crate::builder::bucket_bits;
use crate::bytes::{damaged, time_to_number};
use crate::part::NewPart;
use crate::postings;
use crate::reader::SegmentReader;
use crate::segment::{Segment, SegmentInfo};
use crate::storage::ReadParts;
use crate::table::Ranking;
use crate::term_key::TermKey;

/// Segments are merged when together they are this many times as large as one of their level.
const FAN_OUT: u64 = 8;
/// The most merges of an event.
const LEVELS: u32 = 3;

/// Returns the segments to merge: the longest run of small segments that together make a larger
/// one. `segments` has the newest first; `least` is the number of events of a segment of the first
/// level.
pub(crate) fn choose(segments: &[Segment], least: u64) -> &[Segment] {
    let mut run = &segments[..0];
    let mut size = least;
    for _ in 0..LEVELS {
        size *= FAN_OUT;
        let small = segments.iter().map(Segment::weight).take_while(|weight| *weight < size);
        let (count, sum) = small.fold((0, 0), |(count, sum), weight| (count + 1, sum + weight));
        if sum >= size {
            run = &segments[..count];
        }
    }
    run
}

/// Returns `true` if segments may have to be merged now that the last event in a segment is `indexed` and
/// no more `before`. A store that merges beside its appends need not look each time: it is `true` once
/// for as many events as a merge makes one segment of.
pub fn may_merge(before: Sequence, indexed: Sequence, segment_events: u64) -> bool {
    let size = segment_events.saturating_mul(FAN_OUT).max(1);
    before.get() / size < indexed.get() / size
}

/// Returns the bounds of the segment that adjacent segments make together.
pub(crate) fn bounds(parts: &mut impl ReadParts, segments: &[Segment]) -> Result<SegmentInfo> {
    // Keys are hashes, so that the first bucket of a segment is a sample of all.
    parts.prefetch(segments.iter().map(|segment| segment.bucket(0)))?;
    let mut bytes = 0;
    for segment in segments {
        let first = parts.read(segment.bucket(0), |bucket| Ok(bucket.len()))?;
        bytes += first * segment.info().buckets() as usize;
    }
    let infos = || segments.iter().map(Segment::info);
    Ok(SegmentInfo {
        first: infos().map(|info| info.first).min().ok_or_else(damaged)?,
        last: infos().map(|info| info.last).max().ok_or_else(damaged)?,
        earliest: infos().map(|info| info.earliest).min().ok_or_else(damaged)?,
        latest: infos().map(|info| info.latest).max().ok_or_else(damaged)?,
        bucket_bits: bucket_bits(bytes),
    })
}

/// Returns the segments of `directory` that `output` is merged of, in order; `None` if they do not
/// have its events.
pub(crate) fn inputs(directory: &[Segment], output: &SegmentInfo) -> Option<Vec<Segment>> {
    let is_within = |s: &&Segment| output.first <= s.info().first && s.info().last <= output.last;
    let complete = directory.iter().filter(|segment| segment.is_complete());
    let mut inputs: Vec<Segment> = complete.filter(is_within).copied().collect();
    inputs.sort_by_key(|segment| segment.info().first);
    let mut next = output.first;
    for input in &inputs {
        if input.info().first != next {
            return None;
        }
        next = input.info().last.next();
    }
    (next == output.last.next()).then_some(inputs)
}

/// Some parts of a merged segment.
pub(crate) struct Slice {
    pub(crate) parts: Vec<NewPart>,
    /// The number of rows of the table and of buckets that are written with them.
    pub(crate) written: u32,
}

/// Makes the parts of `output` from its inputs.
pub(crate) struct Merge<'m, P> {
    pub(crate) reader: SegmentReader<P>,
    pub(crate) inputs: &'m [Segment],
    pub(crate) output: &'m Segment,
}

impl<P: ReadParts> Merge<'_, P> {
    /// Makes the parts after the first `written` rows and buckets, until they cost `budget`, and at
    /// least one. The next long postings get the part `next_overflow`.
    pub(crate) fn slice(
        &mut self,
        written: u32,
        next_overflow: u32,
        budget: usize,
    ) -> Result<Slice> {
        if written < self.output.table_rows() {
            self.rows(written, budget.max(1))
        } else {
            self.buckets(written, next_overflow, budget.max(1))
        }
    }

    fn rows(&mut self, written: u32, budget: usize) -> Result<Slice> {
        let mut times = Vec::with_capacity(self.output.len() as usize);
        for input in self.inputs {
            let begin = times.len();
            times.resize(begin + input.len() as usize, 0);
            self.reader.parts.prefetch((0..input.table_rows()).map(|row| input.part(row)))?;
            for rank in 0..input.len() {
                let position = self.reader.position(input, rank)?;
                let offset = begin + input.offset_of(position.sequence)? as usize;
                *times.get_mut(offset).ok_or_else(damaged)? = time_to_number(position.occurred_at);
            }
        }
        let ranking = Ranking::new(times)?;
        let rows = (written..).zip(ranking.rows(written)).take(budget);
        let parts: Vec<_> = rows.map(|(number, data)| NewPart::new(number, data)).collect();
        let written = parts.last().ok_or_else(damaged)?.number + 1;
        Ok(Slice { parts, written })
    }

    fn buckets(&mut self, written: u32, next_overflow: u32, budget: usize) -> Result<Slice> {
        let info = self.output.info();
        let begin = written - self.output.table_rows();
        let ranks = self.ranks()?;
        let mut streams = Vec::with_capacity(self.inputs.len());
        for (input, ranks) in self.inputs.iter().zip(ranks) {
            let from = begin.checked_shl(u32::BITS - info.bucket_bits).unwrap_or(0);
            streams.push(Stream::open(&mut self.reader.parts, *input, ranks, from)?);
        }
        let mut writer = BucketWriter::new(info, begin, next_overflow);
        let (mut ranks, mut encoded) = (Vec::new(), Vec::new());
        while let Some(key) = streams.iter().filter_map(Stream::key).min() {
            let bucket = writer.bucket_of(&key);
            if writer.number() < bucket {
                writer.complete(bucket, budget);
                if writer.cost() >= budget {
                    break;
                }
            }
            ranks.clear();
            for stream in &mut streams {
                if stream.key() == Some(key) {
                    stream.take_into(&mut self.reader.parts, &mut ranks)?;
                }
            }
            if !ranks.is_sorted() {
                ranks.sort_unstable();
            }
            encoded.clear();
            postings::encode(&ranks, &mut encoded)?;
            writer.push(&key, ranks.len() as u64, &encoded)?;
        }
        if streams.iter().all(|stream| stream.key().is_none()) {
            writer.complete(info.buckets(), budget);
        }
        let written = self.output.table_rows() + writer.number();
        Ok(Slice { parts: writer.into_parts(), written })
    }

    /// Returns, for each input, the rank in the output of each of its ranks: the events of an input
    /// have the same order in both.
    fn ranks(&mut self) -> Result<Vec<Vec<u32>>> {
        let ranks_of = |input: &Segment| Vec::with_capacity(input.len() as usize);
        let mut ranks: Vec<Vec<u32>> = self.inputs.iter().map(ranks_of).collect();
        let output = self.output;
        self.reader.parts.prefetch((0..output.table_rows()).map(|row| output.part(row)))?;
        let mut at = 0;
        for rank in 0..output.len() {
            let sequence = self.reader.position(output, rank)?.sequence;
            if !self.inputs.get(at).is_some_and(|input| input.contains(sequence)) {
                at = self.input_with(sequence);
            }
            ranks.get_mut(at).ok_or_else(damaged)?.push(rank);
        }
        let agree =
            self.inputs.iter().zip(&ranks).all(|(s, ranks)| s.len() as usize == ranks.len());
        if agree { Ok(ranks) } else { Err(damaged()) }
    }

    fn input_with(&self, sequence: Sequence) -> usize {
        self.inputs.partition_point(|input| input.info().last < sequence)
    }
}

/// Reads the postings of a segment, by key.
struct Stream {
    segment: Segment,
    /// The rank in the merged segment of each rank of this one.
    ranks: Vec<u32>,
    next_bucket: u32,
    /// The remaining entries of the bucket, the next one last.
    bucket: Vec<(TermKey, Location<Vec<u8>>)>,
}

impl Stream {
    /// Begins with the first key that begins with `from` or a higher number.
    fn open(
        parts: &mut impl ReadParts,
        segment: Segment,
        ranks: Vec<u32>,
        from: u32,
    ) -> Result<Self> {
        let prefix = |key: &TermKey| bucket_of(key, u32::BITS);
        let mut first = TermKey::default();
        first[..4].copy_from_slice(&from.to_be_bytes());
        let next_bucket = bucket_of(&first, segment.info().bucket_bits);
        let mut stream = Self { segment, ranks, next_bucket, bucket: Vec::new() };
        stream.fill(parts)?;
        while stream.key().is_some_and(|key| prefix(&key) < from) {
            stream.bucket.pop();
            if stream.bucket.is_empty() {
                stream.fill(parts)?;
            }
        }
        Ok(stream)
    }

    fn key(&self) -> Option<TermKey> {
        self.bucket.last().map(|(key, _)| *key)
    }

    /// Reads buckets until one has an entry, or no bucket is left.
    fn fill(&mut self, parts: &mut impl ReadParts) -> Result<()> {
        while self.bucket.is_empty() && self.next_bucket < self.segment.info().buckets() {
            let part = self.segment.bucket(self.next_bucket);
            self.next_bucket += 1;
            self.bucket = parts.read(part, |bucket| {
                let owned = |entry: Result<(TermKey, Location<&[u8]>)>| {
                    let (key, location) = entry?;
                    Ok(match location {
                        Location::Inline(bytes) => (key, Location::Inline(bytes.to_vec())),
                        Location::Overflow { part, len } => (key, Location::Overflow { part, len }),
                    })
                };
                Bucket(bucket).map(owned).collect()
            })?;
            self.bucket.reverse();
        }
        Ok(())
    }

    /// Takes the next entry and appends its ranks in the merged segment to `out`.
    fn take_into(&mut self, parts: &mut impl ReadParts, out: &mut Vec<u32>) -> Result<()> {
        let Some((_, location)) = self.bucket.pop() else { return Ok(()) };
        let ranks = &self.ranks;
        let add = |rank: u32| {
            out.push(*ranks.get(rank as usize).ok_or_else(damaged)?);
            Ok(())
        };
        match location {
            Location::Inline(bytes) => postings::for_each(&bytes, add)?,
            Location::Overflow { part, .. } => {
                parts.read(self.segment.part(part), |bytes| postings::for_each(bytes, add))?;
            }
        }
        if self.bucket.is_empty() { self.fill(parts) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merges_are_looked_for_once_in_eight_segments() {
        let at = |number| Sequence::new(number).unwrap();
        let ends: Vec<u64> = (0..=160).map(|count| count * 100).collect();
        let looks = ends.windows(2).filter(|ends| may_merge(at(ends[0]), at(ends[1]), 100));
        assert_eq!(
            looks.map(|ends| ends[1]).collect::<Vec<_>>(),
            (1..=20).map(|n| n * 800).collect::<Vec<_>>()
        );
        // However many events one append has, and however few make a segment.
        assert!(may_merge(at(799), at(5_000), 100) && may_merge(at(7), at(8), 1));
    }
}
