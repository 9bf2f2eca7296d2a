//! Appends in the caller's own transaction.

use audit_core::{Error, ErrorKind, Log, NewEvent, Receipt, Result};
use rusqlite::Connection;

use crate::append::WriteTransaction;
use crate::error::{read_only, sqlite};
use crate::file::OpenFiles;
use crate::own_transaction::OwnTransaction;
use crate::store::SqliteStore;
use crate::{open, schema};

impl SqliteStore {
    /// Appends events in the transaction that `connection` is in, however it was begun: they are in
    /// the log when it commits, and not if it does not. The connection must be to the store's own
    /// file. Feeds that wait in this process and in others wake within some 20 ms of the commit.
    ///
    /// The transaction holds the file's write lock from its first write to its end, and all other
    /// appends wait for it, so keep it short. Begin it with
    /// [`Immediate`](rusqlite::TransactionBehavior::Immediate): a deferred transaction that has
    /// already read can fail with [`Busy`](ErrorKind::Busy) at its first write. Do not wait for
    /// another append to the same file inside the transaction: that append waits for its end. If it
    /// comes from the same thread after this call, it fails with [`Busy`](ErrorKind::Busy) at once,
    /// otherwise after the store's time-out.
    ///
    /// One append in 512 maintains the index too, which takes some ten milliseconds. From the first
    /// append on the connection overwrites what it deletes (`PRAGMA secure_delete`), because erasure
    /// relies on it.
    ///
    /// # Errors
    /// [`Invalid`](ErrorKind::Invalid), with the field `connection`, if the connection is not in a
    /// transaction, is to another file, or has a path that is not UTF-8.
    /// [`Incompatible`](ErrorKind::Incompatible), with the field `synchronous`, if the connection's
    /// `synchronous` is below `FULL`: a power cut could undo its commits; or if a later version has
    /// migrated the file. [`Unavailable`](ErrorKind::Unavailable) if the file was moved, removed or
    /// replaced.
    /// [`Invalid`](ErrorKind::Invalid) and [`Conflict`](ErrorKind::Conflict) as for
    /// [`append`](audit_core::AuditStore::append). After all of these the transaction is as it was
    /// before the call, and can go on.
    ///
    /// Any other error ends the transaction: it is rolled back, with all that the caller wrote in
    /// it, and must be begun again.
    ///
    /// ```
    /// use audit_core::{Actor, Log, NewEvent};
    /// use audit_sqlite::SqliteStore;
    /// use audit_sqlite::rusqlite::{Connection, TransactionBehavior};
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
    /// store.append_in(&transaction, Log::Platform, vec![event])?;
    /// transaction.commit()?; // both, or neither
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn append_in(
        &self,
        connection: &Connection,
        log: impl Into<Log>,
        events: Vec<NewEvent>,
    ) -> Result<Vec<Receipt>> {
        let log = log.into();
        let batch = self.shared.indexing.hasher.batch(log, events)?;
        if self.shared.writer.is_none() {
            return Err(read_only());
        }
        require_transaction(connection, &self.shared.files)?;
        if batch.is_empty() {
            return Ok(Vec::new());
        }
        // Staged events come first, and stay recorded if these events are refused.
        let mut staged = WriteTransaction::new(connection, &self.shared.indexing);
        let taken = staged.take_in_before_append(log).and_then(|()| staged.finish());
        taken.map_err(|error| roll_back(connection, error))?;
        let mut write = WriteTransaction::new(connection, &self.shared.indexing);
        let receipts =
            write.append(batch).and_then(|appended| write.finish().map(|_| appended.receipts));
        if let Ok([.., last]) = receipts.as_deref() {
            OwnTransaction::note(self.shared.files.id().clone(), log, last.id);
        }
        match receipts {
            // All checks of the events come before the first write.
            Err(error) if write.dirty => Err(roll_back(connection, error)),
            receipts => receipts,
        }
    }
}

/// Fails unless the connection is in a transaction on the file of the store, and is durable.
fn require_transaction(connection: &Connection, files: &OpenFiles) -> Result<()> {
    if connection.is_autocommit() {
        return Err(Error::malformed("connection", "in a transaction"));
    }
    files.check()?;
    if !files.id().is_of(connection) {
        return Err(Error::malformed("connection", "to the file of the store"));
    }
    schema::require_version(connection)?;
    // SQLite evaluates these two pragmas when it prepares them, so they must not be cached.
    let synchronous: i64 = connection
        .pragma_query_value(None, "synchronous", |row| row.get(0))
        .map_err(sqlite("reading the settings of the caller's connection"))?;
    if synchronous < 2 {
        let error = Error::new(ErrorKind::Incompatible).with_field("synchronous");
        return Err(
            error.with_context("the caller's connection is not durable: it must be FULL or EXTRA")
        );
    }
    open::set_secure_delete(connection)
}

/// Rolls back a transaction that may hold a part of an append.
fn roll_back(connection: &Connection, error: Error) -> Error {
    // After some errors SQLite has already rolled back.
    if !connection.is_autocommit()
        && let Err(failed) = connection.execute_batch("ROLLBACK")
    {
        return sqlite("rolling back the caller's transaction")(failed);
    }
    error.with_context("the transaction is rolled back; begin it again")
}
