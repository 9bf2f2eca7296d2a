//! The import of a file: reads and maps its records, and appends them in batches.

use std::collections::HashMap;
use std::fmt;
use std::io::BufReader;
use std::ops::AddAssign;
use std::pin::Pin;

use audit_core::{Error, ErrorKind, EventId, Log, NewEvent, Result, Timestamp, Violation, limits};
use indicatif::ProgressBar;
use serde::Serialize;

use super::input::{Input, unreadable};
use super::lines::{Line, Lines};
use super::source::{Record, Source};
use super::verify::Expected;
use crate::error::CliError;
use crate::signals::Signal;
use crate::store::Store;

/// The highest number of events in one append.
const BATCH: usize = 500;
/// The size of the lines for one append, in bytes, so that a batch of large records stays small.
const MAX_BATCH_BYTES: usize = 8 << 20;
/// The highest size of a line, in bytes. An event has at most [`limits::MAX_EVENT_BYTES`], but its
/// JSON can be longer, because an escape takes six bytes for one.
const LINE_BYTES: usize = 8 * limits::MAX_EVENT_BYTES;

/// Imports files into one log.
pub(crate) struct Importer<'a> {
    store: &'a dyn Store,
    log: Log,
    source: Source,
    /// The time of records without one; the time of their file's last change by default.
    pub(crate) received: Option<Timestamp>,
    /// The events of the files that the log must have; `None` if they are not verified.
    pub(crate) expected: Option<Expected>,
}

/// The numbers of records of a file, by result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Tally {
    pub(crate) read: u64,
    pub(crate) recorded: u64,
    pub(crate) redelivered: u64,
    pub(crate) refused: u64,
}

/// A record that was refused.
#[derive(Debug)]
pub(crate) struct Refusal {
    /// The number of its line, from 1.
    pub(crate) number: u64,
    pub(crate) error: Error,
}

/// Called with each record that is refused.
pub(crate) type Refuse<'a> = &'a dyn Fn(Refusal);

/// Records that are mapped and not yet appended.
#[derive(Default)]
struct Pending {
    waiting: Vec<Waiting>,
    indexes: HashMap<EventId, usize>,
    bytes: usize,
}

struct Waiting {
    number: u64,
    record: Record,
    /// The line numbers of its repetitions.
    repeats: Vec<u64>,
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
    pub(crate) async fn file(
        &mut self,
        input: Input,
        bar: &ProgressBar,
        refuse: Refuse<'_>,
        tally: &mut Tally,
        mut stop: Pin<&mut impl Future<Output = Signal>>,
    ) -> Result<Option<Signal>, CliError> {
        let received = self.received.or(input.written_at).unwrap_or_else(Timestamp::now);
        let reader = BufReader::with_capacity(1 << 16, input.reader);
        let mut lines = Lines::new(reader, LINE_BYTES).spawn();
        let mut pending = Pending::default();
        let signal = loop {
            let line = tokio::select! {
                biased;
                signal = &mut stop => break Some(signal),
                line = lines.recv() => line,
            };
            let Some(line) = line else { break None };
            let line = line.map_err(|error| unreadable(&input.name, error))?;
            bar.inc(line.length as u64 + 1);
            if line.text.as_ref().is_some_and(|text| text.iter().all(u8::is_ascii_whitespace)) {
                continue;
            }
            tally.read += 1;
            let disposition = match self.map(&line, received) {
                Ok(record) => self.take(&line, record, &mut pending).await?,
                Err(error) => Some(Disposition::Refused(error)),
            };
            if let Some(disposition) = disposition {
                tally.count(line.number, disposition, refuse);
            }
            if pending.waiting.len() >= BATCH || pending.bytes >= MAX_BATCH_BYTES {
                self.flush(std::mem::take(&mut pending), tally, refuse).await?;
            }
        };
        self.flush(pending, tally, refuse).await?;
        Ok(signal)
    }

    fn map(&self, line: &Line, received: Timestamp) -> Result<Record> {
        let Some(text) = &line.text else {
            let violation = Violation::TooLong { limit: LINE_BYTES, actual: line.length };
            return Err(Error::invalid("line", violation));
        };
        self.source.read(text, received)
    }

    /// Queues a record for the next append. Returns the result if it is known already.
    async fn take(
        &mut self,
        line: &Line,
        record: Record,
        pending: &mut Pending,
    ) -> Result<Option<Disposition>> {
        let id = record.event.id;
        if let Some(index) = pending.indexes.get(&id) {
            let first = &mut pending.waiting[*index];
            if record.matches(&first.record.event) {
                first.repeats.push(line.number);
                return Ok(None);
            }
            return Ok(Some(Disposition::Refused(conflict())));
        }
        if let Some(recorded) = self.recorded(id).await? {
            return Ok(Some(self.compare(&record, &recorded)));
        }
        pending.indexes.insert(id, pending.waiting.len());
        pending.bytes += line.length;
        pending.waiting.push(Waiting { number: line.number, record, repeats: Vec::new() });
        Ok(None)
    }

