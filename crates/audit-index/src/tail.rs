//! The tail: the newest events of a log, which are in no segment yet, with the keys of their terms.
//! It is short enough to be read in full by every query.

use std::collections::HashMap;

use audit_core::backend::index::IndexQuery;
use audit_core::{Position, Result, Sequence};

use crate::bytes::damaged;
use crate::checksum;
use crate::entry::{IndexEntry, REMOVED, split_entry};
use crate::part::TailRow;
use crate::storage::{IndexStorage, IndexStorageMut};
use crate::term_key::TermKey;

/// The keys that erasure removes, by event.
pub type RemovedKeys = HashMap<Sequence, Vec<TermKey>>;

/// Rows are filled up to this many bytes, so that each fits a page of 4 KiB.
const ROW_BYTES: usize = 4_000;

/// Appends `entries`, which begin with the event `first`, to the tail that begins after `indexed`.
pub(crate) fn extend<S: IndexStorageMut>(
    storage: &S,
    indexed: Sequence,
    first: Sequence,
    entries: &[IndexEntry],
) -> Result<()> {
    let last = storage.last_tail_row(indexed.next(), first)?;
    let last = last.map(|mut row| {
        let len = open(&row)?.len();
        row.data.truncate(len);
        Ok(row)
    });
    put(storage, &rows_of(last.transpose()?, first, entries))
}

/// Returns the rows of the tail for `entries`, which begin with the event `first`: for a store that
/// writes them together with other rows of the append. Each append has rows of its own, as with a
/// storage that returns no [last row](IndexStorageMut::last_tail_row).
pub fn tail_rows(first: Sequence, entries: &[IndexEntry]) -> Vec<TailRow<Vec<u8>>> {
    rows_of(None, first, entries)
}

/// Returns the rows that change when `entries` are added to the row `open`.
fn rows_of(
    mut open: Option<TailRow<Vec<u8>>>,
    first: Sequence,
    entries: &[IndexEntry],
) -> Vec<TailRow<Vec<u8>>> {
    let mut rows = Vec::new();
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
    rows.iter_mut().for_each(seal);
    rows
}

/// Adds the checksum of a row.
fn seal(row: &mut TailRow<Vec<u8>>) {
    checksum::seal(row.first.get(), &mut row.data);
}

/// Returns the entries of a row as bytes, without the checksum.
fn open<B: AsRef<[u8]>>(row: &TailRow<B>) -> Result<&[u8]> {
    checksum::open(row.first.get(), row.data.as_ref())
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
    storage.tail(first, last, |row| decode(first, row, &mut entries))?;
    follows(last.next(), first.get() + entries.len() as u64)?;
    Ok(entries)
}

/// Returns the entries of rows of the tail, which hold the events from `first` to `last` in order: for a
/// store that has read them together with other rows.
///
/// # Errors
/// [Damage](crate::is_damage) if they are not all there.
pub fn tail_entries<'r>(
    first: Sequence,
    last: Sequence,
    rows: impl IntoIterator<Item = TailRow<&'r [u8]>>,
) -> Result<Vec<IndexEntry>> {
    let mut entries = Vec::new();
    rows.into_iter().try_for_each(|row| decode(first, row, &mut entries))?;
    follows(last.next(), first.get() + entries.len() as u64)?;
    Ok(entries)
}

/// Adds the entries of a row to those before it, which begin with the event `first`.
fn decode(first: Sequence, row: TailRow<&[u8]>, entries: &mut Vec<IndexEntry>) -> Result<()> {
    follows(row.first, first.get() + entries.len() as u64)?;
    let mut data = open(&row)?;
    while !data.is_empty() {
        entries.push(IndexEntry::decode(&mut data)?);
    }
    Ok(())
}

/// Returns the events of the tail that match `query`, in its order.
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
    let mut sequence = first;
    storage.tail(first, last, |row| {
        follows(row.first, sequence.get())?;
        let mut data = open(&row)?;
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
    follows(last.next(), sequence.get())?;
    found.sort_unstable_by(|a, b| query.order.compare(a, b));
    Ok(found)
}

/// Checks that no event is missing before `next`, or twice in the tail.
fn follows(next: Sequence, expected: u64) -> Result<()> {
    if next.get() == expected { Ok(()) } else { Err(damaged()) }
}

/// Returns `true` if an event with these keys has one of each clause. The keys of a clause are
/// sorted, because it can have many.
fn meets(clauses: &[Vec<TermKey>], keys: &[TermKey]) -> bool {
    let has = |clause: &Vec<TermKey>| keys.iter().any(|key| clause.binary_search(key).is_ok());
    clauses.iter().all(has)
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
        let before = open(&row)?;
        let (mut data, mut rest) = (before.to_vec(), before);
        let mut sequence = row.first;
        while !rest.is_empty() {
            let (_, keys) = split_entry(&mut rest)?;
            let begin = before.len() - rest.len() - size_of_val(keys);
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
        if data != before {
            let mut row = TailRow { first: row.first, data };
            seal(&mut row);
            changed.push(row);
        }
        Ok(())
    })?;
    put(storage, &changed)
}
