//! Appends, and reads of single events.

use audit_core::backend::Batch;
use audit_core::{AuditEvent, Error, EventId, Head, Log, Receipt, Result};

use crate::store::{MemoryStore, read, write};

impl MemoryStore {
    pub(crate) fn append_batch(&self, batch: Batch) -> Result<Vec<Receipt>> {
        if batch.is_empty() {
            return Ok(Vec::new());
        }
        let log = batch.log();
        let state = self.log_or_new(log);
        let receipts = write(&state).append(batch, &self.shared.latest)?;
        self.shared.feeds.wake([log]);
        Ok(receipts)
    }

    /// Appends the batches of one change. Their events are new and checked, so that none is
    /// refused.
    pub(crate) fn append_all(&self, batches: [Batch; 2]) -> Result<()> {
        batches.into_iter().try_for_each(|batch| self.append_batch(batch).map(drop))
    }

    pub(crate) fn find(&self, log: Log, id: EventId) -> Result<AuditEvent> {
        let state = self.log(log).ok_or_else(|| Error::not_found("event"))?;
        let state = read(&state);
        state.find_by_id(id)?.ok_or_else(|| Error::not_found("event"))?.decode()
    }

    pub(crate) fn head_of(&self, log: Log) -> Head {
        self.log(log).map(|state| read(&state).head).unwrap_or_default()
    }
}
