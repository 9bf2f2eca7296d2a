//! Faults of what is erased, kept and pruned.

use audit_core::{Attribution, AuditStore, Log, Pruned, Result, Retention, Sequence};

use super::Faulty;

impl Faulty {
    pub(super) async fn faulty_erase(
        &self,
        log: Log,
        sequences: Vec<Sequence>,
        by: Attribution,
    ) -> Result<u64> {
        self.inner.erase_events(log, sequences, by).await
    }

    pub(super) async fn faulty_retention(&self, log: Log) -> Result<Retention> {
        self.inner.retention(log).await
    }

    pub(super) async fn faulty_set_retention(
        &self,
        log: Log,
        retention: Retention,
        by: Attribution,
    ) -> Result<()> {
        self.inner.set_retention(log, retention, by).await
    }

    pub(super) async fn faulty_prune(&self, log: Log, by: Attribution) -> Result<Pruned> {
        self.inner.prune(log, by).await
    }
}
