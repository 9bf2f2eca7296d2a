//! The index of a log, compared with its records and rebuilt from them. Its damage fails no append and
//! no other log.

use audit_core::backend::{StoredEvent, Term};
use audit_core::{Result, Sequence};
use audit_index::{Compared, IndexEntry, IndexExtent, IndexWriter, RemovedKeys, is_damage};

use crate::index::PostgresIndex;
use crate::indexing::Indexing;
use crate::log_row::LogRow;

/// The events that are read in one round trip. It bounds the memory, since an event can have a MiB.
const EVENTS_AT_ONCE: usize = 64;

/// Writes an index.
pub(crate) type Writer<'i> = IndexWriter<'i, PostgresIndex>;

/// Returns the events that the index has, as the head says.
fn extent(index: &PostgresIndex) -> IndexExtent {
    let LogRow { head, indexed } = index.row();
    IndexExtent { pruned: head.pruned, indexed, size: head.size }
}

/// Returns the entries that the index must have of the events from `first` to `last`; `None` for events
/// that cannot be read.
fn entries(
    index: &PostgresIndex,
    indexing: &Indexing,
    first: Sequence,
    last: Sequence,
) -> Result<Vec<Option<IndexEntry>>> {
    let numbers: Vec<_> = (first.get()..=last.get()).collect();
    let mut entries = Vec::with_capacity(numbers.len());
    for numbers in numbers.chunks(EVENTS_AT_ONCE) {
        let wanted = numbers.iter().map(|number| Sequence::new(*number));
        let mut found = index.events(&wanted.collect::<Result<Vec<_>>>()?)?.into_iter().peekable();
        for number in numbers {
            let event = found.next_if(|event| event.sequence.get() == *number);
            entries.push(event.and_then(|event| {
                let event = event.unseal();
                // Of an event whose personal data is damaged, the record counts.
                let decoded =
                    event.decode().or_else(|_| StoredEvent::new(event.record, None).decode());
                decoded.ok().map(|event| IndexEntry {
                    occurred_at: event.occurred_at,
                    keys: indexing.hasher.keys(&Term::of_stored(&event)),
                })
            }));
        }
    }
    Ok(entries)
}

/// Rebuilds those parts of an index that cannot be read.
pub(crate) fn heal(
    writer: &Writer<'_>,
    index: &PostgresIndex,
    indexing: &Indexing,
) -> Result<Sequence> {
    let read = |first, last| entries(index, indexing, first, last);
    let indexed = writer.heal(extent(index), read)?;
    index.set_indexed(indexed)?;
    Ok(indexed)
}

/// Compares the part of an index that has the event after `after` with the records. Changes nothing.
pub(crate) fn compare(
    writer: &Writer<'_>,
    index: &PostgresIndex,
    indexing: &Indexing,
    after: Sequence,
) -> Result<Compared> {
    writer.compare(extent(index), after, |first, last| entries(index, indexing, first, last))
}

/// Compares the same, and replaces the part if it is wrong.
pub(crate) fn repair(
    writer: &Writer<'_>,
    index: &PostgresIndex,
    indexing: &Indexing,
    after: Sequence,
) -> Result<Compared> {
    let read = |first, last| entries(index, indexing, first, last);
    let compared = writer.repair(extent(index), after, read)?;
    index.set_indexed(compared.indexed)?;
    Ok(compared)
}

/// Removes keys of events from an index, and rebuilds the parts that have the events `unknown`. If the
/// index is damaged, rebuilds it first.
pub(crate) fn remove_keys(
    writer: &Writer<'_>,
    index: &PostgresIndex,
    indexing: &Indexing,
    removed: &RemovedKeys,
    unknown: &[Sequence],
) -> Result<()> {
    match writer.remove_keys(index.row().indexed, removed) {
        Err(error) if is_damage(&error) => {
            let indexed = heal(writer, index, indexing)?;
            writer.remove_keys(indexed, removed)?;
        }
        result => result?,
    }
    unknown
        .iter()
        .try_for_each(|sequence| repair(writer, index, indexing, sequence.previous()).map(drop))
}
