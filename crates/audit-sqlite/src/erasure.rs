//! Erasure: removes personal data from events, with its index keys and its sealing keys.

use audit_core::backend::Batch;
use audit_core::{AuditContext, Erasure, Error, ErrorKind, Log, Result, Sequence, limits};
use audit_index::TermKey;
use rusqlite::Connection;

use crate::append::{After, WriteTransaction};
use crate::error::sqlite;
use crate::index::SqliteIndex;
use crate::read::READ_EVENT;
use crate::schema;
use crate::sealing::{Keys, SealedEvent, destroy};

/// Removes the personal data of an event.
pub(crate) const ERASE_EVENT: &str = "UPDATE audit_event SET personal = NULL WHERE event_key = ?1";

/// An event to erase.
struct Found {
    sequence: Sequence,
    /// The index keys to remove.
    keys: Vec<TermKey>,
}

impl WriteTransaction<'_> {
    pub(crate) fn erase(
        &mut self,
        log: Log,
        mut sequences: Vec<Sequence>,
        by: AuditContext,
    ) -> Result<u64> {
        limits::erased_events(sequences.len())?;
        let Some(row) = self.log_row(log)? else { return Ok(0) };
        self.retention(row.id)?.permits_removal()?;
        // Also if nothing is left to erase: the WAL may still hold what an earlier call erased.
        self.after = After::Scrub;
        sequences.sort_unstable();
        sequences.dedup();
        let mut found = Vec::new();
        for sequence in sequences {
            if row.head.pruned < sequence && sequence <= row.head.size {
                found.extend(self.to_erase(row.id, sequence)?);
            }
        }
        let erased = found.len() as u64;
        if erased == 0 {
            return Ok(0);
        }
        self.append_own(Batch::reserved(log, Erasure::event(erased, by)?)?)?;
        let mut erase = self.connection.prepare_cached(ERASE_EVENT).map_err(sqlite(CONTEXT))?;
        for event in &found {
            let event_key = schema::event_key(row.id, event.sequence)?;
            erase.execute([event_key]).map_err(sqlite(CONTEXT))?;
        }
        drop(erase);
        let sequences: Vec<_> = found.iter().map(|event| event.sequence).collect();
        let keys = destroy(self.connection, row.id, &sequences)?;
        if let Some(end) = self.logs.get_mut(&log) {
            end.renew_key(&keys);
        }
        let keys = found.into_iter().filter(|event| !event.keys.is_empty());
        let removed = keys.map(|event| (event.sequence, event.keys)).collect();
        if let Some(end) = self.logs.get_mut(&log) {
            end.remove_keys(&removed);
        }
        let index = SqliteIndex { connection: self.connection, log: row.id };
        index.writer(self.indexing).remove_keys(row.indexed, removed)?;
        Ok(erased)
    }

    /// Returns the event if it has personal data.
    fn to_erase(&self, log: i64, sequence: Sequence) -> Result<Option<Found>> {
        let event_key = schema::event_key(log, sequence)?;
        let query = || {
            self.connection
                .prepare_cached(READ_EVENT)?
                .query_row([event_key], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        };
        let kept: (Vec<u8>, Option<i64>, Option<Vec<u8>>) = query().map_err(sqlite(CONTEXT))?;
        let (record, key, personal) = kept;
        if personal.is_none() {
            return Ok(None);
        }
        let event =
            SealedEvent::read(&mut Keys::new(self.connection), event_key, record, key, personal)?;
        let mut event = event.unseal();
        let terms = event.erase()?;
        Ok(Some(Found { sequence, keys: self.indexing.hasher.keys(&terms) }))
    }
}

const CONTEXT: &str = "erasing";

/// Removes erased data from the WAL by truncating it. Free pages hold none: SQLite overwrites a
/// page when it frees it.
///
/// # Errors
/// [`ErrorKind::Busy`] if another connection uses the WAL.
pub(crate) fn scrub(connection: &Connection) -> Result<()> {
    const IN_USE: &str = "another connection uses the WAL, which may still hold erased data; call \
                          again";
    let cut = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0));
    match cut.map_err(sqlite(CONTEXT)) {
        Ok(0) => Ok(()),
        Ok(_) => Err(Error::new(ErrorKind::Busy).with_context(IN_USE)),
        Err(error) if error.kind() == ErrorKind::Busy => Err(error.with_context(IN_USE)),
        Err(error) => Err(error),
    }
}
