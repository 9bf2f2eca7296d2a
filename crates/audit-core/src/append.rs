//! The batch: what an append decides before anything is written. For those who write a store.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::limits::{self, BATCH_BYTES, BATCH_EVENTS};
use crate::stored::SALT_BYTES;
use crate::token::fill_random;
use crate::{
    AuditEvent, Error, ErrorKind, EventId, Frontier, LeafHash, Log, NewEvent, Node, PreparedEvent,
    Result, Sequence, StoredEvent, Timestamp, Violation, index::Term,
};

/// Where an appended event stands in its log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Receipt {
    /// The event's id.
    pub id: EventId,
    /// The event's number in its log.
    pub sequence: Sequence,
    /// When the store took it in.
    pub recorded_at: Timestamp,
    /// The hash of its record, a leaf of the log's tree: kept elsewhere, it proves later that this
    /// very record was in the log.
    pub leaf: LeafHash,
    /// Whether the log held the event already: the other fields are then those of the first time.
    pub redelivered: bool,
}

/// The end of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The number of the last event; zero in an empty log.
    pub size: Sequence,
    /// When the last event was taken in.
    pub recorded_at: Timestamp,
    /// The number of the last event that retention has removed; zero if it has removed none.
    pub pruned: Sequence,
}

impl Default for Head {
    /// The head of an empty log.
    fn default() -> Self {
        Self { size: Sequence::ZERO, recorded_at: Timestamp::MIN, pruned: Sequence::ZERO }
    }
}

/// The events of one append, checked and encoded.
#[derive(Clone, Debug)]
pub struct Batch {
    log: Log,
    size: usize,
    entries: Vec<Entry>,
}

#[derive(Clone, Debug)]
enum Entry {
    Event(Box<PreparedEvent>, Vec<Term>),
    /// The same event as the entry of this index.
    Repeat(usize),
}

/// A batch whose every event has its place.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Placement {
    /// One receipt for each event of the batch, in its order.
    pub receipts: Vec<Receipt>,
    /// The events to write, by sequence.
    pub new: Vec<PlacedEvent>,
    /// The nodes of the log's tree above the leaves that they complete, in the order of the events.
    pub nodes: Vec<Node>,
    /// The head of the log when they are written.
    pub head: Head,
    /// The edge of the log's tree then.
    pub frontier: Frontier,
}

/// An event to write.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PlacedEvent {
    /// The event's id.
    pub id: EventId,
    /// The event's number.
    pub sequence: Sequence,
    /// When the event occurred.
    pub occurred_at: Timestamp,
    /// The hash of the record, to be kept with it.
    pub leaf: LeafHash,
    /// What to store.
    pub stored: StoredEvent,
    /// The terms to index it under.
    pub terms: Vec<Term>,
}

impl Batch {
    /// Checks and encodes the events of one append. This is the costly part, and needs no lock.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`], with the field as `events[3].actor.id`, for an event that breaks a
    /// bound or by which [only a log itself tells](crate::Action::is_of_log), for more than
    /// [`BATCH_EVENTS`] events, or more than [`BATCH_BYTES`] bytes. [`ErrorKind::Conflict`] if two
    /// different events of the batch have one id.
    pub fn new(log: Log, events: Vec<NewEvent>) -> Result<Self> {
        if let Some(index) = events.iter().position(|event| event.action.is_of_log()) {
            let expected = "an action by which a log does not tell of itself";
            return Err(Error::malformed(format!("events[{index}].action"), expected));
        }
        Self::encode(log, events)
    }

    /// The same for an event by which the log [tells of itself](crate::Action::is_of_log), made by
    /// the store.
    pub fn of_log(log: Log, event: NewEvent) -> Result<Self> {
        Self::encode(log, vec![event])
    }

