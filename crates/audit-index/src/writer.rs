//! The index of one log, for writing.

use std::collections::BTreeMap;

use audit_core::{Result, Sequence};
use roaring::RoaringBitmap;

use crate::bucket::{self, Bucket, Location, PADDING};
use crate::builder::NewSegment;
use crate::bytes::damaged;
use crate::checksum;
use crate::entry::IndexEntry;
use crate::merge::{self, Merge};
use crate::opened::Opened;
use crate::part::{NewPart, PartId};
use crate::postings;
use crate::reader::SegmentReader;
use crate::segment::{Segment, Stage};
use crate::storage::{IndexStorageMut, ReadParts as _};
use crate::tail::{self, RemovedKeys};
use crate::term_key::TermKey;

/// Writes the index of one log.
///
/// [`append`](Self::append) does all the work of the index in the transaction of the append; its
/// share in a merge is bounded. A store with several writers can divide it: each append calls
/// [`extend_tail`](Self::extend_tail), and one builder at a time calls [`build`](Self::build) and
/// [`merge`](Self::merge), in transactions of its own. The store MUST exclude two builders of one
/// log.
#[derive(Debug)]
pub struct IndexWriter<'s, S> {
    /// The storage of the log's index.
    pub storage: &'s S,
    /// How many events make a segment of the first level; at least 1. See [`SEGMENT_EVENTS`].
    pub segment_events: u64,
    /// How much an append writes and deletes for merges; at least 1. See [`MERGE_SHARE`].
    pub merge_share: usize,
}

/// The usual number of events of a segment of the first level: as many as a query can read in full.
pub const SEGMENT_EVENTS: u64 = 512;

/// The usual share of an append that makes a segment in the merges: how many times the parts of that
/// segment it writes and deletes. Each event is written again and deleted on each of three levels, so
/// that merges keep up from about six on; larger segments have fewer parts an event.
pub const MERGE_SHARE: usize = 10;

