//! Checks of a stored index, which is derived from the events: whether it is complete, and what its
//! segments hold.

use std::ops::Range;

use audit_core::{Error, ErrorKind, Order, Position, Result, Sequence};

use crate::bucket::{self, Bucket, Location, PADDING};
use crate::bytes::{DAMAGED, damaged};
use crate::entry::IndexEntry;
use crate::postings;
use crate::reader::SegmentReader;
use crate::segment::Segment;
use crate::storage::{IndexStorage, ReadParts};
use crate::tail;
use crate::term_key::TermKey;

/// Returns `true` if the error says that a stored index is damaged. The index can be
/// [rebuilt](crate::IndexWriter::rebuild) then.
pub fn is_damage(error: &Error) -> bool {
    error.kind() == ErrorKind::Corrupt && error.field() == Some(DAMAGED)
}

/// Checks that the complete ones of `segments`, the newest first, hold each event after `floor` up to
/// `indexed` once. Ignores those with no event after `floor`, which are being removed.
///
/// # Errors
/// [Damage](is_damage) otherwise.
pub fn check_directory(segments: &[Segment], floor: Sequence, indexed: Sequence) -> Result<()> {
    let mut last = indexed;
    let read = |segment: &&Segment| segment.is_complete() && segment.info().last > floor;
    for segment in segments.iter().filter(read) {
        if segment.info().last != last {
            return Err(damaged());
        }
        last = segment.info().first.previous();
    }
    if last <= floor { Ok(()) } else { Err(damaged()) }
}

/// Returns the entries of the tail, by sequence: those of the events after `indexed` up to `size`.
///
/// # Errors
/// [Damage](is_damage) if they are not all there.
pub fn read_tail<S: IndexStorage>(
    storage: &S,
    indexed: Sequence,
    size: Sequence,
) -> Result<Vec<IndexEntry>> {
    if indexed > size {
        return Err(damaged());
    }
    tail::read(storage, indexed.next(), size)
}

/// Returns the entries of a segment, by sequence, each with its keys sorted.
///
/// # Errors
/// [Damage](is_damage) if a part is missing, contradicts another, or has bytes that no writer
/// wrote.
pub fn read_segment<S: IndexStorage>(storage: &S, segment: &Segment) -> Result<Vec<IndexEntry>> {
    let mut reader = SegmentReader::new(storage.parts()?);
    let (mut entries, offsets) = read_table(&mut reader, segment)?;
    for number in 0..1 << segment.info().bucket_bits {
        let bucket = reader.parts.read(segment.bucket(number), |bytes| Ok(bytes.to_vec()))?;
        let mut written = Vec::with_capacity(bucket.len());
        let mut least = None;
        for entry in Bucket(&bucket) {
            let (key, location) = entry?;
            let is_here = bucket::bucket_of(&key, segment.info().bucket_bits) == number;
            if !is_here || least.replace(key).is_some_and(|last| last >= key) {
                return Err(damaged());
            }
            bucket::push(&mut written, &key, &location);
            let mut add = |bytes: &[u8]| add(&mut entries, &offsets, key, bytes);
            match location {
                Location::Inline(bytes) => add(bytes).map(drop)?,
                Location::Overflow { part, len } => {
                    let found = reader.parts.read(segment.part(part), add)?;
                    if found != len {
                        return Err(damaged());
                    }
                }
            }
        }
        is_written(&bucket, &written)?;
    }
    Ok(entries)
}

/// Reads the table of a segment. Returns the entries of the events, without keys, and the offset of
/// each rank.
fn read_table<P: ReadParts>(
    reader: &mut SegmentReader<P>,
    segment: &Segment,
) -> Result<(Vec<IndexEntry>, Vec<usize>)> {
    let ranks: Range<u32> = 0..segment.len();
    let mut positions: Vec<Position> = Vec::with_capacity(ranks.len());
    for rank in ranks {
        positions.push(reader.position(segment, rank)?);
    }
    let is_in_order = positions.is_sorted_by(|a, b| Order::OldestFirst.compare(a, b).is_lt());
    let bounds = [Order::OldestFirst, Order::NewestFirst].map(|o| segment.start(o).occurred_at);
    let ends = [positions.first(), positions.last()].map(|end| end.map(|end| end.occurred_at));
    if !is_in_order || ends != bounds.map(Some) {
        return Err(damaged());
    }
    let mut entries = vec![None; positions.len()];
    let mut offsets = Vec::with_capacity(positions.len());
    for (rank, Position { occurred_at, sequence }) in (0..).zip(positions) {
        let offset = segment.offset_of(sequence)? as usize;
        let entry = entries.get_mut(offset).ok_or_else(damaged)?;
        *entry = Some((IndexEntry { occurred_at, keys: Vec::new() }, rank));
        offsets.push(offset);
    }
    let mut found = Vec::with_capacity(entries.len());
    for (sequence, entry) in (segment.info().first.get()..).zip(entries) {
        let (entry, rank) = entry.ok_or_else(damaged)?;
        if reader.rank(segment, Sequence::new(sequence)?)? != rank {
            return Err(damaged());
        }
        found.push(entry);
    }
    Ok((found, offsets))
}

/// Adds the key to the events of its postings. Returns how many these are.
fn add(entries: &mut [IndexEntry], offsets: &[usize], key: TermKey, stored: &[u8]) -> Result<u64> {
    let ranks: Vec<u32> = postings::decode(stored)?.into_iter().collect();
    let mut written = Vec::with_capacity(stored.len());
    postings::encode(&ranks, &mut written)?;
    is_written(stored, &written)?;
    for rank in &ranks {
        let offset = offsets.get(*rank as usize).ok_or_else(damaged)?;
        entries.get_mut(*offset).ok_or_else(damaged)?.keys.push(key);
    }
    Ok(ranks.len() as u64)
}

/// Checks that a part has the bytes that are written for what it holds, and nothing but padding
/// after them.
fn is_written(stored: &[u8], written: &[u8]) -> Result<()> {
    let rest = stored.strip_prefix(written);
    let is_padded = rest.is_some_and(|rest| rest.iter().all(|byte| *byte == PADDING));
    if is_padded { Ok(()) } else { Err(damaged()) }
}
