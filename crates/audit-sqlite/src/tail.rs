//! The tail: the newest events of a log, which are in no segment yet, with their terms. It is short
//! enough to be looked through.

use std::collections::HashMap;

use audit_core::backend::index::IndexQuery;
use audit_core::{Position, Result, Sequence, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, params};

use crate::error::{damaged, sqlite};
use crate::list::{read_varint, take_array, write_varint};
use crate::schema;
use crate::terms::{TermKey, meets};

/// An event as the index sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) occurred_at: Timestamp,
    pub(crate) keys: Vec<TermKey>,
}

/// The keys to remove, by event.
pub(crate) type Forgotten = HashMap<Sequence, Vec<TermKey>>;

/// A row takes in events up to so many bytes: with them it fills a page.
const ROW_BYTES: usize = 4_000;

/// The statement that reads the rows of a tail.
pub(crate) const READ_TAIL: &str =
    "SELECT event_key, data FROM audit_tail WHERE event_key BETWEEN ?1 AND ?2 ORDER BY event_key";
/// The statement that reads the last row of a tail.
pub(crate) const LAST_ROW: &str = "SELECT event_key, data FROM audit_tail
     WHERE event_key BETWEEN ?1 AND ?2 ORDER BY event_key DESC LIMIT 1";

/// The statement that empties a tail.
pub(crate) const CLEAR: &str = "DELETE FROM audit_tail WHERE event_key BETWEEN ?1 AND ?2";

/// Adds `entries` to the tail of a log of which so many events are in segments. The first has the
/// number `first`.
pub(crate) fn extend(
    connection: &Connection,
    log: i64,
    indexed: Sequence,
    first: Sequence,
    entries: &[Entry],
) -> Result<()> {
    let (low, high) = event_keys(log, indexed.next(), first)?;
    let last_row = || {
        connection
            .prepare_cached(LAST_ROW)?
            .query_row([low, high], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()
    };
    let last: Option<(i64, Vec<u8>)> = last_row().map_err(sqlite("reading the tail"))?;
    let mut open = last;
    let mut sequence = first;
    for entry in entries {
        let size = 10 + entry.keys.len() * size_of::<TermKey>();
        if open.as_ref().is_some_and(|(_, data)| data.len() + size > ROW_BYTES)
            && let Some((event_key, data)) = open.take()
        {
            put(connection, event_key, &data)?;
        }
        let (_, data) = match &mut open {
            Some(row) => row,
            None => open.insert((schema::event_key(log, sequence)?, Vec::with_capacity(ROW_BYTES))),
        };
        entry.encode(data);
        sequence = sequence.next();
    }
    open.map_or(Ok(()), |(event_key, data)| put(connection, event_key, &data))
}

fn put(connection: &Connection, event_key: i64, data: &[u8]) -> Result<()> {
    let put = || {
        connection
            .prepare_cached(
                "INSERT INTO audit_tail (event_key, data) VALUES (?1, ?2)
                 ON CONFLICT (event_key) DO UPDATE SET data = excluded.data",
            )?
            .execute(params![event_key, data])
    };
    put().map_err(sqlite("writing the tail"))?;
    Ok(())
}

/// The entries of the tail, by sequence, from the first that is in no segment.
pub(crate) fn read(
    connection: &Connection,
    log: i64,
    indexed: Sequence,
    size: Sequence,
) -> Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for_each_row(connection, log, indexed, size, |_, mut data| {
        while !data.is_empty() {
            entries.push(Entry::decode(&mut data)?);
        }
        Ok(())
    })?;
    Ok(entries)
}

/// Empties the tail.
pub(crate) fn clear(
    connection: &Connection,
    log: i64,
    indexed: Sequence,
    size: Sequence,
) -> Result<()> {
    let (low, high) = event_keys(log, indexed.next(), size)?;
    let delete = || connection.prepare_cached(CLEAR)?.execute([low, high]);
    delete().map_err(sqlite("writing the tail"))?;
    Ok(())
}

