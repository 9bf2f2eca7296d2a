//! The index of one log, for writing.

use std::collections::BTreeMap;

use audit_core::{Result, Sequence};
use roaring::RoaringBitmap;

use crate::bucket::{self, Bucket, Location, PADDING};
use crate::builder::NewSegment;
use crate::bytes::damaged;
use crate::check::check_directory;
use crate::entry::IndexEntry;
use crate::merge;
use crate::part::PartId;
use crate::postings;
use crate::reader::SegmentReader;
use crate::segment::Segment;
use crate::storage::{IndexStorageMut, ReadParts as _};
use crate::tail::{self, RemovedKeys};
use crate::term_key::TermKey;

/// Writes the index of one log.
///
/// [`append`](Self::append) does all the work of the index in the transaction of the append. A
/// store with several writers can divide it: each append calls [`extend_tail`](Self::extend_tail),
/// and one builder at a time calls [`build`](Self::build) and [`merge`](Self::merge), in
/// transactions of its own. The store MUST exclude two builders of one log.
#[derive(Debug)]
pub struct IndexWriter<'s, S> {
    /// The storage of the log's index.
    pub storage: &'s S,
    /// How many events make a segment of the first level; at least 1. See [`SEGMENT_EVENTS`].
    pub segment_events: u64,
}

/// The usual number of events of a segment of the first level: as many as a query can read in full.
pub const SEGMENT_EVENTS: u64 = 512;