    fn encode(log: Log, events: Vec<NewEvent>) -> Result<Self> {
        limits::count("events", events.len(), BATCH_EVENTS)?;
        let mut size = 0;
        let mut entries: Vec<Entry> = Vec::with_capacity(events.len());
        let mut first: HashMap<EventId, usize> = HashMap::with_capacity(events.len());
        // All at once: each reading of random bytes asks the system.
        let mut salts = vec![[0; SALT_BYTES]; events.len()];
        fill_random(salts.as_flattened_mut())?;
        for ((index, content), salt) in events.into_iter().enumerate().zip(salts) {
            let earlier = *first.entry(content.id).or_insert(index);
            if earlier < index {
                match &entries[earlier] {
                    Entry::Event(event, _) if *event.content() == content => {
                        entries.push(Entry::Repeat(earlier));
                        continue;
                    }
                    _ => return Err(conflict(index)),
                }
            }
            let event = PreparedEvent::with_salt(content, salt)
                .map_err(|error| error.below(&format!("events[{index}]")))?;
            size += event.size();
            if size > BATCH_BYTES {
                let violation = Violation::TooLong { limit: BATCH_BYTES, actual: size };
                return Err(Error::invalid("events", violation));
            }
            let terms = Term::of(event.content());
            entries.push(Entry::Event(Box::new(event), terms));
        }
        Ok(Self { log, size, entries })
    }

    /// The log to which the events go.
    pub fn log(&self) -> Log {
        self.log
    }

    /// How many events there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// The most bytes that the events take as stored, at most
    /// [`BATCH_BYTES`].
    pub fn size(&self) -> usize {
        self.size
    }

    /// Whether there is no event.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Gives each event its place behind `head`, at the store's time `now`, and grows the log's
    /// tree from `frontier`, its edge at `head`. `find` looks an event up in the log by its id.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`], with the field as `events[3].id`, if an id is taken by different
    /// content. [`ErrorKind::Corrupt`] if `frontier` is not of the size of `head`. Whatever `find`
    /// returns.
    pub fn place(
        self,
        head: Head,
        mut frontier: Frontier,
        now: Timestamp,
        mut find: impl FnMut(EventId) -> Result<Option<StoredEvent>>,
    ) -> Result<Placement> {
        if frontier.size() != head.size.into() {
            return Err(Error::new(ErrorKind::Corrupt).with_context("reading the edge of a log"));
        }
        let recorded_at = now.max(head.recorded_at);
        let mut receipts: Vec<Receipt> = Vec::with_capacity(self.len());
        let (mut head, mut new) = (head, Vec::with_capacity(self.len()));
        let mut nodes = Vec::with_capacity(self.len());
        for (index, entry) in self.entries.into_iter().enumerate() {
            let (event, terms) = match entry {
                Entry::Event(event, terms) => (event, terms),
                Entry::Repeat(earlier) => {
                    receipts.push(Receipt { redelivered: true, ..receipts[earlier] });
                    continue;
                }
            };
            let id = event.content().id;
            if let Some(stored) = find(id)? {
                let first = stored.open()?;
                if !is_redelivery(&first, event.content()) {
                    return Err(conflict(index));
                }
                let AuditEvent { sequence, recorded_at, .. } = first;
                let leaf = LeafHash::of(&stored.record);
                receipts.push(Receipt { id, sequence, recorded_at, leaf, redelivered: true });
                continue;
            }
            let (sequence, occurred_at) = (head.size.next(), event.content().occurred_at);
            let stored = event.seal(self.log, sequence, recorded_at);
            let leaf = LeafHash::of(&stored.record);
            frontier.push(leaf, |node| nodes.push(node))?;
            head = Head { size: sequence, recorded_at, ..head };
            receipts.push(Receipt { id, sequence, recorded_at, leaf, redelivered: false });
            new.push(PlacedEvent { id, sequence, occurred_at, leaf, stored, terms });
        }
        Ok(Placement { receipts, new, nodes, head, frontier })
    }
}

fn conflict(index: usize) -> Error {
    Error::new(ErrorKind::Conflict).with_field(format!("events[{index}].id"))
}

