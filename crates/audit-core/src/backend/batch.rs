//! The batch: the events of an append, checked and encoded.

use std::borrow::Borrow;
use std::collections::HashMap;

use super::parts::Writer;
use super::stored::SALT_BYTES;
use super::{PreparedEvent, Refusal, StagedRow, Term};
use crate::limits::{self, MAX_BATCH_BYTES, MAX_BATCH_EVENTS};
use crate::random::fill_random;
use crate::{Error, ErrorKind, EventId, Log, NewEvent, Result, Timestamp, Violation};

/// The events of one append, checked and encoded. `K` is what the store keeps of a term.
#[derive(Clone, Debug)]
pub struct Batch<K = Term> {
    pub(super) log: Log,
    size: usize,
    pub(super) items: Vec<BatchItem<K>>,
    /// Whether an event at fault fails alone.
    pub(super) is_staged: bool,
}

#[derive(Clone, Debug)]
pub(super) enum BatchItem<K> {
    Event(PreparedEvent, Vec<K>),
    /// The same event as the item of this index.
    Repeat(usize),
    /// Of a staged batch only.
    Refused(Refusal),
}

impl Batch {
    /// Checks and encodes the events of one append. Most of the cost is here, and needs no lock.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`], with the field as `events[3].actor.id`, if an event exceeds a limit or
    /// has a [reserved action](crate::Action::is_reserved), or if there are more than
    /// [`MAX_BATCH_EVENTS`] events or [`MAX_BATCH_BYTES`] bytes. [`ErrorKind::Conflict`] if two
    /// different events of the batch have one id.
    pub fn new(log: Log, events: Vec<NewEvent>) -> Result<Self> {
        Self::indexed(log, events, Term::of)
    }

    /// Does the same for the event of a change that the store makes. It may have a [reserved
    /// action](crate::Action::is_reserved), and is [marked](crate::AuditEvent::by_store).
    pub fn reserved(log: Log, event: NewEvent) -> Result<Self> {
        Self::encode(log, std::iter::once(event), Writer::Store, Term::of)
    }

    /// Replaces the terms of each event by what the store keeps of them. Needs no lock either.
    #[must_use]
    pub fn map_terms<K>(self, mut map: impl FnMut(&[Term]) -> Vec<K>) -> Batch<K> {
        let Self { log, size, items, is_staged } = self;
        let item = |item| match item {
            BatchItem::Event(event, terms) => BatchItem::Event(event, map(&terms)),
            BatchItem::Repeat(earlier) => BatchItem::Repeat(earlier),
            BatchItem::Refused(refusal) => BatchItem::Refused(refusal),
        };
        Batch { log, size, items: items.into_iter().map(item).collect(), is_staged }
    }
}

impl Batch<()> {
    /// Checks the events of one append as [`Batch::new`] does. Returns, for each, whether it is the first of
    /// its id.
    ///
    /// # Errors
    /// As [`Batch::new`].
    pub(crate) fn check(log: Log, events: &[NewEvent]) -> Result<Vec<bool>> {
        check_actions(events)?;
        let batch = Self::encode(log, events.iter(), Writer::Caller, |_| Vec::new())?;
        Ok(batch.items.iter().map(|item| matches!(item, BatchItem::Event(..))).collect())
    }
}

impl<K> Batch<K> {
    /// Checks and encodes the events of one append as [`Batch::new`] does, with `terms` of each event
    /// in place of its terms.
    ///
    /// # Errors
    /// As [`Batch::new`].
    pub fn indexed(
        log: Log,
        events: Vec<NewEvent>,
        terms: impl FnMut(&NewEvent) -> Vec<K>,
    ) -> Result<Self> {
        check_actions(&events)?;
        Self::encode(log, events.into_iter(), Writer::Caller, terms)
    }

