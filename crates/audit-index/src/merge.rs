//! Merging adjacent segments into one.

use audit_core::Result;

use crate::bucket::{Bucket, Location};
use crate::builder::{NewSegment, SegmentBuilder};
use crate::bytes::{damaged, time_to_number};
use crate::postings;
use crate::reader::SegmentReader;
use crate::segment::Segment;
use crate::storage::{IndexStorage, ReadParts};
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

/// Merges adjacent segments, given in order, into one.
pub(crate) fn merge<S: IndexStorage>(storage: &S, segments: &[Segment]) -> Result<NewSegment> {
    let first = segments.first().ok_or_else(damaged)?.info().first;
    let mut reader = SegmentReader::new(storage.parts()?);
    let all = |segment: &Segment| {
        let segment = *segment;
        let count = segment.table_rows() + (1 << segment.info().bucket_bits);
        (0..count).map(move |number| segment.part(number))
    };
    let mut times = Vec::new();
    let mut offsets = Vec::new(); // in the merged segment, for each rank of each segment
    for segment in segments {
        reader.parts.prefetch(all(segment))?;
        let begin = times.len();
        times.resize(begin + segment.len() as usize, 0);
        let mut of_segment = Vec::with_capacity(segment.len() as usize);
        for rank in 0..segment.len() {
            let position = reader.position(segment, rank)?;
            let offset = position.sequence.get() - first.get();
            let offset = usize::try_from(offset).map_err(|_| damaged())?;
            *times.get_mut(offset).ok_or_else(damaged)? = time_to_number(position.occurred_at);
            of_segment.push(offset);
        }
        offsets.push(of_segment);
    }
    let mut builder = SegmentBuilder::new(times)?;
    let mut streams = Vec::with_capacity(segments.len());
    for (segment, offsets) in segments.iter().zip(offsets) {
        let ranks = offsets.into_iter().map(|offset| builder.ranks()[offset]).collect();
        streams.push(Stream::open(&mut reader.parts, *segment, ranks)?);
    }
    let mut ranks = Vec::new();
    while let Some(key) = streams.iter().filter_map(Stream::key).min() {
        ranks.clear();
        for stream in &mut streams {
            if stream.key() == Some(key) {
                stream.take_into(&mut reader.parts, &mut ranks)?;
            }
        }
        builder.push(key, &mut ranks)?;
    }
    builder.finish(first)
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
    fn open(parts: &mut impl ReadParts, segment: Segment, ranks: Vec<u32>) -> Result<Self> {
        let mut stream = Self { segment, ranks, next_bucket: 0, bucket: Vec::new() };
        stream.fill(parts)?;
        Ok(stream)
    }

    fn key(&self) -> Option<TermKey> {
        self.bucket.last().map(|(key, _)| *key)
    }

    /// Reads buckets until one has an entry, or no bucket is left.
    fn fill(&mut self, parts: &mut impl ReadParts) -> Result<()> {
        while self.bucket.is_empty() && self.next_bucket < 1 << self.segment.info().bucket_bits {
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
