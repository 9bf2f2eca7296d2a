//! The import of a file: reads and maps its records, and appends them in batches.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::pin::Pin;

use audit_core::{Error, ErrorKind, EventId, Log, NewEvent, Result, Timestamp, Violation, limits};
use audit_import::{Mapped, Mapping, Text};
use indicatif::ProgressBar;
use tokio::sync::mpsc;

use super::input::{Input, unreadable};
use super::source::{Source, matches};
use super::tally::Tally;
use super::verify::Expected;
use crate::error::CliError;
use crate::signals::Signal;
use crate::store::Store;

/// The highest number of events in one append.
const BATCH: usize = 500;
/// The size of the texts for one append, in bytes, so that a batch of large records stays small.
const MAX_BATCH_BYTES: usize = 8 << 20;
/// The highest size of a text, in bytes. An event has at most [`limits::MAX_EVENT_BYTES`], but its
/// JSON can be longer, because an escape takes six bytes for one.
pub(crate) const TEXT_BYTES: usize = 8 * limits::MAX_EVENT_BYTES;
/// The texts that are searched for a mark of the format, before anything is recorded.
const PROBED_TEXTS: usize = 100;
/// The most bytes of these.
const PROBED_BYTES: usize = 4 << 20;

/// Imports files into one log.
pub(crate) struct Importer<'a> {
    store: &'a dyn Store,
    log: Log,
    source: Source,
    /// Which time a record without one gets; `None` if it is refused.
    pub(crate) received: Option<Received>,
    /// The events of the files that the log must have; `None` if they are not verified.
    pub(crate) expected: Option<Expected>,
}

/// The time of receipt.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Received {
    At(Timestamp),
    /// The time of the last change of the record's file; now, of the standard input.
    Modified,
}

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
struct Place {
    line: u64,
    part: Option<usize>,
}

/// Records that are mapped and not yet appended.
#[derive(Default)]
struct Pending {
    waiting: Vec<Waiting>,
    indexes: HashMap<EventId, usize>,
    bytes: usize,
}

struct Waiting {
    place: Place,
    record: Mapped,
    text: Vec<u8>,
    /// The places of its repetitions.
    repeats: Vec<Place>,
}

/// The result for one record.
enum Disposition {
    Recorded,
    Redelivered,
    Refused(Error),
}

impl<'a> Importer<'a> {
    pub(crate) fn new(store: &'a dyn Store, log: Log, source: Source) -> Self {
        Self { store, log, source, received: None, expected: None }
    }

    /// Imports a file, and counts its records in `tally`. Returns the signal if `stop` ends the import;
    /// the records that were read before are in the log then, and counted. Fails if the file cannot be
    /// read or the store fails. Events that were appended before stay, and a second run appends the
    /// rest.
    ///
    /// If the first records are of another system, all of the file is refused, before anything is
    /// recorded.
    pub(crate) async fn file(
        &mut self,
        input: Input,
        bar: &ProgressBar,
        refuse: Refuse<'_>,
        tally: &mut Tally,
        mut stop: Pin<&mut impl Future<Output = Signal>>,
    ) -> Result<Option<Signal>, CliError> {
        let received = self.received.map(|received| match received {
            Received::At(time) => time,
            Received::Modified => input.written_at.unwrap_or_else(Timestamp::now),
        });
        let name = input.name.clone();
        let mut texts = input.texts(TEXT_BYTES);
        let mut probed = tokio::select! {
            biased;
            signal = &mut stop => return Ok(Some(signal)),
            probed = self.probe(&mut texts) => probed.map_err(|error| unreadable(&name, error))?,
        };
        if let Some(mapping) = probed.foreign {
            refuse_all(mapping, &probed.texts, tally, refuse);
            return Ok(None);
        }
        let mut pending = Pending::default();
        let signal = loop {
            let text = if let Some(text) = probed.texts.pop_front() {
                Some(Ok(text))
            } else {
                tokio::select! {
                    biased;
                    signal = &mut stop => break Some(signal),
                    text = texts.recv() => text,
                }
            };
            let Some(text) = text else { break None };
            let text = text.map_err(|error| unreadable(&name, error))?;
            bar.inc(text.length as u64 + 1);
            self.take(text, received, &mut pending, tally, refuse);
            if pending.waiting.len() >= BATCH || pending.bytes >= MAX_BATCH_BYTES {
                self.flush(std::mem::take(&mut pending), tally, refuse).await?;
            }
        };
        self.flush(pending, tally, refuse).await?;
        Ok(signal)
    }

