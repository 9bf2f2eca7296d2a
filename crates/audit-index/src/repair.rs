//! Comparing a stored index with the events, and repairing what differs.

use audit_core::{Result, Sequence, Timestamp};

use crate::bytes::damaged;
use crate::check::{check_directory, is_damage, read_segment, read_tail};
use crate::entry::IndexEntry;
use crate::findings::DerivedFinding;
use crate::segment::{Segment, Stage};
use crate::storage::IndexStorageMut;
use crate::writer::IndexWriter;

/// The events that the index of a log has, as the log's head says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndexExtent {
    /// The last event that retention removed.
    pub pruned: Sequence,
    /// The last event in a segment; the events after it are in the tail.
    pub indexed: Sequence,
    /// The last event of the log.
    pub size: Sequence,
}

/// A part of an index, compared with the events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Compared {
    /// The fault.
    pub finding: Option<DerivedFinding>,
    /// Its last event. The next part begins after it.
    pub through: Sequence,
    /// The last event that is now in a segment.
    pub indexed: Sequence,
}

/// The entries of events; `None` for those that cannot be read.
type Entries = Vec<Option<IndexEntry>>;

// `read` returns the entries that the index must have of the events between two, by sequence.
impl<S: IndexStorageMut> IndexWriter<'_, S> {
    /// Rebuilds those parts of the index that cannot be read. Returns the last event that is now in a
    /// segment.
    ///
    /// `read` returns the entries of the events between two, by sequence; `None` for an event that
    /// cannot be read.
    ///
    /// # Errors
    /// Those of `read` and of the storage.
    pub fn heal(
        &self,
        extent: IndexExtent,
        mut read: impl FnMut(Sequence, Sequence) -> Result<Entries>,
    ) -> Result<Sequence> {
        let Some(segments) = readable(self.segments(extent))? else {
            return self.rebuild_all(extent, read);
        };
        self.abandon_merges()?;
        for segment in &segments {
            if readable(read_segment(self.storage, segment))?.is_none() {
                let (first, last) = (segment.info().first, segment.info().last);
                self.replace_segment(segment, &filled(read(first, last)?))?;
            }
        }
        let indexed = extent.indexed_by(&segments);
        if readable(read_tail(self.storage, indexed, extent.size))?.is_none() {
            self.replace_tail(indexed, &filled(read(indexed.next(), extent.size)?))?;
        }
        Ok(indexed)
    }

    /// Compares the part of the index that has the event after `after` with the events, given by `read`
    /// as to [`heal`](Self::heal). Changes nothing.
    ///
    /// # Errors
    /// Those of `read` and of the storage.
    pub fn compare(
        &self,
        extent: IndexExtent,
        after: Sequence,
        read: impl FnMut(Sequence, Sequence) -> Result<Entries>,
    ) -> Result<Compared> {
        self.compare_part(extent, after, read, |_| Ok(()))
    }

    /// Compares as [`compare`](Self::compare) does, and replaces the part if it is wrong.
    ///
    /// # Errors
    /// Those of `read` and of the storage.
    pub fn repair(
        &self,
        extent: IndexExtent,
        after: Sequence,
        mut read: impl FnMut(Sequence, Sequence) -> Result<Entries>,
    ) -> Result<Compared> {
        if readable(self.segments(extent))?.is_none() {
            let indexed = self.rebuild_all(extent, read)?;
            return Ok(Compared { indexed, ..extent.without_directory() });
        }
        self.compare_part(extent, after, &mut read, |part| match part {
            Part::Segment(segment, entries) => {
                self.abandon_merges()?;
                self.replace_segment(segment, &filled(entries))
            }
            Part::Tail(indexed, entries) => self.replace_tail(indexed, &filled(entries)),
        })
    }

    fn compare_part(
        &self,
        extent: IndexExtent,
        after: Sequence,
        mut read: impl FnMut(Sequence, Sequence) -> Result<Entries>,
        if_wrong: impl FnOnce(Part<'_>) -> Result<()>,
    ) -> Result<Compared> {
        let Some(segments) = readable(self.segments(extent))? else {
            return Ok(extent.without_directory());
        };
        let indexed = extent.indexed_by(&segments);
        let next = after.max(extent.pruned).next();
        let segment = segments.iter().find(|segment| segment.contains(next));
        let (first, last) = match segment {
            Some(segment) => (segment.info().first, segment.info().last),
            None => (indexed.next(), extent.size),
        };
        let found = readable(match segment {
            Some(segment) => read_segment(self.storage, segment),
            None => read_tail(self.storage, indexed, extent.size),
        })?;
        let expected = read(first, last)?;
        let is_right = (segment.is_some() || indexed == extent.indexed)
            && found.is_some_and(|found| are_equal(&found, &expected));
        let finding = (!is_right).then_some(match segment {
            Some(_) => DerivedFinding::Segment { first, last },
            None => DerivedFinding::Tail { first, last },
        });
        if !is_right {
            if_wrong(match segment {
                Some(segment) => Part::Segment(segment, expected),
                None => Part::Tail(indexed, expected),
            })?;
        }
        Ok(Compared { finding, through: last, indexed })
    }

    /// Returns the segments with events that are not pruned, the newest first, if they follow each
    /// other.
    fn segments(&self, extent: IndexExtent) -> Result<Vec<Segment>> {
        let mut segments = self.storage.directory()?;
        let is_kept = |segment: &Segment| segment.info().last > extent.pruned;
        segments.retain(|segment| segment.stage() == Stage::Complete && is_kept(segment));
        let indexed = extent.indexed_by(&segments);
        check_directory(&segments, extent.pruned, indexed)?;
        if indexed > extent.size { Err(damaged()) } else { Ok(segments) }
    }

    fn rebuild_all(
        &self,
        extent: IndexExtent,
        mut read: impl FnMut(Sequence, Sequence) -> Result<Entries>,
    ) -> Result<Sequence> {
        self.rebuild(extent.pruned, extent.size, |first, last| Ok(filled(read(first, last)?)))
    }
}

