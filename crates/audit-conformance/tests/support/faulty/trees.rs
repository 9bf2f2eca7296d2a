//! Faults of what proves a log.

use audit_core::{AuditStore, Frontier, Log, NodeHash, Result, Sequence, StoredEvent};

use super::Faulty;

impl Faulty {
    pub(super) async fn faulty_frontier(&self, log: Log) -> Result<Frontier> {
        self.inner.frontier(log).await
    }

    pub(super) async fn faulty_nodes(
        &self,
        log: Log,
        nodes: Vec<(u8, u64)>,
    ) -> Result<Vec<Option<NodeHash>>> {
        self.inner.nodes(log, nodes).await
    }

    pub(super) async fn faulty_stored(
        &self,
        log: Log,
        after: Sequence,
        limit: usize,
        bytes: usize,
    ) -> Result<Vec<(Sequence, StoredEvent)>> {
        self.inner.stored(log, after, limit, bytes).await
    }
}