    /// Reads the first texts, up to one of the format.
    async fn probe(&self, texts: &mut mpsc::Receiver<io::Result<Text>>) -> io::Result<Probed> {
        let mut probed = Probed::default();
        let Source::Foreign(mapping) = self.source else { return Ok(probed) };
        let (mut bytes, mut is_foreign) = (0, false);
        while probed.texts.len() < PROBED_TEXTS && bytes < PROBED_BYTES {
            let Some(text) = texts.recv().await.transpose()? else { break };
            // What is no JSON shows nothing.
            let recognized = text.bytes.as_deref().map(|bytes| mapping.recognizes(bytes));
            bytes += text.bytes.as_ref().map_or(0, Vec::len);
            probed.texts.push_back(text);
            match recognized {
                Some(Ok(true)) => return Ok(probed),
                Some(Ok(false)) => is_foreign = true,
                _ => {}
            }
        }
        probed.foreign = is_foreign.then_some(mapping);
        Ok(probed)
    }

    /// Maps the records of a text and queues them for the next append.
    fn take(
        &self,
        text: Text,
        received: Option<Timestamp>,
        pending: &mut Pending,
        tally: &mut Tally,
        refuse: Refuse<'_>,
    ) {
        let line = text.line;
        let Some(bytes) = text.bytes else {
            tally.read += 1;
            let violation = Violation::TooLong { limit: TEXT_BYTES, actual: text.length };
            let error = Error::invalid("record", violation);
            tally.refuse(&error);
            refuse(Refusal { line, part: None, text: None, error });
            return;
        };
        pending.bytes += bytes.len();
        let records = self.source.read(&bytes, received);
        let is_one = records.len() == 1;
        let mut unwritten = Some(&*bytes);
        for (number, record) in records.into_iter().enumerate() {
            tally.read += 1;
            let place = Place { line, part: (!is_one).then_some(number + 1) };
            let record = match record {
                Ok(record) => record,
                Err(error) => {
                    tally.refuse(&error);
                    let text = unwritten.take();
                    refuse(Refusal { line, part: place.part, text, error });
                    continue;
                }
            };
            tally.note(&record);
            let id = record.event.id;
            if let Some(index) = pending.indexes.get(&id) {
                let first = &mut pending.waiting[*index];
                if matches(&record, &first.record.event) {
                    first.repeats.push(place);
                    continue;
                }
                // Which of them the log has, if any, shows when they are appended.
            } else {
                pending.indexes.insert(id, pending.waiting.len());
            }
            let text = if is_one { bytes.clone() } else { Vec::new() };
            pending.waiting.push(Waiting { place, record, text, repeats: Vec::new() });
        }
    }

