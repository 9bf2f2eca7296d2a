//! The state of one log.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::atomic::{AtomicI64, Ordering};

use audit_core::backend::{Batch, RecordedTime, SequencedEvent, StoredEvent, Term};
use audit_core::tree::{Frontier, Node, NodeHash, NodeId};
use audit_core::{Error, EventId, Head, Position, Receipt, Result, Retention, Sequence, Timestamp};

/// The state of one log: its events, the postings of their terms, and its tree.
#[derive(Clone, Debug, Default)]
pub(crate) struct LogState {
    pub(crate) head: Head,
    /// The events that are not pruned, by sequence.
    pub(crate) events: VecDeque<StoredEvent>,
    pub(crate) ids: HashMap<EventId, Sequence>,
    pub(crate) postings: HashMap<Term, Postings>,
    pub(crate) frontier: Frontier,
    /// The nodes of the tree.
    pub(crate) nodes: HashMap<NodeId, NodeHash>,
    pub(crate) retention: Retention,
}

/// The events that have one term, in both orders.
#[derive(Clone, Debug, Default)]
pub(crate) struct Postings {
    pub(crate) by_time: BTreeSet<(Timestamp, Sequence)>,
    pub(crate) by_sequence: Vec<Position>,
}

/// The last time that any log of the store recorded, in nanoseconds; at first the least.
#[derive(Debug)]
pub(crate) struct Latest(AtomicI64);

impl Default for Latest {
    fn default() -> Self {
        Self(AtomicI64::new(i64::MIN))
    }
}

impl Latest {
    /// Returns the time; `None` if nothing was recorded.
    pub(crate) fn get(&self) -> Option<Timestamp> {
        Some(self.0.load(Ordering::Relaxed))
            .filter(|time| *time > i64::MIN)
            .map(Timestamp::from_nanos)
    }

    pub(crate) fn raise(&self, time: Timestamp) {
        self.0.fetch_max(time.as_nanos(), Ordering::Relaxed);
    }
}

impl LogState {
    /// Returns the index of an event in `events`, or the one that it would have; `None` if it was
    /// pruned.
    pub(crate) fn index_of(&self, sequence: Sequence) -> Option<usize> {
        let first = self.head.pruned.next();
        usize::try_from(sequence.get().checked_sub(first.get())?).ok()
    }

    /// Returns the event with this sequence.
    ///
    /// # Errors
    /// [`NotFound`](audit_core::ErrorKind::NotFound) if the log does not hold it.
    pub(crate) fn stored(&self, sequence: Sequence) -> Result<&StoredEvent> {
        let index = self.index_of(sequence);
        index.and_then(|index| self.events.get(index)).ok_or_else(|| Error::not_found("event"))
    }

    pub(crate) fn find_by_id(&self, id: EventId) -> Result<Option<&StoredEvent>> {
        self.ids.get(&id).map(|sequence| self.stored(*sequence)).transpose()
    }

    /// Appends the events of a batch. `latest` is the last time recorded in any log of the store.
    pub(crate) fn append(&mut self, batch: Batch, latest: &Latest) -> Result<Vec<Receipt>> {
        let frontier = self.frontier.clone();
        let find = |id| Ok(self.find_by_id(id)?.cloned());
        let time = RecordedTime::after(self.head, Timestamp::now(), || Ok(latest.get()))?;
        let sequenced = batch.sequence(self.head, frontier, time, find)?;
        latest.raise(sequenced.head.recorded_at);
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
            let postings = self.postings.entry(term).or_default();
            postings.by_time.insert((occurred_at, sequence));
            postings.by_sequence.push(Position { occurred_at, sequence });
        }
        self.events.push_back(stored);
    }
}