    async fn recorded(&self, id: EventId) -> Result<Option<NewEvent>> {
        match self.store.get(self.log, id).await {
            Ok(event) => Ok(Some(event.into_content())),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Compares a record with `recorded`, the event that the log has under its id.
    fn compare(&mut self, record: &Record, recorded: &NewEvent) -> Disposition {
        if !record.matches(recorded) {
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

    async fn flush(
        &mut self,
        pending: Pending,
        tally: &mut Tally,
        refuse: Refuse<'_>,
    ) -> Result<()> {
        let events = pending.waiting.iter().map(|waiting| waiting.record.event.clone()).collect();
        match self.store.append(self.log, events).await {
            Ok(receipts) => {
                for (Waiting { number, record, repeats }, receipt) in
                    pending.waiting.into_iter().zip(receipts)
                {
                    self.expect(&record.event);
                    let disposition = if receipt.redelivered {
                        Disposition::Redelivered
                    } else {
                        Disposition::Recorded
                    };
                    tally.count(number, disposition, refuse);
                    tally.redelivered += repeats.len() as u64;
                }
                Ok(())
            }
            // One event is too large, or another import was faster; nothing was appended.
            Err(error) if matches!(error.kind(), ErrorKind::Invalid | ErrorKind::Conflict) => {
                for Waiting { number, record, repeats } in pending.waiting {
                    for number in std::iter::once(number).chain(repeats) {
                        tally.count(number, self.append_one(&record).await?, refuse);
                    }
                }
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    async fn append_one(&mut self, record: &Record) -> Result<Disposition> {
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

/// Returns the error for a record whose id belongs to other content.
fn conflict() -> Error {
    Error::new(ErrorKind::Conflict).with_field("id")
}

impl Tally {
    fn count(&mut self, number: u64, disposition: Disposition, refuse: Refuse<'_>) {
        match disposition {
            Disposition::Recorded => self.recorded += 1,
            Disposition::Redelivered => self.redelivered += 1,
            Disposition::Refused(error) => {
                self.refused += 1;
                refuse(Refusal { number, error });
            }
        }
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.read += other.read;
        self.recorded += other.recorded;
        self.redelivered += other.redelivered;
        self.refused += other.refused;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { read, recorded, redelivered, refused } = self;
        write!(f, "{read} read, {recorded} recorded, {redelivered} redelivered, {refused} refused")
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::io::Cursor;

    use super::*;
    use audit_core::{Actor, OrganizationId};
    use audit_import::Format;
    use audit_memory::MemoryStore;

    async fn import(importer: &mut Importer<'_>, lines: &[String]) -> (Tally, Vec<Refusal>) {
        let reader = Box::new(Cursor::new(lines.join("\r\n").into_bytes()));
        let input = Input { name: String::new(), reader, bytes: None, written_at: None };
        let refusals = RefCell::new(Vec::new());
        let refuse = |refusal| RefCell::borrow_mut(&refusals).push(refusal);
        let mut tally = Tally::default();
        let stop = std::pin::pin!(std::future::pending());
        let bar = ProgressBar::hidden();
        let signal = importer.file(input, &bar, &refuse, &mut tally, stop).await.unwrap();
        assert_eq!(signal, None);
        (tally, refusals.into_inner())
    }

    fn tally(read: u64, recorded: u64, redelivered: u64, refused: u64) -> Tally {
        Tally { read, recorded, redelivered, refused }
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
            format!(r#"{{"x":"{}"}}"#, "y".repeat(LINE_BYTES)),
            record("1", "2024-01-01T00:00:01Z", 4),
            large.clone(),
            large,
        ];
        let store = MemoryStore::new().unwrap();
        let log = Log::organization(OrganizationId::new());
        let mut importer = Importer::new(&store, log, Source::Foreign(Format::Okta));
        importer.expected = Some(Expected::default());

        let (counts, refusals) = import(&mut importer, &lines).await;
        assert_eq!(counts, tally(7, 2, 1, 4));
        let numbers: Vec<_> = refusals.iter().map(|refusal| refusal.number).collect();
        assert_eq!(numbers, [4, 6, 8, 9]);
        assert_eq!(refusals[0].error.field(), Some("published_t"));
        for refusal in &refusals[1..] {
            let violation = refusal.error.violation();
            assert!(matches!(violation, Some(Violation::TooLong { .. })), "{violation:?}");
        }

        let (counts, _) = import(&mut importer, &lines).await;
        assert_eq!(counts, tally(7, 0, 3, 4));
        let expected = importer.expected.unwrap();
        for walk in crate::import::verify::walks() {
            let walk = walk.run(&store, log, &expected).await.unwrap();
            assert!(walk.holds() && walk.of_files == 2, "{walk:?}");
        }
    }

    #[tokio::test]
    async fn a_record_with_the_id_of_other_content_is_refused() {
        let event = NewEvent::new("a", Actor::system());
        let line = |event: &NewEvent| serde_json::to_string(event).unwrap();
        let (first, other) = (line(&event), line(&event.clone().reason("another")));
        let store = MemoryStore::new().unwrap();
        let mut importer = Importer::new(&store, Log::Platform, Source::Native);
        let lines = [first.clone(), other.clone(), first.clone()];
        let (counts, refusals) = import(&mut importer, &lines).await;
        assert_eq!(counts, tally(3, 1, 1, 1));
        assert_eq!((refusals[0].number, refusals[0].error.kind()), (2, ErrorKind::Conflict));
        let (counts, refusals) = import(&mut importer, &[other, first]).await;
        assert_eq!(counts, tally(2, 0, 1, 1));
        assert_eq!(refusals[0].number, 1);
    }
}
