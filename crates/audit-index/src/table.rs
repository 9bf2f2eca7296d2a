//! The table of a segment. Within a segment, an event has an *offset*, its number by sequence, and
//! a
//! *rank*, its number by time. Entry `n` of the table holds the time and the offset of the event
//! with rank `n`, and the rank of the event with offset `n`.

use audit_core::{Position, Result, Sequence};

use crate::bytes::{damaged, take_array, time_from_number};

/// Entries of a row: with 16 bytes each, they fill a page of 4 KiB.
pub(crate) const ROW_ENTRIES: u32 = 250;
const ENTRY_BYTES: usize = 16;

/// An entry of the table.
pub(crate) struct TableEntry {
    /// The event of this rank.
    pub(crate) position: Position,
    /// The rank of the event of this offset.
    pub(crate) rank_of_offset: u32,
}

/// Returns the number of rows for `events` events.
pub(crate) fn rows(events: u32) -> u32 {
    events.div_ceil(ROW_ENTRIES)
}

/// Returns the number of the row with entry `number`.
pub(crate) fn row_of(number: u32) -> u32 {
    number / ROW_ENTRIES
}

/// The events of a segment in the order of time: what its table is written from.
pub(crate) struct Ranking {
    /// The time of each offset.
    times: Vec<i64>,
    /// The offset of each rank.
    order: Vec<u32>,
    /// The rank of each offset.
    rank_of: Vec<u32>,
}

impl Ranking {
    /// Ranks events with these times, in the order of their sequences.
    pub(crate) fn new(times: Vec<i64>) -> Result<Self> {
        let len = u32::try_from(times.len()).map_err(|_| damaged())?;
        let mut order: Vec<u32> = (0..len).collect();
        // Stable, so that events of one time stay in order; fast, because most are already sorted.
        order.sort_by_key(|offset| times[*offset as usize]);
        let mut rank_of = vec![0; times.len()];
        for (rank, offset) in (0..).zip(&order) {
            rank_of[*offset as usize] = rank;
        }
        Ok(Self { times, order, rank_of })
    }

    /// Returns the rank of each offset.
    pub(crate) fn ranks(&self) -> &[u32] {
        &self.rank_of
    }

    /// Returns the earliest and the latest time.
    pub(crate) fn span(&self) -> Result<(i64, i64)> {
        let time = |rank: Option<&u32>| rank.map(|offset| self.times[*offset as usize]);
        time(self.order.first()).zip(time(self.order.last())).ok_or_else(damaged)
    }

    /// Returns the rows of the table from row `first` on.
    pub(crate) fn rows(&self, first: u32) -> impl Iterator<Item = Vec<u8>> {
        let entries = ROW_ENTRIES as usize;
        let rows = self.order.chunks(entries).zip(self.rank_of.chunks(entries));
        rows.skip(first as usize).map(|(order, rank_of)| {
            let mut row = Vec::with_capacity(order.len() * ENTRY_BYTES);
            for (offset, rank) in order.iter().zip(rank_of) {
                row.extend(self.times[*offset as usize].to_be_bytes());
                row.extend(offset.to_be_bytes());
                row.extend(rank.to_be_bytes());
            }
            row
        })
    }
}

/// Reads entry `number` from its row. The segment has `len` events and begins with the event
/// `first`.
pub(crate) fn entry(row: &[u8], number: u32, first: Sequence, len: u32) -> Result<TableEntry> {
    let begin = (number % ROW_ENTRIES) as usize * ENTRY_BYTES;
    let mut bytes = row.get(begin..).ok_or_else(damaged)?;
    let time = i64::from_be_bytes(take_array(&mut bytes)?);
    let offset = u32::from_be_bytes(take_array(&mut bytes)?);
    let rank_of_offset = u32::from_be_bytes(take_array(&mut bytes)?);
    if offset >= len || rank_of_offset >= len {
        return Err(damaged());
    }
    let sequence = Sequence::new(first.get() + u64::from(offset))?;
    let position = Position { occurred_at: time_from_number(time), sequence };
    Ok(TableEntry { position, rank_of_offset })
}
