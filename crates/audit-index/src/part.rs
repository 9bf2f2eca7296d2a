//! The rows of a stored index: the parts of segments, and the rows of the tail.

use audit_core::Sequence;

use crate::checksum;

/// The identity of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PartId {
    /// The id of the segment.
    pub segment: i64,
    /// The number of the part in its segment, from 0; below [`MAX_PARTS`](crate::MAX_PARTS).
    pub number: u32,
}

/// A part to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewPart {
    /// The number of the part in its segment.
    pub number: u32,
    /// Its bytes, with their checksum.
    pub data: Vec<u8>,
}

impl NewPart {
    /// Returns the part with these bytes.
    pub(crate) fn new(number: u32, mut data: Vec<u8>) -> Self {
        checksum::seal(number.into(), &mut data);
        Self { number, data }
    }

    /// Returns its cost: 1 for each page of 4 KiB that it begins.
    pub(crate) fn cost(&self) -> usize {
        1 + self.data.len() / 4_096
    }
}

/// A search in the table of a segment, whose rows are its first parts, for the last row that begins with a
/// time before `before`, or else for the first row. A row begins with its first time, as a signed number of
/// eight bytes, the highest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TableSearch {
    /// The id of the segment.
    pub segment: i64,
    /// The number of rows of its table.
    pub rows: u32,
    /// The time, as the [numbers](crate::SegmentInfo::to_numbers) that are stored.
    pub before: i64,
}

/// A row of the tail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TailRow<B> {
    /// The first event of the row; the others follow it without a gap.
    pub first: Sequence,
    /// The encoded entries of the events, with their checksum.
    pub data: B,
}