impl<S: IndexStorageMut> IndexWriter<'_, S> {
    /// Adds `entries`, which begin with the event `first`, to the index; `indexed` is the last
    /// event in a segment. When the tail is long enough, makes a segment of it, and does a share of
    /// the [merges](Self::merge) of segments. Returns the last event in a segment.
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
        let last = Sequence::new(indexed.get() + unindexed)?;
        let cost = self.make_segment(indexed, old, last, &all)?;
        self.merge(floor, cost.saturating_mul(self.merge_share))?;
        Ok(last)
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
        self.make_segment(indexed, size, size, &all)?;
        Ok(size)
    }

    /// Builds a segment of `all`, the events after `indexed` up to `last`. Those up to `in_tail`
    /// are in the tail, and are deleted there. Returns the cost of the parts written.
    fn make_segment(
        &self,
        indexed: Sequence,
        in_tail: Sequence,
        last: Sequence,
        all: &[IndexEntry],
    ) -> Result<usize> {
        if all.len() as u64 != last.get() - indexed.get() {
            return Err(damaged());
        }
        if in_tail > indexed {
            self.storage.clear_tail(indexed.next(), in_tail)?;
        }
        let NewSegment { info, parts } = NewSegment::of(indexed.next(), all)?;
        let segment = self.storage.insert_segment(info, Stage::Complete)?;
        self.storage.insert_parts(&segment, &parts)?;
        Ok(parts.iter().map(NewPart::cost).sum())
    }

    /// Goes on with the merges of segments, and deletes the parts of those that were merged, until
    /// about `budget` pages of 4 KiB are written or parts deleted. Newer segments, of which smaller
    /// ones are made, come first. Begins no merge of segments with no event after `floor`, because
    /// they are being removed. Returns `true` if work may be left.
    pub fn merge(&self, floor: Sequence, budget: usize) -> Result<bool> {
        let mut budget = budget;
        while budget > 0 {
            let directory = self.storage.directory()?;
            let is_removed = |segment: &Segment| segment.stage() == Stage::Removed;
            let (removed, directory): (Vec<_>, Vec<_>) =
                directory.into_iter().partition(is_removed);
            for segment in removed {
                if budget == 0 {
                    return Ok(true);
                }
                budget = budget.saturating_sub(self.delete_step(&segment, budget)?);
            }
            let merging = directory.iter().find(|segment| !segment.is_complete());
            let newest = merging.map_or(floor, |output| output.info().last.max(floor));
            let is_newer = |segment: &&Segment| segment.info().last > newest;
            let newer: Vec<Segment> = directory.iter().filter(is_newer).copied().collect();
            let run = merge::choose(&newer, self.segment_events);
            let output = match merging {
                _ if !run.is_empty() => {
                    let stage = Stage::Merging { written: 0 };
                    self.storage.insert_segment(
                        merge::bounds(&mut Opened(self.storage.parts()?), run)?,
                        stage,
                    )?
                }
                Some(output) => *output,
                None => return Ok(false),
            };
            budget = budget.saturating_sub(self.merge_step(&directory, &output, budget)?);
        }
        Ok(true)
    }

    /// Writes the next parts of `output`. When it is complete, replaces its inputs by it. Returns
    /// the cost, at least 1.
    fn merge_step(&self, directory: &[Segment], output: &Segment, budget: usize) -> Result<usize> {
        let Stage::Merging { written } = output.stage() else { return Err(damaged()) };
        let Some(inputs) = merge::inputs(directory, output.info()) else {
            // It cannot be completed.
            self.storage.set_stage(output, Stage::Removed)?;
            return Ok(1);
        };
        let fixed = output.info().fixed_parts();
        let last = self.storage.last_part(output)?;
        let next_overflow = last.map_or(fixed, |last| fixed.max(last + 1));
        let reader = SegmentReader::new(self.storage.parts()?);
        let mut merge = Merge { reader, inputs: &inputs, output };
        let slice = merge.slice(written, next_overflow, budget)?;
        drop(merge);
        self.storage.insert_parts(output, &slice.parts)?;
        if slice.written < fixed {
            self.storage.set_stage(output, Stage::Merging { written: slice.written })?;
        } else {
            for input in &inputs {
                self.storage.set_stage(input, Stage::Removed)?;
            }
            self.storage.set_stage(output, Stage::Complete)?;
        }
        Ok(slice.parts.iter().map(NewPart::cost).sum())
    }

    /// Deletes up to `limit` parts of a segment, at least one. When no part is left, deletes the
    /// segment. Returns the cost, at least 1.
    fn delete_step(&self, segment: &Segment, limit: usize) -> Result<usize> {
        let Some(last) = self.storage.last_part(segment)? else {
            self.storage.delete_segment(segment)?;
            return Ok(1);
        };
        // From the end: an interrupted deletion goes on with the last part.
        let limit = u32::try_from(limit).unwrap_or(u32::MAX).max(1);
        let first = (last + 1).saturating_sub(limit);
        self.storage.delete_parts(segment, first)?;
        if first == 0 {
            self.storage.delete_segment(segment)?;
        }
        Ok((last + 1 - first) as usize)
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
        for segment in self.storage.directory()? {
            if segment.stage() == Stage::Removed {
                // It has the same keys, and is no longer needed.
                self.delete_step(&segment, usize::MAX)?;
                continue;
            }
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
            let written: Vec<_> = keys.iter().filter(|key| segment.has_bucket_of(key)).collect();
            if written.is_empty() {
                continue;
            }
            let rank = reader.rank(segment, **sequence)?;
            for key in written {
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
        checksum::seal(part.number.into(), &mut data);
        self.storage.overwrite_part(part, &data)
    }

    /// Deletes about `limit` parts of the segments whose events are all at most `floor`, and those
    /// segments. Returns `false` when none is left.
    pub fn remove_through(&self, floor: Sequence, limit: usize) -> Result<bool> {
        let directory = self.storage.directory()?;
        let is_below = |segment: &Segment| segment.info().last <= floor;
        let below: Vec<Segment> = directory.iter().filter(|s| is_below(s)).copied().collect();
        let Some(segment) = below.first() else { return Ok(false) };
        for segment in &directory {
            // A merge of one of them cannot be completed.
            let has = |input: &Segment| segment.contains(input.info().first);
            let is_lost = !segment.is_complete() && below.iter().any(has);
            if segment.stage() != Stage::Removed && (is_below(segment) || is_lost) {
                self.storage.set_stage(segment, Stage::Removed)?;
            }
        }
        self.delete_step(segment, limit)?;
        Ok(true)
    }
}