impl<S: IndexStorageMut> IndexWriter<'_, S> {
    /// Adds `entries`, which begin with the event `first`, to the index; `indexed` is the last
    /// event in a segment. When the tail is long enough, makes a segment of it, and merges
    /// segments; it leaves out those with no event after `floor`, because they are being removed.
    /// Returns the last event in a segment.
    ///
    /// # Errors
    /// [Damage](crate::is_damage), and the errors of the storage. After damage the log's index
    /// must be rebuilt from the events in the same transaction.
    pub fn append(
        &self,
        indexed: Sequence,
        floor: Sequence,
        first: Sequence,
        entries: Vec<IndexEntry>,
    ) -> Result<Sequence> {
        let old = first.previous();
        let in_tail = old.get().checked_sub(indexed.get()).ok_or_else(damaged)?;
        let unindexed = in_tail + entries.len() as u64;
        if unindexed < self.segment_events {
            self.extend_tail(indexed, first, &entries)?;
            return Ok(indexed);
        }
        let mut all = tail::read(self.storage, indexed.next(), old)?;
        all.extend(entries);
        let indexed =
            self.make_segment(indexed, old, Sequence::new(indexed.get() + unindexed)?, &all)?;
        self.merge(floor)?;
        Ok(indexed)
    }

    /// Adds `entries`, which begin with the event `first`, to the tail; `indexed` is the last event
    /// in a segment. Reads and writes nothing else.
    pub fn extend_tail(
        &self,
        indexed: Sequence,
        first: Sequence,
        entries: &[IndexEntry],
    ) -> Result<()> {
        tail::extend(self.storage, indexed, first, entries)
    }

    /// Builds a segment of the tail if the tail is long enough. `indexed` is the last event in a
    /// segment, `size` the last event of the log. Returns the last event that is now in a segment.
    pub fn build(&self, indexed: Sequence, size: Sequence) -> Result<Sequence> {
        if size.get().saturating_sub(indexed.get()) < self.segment_events {
            return Ok(indexed);
        }
        let all = tail::read(self.storage, indexed.next(), size)?;
        self.make_segment(indexed, size, size, &all)
    }

    /// Builds a segment of `all`, the events after `indexed` up to `last`. Those up to `in_tail`
    /// are in the tail, and are deleted there.
    fn make_segment(
        &self,
        indexed: Sequence,
        in_tail: Sequence,
        last: Sequence,
        all: &[IndexEntry],
    ) -> Result<Sequence> {
        if all.len() as u64 != last.get() - indexed.get() {
            return Err(damaged());
        }
        if in_tail > indexed {
            self.storage.clear_tail(indexed.next(), in_tail)?;
        }
        self.storage.insert_segment(&NewSegment::of(indexed.next(), all)?)?;
        Ok(last)
    }

    /// Merges the newest segments if together they make a larger one; leaves out those with no
    /// event after `floor`. Returns `true` if it merged any.
    pub fn merge(&self, floor: Sequence) -> Result<bool> {
        let mut segments = self.storage.segments()?;
        segments.retain(|segment| segment.info().last > floor);
        let indexed = segments.first().map_or(floor, |segment| segment.info().last);
        check_directory(&segments, floor, indexed)?;
        let mut run = merge::choose(&segments, self.segment_events).to_vec();
        if run.is_empty() {
            return Ok(false);
        }
        run.reverse();
        let merged = merge::merge(self.storage, &run)?;
        self.storage.delete_segments(&run)?;
        self.storage.insert_segment(&merged)?;
        Ok(true)
    }

    /// Removes keys from the entries of events, so that a query by them does not find the events.
    /// Overwrites the keys where they are stored. `indexed` is the last event in a segment.
    pub fn remove_keys(&self, indexed: Sequence, removed: &RemovedKeys) -> Result<()> {
        tail::remove_keys(self.storage, indexed.next(), removed)?;
        let in_segments: Vec<_> =
            removed.iter().filter(|(sequence, _)| **sequence <= indexed).collect();
        if in_segments.is_empty() {
            return Ok(());
        }
        for segment in self.storage.segments()? {
            let within = in_segments.iter().filter(|(sequence, _)| segment.contains(**sequence));
            let of_segment: Vec<_> = within.copied().collect();
            if !of_segment.is_empty() {
                self.remove_from_segment(&segment, &of_segment)?;
            }
        }
        Ok(())
    }

    fn remove_from_segment(
        &self,
        segment: &Segment,
        removed: &[(&Sequence, &Vec<TermKey>)],
    ) -> Result<()> {
        let mut reader = SegmentReader::new(self.storage.parts()?);
        let mut ranks_of: BTreeMap<TermKey, RoaringBitmap> = BTreeMap::new();
        for (sequence, keys) in removed {
            let rank = reader.rank(segment, **sequence)?;
            for key in *keys {
                ranks_of.entry(*key).or_default().insert(rank);
            }
        }
        let ranks: Vec<_> = ranks_of.into_iter().collect();
        reader.parts.prefetch(ranks.iter().map(|(key, _)| segment.bucket_of(key)))?;
        for of_bucket in ranks.chunk_by(|a, b| segment.bucket_of(&a.0) == segment.bucket_of(&b.0)) {
            let Some((first, _)) = of_bucket.first() else { continue };
            let part = segment.bucket_of(first);
            let before = reader.parts.read(part, |bucket| Ok(bucket.to_vec()))?;
            let mut after = Vec::with_capacity(before.len());
            for entry in Bucket(&before) {
                let (key, location) = entry?;
                let Some((_, ranks)) = of_bucket.iter().find(|(wanted, _)| *wanted == key) else {
                    bucket::push(&mut after, &key, &location);
                    continue;
                };
                match location {
                    Location::Inline(bytes) => {
                        let left = postings::without(bytes, ranks)?;
                        if postings::len(&left)? > 0 {
                            bucket::push(&mut after, &key, &Location::Inline(&left));
                        }
                    }
                    Location::Overflow { part, .. } => {
                        let overflow = segment.part(part);
                        let bytes = reader.parts.read(overflow, |bytes| Ok(bytes.to_vec()))?;
                        let left = postings::without(&bytes, ranks)?;
                        let len = postings::len(&left)?;
                        self.overwrite(overflow, left, bytes.len())?;
                        if len > 0 {
                            bucket::push(&mut after, &key, &Location::Overflow { part, len });
                        }
                    }
                }
            }
            self.overwrite(part, after, before.len())?;
        }
        Ok(())
    }

    /// Overwrites a part of `len` bytes.
    fn overwrite(&self, part: PartId, mut data: Vec<u8>, len: usize) -> Result<()> {
        data.resize(len.max(data.len()), PADDING);
        self.storage.overwrite_part(part, &data)
    }

    /// Deletes about `limit` parts of the segments whose events are all at most `floor`, and those
    /// segments. Returns `false` when none is left.
    pub fn remove_through(&self, floor: Sequence, limit: usize) -> Result<bool> {
        let segments = self.storage.segments()?;
        let Some(segment) = segments.iter().find(|segment| segment.info().last <= floor) else {
            return Ok(false);
        };
        self.storage.delete_segment_step(segment, limit)?;
        Ok(true)
    }
}
