//! The sequenced batch: all decisions of an append, made before anything is written.

use std::collections::HashMap;

use super::batch::{BatchItem, conflict};
use super::{Batch, PreparedEvent, RecordedTime, Refusal, StoredEvent, Term};
use crate::tree::{Frontier, Node};
use crate::{Error, ErrorKind, EventId, Head, LeafHash, Receipt, Result, Sequence, Timestamp};

/// A batch whose events are numbered.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SequencedBatch<K = Term> {
    /// One receipt for each event of the batch that was not refused, in its order.
    pub receipts: Vec<Receipt>,
    /// The events to write, by sequence.
    pub new: Vec<SequencedEvent<K>>,
    /// The nodes of the log's tree above the leaves that they complete, in the order of the events.
    pub nodes: Vec<Node>,
    /// The head of the log when they are written.
    pub head: Head,
    /// The frontier of the log's tree then.
    pub frontier: Frontier,
    /// The events of a [staged](Batch::staged) batch that are refused, by their index, with the reason.
    pub refused: Vec<(usize, Refusal)>,
}

/// An event to write.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SequencedEvent<K = Term> {
    /// The event's id.
    pub id: EventId,
    /// The event's number.
    pub sequence: Sequence,
    /// When the event occurred.
    pub occurred_at: Timestamp,
    /// The hash of the record, to be kept with it.
    pub leaf: LeafHash,
    /// The event to store.
    pub stored: StoredEvent,
    /// The terms to index it under.
    pub terms: Vec<K>,
}

impl<K> Batch<K> {
    /// Numbers the events after `head`, records them at `time`, and appends them to the log's tree
    /// from `frontier`, its frontier at `head`. `find` looks an event up in the log by its id.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`], with the field as `events[3].id`, if an id belongs to
    /// different content. [`ErrorKind::Corrupt`] if `frontier` is not of the size of `head`. Whatever `find`
    /// returns.
    pub fn sequence(
        self,
        head: Head,
        mut frontier: Frontier,
        time: impl Into<RecordedTime>,
        mut find: impl FnMut(EventId) -> Result<Option<StoredEvent>>,
    ) -> Result<SequencedBatch<K>> {
        if frontier.size() != head.size {
            return Err(
                Error::new(ErrorKind::Corrupt).with_context("reading the frontier of a log")
            );
        }
        let time = time.into();
        let recorded_at = time.recorded_at.max(head.recorded_at);
        let time = RecordedTime { recorded_at, ..time };
        let mut receipts: Vec<Receipt> = Vec::with_capacity(self.len());
        let (mut head, mut new) = (head, Vec::<SequencedEvent<K>>::with_capacity(self.len()));
        let mut nodes = Vec::with_capacity(self.len());
        // The places of the new events of a staged batch. `encode` compared those of any other batch.
        let mut staged: HashMap<EventId, usize> = HashMap::new();
        let mut refused = Vec::new();
        for (index, item) in self.items.into_iter().enumerate() {
            let (event, terms) = match item {
                BatchItem::Event(event, terms) => (event, terms),
                BatchItem::Repeat(earlier) => {
                    receipts.push(Receipt { redelivered: true, ..receipts[earlier] });
                    continue;
                }
                BatchItem::Refused(refusal) => {
                    refused.push((index, refusal));
                    continue;
                }
            };
            let id = event.id();
            let first = match staged.get(&id) {
                Some(place) => Ok(Some(new[*place].stored.clone())),
                None => find(id),
            };
            match first.and_then(|stored| first_receipt(stored.as_ref(), &event)) {
                Ok(None) => {}
                Ok(Some(receipt)) => {
                    receipts.push(receipt);
                    continue;
                }
                // Nothing is known of a redelivery of a damaged event, but that of the others is.
                Err(error) if self.is_staged && is_of_event(&error) => {
                    refused.push((index, Refusal::new(Some(id), error.with_field("id"))));
                    continue;
                }
                Err(error) if error.kind() == ErrorKind::Conflict => return Err(conflict(index)),
                Err(error) => return Err(error),
            }
            let (sequence, occurred_at) = (head.size.next(), event.occurred_at());
            let stored = event.into_stored(self.log, sequence, time);
            let leaf = LeafHash::of(&stored.record);
            frontier.push(leaf, |node| nodes.push(node))?;
            head = Head { size: sequence, recorded_at, ..head };
            let receipt = Receipt { id, sequence, recorded_at, leaf, redelivered: false };
            if self.is_staged {
                staged.insert(id, new.len());
            }
            receipts.push(receipt);
            new.push(SequencedEvent { id, sequence, occurred_at, leaf, stored, terms });
        }
        Ok(SequencedBatch { receipts, new, nodes, head, frontier, refused })
    }
}

/// Returns whether one event alone is the reason of an error.
fn is_of_event(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Conflict | ErrorKind::Corrupt)
}