/// Whether `content` is what was appended first. Of an event whose personal part is erased, only
/// the record is left to compare.
fn is_redelivery(first: &AuditEvent, content: &NewEvent) -> bool {
    if !first.erased {
        return first.has_content(content);
    }
    let mut content = content.clone();
    let actor = &mut content.actor;
    for field in [
        &mut actor.name,
        &mut actor.email,
        &mut actor.ip,
        &mut actor.user_agent,
        &mut actor.details,
    ] {
        *field = None;
    }
    for organization in
        [&mut content.organization, &mut content.actor.organization].into_iter().flatten()
    {
        organization.name = None;
    }
    for target in &mut content.targets {
        target.name = None;
    }
    first.has_content(&NewEvent {
        change: crate::Change::default(),
        message: crate::Message::default(),
        place: None,
        reason: None,
        metadata: crate::json::Object::new(),
        ..content
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Actor;

    fn event(action: &'static str) -> NewEvent {
        NewEvent::new(action, Actor::user("u").name("Ana")).message("hello")
    }

    fn place(events: Vec<NewEvent>, found: Option<&StoredEvent>) -> Result<Placement> {
        let size = Sequence::new(4)?;
        let head = Head { size, recorded_at: Timestamp::MAX, pruned: Sequence::ZERO };
        let mut frontier = Frontier::new();
        (0..4).try_for_each(|n| frontier.push(LeafHash::of(&[n]), |_| {}))?;
        let batch = Batch::new(Log::Platform, events)?;
        batch.place(head, frontier, Timestamp::now(), |_| Ok(found.cloned()))
    }

    #[test]
    fn numbers_are_dense_and_time_does_not_go_back() {
        let placement = place(vec![event("a"), event("b")], None).unwrap();
        let numbers: Vec<_> = placement.receipts.iter().map(|r| r.sequence.get()).collect();
        assert_eq!(numbers, [5, 6]);
        assert_eq!(placement.head.size.get(), 6);
        assert_eq!(placement.frontier.size().get(), 6);
        let nodes: Vec<_> = placement.nodes.iter().map(|n| (n.level, n.index)).collect();
        assert_eq!(nodes, [(1, 2)]);
        let leaves: Vec<_> = placement.new.iter().map(|e| LeafHash::of(&e.stored.record)).collect();
        assert!(placement.receipts.iter().map(|r| r.leaf).eq(leaves));
        assert!(placement.receipts.iter().all(|r| r.recorded_at == Timestamp::MAX));
    }

    #[test]
    fn the_same_event_twice_in_a_batch_is_one() {
        let first = event("a");
        let placement = place(vec![first.clone(), event("b"), first.clone()], None).unwrap();
        assert_eq!(placement.new.len(), 2);
        assert!(placement.receipts[2].redelivered);
        assert_eq!(placement.receipts[2].sequence, placement.receipts[0].sequence);
        let other = NewEvent { action: "c".into(), ..first.clone() };
        let error = place(vec![first, other], None).unwrap_err();
        assert_eq!((error.kind(), error.field()), (ErrorKind::Conflict, Some("events[1].id")));
    }

    #[test]
    fn an_erased_event_is_recognised_by_its_record() {
        let content = event("a");
        let prepared = PreparedEvent::new(content.clone()).unwrap();
        let sequence = Sequence::new(2).unwrap();
        let mut stored = prepared.seal(Log::Platform, sequence, Timestamp::now());
        stored.personal = None;
        let placement = place(vec![content.clone()], Some(&stored)).unwrap();
        assert_eq!(placement.receipts[0].sequence, sequence);
        assert_eq!(placement.receipts[0].leaf, LeafHash::of(&stored.record));
        assert!(place(vec![content.category("x")], Some(&stored)).is_err());
    }

    #[test]
    fn the_faulty_event_of_a_batch_is_named() {
        let error = place(vec![event("a"), event("")], None).unwrap_err();
        assert_eq!(error.field(), Some("events[1].action"));
        let error = place(vec![event("a"); BATCH_EVENTS + 1], None).unwrap_err();
        assert_eq!(error.field(), Some("events"));
    }
}
