//! The table of a segment. Within a segment, an event has an *offset*, its number by sequence, and
//! a
//! *rank*, its number by time. Entry `n` of the table holds the time and the offset of the event
//! with rank `n`, and the rank of the event with offset `n`.

use audit_core::{Position, Result, Sequence};

use crate::bytes::{damaged, take_array, time_from_number};

/// Entries of a row: with 16 bytes each, they fill a page of 4 KiB.
pub(crate) const ROW_ENTRIES: u32 = 250;
const ENTRY_BYTES: usize = 16;
pub(crate) const ROW_BYTES: usize = ROW_ENTRIES as usize * ENTRY_BYTES;

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

/// Appends an entry to a row.
pub(crate) fn push(row: &mut Vec<u8>, time: i64, offset: u32, rank_of_offset: u32) {
    row.extend(time.to_be_bytes());
    row.extend(offset.to_be_bytes());
    row.extend(rank_of_offset.to_be_bytes());
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
