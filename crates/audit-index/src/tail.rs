//! The tail: the newest events of a log, which are in no segment yet, with the keys of their terms.
//! It is short enough to be read in full by every query.

use std::collections::HashMap;

use audit_core::backend::index::IndexQuery;
use audit_core::{Position, Result, Sequence, Timestamp};

use crate::bytes::{read_varint, take, take_array, time_from_number, time_to_number, write_varint};
use crate::storage::{IndexStorage, IndexStorageMut, TailRow};
use crate::term_key::TermKey;

/// An event as the index has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexEntry {
    /// When it occurred.
    pub occurred_at: Timestamp,
    /// The keys of its terms; see [`TermHasher::keys`](crate::TermHasher::keys).
    pub keys: Vec<TermKey>,
}

/// The keys that erasure removes, by event.
pub type RemovedKeys = HashMap<Sequence, Vec<TermKey>>;

/// Rows are filled up to this many bytes, so that each fits a page of 4 KiB.
const ROW_BYTES: usize = 4_000;

/// Replaces a removed key. No term has it.
const REMOVED: TermKey = [0; size_of::<TermKey>()];

/// Appends `entries`, which begin with the event `first`, to the tail that begins after `indexed`.
pub(crate) fn extend<S: IndexStorageMut>(
    storage: &S,
    indexed: Sequence,
    first: Sequence,
    entries: &[IndexEntry],
) -> Result<()> {
    let mut rows = Vec::new();
    let mut open = storage.last_tail_row(indexed.next(), first)?;
    let mut sequence = first;
    for entry in entries {
        let size = 10 + entry.keys.len() * size_of::<TermKey>();
        if open.as_ref().is_some_and(|row| row.data.len() + size > ROW_BYTES) {
            rows.extend(open.take());
        }
        let row = open.get_or_insert_with(|| TailRow {
            first: sequence,
            data: Vec::with_capacity(ROW_BYTES),
        });
        entry.encode(&mut row.data);
        sequence = sequence.next();
    }
    rows.extend(open);
    put(storage, &rows)
}

fn put<S: IndexStorageMut>(storage: &S, rows: &[TailRow<Vec<u8>>]) -> Result<()> {
    storage.put_tail(rows.iter().map(|row| TailRow { first: row.first, data: &row.data[..] }))
}

/// Returns the entries of the tail, by sequence.
pub(crate) fn read<S: IndexStorage>(
    storage: &S,
    first: Sequence,
    last: Sequence,
) -> Result<Vec<IndexEntry>> {
    let mut entries = Vec::new();
    if first > last {
        return Ok(entries);
    }
    storage.tail(first, last, |row| {
        let mut data = row.data;
        while !data.is_empty() {
            entries.push(IndexEntry::decode(&mut data)?);
        }
        Ok(())
    })?;
    Ok(entries)
}

/// Returns the events of the tail that `query` asks for, in its order.
pub(crate) fn find<S: IndexStorage>(
    storage: &S,
    first: Sequence,
    last: Sequence,
    clauses: &[Vec<TermKey>],
    query: &IndexQuery,
) -> Result<Vec<Position>> {
    let mut found = Vec::new();
    if first > last {
        return Ok(found);
    }
    storage.tail(first, last, |row| {
        let mut sequence = row.first;
        let mut data = row.data;
        while !data.is_empty() {
            let (occurred_at, keys) = split_entry(&mut data)?;
            let position = Position { occurred_at, sequence };
            if query.reaches(&position) && meets(clauses, keys) {
                found.push(position);
            }
            sequence = sequence.next();
        }
        Ok(())
    })?;
    found.sort_unstable_by(|a, b| query.order.compare(a, b));
    Ok(found)
}

/// Returns `true` if an event with these keys has one of each clause.
fn meets(clauses: &[Vec<TermKey>], keys: &[TermKey]) -> bool {
    clauses.iter().all(|clause| clause.iter().any(|wanted| keys.contains(wanted)))
}

/// Overwrites keys of events of the tail that begins with `first`.
pub(crate) fn remove_keys<S: IndexStorageMut>(
    storage: &S,
    first: Sequence,
    removed: &RemovedKeys,
) -> Result<()> {
    let Some(last) = removed.keys().max().filter(|last| first <= **last) else { return Ok(()) };
    let mut changed = Vec::new();
    storage.tail(first, *last, |row| {
        let (mut data, mut rest) = (row.data.to_vec(), row.data);
        let mut sequence = row.first;
        while !rest.is_empty() {
            let (_, keys) = split_entry(&mut rest)?;
            let begin = row.data.len() - rest.len() - size_of_val(keys);
            for (at, key) in keys.iter().enumerate() {
                if removed.get(&sequence).is_some_and(|of_event| of_event.contains(key))
                    && let Some(key) = data.get_mut(begin + at * size_of::<TermKey>()..)
                    && let Some(key) = key.first_chunk_mut::<{ size_of::<TermKey>() }>()
                {
                    *key = REMOVED;
                }
            }
            sequence = sequence.next();
        }
        if data != row.data {
            changed.push(TailRow { first: row.first, data });
        }
        Ok(())
    })?;
    put(storage, &changed)
}

impl IndexEntry {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend(time_to_number(self.occurred_at).to_be_bytes());
        write_varint(self.keys.len() as u64, out);
        self.keys.iter().for_each(|key| out.extend(key));
    }

    fn decode(bytes: &mut &[u8]) -> Result<Self> {
        let (occurred_at, keys) = split_entry(bytes)?;
        let keys = keys.iter().copied().filter(|key| *key != REMOVED).collect();
        Ok(Self { occurred_at, keys })
    }
}

/// Takes an entry from the front of `bytes`.
fn split_entry<'b>(bytes: &mut &'b [u8]) -> Result<(Timestamp, &'b [TermKey])> {
    let occurred_at = time_from_number(i64::from_be_bytes(take_array(bytes)?))?;
    let count = usize::try_from(read_varint(bytes)?).unwrap_or(usize::MAX);
    let keys = take(bytes, count.saturating_mul(size_of::<TermKey>()))?;
    let (keys, _) = keys.as_chunks();
    Ok((occurred_at, keys))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_round_trip_and_damage_is_an_error() {
        let entry = IndexEntry {
            occurred_at: Timestamp::from_micros(-5).unwrap(),
            keys: (1..=200).map(|n| [n; 16]).collect(),
        };
        let mut bytes = Vec::new();
        entry.encode(&mut bytes);
        assert_eq!(IndexEntry::decode(&mut &*bytes).unwrap(), entry);
        for end in 0..bytes.len() {
            assert!(IndexEntry::decode(&mut &bytes[..end]).is_err());
        }
    }
}
