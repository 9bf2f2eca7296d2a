//! A segment: the index of a run of a log's events. Written once; only erasure changes it.

use audit_core::backend::index::IndexQuery;
use audit_core::{Order, Position, Result, Sequence, Timestamp};

use crate::bucket;
use crate::bytes::{damaged, time_from_number, time_to_number};
use crate::checksum;
use crate::part::PartId;
use crate::table;
use crate::term_key::TermKey;

/// A segment of the directory: its id, which the storage chose, its bounds, and its stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    id: i64,
    info: SegmentInfo,
    stage: Stage,
}

/// The stage in the life of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// All its parts are there, and queries read it.
    Complete,
    /// A merge writes it. The rows of its table and its buckets are written in the order of their
    /// numbers, and this many are.
    Merging {
        /// The number of rows and buckets written.
        written: u32,
    },
    /// Its parts are being deleted.
    Removed,
}

/// The bounds of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentInfo {
    /// The first event.
    pub first: Sequence,
    /// The last event. The segment has every event between.
    pub last: Sequence,
    /// The earliest time of an event.
    pub earliest: Timestamp,
    /// The latest time of an event.
    pub latest: Timestamp,
    /// The number of buckets, as a power of two.
    pub bucket_bits: u32,
}

/// The number of parts of a segment is below this.
pub const MAX_PARTS: u32 = 1 << 24;
/// The most events of a segment.
const MAX_EVENTS: u64 = 1 << 22;
pub(crate) const MAX_BUCKET_BITS: u32 = 20;
/// The usual size of a bucket in bytes.
pub(crate) const BUCKET_BYTES: usize = 2_500;

impl Segment {
    /// Returns a segment read from the storage.
    ///
    /// # Errors
    /// [`Corrupt`](audit_core::ErrorKind::Corrupt) if no segment can have these bounds.
    pub fn new(id: i64, info: SegmentInfo, stage: Stage) -> Result<Self> {
        let span = info.last.get().checked_sub(info.first.get());
        let is_valid = info.first > Sequence::ZERO
            && span.is_some_and(|span| span < MAX_EVENTS)
            && info.earliest <= info.latest
            && info.bucket_bits <= MAX_BUCKET_BITS;
        if is_valid { Ok(Self { id, info, stage }) } else { Err(damaged()) }
    }

    /// Returns its id, which the storage chose.
    pub fn id(&self) -> i64 {
        self.id
    }

    /// Returns its bounds.
    pub fn info(&self) -> &SegmentInfo {
        &self.info
    }

    /// Returns its stage.
    pub fn stage(&self) -> Stage {
        self.stage
    }

    pub(crate) fn is_complete(&self) -> bool {
        self.stage == Stage::Complete
    }

    /// Returns the number of events.
    pub(crate) fn len(&self) -> u32 {
        self.info.len()
    }

    /// Returns the size in events with the usual number of terms. Merges use it, so that they are
    /// bounded in bytes too.
    pub(crate) fn weight(&self) -> u64 {
        const USUAL_BYTES: u64 = 128;
        let bytes = (BUCKET_BYTES as u64) << self.info.bucket_bits;
        u64::from(self.len()).max(bytes / USUAL_BYTES)
    }

    /// Returns the first position that an event of it can have in a walk by time in `order`.
    pub(crate) fn start(&self, order: Order) -> Position {
        let SegmentInfo { first, last, earliest, latest, .. } = self.info;
        match order {
            Order::NewestFirst => Position { occurred_at: latest, sequence: last },
            _ => Position { occurred_at: earliest, sequence: first },
        }
    }

    /// Returns `true` if it can have events that match `query`.
    pub(crate) fn is_within(&self, query: &IndexQuery) -> bool {
        let (low, high) = query.span();
        self.info.last > query.first_after()
            && self.info.first <= query.last()
            && self.info.latest >= low.occurred_at
            && self.info.earliest <= high.occurred_at
    }

    pub(crate) fn contains(&self, sequence: Sequence) -> bool {
        self.info.first <= sequence && sequence <= self.info.last
    }

    /// Returns the offset of an event: its distance from the first.
    pub(crate) fn offset_of(&self, sequence: Sequence) -> Result<u32> {
        let offset = sequence.get().checked_sub(self.info.first.get()).ok_or_else(damaged)?;
        u32::try_from(offset).map_err(|_| damaged())
    }

    pub(crate) fn table_rows(&self) -> u32 {
        self.info.table_rows()
    }

    /// Returns `true` if the bucket of a key is written.
    pub(crate) fn has_bucket_of(&self, key: &TermKey) -> bool {
        let part = self.bucket_of(key).number;
        match self.stage {
            Stage::Complete => true,
            Stage::Merging { written } => part < written,
            Stage::Removed => false,
        }
    }

    /// Returns the part with entry `number` of the table.
    pub(crate) fn table_row(&self, number: u32) -> PartId {
        self.part(table::row_of(number))
    }

    pub(crate) fn part(&self, number: u32) -> PartId {
        PartId { segment: self.id, number }
    }

    /// Returns the part with this bucket.
    pub(crate) fn bucket(&self, number: u32) -> PartId {
        self.part(self.table_rows() + number)
    }

