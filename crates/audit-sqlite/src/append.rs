//! The write transaction: what an append writes, in the store's own transaction or the caller's.

use std::collections::HashMap;

use audit_core::{
    Batch, Error, ErrorKind, Head, Log, NewEvent, PlacedEvent, Position, Receipt, Result, Timestamp,
};
use rusqlite::{Connection, Transaction, params};

use crate::error::sqlite;
use crate::index::{Postings, TermIds};
use crate::read::{event_by_id, head_row};
use crate::schema;

/// Appends events within the caller's own transaction: they are in the log when it commits, and
/// not if it does not. The file must be one that [`SqliteStore::open`](crate::SqliteStore::open)
/// has opened.
///
/// Other appends to the file wait until the transaction ends, so keep it short. Begin it with
/// [`Immediate`](rusqlite::TransactionBehavior::Immediate): a deferred one that has read before
/// can fail with [`Busy`](ErrorKind::Busy) when it begins to write, and must then be run again from
/// its beginning.
///
/// # Errors
/// As [`AuditStore::append`](audit_core::AuditStore::append). Nothing is written then, and the
/// transaction goes on as if it had not been called; but after a fault of the medium, such as
/// [`StorageFull`](ErrorKind::StorageFull), SQLite undoes the whole transaction itself, which
/// [`is_autocommit`](Connection::is_autocommit) and the error's text tell. So give up the
/// transaction on every error that is not of the events. [`Incompatible`](ErrorKind::Incompatible)
/// also if the connection's `synchronous` is below `FULL`, with which a commit can be lost, or the
/// file has no audit tables of this version.
///
/// ```
/// use audit_core::{Actor, Log, NewEvent};
/// use audit_sqlite::rusqlite::{Connection, TransactionBehavior};
/// use audit_sqlite::{SqliteStore, append_in};
///
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("service.db");
/// let store = SqliteStore::open(&path)?;
///
/// let mut connection = Connection::open(&path)?;
/// connection.execute("CREATE TABLE invoice (id TEXT, paid INTEGER)", [])?;
///
/// let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
/// transaction.execute("INSERT INTO invoice VALUES ('inv_9', 1)", [])?;
/// let event = NewEvent::new("invoice.paid", Actor::user("u_7")).target("invoice", "inv_9");
/// append_in(&transaction, Log::Platform, vec![event])?;
/// transaction.commit()?; // both, or neither
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn append_in(
    transaction: &Transaction<'_>,
    log: Log,
    events: Vec<NewEvent>,
) -> Result<Vec<Receipt>> {
    const CONTEXT: &str = "recording in the caller's transaction";
    let batch = Batch::new(log, events)?;
    if batch.is_empty() {
        return Ok(Vec::new());
    }
    schema::require_current(transaction)?;
    let synchronous: i64 = transaction
        .pragma_query_value(None, "synchronous", |row| row.get(0))
        .map_err(sqlite(CONTEXT))?;
    if synchronous < 2 {
        let error = Error::new(ErrorKind::Incompatible).with_field("synchronous");
        return Err(error.with_context("the caller's connection is not durable"));
    }
    // A caller may go on after an error, so what was begun is undone here.
    transaction.execute_batch("SAVEPOINT audit_append").map_err(sqlite(CONTEXT))?;
    let mut terms = TermIds::default();
    let mut write = WriteTransaction::new(transaction, &mut terms);
    let receipts = write.append(batch).and_then(|receipts| write.finish().map(|()| receipts));
    match receipts {
        Ok(receipts) => {
            transaction.execute_batch("RELEASE audit_append").map_err(sqlite(CONTEXT))?;
            Ok(receipts)
        }
        Err(error) if transaction.is_autocommit() => Err(error.with_context(UNDONE)),
        Err(error) => {
            let undo = "ROLLBACK TO audit_append; RELEASE audit_append";
            transaction.execute_batch(undo).map_err(sqlite(CONTEXT))?;
            Err(error)
        }
    }
}

/// After some faults SQLite has ended the whole transaction, and what the caller wrote next would
/// be a transaction of its own.
const UNDONE: &str = "SQLite has undone the whole transaction; begin it again";