    /// Checks and encodes rows that callers have staged, with `terms` of each event. A row at fault fails
    /// alone: it is [refused](super::SequencedBatch::refused). A store gives at most [`MAX_BATCH_EVENTS`] rows.
    pub fn staged(
        log: Log,
        rows: &[StagedRow],
        mut terms: impl FnMut(&NewEvent) -> Vec<K>,
    ) -> Result<Self> {
        let now = Timestamp::now();
        let mut salts = vec![[0; SALT_BYTES]; rows.len()];
        fill_random(salts.as_flattened_mut())?;
        let mut size = 0;
        let mut item = |(row, salt): (&StagedRow, _)| {
            let prepared = row.decode().and_then(|(content, staged_at)| {
                let time = staged_at.unwrap_or(now);
                let event = PreparedEvent::with_salt(&content, Writer::Caller, time, salt)
                    .map_err(|error| error.below("body.event"))?;
                Ok((event, terms(&content)))
            });
            match prepared {
                Ok((event, terms)) => {
                    size += event.size();
                    BatchItem::Event(event, terms)
                }
                Err(error) => BatchItem::Refused(Refusal::new(row.id(), error)),
            }
        };
        let items = rows.iter().zip(salts).map(&mut item).collect();
        Ok(Self { log, size, items, is_staged: true })
    }

    /// Frees each event once it is encoded, on the caller's thread: that takes about as long as to write it.
    fn encode<E: Borrow<NewEvent>>(
        log: Log,
        events: impl ExactSizeIterator<Item = E>,
        writer: Writer,
        mut terms: impl FnMut(&NewEvent) -> Vec<K>,
    ) -> Result<Self> {
        limits::count("events", events.len(), MAX_BATCH_EVENTS)?;
        let mut size = 0;
        let mut items: Vec<BatchItem<K>> = Vec::with_capacity(events.len());
        let mut first: HashMap<EventId, usize> = HashMap::with_capacity(events.len());
        // All at once: each reading of random bytes asks the system.
        let now = Timestamp::now();
        let mut salts = vec![[0; SALT_BYTES]; events.len()];
        fill_random(salts.as_flattened_mut())?;
        for ((index, content), salt) in events.enumerate().zip(salts) {
            let content = content.borrow();
            let earlier = *first.entry(content.id).or_insert(index);
            if earlier < index {
                match &items[earlier] {
                    BatchItem::Event(event, _) if event.is_repeated_by(content)? => {
                        items.push(BatchItem::Repeat(earlier));
                        continue;
                    }
                    _ => return Err(conflict(index)),
                }
            }
            let event = PreparedEvent::with_salt(content, writer, now, salt)
                .map_err(|error| error.below(&format!("events[{index}]")))?;
            size += event.size();
            if size > MAX_BATCH_BYTES {
                let violation = Violation::TooLong { limit: MAX_BATCH_BYTES, actual: size };
                return Err(Error::invalid("events", violation));
            }
            items.push(BatchItem::Event(event, terms(content)));
        }
        Ok(Self { log, size, items, is_staged: false })
    }

    /// Returns the log to which the events are appended.
    pub fn log(&self) -> Log {
        self.log
    }

    /// Returns the number of events.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Returns the most bytes that the events take as stored, at most
    /// [`MAX_BATCH_BYTES`].
    pub fn size(&self) -> usize {
        self.size
    }

    /// Returns the ids of the events, each once: those that [`sequence`](Self::sequence) looks up.
    pub fn ids(&self) -> impl Iterator<Item = EventId> {
        self.items.iter().filter_map(|item| match item {
            BatchItem::Event(event, _) => Some(event.id()),
            BatchItem::Repeat(_) | BatchItem::Refused(_) => None,
        })
    }

    /// Returns whether there are no events.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }
}

fn check_actions(events: &[NewEvent]) -> Result<()> {
    let Some(index) = events.iter().position(|event| event.action.is_reserved()) else {
        return Ok(());
    };
    let expected = "an action that is not reserved for the store";
    Err(Error::malformed(format!("events[{index}].action"), expected))
}

/// Returns the error of an event whose id has other content.
pub(super) fn conflict(index: usize) -> Error {
    Error::new(ErrorKind::Conflict).with_field(format!("events[{index}].id"))
}
