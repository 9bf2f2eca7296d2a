//! One log.

use std::collections::{BTreeSet, HashMap, VecDeque};

use audit_core::backend::Term;
use audit_core::{
    Error, EventId, Head, Position, Receipt, Result, Retention, Sequence, Timestamp,
    backend::{Batch, SequencedEvent, StoredEvent},
    tree::{Frontier, Node, NodeHash, NodeId},
};

/// One log: its events, and the lists through which they are found.
#[derive(Debug, Default)]
pub(crate) struct LogState {
    pub(crate) head: Head,
    /// Those that are not pruned.
    pub(crate) events: VecDeque<StoredEvent>,
    pub(crate) ids: HashMap<EventId, Sequence>,
    pub(crate) lists: HashMap<Term, List>,
    pub(crate) frontier: Frontier,
    /// The nodes of the tree.
    pub(crate) nodes: HashMap<NodeId, NodeHash>,
    pub(crate) retention: Retention,
}

/// The events that have one term, in both orders.
#[derive(Debug, Default)]
pub(crate) struct List {
    pub(crate) by_time: BTreeSet<(Timestamp, Sequence)>,
    pub(crate) by_sequence: Vec<Position>,
}

impl LogState {
    /// Where among the events that of this number stands, or would stand.
    pub(crate) fn index_of(&self, sequence: Sequence) -> Option<usize> {
        let behind = sequence.get().checked_sub(self.head.pruned.get())?;
        usize::try_from(behind.checked_sub(1)?).ok()
    }

    /// The event of that number, which the log must hold.
    pub(crate) fn stored(&self, sequence: Sequence) -> Result<&StoredEvent> {
        let index = self.index_of(sequence);
        index.and_then(|index| self.events.get(index)).ok_or_else(|| Error::not_found("event"))
    }

    pub(crate) fn list(&self, term: &Term) -> Option<&List> {
        self.lists.get(term)
    }

    pub(crate) fn find_by_id(&self, id: EventId) -> Result<Option<&StoredEvent>> {
        self.ids.get(&id).map(|sequence| self.stored(*sequence)).transpose()
    }

    /// Appends the events of a batch.
    pub(crate) fn append(&mut self, batch: Batch) -> Result<Vec<Receipt>> {
        let frontier = self.frontier.clone();
        let find = |id| Ok(self.find_by_id(id)?.cloned());
        let sequenced = batch.sequence(self.head, frontier, Timestamp::now(), find)?;
        for event in sequenced.new {
            self.insert(event);
        }
        let above = sequenced.nodes.into_iter();
        self.nodes.extend(above.map(|Node { id, hash }| (id, hash)));
        (self.head, self.frontier) = (sequenced.head, sequenced.frontier);
        Ok(sequenced.receipts)
    }

    fn insert(&mut self, event: SequencedEvent) {
        let SequencedEvent { id, sequence, occurred_at, leaf, stored, terms, .. } = event;
        self.ids.insert(id, sequence);
        self.nodes.insert(NodeId::new(0, sequence.previous().get()), leaf.into());
        for term in terms {
            let list = self.lists.entry(term).or_default();
            list.by_time.insert((occurred_at, sequence));
            list.by_sequence.push(Position { occurred_at, sequence });
        }
        self.events.push_back(stored);
    }
}
