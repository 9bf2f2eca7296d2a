//! The import of a file: reads, maps, and records in batches.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, BufReader};
use std::path::Path;
use std::time::UNIX_EPOCH;

use audit_core::{
    AuditEvent, AuditStore, Error, ErrorKind, EventId, Log, NewEvent, Result, Timestamp, Violation,
    limits,
};
use audit_import::Format;
use indicatif::ProgressBar;

use crate::lines::{Line, Lines};
use crate::verify::Expected;

/// Events of one append.
const BATCH: usize = 500;
/// Bytes of lines of one append, so that a batch of large records stays small.
const BATCH_BYTES: usize = 8 << 20;
/// Bytes of one line. An event has at most [`limits::EVENT_BYTES`], but its JSON can be longer by
/// the escapes of its texts, which are six bytes for one.
const LINE_BYTES: usize = 8 * limits::EVENT_BYTES;
/// Refusals that are kept to be told.
const REFUSALS: usize = 20;

/// Imports files into one log.
pub(crate) struct Importer<'a> {
    store: &'a dyn AuditStore,
    log: Log,
    format: Format,
    /// The time of records that state none; unless set, when their file was last written.
    pub(crate) received: Option<Timestamp>,
    /// What the log must hold of the files.
    pub(crate) expected: Option<Expected>,
    pending: Pending,
}

/// What has been mapped and not yet recorded.
#[derive(Default)]
struct Pending {
    events: Vec<(u64, NewEvent)>,
    ids: HashSet<EventId>,
    bytes: usize,
}

/// What became of the records of a file.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) read: u64,
    pub(crate) recorded: u64,
    pub(crate) redelivered: u64,
    pub(crate) refused: u64,
    /// The first [`REFUSALS`] of those refused.
    pub(crate) refusals: Vec<Refusal>,
}

/// A record that was refused.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) line: u64,
    pub(crate) error: Error,
}

impl<'a> Importer<'a> {
    pub(crate) fn new(store: &'a dyn AuditStore, log: Log, format: Format) -> Self {
        Self { store, log, format, received: None, expected: None, pending: Pending::default() }
    }

    /// Imports the file at `path`. An error is one of the file or of the store: what was recorded
    /// before it stays, and a second run adds the rest.
    pub(crate) async fn file(&mut self, path: &Path, bar: &ProgressBar) -> Result<Tally> {
        let file = File::open(path).map_err(|error| unreadable(error, "open the file"))?;
        let mut lines = Lines::new(BufReader::with_capacity(1 << 16, file), LINE_BYTES);
        // What states no time happened, as far as anyone knows, before the file was last written.
        let received = self.received.or_else(|| file_time(path));
        let mut tally = Tally::default();
        while let Some(line) = lines.next().map_err(|error| unreadable(error, "read the file"))? {
            bar.inc(line.length as u64 + 1);
            if line.text.is_some_and(|text| text.iter().all(u8::is_ascii_whitespace)) {
                continue;
            }
            tally.read += 1;
            match self.map(&line, received) {
                Ok(event) => self.take(&line, event, &mut tally).await?,
                Err(error) => tally.refuse(line.number, error),
            }
        }
        self.flush(&mut tally).await?;
        Ok(tally)
    }

    fn map(&self, line: &Line<'_>, received: Option<Timestamp>) -> Result<NewEvent> {
        let Some(text) = line.text else {
            let violation = Violation::TooLong { limit: LINE_BYTES, actual: line.length };
            return Err(Error::invalid("line", violation));
        };
        match received {
            Some(received) => self.format.read_received(text, received),
            None => self.format.read(text),
        }
    }

    /// The id tells the content, so an id that is there already is a redelivery, even though the
    /// envelope in the event's metadata may differ.
    async fn take(&mut self, line: &Line<'_>, event: NewEvent, tally: &mut Tally) -> Result<()> {
        if self.pending.ids.contains(&event.id) {
            tally.redelivered += 1;
            return Ok(());
        }
        if let Some(held) = self.held(event.id).await? {
            tally.redelivered += 1;
            self.expect(&held.into_content());
            return Ok(());
        }
        self.pending.ids.insert(event.id);
        self.pending.bytes += line.length;
        self.pending.events.push((line.number, event));
        if self.pending.events.len() >= BATCH || self.pending.bytes >= BATCH_BYTES {
            self.flush(tally).await?;
        }
        Ok(())
    }

