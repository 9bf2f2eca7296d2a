//! The storage calls that a store provides.

use audit_core::{Result, Sequence};

use crate::part::{NewPart, PartId, TableSearch, TailRow};
use crate::segment::{Segment, SegmentInfo, Stage};

/// Reads the stored index of one log.
///
/// # Behavior
/// - All calls on one value MUST see one snapshot, together with the size of the log and the number
///   of events in segments that the caller gives to [`LogIndex`](crate::LogIndex).
/// - Bytes MUST be returned as they were written. Where a row or part is missing, the call fails
///   with [damage](crate::damaged).
pub trait IndexStorage {
    /// The reader of parts.
    type Parts<'a>: ReadParts
    where
        Self: 'a;

    /// Calls `visit` with each row of the tail that begins with an event between `first` and
    /// `last`, in order.
    fn tail(
        &self,
        first: Sequence,
        last: Sequence,
        visit: impl FnMut(TailRow<&[u8]>) -> Result<()>,
    ) -> Result<()>;

    /// Returns the directory: the segments of the log at all stages, in the descending order of
    /// their first events.
    fn directory(&self) -> Result<Vec<Segment>>;

    /// Returns a reader of parts.
    fn parts(&self) -> Result<Self::Parts<'_>>;
}

/// Reads parts of segments.
pub trait ReadParts {
    /// Whether each call is a round trip to a server. What a walk reads is then found out and
    /// [announced](Self::prefetch) some segments ahead; otherwise each is read when the walk reaches it.
    const IS_REMOTE: bool;

    /// Announces parts that are read next. A remote storage reads all of them in one round trip; others
    /// ignore the call, and the iterator is then not consumed.
    fn prefetch(&mut self, parts: impl Iterator<Item = PartId>) -> Result<()>;

    /// Announces parts, and searches tables in the same round trip: returns the row that each search
    /// finds, and announces it with the rows beside it. Only a remote storage is asked.
    ///
    /// A wrong row costs time and changes no result: it is checked before it is used.
    fn search(
        &mut self,
        parts: impl Iterator<Item = PartId>,
        searches: &[TableSearch],
    ) -> Result<Vec<u32>>;

    /// Calls `read` with the bytes of a part.
    fn read<T>(&mut self, part: PartId, read: impl FnOnce(&[u8]) -> Result<T>) -> Result<T>;
}

/// Writes the index of one log.
///
/// # Behavior
/// - The writes of one call of [`IndexWriter`](crate::IndexWriter) MUST take effect together with
///   the events that they are about, in one transaction.
/// - Reads on the same value MUST see its writes.
pub trait IndexStorageMut: IndexStorage {
    /// Returns the last row of the tail that begins between `first` and `last`, to have events
    /// added to it. A storage whose rows are written by several transactions at once returns
    /// `None`: then each append writes rows of its own.
    fn last_tail_row(&self, first: Sequence, last: Sequence) -> Result<Option<TailRow<Vec<u8>>>>;

    /// Writes rows of the tail, over those that begin with the same events.
    ///
    /// Overwritten rows MUST keep no copy in the storage, because erasure overwrites rows.
    fn put_tail<'r>(&self, rows: impl IntoIterator<Item = TailRow<&'r [u8]>>) -> Result<()>;

    /// Deletes the whole index of the log, whatever its rows hold.
    fn clear(&self) -> Result<()>;

    /// Deletes the rows of the tail that begin with an event between `first` and `last`.
    fn clear_tail(&self, first: Sequence, last: Sequence) -> Result<()>;

    /// Adds an entry to the directory, under an id that no segment in it has.
    fn insert_segment(&self, info: SegmentInfo, stage: Stage) -> Result<Segment>;

    /// Changes the stage of a segment.
    fn set_stage(&self, segment: &Segment, stage: Stage) -> Result<()>;

    /// Deletes a segment, which has no parts any more, from the directory.
    fn delete_segment(&self, segment: &Segment) -> Result<()>;

    /// Writes new parts of a segment.
    fn insert_parts(&self, segment: &Segment, parts: &[NewPart]) -> Result<()>;

    /// Returns the number of the last part of a segment; `None` if it has no parts.
    fn last_part(&self, segment: &Segment) -> Result<Option<u32>>;

    /// Deletes the parts of a segment from part `first` on.
    fn delete_parts(&self, segment: &Segment, first: u32) -> Result<()>;

    /// Overwrites a part with as many or more bytes. The old bytes MUST not remain in the storage.
    fn overwrite_part(&self, part: PartId, data: &[u8]) -> Result<()>;
}
