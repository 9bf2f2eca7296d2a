//! Records that are mapped and wait to be appended.

use std::collections::HashMap;
use std::rc::Rc;

use audit_core::{Error, EventId, NewEvent, Timestamp};
use audit_import::Mapped;

use super::source::matches;
use super::tally::Tally;

/// The highest number of events in one append. Their ids are digests, at random places of the index of ids:
/// the more are appended at once, the fewer pages of it are written.
const BATCH: usize = 1_000;
/// The size of the texts for one append, in bytes, so that a batch of large records stays small.
const MAX_BATCH_BYTES: usize = 1 << 20;

/// A record that was refused.
#[derive(Debug)]
pub(crate) struct Refusal<'t> {
    /// The number of the line on which its text begins, from 1.
    pub(crate) line: u64,
    /// The number of the record in a text that holds several, from 1.
    pub(crate) part: Option<usize>,
    /// The text; `None` if it is too long, or the record was refused for another one of it.
    pub(crate) text: Option<&'t [u8]>,
    pub(crate) error: Error,
}

/// Called with each record that is refused.
pub(crate) type Refuse<'a> = &'a dyn Fn(Refusal<'_>);

/// Where a record is in its file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) line: u64,
    pub(crate) part: Option<usize>,
}

/// Records for one append.
#[derive(Default)]
pub(crate) struct Pending {
    pub(crate) events: Vec<NewEvent>,
    /// One for each event.
    pub(crate) waiting: Vec<Waiting>,
    /// The time of a record without one.
    pub(crate) received: Option<Timestamp>,
    indexes: HashMap<EventId, usize>,
    pub(crate) bytes: usize,
}

/// A record whose event is to be appended. The event is made of its text again where the append does not
/// succeed as a whole.
pub(crate) struct Waiting {
    pub(crate) place: Place,
    pub(crate) text: Rc<Vec<u8>>,
    /// The number of the record in its text, from 0.
    pub(crate) number: usize,
    /// The places of its repetitions.
    repeats: Vec<Place>,
}

/// The result for one record.
pub(crate) enum Disposition {
    Recorded,
    Redelivered,
    Refused(Error),
}

impl Pending {
    pub(crate) fn new(received: Option<Timestamp>) -> Self {
        Self { received, ..Self::default() }
    }

    /// Adds a record, unless it repeats one.
    pub(crate) fn add(&mut self, record: Mapped, place: Place, text: &Rc<Vec<u8>>, number: usize) {
        let id = record.event.id;
        if let Some(index) = self.indexes.get(&id) {
            if matches(&record, &self.events[*index]) {
                self.waiting[*index].repeats.push(place);
                return;
            }
            // Which of them the log has, if any, shows when they are appended.
        } else {
            self.indexes.insert(id, self.events.len());
        }
        self.events.push(record.event);
        self.waiting.push(Waiting { place, text: Rc::clone(text), number, repeats: Vec::new() });
    }

    pub(crate) fn is_full(&self) -> bool {
        self.events.len() >= BATCH || self.bytes >= MAX_BATCH_BYTES
    }
}

impl Waiting {
    /// Counts the record and its repetitions, which have the same result, but that only one is recorded.
    pub(crate) fn count(self, disposition: &Disposition, tally: &mut Tally, refuse: Refuse<'_>) {
        let Self { place, repeats, text, .. } = self;
        let others = repeats.len() as u64;
        match disposition {
            Disposition::Recorded => {
                tally.recorded += 1;
                tally.redelivered += others;
            }
            Disposition::Redelivered => tally.redelivered += 1 + others,
            Disposition::Refused(error) => {
                let mut text = place.part.is_none().then_some(text.as_slice());
                for Place { line, part } in std::iter::once(place).chain(repeats) {
                    tally.refuse(error);
                    refuse(Refusal { line, part, text: text.take(), error: restated(error) });
                }
            }
        }
    }
}

/// Returns an error of the same kind, field and violation.
fn restated(error: &Error) -> Error {
    let field = error.field().unwrap_or_default().to_owned();
    match error.violation() {
        Some(violation) => Error::invalid(field, violation.clone()),
        None => Error::new(error.kind()).with_field(field),
    }
}
