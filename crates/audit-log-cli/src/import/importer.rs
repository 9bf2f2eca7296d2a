//! The import of a file: reads and maps its records, and appends them in batches.

use std::pin::Pin;
use std::rc::Rc;

use audit_core::{Error, Log, Result, Timestamp, Violation, limits};
use audit_import::Text;
use indicatif::ProgressBar;

use super::appender::Appender;
use super::input::{Input, unreadable};
use super::pending::{Pending, Place, Refusal, Refuse};
use super::probe::{Probed, refuse_all};
use super::source::Source;
use super::tally::Tally;
use crate::error::CliError;
use crate::signals::Signal;
use crate::store::Store;

/// The highest size of a text, in bytes. An event has at most [`limits::MAX_EVENT_BYTES`], but its
/// JSON can be longer, because an escape takes six bytes for one.
pub(crate) const TEXT_BYTES: usize = 8 * limits::MAX_EVENT_BYTES;

/// Imports files into one log.
pub(crate) struct Importer<'a> {
    source: Source,
    /// Which time a record without one gets; `None` if it is refused.
    pub(crate) received: Option<Received>,
    pub(crate) appender: Appender<'a>,
}

/// The time of receipt.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Received {
    At(Timestamp),
    /// The time of the last change of the record's file; now, of the standard input.
    Modified,
}

impl<'a> Importer<'a> {
    pub(crate) fn new(store: &'a dyn Store, log: Log, source: Source) -> Self {
        Self { source, received: None, appender: Appender::new(store, log, source) }
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
            probed = Probed::read(self.source, &mut texts) => probed.map_err(|error| unreadable(&name, error))?,
        };
        if let Some(mapping) = probed.foreign {
            refuse_all(mapping, &probed.texts, tally, refuse);
            return Ok(None);
        }
        let mut pending = Pending::new(received);
        let signal = loop {
            let text = if let Some(text) = probed.texts.pop_front() {
                Some(Ok(text))
            } else {
                tokio::select! {
                    biased;
                    signal = &mut stop => break Some(signal),
                    text = texts.next() => text,
                }
            };
            let Some(text) = text else { break None };
            let text = text.map_err(|error| unreadable(&name, error))?;
            bar.inc(text.length as u64 + 1);
            self.take(text, &mut pending, tally, refuse);
            if pending.is_full() {
                let batch = std::mem::replace(&mut pending, Pending::new(received));
                self.appender.begin(batch, tally, refuse).await?;
            }
        };
        self.appender.begin(pending, tally, refuse).await?;
        self.appender.finish(tally, refuse).await?;
        Ok(signal)
    }

    /// Maps the records of a text and queues them for the next append.
    fn take(&self, text: Text, pending: &mut Pending, tally: &mut Tally, refuse: Refuse<'_>) {
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
        let bytes = Rc::new(bytes);
        let records = self.source.read(&bytes, pending.received);
        let is_one = records.len() == 1;
        let mut unwritten = Some(bytes.as_slice());
        for (number, record) in records.into_iter().enumerate() {
            tally.read += 1;
            let place = Place { line, part: (!is_one).then_some(number + 1) };
            match record {
                Ok(record) => {
                    tally.note(&record);
                    pending.add(record, place, &bytes, number);
                }
                Err(error) => {
                    tally.refuse(&error);
                    let text = unwritten.take();
                    refuse(Refusal { line, part: place.part, text, error });
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::io::Cursor;

    use super::*;
    use crate::import::verify::Expected;
    use audit_core::{Actor, ErrorKind, NewEvent, OrganizationId};
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
        importer.appender.expected = Some(Expected::default());

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
        let expected = importer.appender.expected.unwrap();
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