    async fn held(&self, id: EventId) -> Result<Option<AuditEvent>> {
        match self.store.get(self.log, id).await {
            Ok(event) => Ok(Some(event)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn expect(&mut self, event: &NewEvent) {
        if let Some(expected) = &mut self.expected {
            expected.insert(event);
        }
    }

    async fn flush(&mut self, tally: &mut Tally) -> Result<()> {
        let pending = std::mem::take(&mut self.pending).events;
        let events = pending.iter().map(|(_, event)| event.clone()).collect();
        match self.store.append(self.log, events).await {
            Ok(receipts) => {
                let redelivered = receipts.iter().filter(|receipt| receipt.redelivered).count();
                tally.redelivered += redelivered as u64;
                tally.recorded += (receipts.len() - redelivered) as u64;
                for (_, event) in &pending {
                    self.expect(event);
                }
                Ok(())
            }
            // One of them is too large, or another import was faster: nothing was changed.
            Err(error) if matches!(error.kind(), ErrorKind::Invalid | ErrorKind::Conflict) => {
                for (line, event) in pending {
                    self.append_one(line, event, tally).await?;
                }
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    async fn append_one(&mut self, line: u64, event: NewEvent, tally: &mut Tally) -> Result<()> {
        match self.store.append(self.log, vec![event.clone()]).await {
            Ok(receipts) if receipts.iter().any(|receipt| receipt.redelivered) => {
                tally.redelivered += 1;
                self.expect(&event);
            }
            Ok(_) => {
                tally.recorded += 1;
                self.expect(&event);
            }
            Err(error) if error.kind() == ErrorKind::Invalid => tally.refuse(line, error),
            Err(error) if error.kind() == ErrorKind::Conflict => {
                let Some(held) = self.held(event.id).await? else { return Err(error) };
                tally.redelivered += 1;
                self.expect(&held.into_content());
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

impl Tally {
    fn refuse(&mut self, line: u64, error: Error) {
        self.refused += 1;
        if self.refusals.len() < REFUSALS {
            self.refusals.push(Refusal { line, error });
        }
    }
}

fn file_time(path: &Path) -> Option<Timestamp> {
    let modified = path.metadata().and_then(|metadata| metadata.modified()).ok()?;
    let since = modified.duration_since(UNIX_EPOCH).ok()?;
    Timestamp::from_micros(i64::try_from(since.as_micros()).ok()?).ok()
}

fn unreadable(error: io::Error, context: &'static str) -> Error {
    Error::new(ErrorKind::Unavailable).with_context(context).with_source(error)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;
    use audit_core::OrganizationId;
    use audit_memory::MemoryStore;
    use futures_executor::block_on;

    fn record(id: &str, time: &str, delivered: u32) -> String {
        format!(
            r#"{{"uuid_g":"{id}","published_t":"{time}","eventType_s":"e","TimeGenerated":{delivered}}}"#
        )
    }

    #[test]
    fn each_record_is_recorded_redelivered_or_refused() {
        let time = "2024-01-01T00:00:00Z";
        let mut file = tempfile::NamedTempFile::new().unwrap();
        for line in [
            record("1", time, 1),
            String::new(),
            record("1", time, 2),
            record("2", "soon", 3),
            " \t".to_owned(),
            format!(r#"{{"x":"{}"}}"#, "y".repeat(LINE_BYTES)),
            record("1", "2024-01-01T00:00:01Z", 4),
            record("3", time, 5).replace('}', &format!(r#","x":"{}"}}"#, "y".repeat(2 << 20))),
        ] {
            writeln!(file, "{line}\r").unwrap();
        }
        let store = MemoryStore::new().unwrap();
        let log = Log::organization(OrganizationId::new());
        let mut importer = Importer::new(&store, log, Format::Okta);
        importer.expected = Some(Expected::default());
        let mut run = || block_on(importer.file(file.path(), &ProgressBar::hidden())).unwrap();

        let tally = run();
        let counts = (tally.read, tally.recorded, tally.redelivered, tally.refused);
        assert_eq!(counts, (6, 2, 1, 3));
        let lines: Vec<_> = tally.refusals.iter().map(|refusal| refusal.line).collect();
        assert_eq!(lines, [4, 6, 8]);
        assert_eq!(tally.refusals[0].error.field(), Some("published_t"));
        for refusal in &tally.refusals[1..] {
            let violation = refusal.error.violation();
            assert!(matches!(violation, Some(Violation::TooLong { .. })), "{violation:?}");
        }

        let again = run();
        assert_eq!((again.recorded, again.redelivered, again.refused), (0, 3, 3));
        let expected = importer.expected.unwrap();
        for walk in crate::verify::walks() {
            let walk = block_on(walk.run(&store, log, &expected)).unwrap();
            assert!(walk.holds() && walk.of_files == 2, "{walk:?}");
        }
    }
}