    async fn recorded(&self, id: EventId) -> Result<Option<NewEvent>> {
        match self.store.get(self.log, id).await {
            Ok(event) => Ok(Some(event.into_content())),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Compares a record with `recorded`, the event that the log has under its id.
    fn compare(&mut self, record: &Mapped, recorded: &NewEvent) -> Disposition {
        if !matches(record, recorded) {
            return Disposition::Refused(conflict());
        }
        self.expect(recorded);
        Disposition::Redelivered
    }

    fn expect(&mut self, event: &NewEvent) {
        if let Some(expected) = &mut self.expected {
            expected.insert(event);
        }
    }

    /// Appends what is pending, with one call where no record is in the log with another envelope.
    async fn flush(
        &mut self,
        pending: Pending,
        tally: &mut Tally,
        refuse: Refuse<'_>,
    ) -> Result<()> {
        let Some(waiting) = self.append(pending.waiting, tally, refuse).await? else {
            return Ok(());
        };
        let mut unknown = Vec::new();
        for waiting in waiting {
            match self.recorded(waiting.record.event.id).await? {
                Some(recorded) => {
                    let disposition = self.compare(&waiting.record, &recorded);
                    waiting.count(&disposition, tally, refuse);
                }
                None => unknown.push(waiting),
            }
        }
        let Some(waiting) = self.append(unknown, tally, refuse).await? else { return Ok(()) };
        for waiting in waiting {
            let disposition = self.append_one(&waiting.record).await?;
            waiting.count(&disposition, tally, refuse);
        }
        Ok(())
    }

    /// Appends all of the records or none. Returns them if one is not accepted, is too large, or is in the
    /// log with other content.
    async fn append(
        &mut self,
        waiting: Vec<Waiting>,
        tally: &mut Tally,
        refuse: Refuse<'_>,
    ) -> Result<Option<Vec<Waiting>>> {
        if waiting.is_empty() {
            return Ok(None);
        }
        let events = waiting.iter().map(|waiting| waiting.record.event.clone()).collect();
        match self.store.append(self.log, events).await {
            Ok(receipts) => {
                for (waiting, receipt) in waiting.into_iter().zip(receipts) {
                    self.expect(&waiting.record.event);
                    let disposition = if receipt.redelivered {
                        Disposition::Redelivered
                    } else {
                        Disposition::Recorded
                    };
                    waiting.count(&disposition, tally, refuse);
                }
                Ok(None)
            }
            Err(error) if matches!(error.kind(), ErrorKind::Invalid | ErrorKind::Conflict) => {
                Ok(Some(waiting))
            }
            Err(error) => Err(error),
        }
    }

    async fn append_one(&mut self, record: &Mapped) -> Result<Disposition> {
        match self.store.append(self.log, vec![record.event.clone()]).await {
            Ok(receipts) => {
                self.expect(&record.event);
                let redelivered = receipts.iter().any(|receipt| receipt.redelivered);
                Ok(if redelivered { Disposition::Redelivered } else { Disposition::Recorded })
            }
            Err(error) if error.kind() == ErrorKind::Invalid => Ok(Disposition::Refused(error)),
            Err(error) if error.kind() == ErrorKind::Conflict => {
                let Some(recorded) = self.recorded(record.event.id).await? else {
                    return Err(error);
                };
                Ok(self.compare(record, &recorded))
            }
            Err(error) => Err(error),
        }
    }
}

impl Waiting {
    /// Counts the record and its repetitions, which have the same result, but that only one is recorded.
    fn count(self, disposition: &Disposition, tally: &mut Tally, refuse: Refuse<'_>) {
        let Self { place, repeats, text, .. } = self;
        let others = repeats.len() as u64;
        match disposition {
            Disposition::Recorded => {
                tally.recorded += 1;
                tally.redelivered += others;
            }
            Disposition::Redelivered => tally.redelivered += 1 + others,
            Disposition::Refused(error) => {
                let mut text = Some(&*text).filter(|text| !text.is_empty());
                for Place { line, part } in std::iter::once(place).chain(repeats) {
                    tally.refuse(error);
                    refuse(Refusal { line, part, text: text.take(), error: restated(error) });
                }
            }
        }
    }
}

/// The first texts of a file.
#[derive(Default)]
struct Probed {
    texts: VecDeque<Text>,
    /// The mapping, if the texts are of another system.
    foreign: Option<&'static Mapping>,
}

/// Refuses all of a file, of which these are the first texts, because they are of another system.
fn refuse_all(mapping: &Mapping, texts: &VecDeque<Text>, tally: &mut Tally, refuse: Refuse<'_>) {
    let mut guess = None;
    for text in texts {
        let bytes = text.bytes.as_deref().unwrap_or_default();
        guess = guess.or_else(|| Mapping::guess(bytes));
        for record in mapping.read(bytes, Some(Timestamp::MIN)) {
            tally.read += 1;
            if let Err(error) = record {
                tally.refuse(&error);
            }
        }
    }
    let Some(first) = texts.front() else { return };
    let reading = mapping.read(first.bytes.as_deref().unwrap_or_default(), Some(Timestamp::MIN));
    let error = reading.into_iter().find_map(Result::err).unwrap_or_else(conflict);
    let hint = match guess {
        Some(guess) => format!(
            "no record at the beginning is of `{mapping}`, so none of the file was imported; they look \
             like those of `{guess}`"
        ),
        None => format!(
            "no record at the beginning is of `{mapping}`, so none of the file was imported"
        ),
    };
    refuse(Refusal { line: first.line, part: None, text: None, error: error.with_source(hint) });
}

/// Returns the error for a record whose id belongs to other content.
fn conflict() -> Error {
    Error::new(ErrorKind::Conflict).with_field("id")
}

/// Returns an error of the same kind, field and violation.
fn restated(error: &Error) -> Error {
    let field = error.field().unwrap_or_default().to_owned();
    match error.violation() {
        Some(violation) => Error::invalid(field, violation.clone()),
        None => Error::new(error.kind()).with_field(field),
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::io::Cursor;

    use super::*;
    use audit_core::{Actor, OrganizationId};
    use audit_memory::MemoryStore;

    /// Returns the counts, and the place and error of each refusal.
    async fn import(
        importer: &mut Importer<'_>,
        lines: &[String],
    ) -> (Tally, Vec<(u64, Option<usize>, Error)>) {
        let reader = Box::new(Cursor::new(lines.join("\r\n").into_bytes()));
        let input = Input { name: String::new(), reader, bytes: None, written_at: None };
        let refusals = RefCell::new(Vec::new());
        let refuse = |refusal: Refusal<'_>| {
            let Refusal { line, part, error, .. } = refusal;
            RefCell::borrow_mut(&refusals).push((line, part, error));
        };
        let mut tally = Tally::default();
        let stop = std::pin::pin!(std::future::pending());
        let bar = ProgressBar::hidden();
        let signal = importer.file(input, &bar, &refuse, &mut tally, stop).await.unwrap();
        assert_eq!(signal, None);
        (tally, refusals.into_inner())
    }

    fn tally(read: u64, recorded: u64, redelivered: u64, refused: u64) -> Tally {
        Tally { read, recorded, redelivered, refused, ..Tally::default() }
    }

    fn numbers(tally: &Tally) -> Tally {
        let Tally { read, recorded, redelivered, refused, .. } = *tally;
        self::tally(read, recorded, redelivered, refused)
    }

    fn foreign(name: &str) -> Source {
        Source::find(name).unwrap()
    }

    fn record(id: &str, time: &str, delivered: u32) -> String {
        format!(
            r#"{{"uuid_g":"{id}","published_t":"{time}","eventType_s":"e","TimeGenerated":{delivered}}}"#
        )
    }

    #[tokio::test]
    async fn each_record_is_recorded_redelivered_or_refused() {
        let time = "2024-01-01T00:00:00Z";
        let large =
            record("3", time, 5).replace('}', &format!(r#","x":"{}"}}"#, "y".repeat(2 << 20)));
        let lines = [
            record("1", time, 1),
            String::new(),
            record("1", time, 2),
            record("2", "soon", 3),
            " \t".to_owned(),
            format!(r#"{{"x":"{}"}}"#, "y".repeat(TEXT_BYTES)),
            record("1", "2024-01-01T00:00:01Z", 4),
            large.clone(),
            large,
        ];
        let store = MemoryStore::new().unwrap();
        let log = Log::organization(OrganizationId::new());
        let mut importer = Importer::new(&store, log, foreign("okta"));
        importer.expected = Some(Expected::default());

        let (counts, refusals) = import(&mut importer, &lines).await;
        assert_eq!(numbers(&counts), tally(7, 2, 1, 4));
        let places: Vec<_> = refusals.iter().map(|refusal| refusal.0).collect();
        assert_eq!(places, [4, 6, 8, 9]);
        assert_eq!(refusals[0].2.field(), Some("published_t"));
        for refusal in &refusals[1..] {
            let violation = refusal.2.violation();
            assert!(matches!(violation, Some(Violation::TooLong { .. })), "{violation:?}");
        }

        let (counts, _) = import(&mut importer, &lines).await;
        assert_eq!(numbers(&counts), tally(7, 0, 3, 4));
        let expected = importer.expected.unwrap();
        for walk in crate::import::verify::walks() {
            let walk = walk.run(&store, log, &expected).await.unwrap();
            assert!(walk.holds() && walk.of_files == 2, "{walk:?}");
        }
    }

    #[tokio::test]
    async fn a_record_with_the_id_of_other_content_is_refused() {
        let event = NewEvent::new("a", Actor::system()).occurred_at(Timestamp::MAX);
        let line = |event: &NewEvent| serde_json::to_string(event).unwrap();
        let (first, other) = (line(&event), line(&event.clone().reason("another")));
        let store = MemoryStore::new().unwrap();
        let mut importer = Importer::new(&store, Log::Platform, Source::Native);
        let lines = [first.clone(), other.clone(), first.clone()];
        let (counts, refusals) = import(&mut importer, &lines).await;
        assert_eq!(numbers(&counts), tally(3, 1, 1, 1));
        assert_eq!((refusals[0].0, refusals[0].2.kind()), (2, ErrorKind::Conflict));
        let (counts, refusals) = import(&mut importer, &[other, first]).await;
        assert_eq!(numbers(&counts), tally(2, 0, 1, 1));
        assert_eq!(refusals[0].0, 1);
    }
}