/// The statement that writes the end of a log.
pub(crate) const END_LOG: &str = "UPDATE audit_log SET size = ?2, recorded_at = ?3 WHERE id = ?1";

/// A transaction under way. Events are written as they come; what many of them share (the ends of
/// the logs, the lists) is written once, by [`WriteTransaction::finish`].
pub(crate) struct WriteTransaction<'c> {
    pub(crate) connection: &'c Connection,
    terms: &'c mut TermIds,
    logs: HashMap<Log, LogEnd>,
    postings: Postings,
    /// Set by every write: a job that fails before its first can fail alone.
    pub(crate) dirty: bool,
    /// How many events have been looked at, written or not.
    pub(crate) events: usize,
    /// How many bytes they have.
    pub(crate) bytes: usize,
}

struct LogEnd {
    id: i64,
    head: Head,
}

impl<'c> WriteTransaction<'c> {
    pub(crate) fn new(connection: &'c Connection, terms: &'c mut TermIds) -> Self {
        Self {
            connection,
            terms,
            logs: HashMap::new(),
            postings: Postings::default(),
            dirty: false,
            events: 0,
            bytes: 0,
        }
    }

    /// Writes the events of a batch. All checks come before the first write.
    pub(crate) fn append(&mut self, batch: Batch) -> Result<Vec<Receipt>> {
        let log = batch.log();
        self.events += batch.len();
        self.bytes += batch.size();
        let (id, head) = match self.logs.get(&log) {
            Some(end) => (Some(end.id), end.head),
            None => match head_row(self.connection, log)? {
                Some((id, head)) => (Some(id), head),
                None => (None, Head::default()),
            },
        };
        let placement = batch.place(head, Timestamp::now(), |event| match id {
            Some(id) => event_by_id(self.connection, id, event),
            None => Ok(None),
        })?;
        if placement.new.is_empty() {
            return Ok(placement.receipts);
        }
        schema::place(id.unwrap_or_default(), placement.head.size)?; // the last one fits, so all do
        self.dirty = true;
        let id = match id {
            Some(id) => id,
            None => self.insert_log(log)?,
        };
        for event in placement.new {
            self.insert(id, event)?;
        }
        self.logs.insert(log, LogEnd { id, head: placement.head });
        Ok(placement.receipts)
    }

    /// Writes what the appends share. To be called last.
    pub(crate) fn finish(&mut self) -> Result<()> {
        std::mem::take(&mut self.postings).write(self.connection)?;
        for LogEnd { id, head } in std::mem::take(&mut self.logs).into_values() {
            let update = || {
                self.connection.prepare_cached(END_LOG)?.execute(params![
                    id,
                    head.size.as_i64(),
                    head.recorded_at.as_micros()
                ])
            };
            update().map_err(sqlite("writing the end of a log"))?;
        }
        Ok(())
    }

    fn insert_log(&self, log: Log) -> Result<i64> {
        let insert = || {
            self.connection
                .prepare_cached(
                    "INSERT INTO audit_log (name, size, recorded_at) VALUES (?1, 0, 0)",
                )?
                .insert([log.as_bytes()])
        };
        insert().map_err(sqlite("beginning a log"))
    }

    fn insert(&mut self, log: i64, event: PlacedEvent) -> Result<()> {
        let PlacedEvent { id, sequence, occurred_at, stored, terms } = event;
        let place = schema::place(log, sequence)?;
        let insert = || {
            let (salt, bytes) = match &stored.personal {
                Some(part) => (Some(part.salt), Some(&part.bytes)),
                None => (None, None),
            };
            self.connection
                .prepare_cached(
                    "INSERT INTO audit_event (place, record, salt, personal)
                     VALUES (?1, ?2, ?3, ?4)",
                )?
                .execute(params![place, stored.record, salt, bytes])?;
            self.connection
                .prepare_cached(
                    "INSERT INTO audit_event_id (log, id, sequence) VALUES (?1, ?2, ?3)",
                )?
                .execute(params![log, id.as_bytes(), sequence.as_i64()])
        };
        insert().map_err(sqlite("writing an event"))?;
        for term in terms {
            let term = self.terms.id_or_new(self.connection, log, term)?;
            self.postings.add(term, Position { occurred_at, sequence });
        }
        Ok(())
    }
}
