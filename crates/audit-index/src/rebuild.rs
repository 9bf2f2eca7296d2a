//! Rebuilding a damaged index, or a part of it, from the events.

use audit_core::{Result, Sequence};

use crate::builder::NewSegment;
use crate::bytes::damaged;
use crate::entry::IndexEntry;
use crate::segment::{Segment, Stage};
use crate::storage::IndexStorageMut;
use crate::writer::IndexWriter;

/// The most segments of the first level that a rebuilt segment is as large as. It bounds the memory.
const REBUILT_LEVEL: u64 = 64;

impl<S: IndexStorageMut> IndexWriter<'_, S> {
    /// Replaces the whole index of the log by that of the events after `floor` up to `size`. `read`
    /// returns the entries of the events between two, by sequence. Returns the last event that is
    /// now in a segment.
    ///
    /// # Errors
    /// Those of `read` and of the storage.
    pub fn rebuild(
        &self,
        floor: Sequence,
        size: Sequence,
        mut read: impl FnMut(Sequence, Sequence) -> Result<Vec<IndexEntry>>,
    ) -> Result<Sequence> {
        self.storage.clear()?;
        let mut indexed = floor;
        loop {
            let left = size.get().saturating_sub(indexed.get());
            let count = left.min(self.segment_events.saturating_mul(REBUILT_LEVEL));
            let last = Sequence::new(indexed.get() + count)?;
            if left == 0 {
                return Ok(indexed);
            }
            let entries = read(indexed.next(), last)?;
            if left < self.segment_events {
                self.extend_tail(indexed, indexed.next(), &entries)?;
                return Ok(indexed);
            }
            self.insert(indexed.next(), &entries)?;
            indexed = last;
        }
    }

    /// Replaces a complete segment by one of these entries, those of its events.
    pub fn replace_segment(&self, segment: &Segment, entries: &[IndexEntry]) -> Result<()> {
        if entries.len() as u64 != u64::from(segment.len()) {
            return Err(damaged());
        }
        self.storage.delete_parts(segment, 0)?;
        self.storage.delete_segment(segment)?;
        self.insert(segment.info().first, entries)
    }

    /// Gives up the merges that have begun: what they wrote can come of damaged parts. They begin
    /// again with the next share.
    pub fn abandon_merges(&self) -> Result<()> {
        for segment in self.storage.directory()? {
            if matches!(segment.stage(), Stage::Merging { .. }) {
                self.storage.set_stage(&segment, Stage::Removed)?;
            }
        }
        Ok(())
    }

    fn insert(&self, first: Sequence, entries: &[IndexEntry]) -> Result<()> {
        let NewSegment { info, parts } = NewSegment::of(first, entries)?;
        let segment = self.storage.insert_segment(info, Stage::Complete)?;
        self.storage.insert_parts(&segment, &parts)
    }

    /// Replaces the tail by one of these entries, those of the events after `indexed`.
    pub fn replace_tail(&self, indexed: Sequence, entries: &[IndexEntry]) -> Result<()> {
        self.storage.clear_tail(Sequence::ZERO, Sequence::MAX)?;
        self.extend_tail(indexed, indexed.next(), entries)
    }
}