/// A part of an index, with the entries that it must have.
enum Part<'s> {
    Segment(&'s Segment, Entries),
    /// The tail, after the last event in a segment.
    Tail(Sequence, Entries),
}

impl IndexExtent {
    /// Returns the last event that is in one of the segments, the newest first.
    fn indexed_by(self, segments: &[Segment]) -> Sequence {
        let none = || self.indexed.min(self.pruned);
        segments.first().map_or_else(none, |newest| newest.info().last)
    }

    fn without_directory(self) -> Compared {
        let finding = Some(DerivedFinding::Directory);
        Compared { finding, through: self.size, indexed: self.indexed }
    }
}

/// Returns `None` for a part that is damaged.
fn readable<T>(read: Result<T>) -> Result<Option<T>> {
    match read {
        Err(error) if is_damage(&error) => Ok(None),
        read => read.map(Some),
    }
}

/// Replaces the entries of events that cannot be read by one with the time before it and no terms.
fn filled(entries: Entries) -> Vec<IndexEntry> {
    let first = entries.iter().flatten().next();
    let mut occurred_at = first.map_or(Timestamp::MIN, |entry| entry.occurred_at);
    let fill = |entry: Option<IndexEntry>| {
        let entry = entry.unwrap_or(IndexEntry { occurred_at, keys: Vec::new() });
        occurred_at = entry.occurred_at;
        entry
    };
    entries.into_iter().map(fill).collect()
}

/// Compares entries as sets of keys. Events that cannot be read are not compared.
fn are_equal(found: &[IndexEntry], expected: &[Option<IndexEntry>]) -> bool {
    let keys = |entry: &IndexEntry| {
        let mut keys = entry.keys.clone();
        keys.sort_unstable();
        keys
    };
    found.len() == expected.len()
        && found.iter().zip(expected).all(|(found, expected)| {
            expected.as_ref().is_none_or(|expected| {
                found.occurred_at == expected.occurred_at && keys(found) == keys(expected)
            })
        })
}
