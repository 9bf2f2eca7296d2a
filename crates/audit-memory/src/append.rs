//! One log, and how events enter it.

use std::collections::{BTreeSet, HashMap};

use audit_core::index::Term;
use audit_core::{
    AuditEvent, Batch, Error, EventId, Head, Log, PlacedEvent, Position, Receipt, Result, Sequence,
    StoredEvent, Timestamp,
};

use crate::{MemoryStore, read, write};

/// One log: its events, and the lists through which they are found.
#[derive(Debug, Default)]
pub(crate) struct LogState {
    pub(crate) head: Head,
    events: Vec<StoredEvent>,
    ids: HashMap<EventId, Sequence>,
    lists: HashMap<Term, List>,
}

/// The events that have one term, in both orders.
#[derive(Debug, Default)]
pub(crate) struct List {
    pub(crate) by_time: BTreeSet<(Timestamp, Sequence)>,
    pub(crate) by_sequence: Vec<Position>,
}

impl LogState {
    /// The event of that number, which the log must hold.
    fn event(&self, sequence: Sequence) -> Result<AuditEvent> {
        self.stored(sequence)?.open()
    }

    /// The same as it is kept.
    pub(crate) fn stored(&self, sequence: Sequence) -> Result<&StoredEvent> {
        usize::try_from(sequence.previous().get())
            .ok()
            .and_then(|index| self.events.get(index))
            .ok_or_else(|| Error::not_found("event"))
    }

    pub(crate) fn list(&self, term: &Term) -> Option<&List> {
        self.lists.get(term)
    }

    fn find(&self, id: EventId) -> Result<Option<AuditEvent>> {
        self.ids.get(&id).map(|sequence| self.event(*sequence)).transpose()
    }

    fn insert(&mut self, event: PlacedEvent) {
        let PlacedEvent { id, sequence, occurred_at, stored, terms } = event;
        self.ids.insert(id, sequence);
        for term in terms {
            let list = self.lists.entry(term).or_default();
            list.by_time.insert((occurred_at, sequence));
            list.by_sequence.push(Position { occurred_at, sequence });
        }
        self.events.push(stored);
    }
}

impl MemoryStore {
    pub(crate) fn append_batch(&self, batch: Batch) -> Result<Vec<Receipt>> {
        if batch.is_empty() {
            return Ok(Vec::new());
        }
        let log = self.log_or_new(batch.log());
        let mut state = write(&log);
        let placement = batch.place(state.head, Timestamp::now(), |id| state.find(id))?;
        for event in placement.new {
            state.insert(event);
        }
        state.head = placement.head;
        drop(state);
        self.shared.appended.notify(usize::MAX);
        Ok(placement.receipts)
    }

    /// Appends batches of which none can be refused.
    pub(crate) fn append_all(&self, batches: [Batch; 2]) -> Result<()> {
        batches.into_iter().try_for_each(|batch| self.append_batch(batch).map(drop))
    }

    pub(crate) fn find(&self, log: Log, id: EventId) -> Result<AuditEvent> {
        let found = self.log(log).map(|state| read(&state).find(id)).transpose()?.flatten();
        found.ok_or_else(|| Error::not_found("event"))
    }

    pub(crate) fn head_of(&self, log: Log) -> Head {
        self.log(log).map(|state| read(&state).head).unwrap_or_default()
    }
}