/// Returns the receipt of the event that the log holds under the id of `event`, if it holds one.
///
/// # Errors
/// [`ErrorKind::Conflict`] if it has other content.
fn first_receipt(stored: Option<&StoredEvent>, event: &PreparedEvent) -> Result<Option<Receipt>> {
    let Some(stored) = stored else { return Ok(None) };
    if !event.is_delivery_of(stored)? {
        return Err(Error::new(ErrorKind::Conflict));
    }
    let (sequence, recorded_at) = stored.recorded()?;
    let leaf = LeafHash::of(&stored.record);
    Ok(Some(Receipt { id: event.id(), sequence, recorded_at, leaf, redelivered: true }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::StagedRow;
    use crate::limits::MAX_BATCH_EVENTS;
    use crate::{Actor, Log, NewEvent, Staged};

    fn event(action: &'static str) -> NewEvent {
        NewEvent::new(action, Actor::user("u").name("Ana")).message("hello")
    }

    fn sequenced(events: Vec<NewEvent>, found: Option<&StoredEvent>) -> Result<SequencedBatch> {
        let size = Sequence::new(4)?;
        let head = Head { size, recorded_at: Timestamp::MAX, pruned: Sequence::ZERO };
        let mut frontier = Frontier::new();
        (0..4).try_for_each(|n| frontier.push(LeafHash::of(&[n]), |_| {}))?;
        let batch = Batch::new(Log::Platform, events)?;
        batch.sequence(head, frontier, Timestamp::now(), |_| Ok(found.cloned()))
    }

    #[test]
    fn numbers_are_dense_and_time_does_not_go_back() {
        let batch = sequenced(vec![event("a"), event("b")], None).unwrap();
        let numbers: Vec<_> = batch.receipts.iter().map(|r| r.sequence.get()).collect();
        assert_eq!(numbers, [5, 6]);
        assert_eq!(batch.head.size.get(), 6);
        assert_eq!(batch.frontier.size().get(), 6);
        let nodes: Vec<_> = batch.nodes.iter().map(|n| (n.id.level, n.id.index)).collect();
        assert_eq!(nodes, [(1, 2)]);
        let leaves: Vec<_> = batch.new.iter().map(|e| LeafHash::of(&e.stored.record)).collect();
        assert!(batch.receipts.iter().map(|r| r.leaf).eq(leaves));
        assert!(batch.receipts.iter().all(|r| r.recorded_at == Timestamp::MAX));
    }

    #[test]
    fn the_same_event_twice_in_a_batch_is_one() {
        let first = event("a");
        let batch = sequenced(vec![first.clone(), event("b"), first.clone()], None).unwrap();
        assert_eq!(batch.new.len(), 2);
        assert!(batch.receipts[2].redelivered);
        assert_eq!(batch.receipts[2].sequence, batch.receipts[0].sequence);
        let other = NewEvent { action: "c".into(), ..first.clone() };
        let error = sequenced(vec![first, other], None).unwrap_err();
        assert_eq!((error.kind(), error.field()), (ErrorKind::Conflict, Some("events[1].id")));
    }

    #[test]
    fn an_event_without_a_time_is_recognised_and_keeps_its_time() {
        let (content, early) = (event("a"), Timestamp::from_nanos(7));
        let timed = content.clone().occurred_at(early);
        let sequence = Sequence::new(2).unwrap();
        let prepared = PreparedEvent::new(&timed).unwrap();
        let mut stored = prepared.into_stored(Log::Platform, sequence, Timestamp::now());
        for _ in 0..2 {
            for again in [&content, &timed] {
                let batch = sequenced(vec![again.clone()], Some(&stored)).unwrap();
                assert_eq!(batch.receipts[0].sequence, sequence);
            }
            let other = content.clone().occurred_at(Timestamp::from_nanos(8));
            assert!(sequenced(vec![other], Some(&stored)).is_err());
            stored.personal = None;
        }
        let batch = sequenced(vec![timed.clone(), content.clone()], None).unwrap();
        assert!(batch.receipts[1].redelivered);
        assert!(sequenced(vec![content, timed], None).is_err());
    }

    #[test]
    fn an_erased_event_is_recognised_by_its_record() {
        let content = event("a");
        let prepared = PreparedEvent::new(&content).unwrap();
        let sequence = Sequence::new(2).unwrap();
        let mut stored = prepared.into_stored(Log::Platform, sequence, Timestamp::now());
        stored.personal = None;
        let batch = sequenced(vec![content.clone()], Some(&stored)).unwrap();
        assert_eq!(batch.receipts[0].sequence, sequence);
        assert_eq!(batch.receipts[0].leaf, LeafHash::of(&stored.record));
        assert!(sequenced(vec![content.category("x")], Some(&stored)).is_err());
    }

    #[test]
    fn a_redelivery_is_recognised_by_its_bytes_or_its_content() {
        let time = Timestamp::from_nanos(7);
        let content = event("a").occurred_at(time).metadata("zero", serde_json::json!(-0.0));
        let sequence = Sequence::new(2).unwrap();
        let prepared = PreparedEvent::new(&content).unwrap();
        let stored = prepared.into_stored(Log::Platform, sequence, Timestamp::now());
        // Other bytes, but no other content: a spelling that an earlier version wrote, another credential.
        let mut spelled = stored.clone();
        let personal = String::from_utf8(spelled.personal.unwrap().bytes).unwrap();
        let personal = personal.replacen('{', "{ ", 1).into_bytes();
        spelled.personal = Some(crate::backend::PersonalData::new([0; 16], personal));
        let mut submitted = content.clone();
        submitted.submitted_by = Some("key_2".to_owned());
        let zero = content.clone().metadata("zero", serde_json::json!(0.0));
        for (again, first) in
            [(&content, &stored), (&content, &spelled), (&submitted, &stored), (&zero, &stored)]
        {
            let batch = sequenced(vec![again.clone()], Some(first)).unwrap();
            assert!(batch.new.is_empty());
            let receipt = batch.receipts[0];
            assert_eq!((receipt.sequence, receipt.redelivered), (sequence, true));
            assert_eq!(receipt.leaf, LeafHash::of(&first.record));
        }
        for other in [
            content.clone().message("bye"),
            content.clone().category("x"),
            content.clone().occurred_at(Timestamp::from_nanos(8)),
            NewEvent { actor: Actor::user("u").name("Bo"), ..content },
        ] {
            let error = sequenced(vec![other], Some(&stored)).unwrap_err();
            assert_eq!((error.kind(), error.field()), (ErrorKind::Conflict, Some("events[0].id")));
        }
    }

    #[test]
    fn a_record_whose_begin_is_damaged_gives_no_receipt() {
        let content = event("a").occurred_at(Timestamp::from_nanos(7));
        let prepared = PreparedEvent::new(&content).unwrap();
        let mut stored = prepared.into_stored(Log::Platform, Sequence::MAX, Timestamp::now());
        let record = String::from_utf8(stored.record).unwrap();
        for (from, to, kind) in [
            ("\"v\":1", "\"v\":2", ErrorKind::Incompatible),
            ("\"sequence\":", "\"sequence\":x", ErrorKind::Corrupt),
            ("\"recordedAt\"", "\"recordedat\"", ErrorKind::Corrupt),
        ] {
            stored.record = record.replacen(from, to, 1).into_bytes();
            let error = sequenced(vec![content.clone()], Some(&stored)).unwrap_err();
            assert_eq!(error.kind(), kind, "{from}");
        }
    }

    #[test]
    fn a_staged_row_at_fault_is_refused_alone() {
        let (first, second) = (event("a"), event("b"));
        let other = NewEvent { action: "c".into(), ..first.clone() };
        let bodies = [&first, &other, &first, &second].map(|event| {
            let staged = Staged::new(Log::Platform, vec![event.clone()]).unwrap();
            let row = staged.rows().map(|(id, body)| StagedRow::new(id.as_bytes(), body)).next();
            row.unwrap()
        });
        let [a, c, again, b] = bodies;
        let broken = StagedRow::new([0; 16], "{");
        let sequenced = |rows: &[StagedRow], found: Option<&StoredEvent>| {
            let batch = Batch::staged(Log::Platform, rows, Term::of).unwrap();
            let find = |id| Ok(found.filter(|_| id == first.id).cloned());
            batch.sequence(Head::default(), Frontier::new(), Timestamp::now(), find).unwrap()
        };
        let faults = |batch: &SequencedBatch| -> Vec<_> {
            let is_conflict = |refusal: &Refusal| refusal.reason.contains("different content");
            batch.refused.iter().map(|(index, refusal)| (*index, is_conflict(refusal))).collect()
        };
        let rows = [a.clone(), c.clone(), broken, again.clone(), b];
        let batch = sequenced(&rows, None);
        assert_eq!(faults(&batch), [(1, true), (2, false)]);
        let numbers: Vec<_> =
            batch.receipts.iter().map(|r| (r.sequence.get(), r.redelivered)).collect();
        assert_eq!(numbers, [(1, false), (1, true), (2, false)]);
        // What the log holds decides, not what comes first.
        let stored = &batch.new[0].stored;
        let batch = sequenced(&[c, a, again], Some(stored));
        assert_eq!(faults(&batch), [(0, true)]);
        assert!(batch.new.is_empty() && batch.receipts.iter().all(|r| r.redelivered));
    }

    #[test]
    fn the_faulty_event_of_a_batch_is_named() {
        let error = sequenced(vec![event("a"), event("")], None).unwrap_err();
        assert_eq!(error.field(), Some("events[1].action"));
        let error = sequenced(vec![event("a"); MAX_BATCH_EVENTS + 1], None).unwrap_err();
        assert_eq!(error.field(), Some("events"));
    }
}