    /// Returns the part with the bucket of a key.
    pub(crate) fn bucket_of(&self, key: &TermKey) -> PartId {
        self.bucket(bucket::bucket_of(key, self.info.bucket_bits))
    }
}

impl SegmentInfo {
    /// Returns the number of events.
    pub(crate) fn len(&self) -> u32 {
        // At most MAX_EVENTS.
        u32::try_from(self.last.get() - self.first.get() + 1).unwrap_or(u32::MAX)
    }

    pub(crate) fn table_rows(&self) -> u32 {
        table::rows(self.len())
    }

    /// Returns the number of buckets.
    pub(crate) fn buckets(&self) -> u32 {
        1 << self.bucket_bits
    }

    /// Returns the number of rows of the table and of buckets. The parts with long postings have
    /// the numbers from this one on.
    pub(crate) fn fixed_parts(&self) -> u32 {
        self.table_rows() + self.buckets()
    }

    /// Returns the bounds as the numbers to store: the first and the last event, the earliest and the
    /// latest time, the number of buckets, and a checksum.
    pub fn to_numbers(&self) -> [i64; 6] {
        let (earliest, latest) = (time_to_number(self.earliest), time_to_number(self.latest));
        let (first, last) = (self.first.as_i64(), self.last.as_i64());
        let bounds = [first, last, earliest, latest, self.bucket_bits.into()];
        let [first, last, earliest, latest, bits] = bounds;
        [first, last, earliest, latest, bits, checksum::of_numbers(&bounds)]
    }

    /// Returns the bounds of stored numbers.
    ///
    /// # Errors
    /// [Damage](crate::is_damage) if they are not as they were written.
    pub fn from_numbers(numbers: [i64; 6]) -> Result<Self> {
        let [first, last, earliest, latest, bucket_bits, stored] = numbers;
        if checksum::of_numbers(&[first, last, earliest, latest, bucket_bits]) != stored {
            return Err(damaged());
        }
        let sequence = |number| Sequence::try_from(number).map_err(crate::bytes::damaged_value);
        Ok(Self {
            first: sequence(first)?,
            last: sequence(last)?,
            earliest: time_from_number(earliest),
            latest: time_from_number(latest),
            bucket_bits: u32::try_from(bucket_bits).map_err(|_| damaged())?,
        })
    }
}

impl Stage {
    /// Returns the stage as the numbers to store: its kind, and the rows and buckets written.
    pub fn to_numbers(self) -> (i64, i64) {
        match self {
            Self::Complete => (0, 0),
            Self::Merging { written } => (1, written.into()),
            Self::Removed => (2, 0),
        }
    }

    /// Returns the stage of stored numbers.
    ///
    /// # Errors
    /// [`Corrupt`](audit_core::ErrorKind::Corrupt) if a number is out of range.
    pub fn from_numbers(kind: i64, written: i64) -> Result<Self> {
        match kind {
            0 => Ok(Self::Complete),
            1 => Ok(Self::Merging { written: u32::try_from(written).map_err(|_| damaged())? }),
            2 => Ok(Self::Removed),
            _ => Err(damaged()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_round_trip() {
        for stage in [Stage::Complete, Stage::Merging { written: 7 }, Stage::Removed] {
            let (kind, written) = stage.to_numbers();
            assert_eq!(Stage::from_numbers(kind, written).unwrap(), stage);
        }
        assert!(Stage::from_numbers(3, 0).is_err() && Stage::from_numbers(1, -1).is_err());
    }

    #[test]
    fn bounds_round_trip_and_changed_ones_are_damaged() {
        let info = SegmentInfo {
            first: Sequence::new(3).unwrap(),
            last: Sequence::new(5).unwrap(),
            earliest: Timestamp::from_nanos(-10),
            latest: Timestamp::from_nanos(20),
            bucket_bits: 2,
        };
        let numbers = info.to_numbers();
        assert_eq!(numbers[..5], [3, 5, -10, 20, 2]);
        assert_eq!(SegmentInfo::from_numbers(numbers).unwrap(), info);
        for at in 0..numbers.len() {
            for change in [1, -1, 1 << 40] {
                let mut changed = numbers;
                changed[at] ^= change;
                assert!(crate::is_damage(&SegmentInfo::from_numbers(changed).unwrap_err()));
            }
        }
    }

    #[test]
    fn impossible_bounds_are_damaged() {
        let cases = [
            [5, 3, 10, 20, 2],
            [0, 3, 10, 20, 2],
            [3, 5, 20, 10, 2],
            [3, 5, 10, 20, 21],
            [3, 3 + (1 << 22), 10, 20, 2],
            [-3, 5, 10, 20, 2],
        ];
        for bounds in cases {
            let [first, last, earliest, latest, bits] = bounds;
            let numbers = [first, last, earliest, latest, bits, checksum::of_numbers(&bounds)];
            let segment = SegmentInfo::from_numbers(numbers)
                .and_then(|info| Segment::new(1, info, Stage::Complete));
            assert!(crate::is_damage(&segment.unwrap_err()), "{bounds:?}");
        }
    }
}
