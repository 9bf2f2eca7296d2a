//! The end of a log in a transaction: its head, which is locked, and the events that are added.

use std::collections::HashMap;

use audit_core::backend::SequencedEvent;
use audit_core::tree::{Frontier, Node};
use audit_core::{EventId, Log, Result, Sequence};
use audit_index::{IndexEntry, TermKey};
use tokio_postgres::Row;

use crate::connection::column;
use crate::log_row::LogRow;
use crate::sealing::GroupKeys;

/// A log whose head is locked, with the events added to it.
pub(crate) struct LogEnd {
    /// The row as it was locked, with the head as it is after the events.
    pub(crate) row: LogRow,
    /// The size when the head was locked.
    pub(crate) before: Sequence,
    /// The last event in a segment of the index when the head was locked.
    pub(crate) indexed_before: Sequence,
    /// The entries of the tail, if it becomes a segment with the events added.
    pub(crate) taken_tail: Option<Vec<IndexEntry>>,
    /// The last staged event when the head was locked.
    pub(crate) staged: Option<i64>,
    pub(crate) frontier: Frontier,
    pub(crate) keys: GroupKeys,
    /// The nodes of the tree that the events complete.
    pub(crate) nodes: Vec<Node>,
    pub(crate) events: Vec<SequencedEvent<TermKey>>,
    pub(crate) ids: HashMap<EventId, usize>,
    /// The pruned events whose ids are used again.
    pub(crate) freed: Vec<Sequence>,
}

/// A log to which a transaction has appended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Grown {
    pub(crate) log: Log,
    /// Its row after the transaction.
    pub(crate) row: LogRow,
    /// Whether a segment was added to its index with which segments may have to be merged.
    pub(crate) merges: bool,
}

impl LogEnd {
    /// Reads it from the row of a head that was locked.
    pub(crate) fn read(row: &Row) -> Result<Self> {
        let columns = LogRow::read(row, 1)?;
        Ok(Self {
            row: columns,
            before: columns.head.size,
            staged: column(row, 6)?,
            indexed_before: columns.indexed,
            taken_tail: None,
            frontier: Frontier::from_bytes(column(row, 5)?)?,
            keys: GroupKeys::default(),
            nodes: Vec::new(),
            events: Vec::new(),
            ids: HashMap::new(),
            freed: Vec::new(),
        })
    }

    /// Returns how many events are in no segment of the index.
    pub(crate) fn tail(&self) -> u64 {
        self.row.head.size.get().saturating_sub(self.row.indexed.max(self.row.head.pruned).get())
    }
}