/// Takes keys out of the entries of events, given by their numbers. They are overwritten where they
/// stand, so that no copy of them is left behind.
pub(crate) fn forget(
    connection: &Connection,
    log: i64,
    indexed: Sequence,
    forgotten: &Forgotten,
) -> Result<()> {
    let Some(last) = forgotten.keys().max() else { return Ok(()) };
    let mut changed = Vec::new();
    for_each_row(connection, log, indexed, *last, |first, data| {
        let (mut row, mut rest) = (data.to_vec(), data);
        let mut sequence = first;
        while !rest.is_empty() {
            let (_, keys) = split_entry(&mut rest)?;
            let begin = data.len() - rest.len() - size_of_val(keys);
            for (at, key) in keys.iter().enumerate() {
                if forgotten.get(&sequence).is_some_and(|gone| gone.contains(key))
                    && let Some(key) = row.get_mut(begin + at * size_of::<TermKey>()..)
                    && let Some(key) = key.first_chunk_mut::<{ size_of::<TermKey>() }>()
                {
                    *key = FORGOTTEN;
                }
            }
            sequence = sequence.next();
        }
        if row != data {
            changed.push((schema::event_key(log, first)?, row));
        }
        Ok(())
    })?;
    changed.into_iter().try_for_each(|(event_key, row)| put(connection, event_key, &row))
}

/// Stands where a key was. No term has it.
const FORGOTTEN: TermKey = [0; size_of::<TermKey>()];

/// The events of the tail that `lookup` wants, in its order.
pub(crate) fn find(
    connection: &Connection,
    log: i64,
    (indexed, size): (Sequence, Sequence),
    groups: &[Vec<TermKey>],
    lookup: &IndexQuery,
) -> Result<Vec<Position>> {
    let mut found = Vec::new();
    for_each_row(connection, log, indexed, size, |first, mut data| {
        let mut sequence = first;
        while !data.is_empty() {
            let (occurred_at, keys) = split_entry(&mut data)?;
            let position = Position { occurred_at, sequence };
            if lookup.reaches(&position) && meets(groups, keys) {
                found.push(position);
            }
            sequence = sequence.next();
        }
        Ok(())
    })?;
    found.sort_unstable_by(|a, b| lookup.order.compare(a, b));
    Ok(found)
}

fn for_each_row(
    connection: &Connection,
    log: i64,
    indexed: Sequence,
    size: Sequence,
    mut visit: impl FnMut(Sequence, &[u8]) -> Result<()>,
) -> Result<()> {
    const CONTEXT: &str = "reading the tail";
    if indexed >= size {
        return Ok(());
    }
    let (low, high) = event_keys(log, indexed.next(), size)?;
    let mut statement = connection.prepare_cached(READ_TAIL).map_err(sqlite(CONTEXT))?;
    let mut rows = statement.query([low, high]).map_err(sqlite(CONTEXT))?;
    while let Some(row) = rows.next().map_err(sqlite(CONTEXT))? {
        let event_key = row.get(0).map_err(sqlite(CONTEXT))?;
        let data = row.get_ref(1).map_err(sqlite(CONTEXT))?.as_blob();
        let data = data.map_err(|error| sqlite(CONTEXT)(error.into()))?;
        visit(schema::sequence_of(event_key)?, data)?;
    }
    Ok(())
}

fn event_keys(log: i64, first: Sequence, last: Sequence) -> Result<(i64, i64)> {
    Ok((schema::event_key(log, first)?, schema::event_key(log, last)?))
}

impl Entry {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend(self.occurred_at.as_micros().to_be_bytes());
        write_varint(self.keys.len() as u64, out);
        self.keys.iter().for_each(|key| out.extend(key));
    }

    fn decode(bytes: &mut &[u8]) -> Result<Self> {
        let (occurred_at, keys) = split_entry(bytes)?;
        let keys = keys.iter().copied().filter(|key| *key != FORGOTTEN).collect();
        Ok(Self { occurred_at, keys })
    }
}

/// Takes an entry from the front of `bytes`.
fn split_entry<'b>(bytes: &mut &'b [u8]) -> Result<(Timestamp, &'b [TermKey])> {
    let occurred_at = Timestamp::from_micros(i64::from_be_bytes(take_array(bytes)?));
    let count = usize::try_from(read_varint(bytes)?).unwrap_or(usize::MAX);
    let keys = crate::list::take(bytes, count.saturating_mul(size_of::<TermKey>()))?;
    let (keys, _) = keys.as_chunks();
    Ok((occurred_at.map_err(damaged)?, keys))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_comes_back_and_damage_is_an_error() {
        let entry = Entry {
            occurred_at: Timestamp::from_micros(-5).unwrap(),
            keys: (1..=200).map(|n| [n; 16]).collect(),
        };
        let mut bytes = Vec::new();
        entry.encode(&mut bytes);
        assert_eq!(Entry::decode(&mut &*bytes).unwrap(), entry);
        for end in 0..bytes.len() {
            assert!(Entry::decode(&mut &bytes[..end]).is_err());
        }
    }
}
