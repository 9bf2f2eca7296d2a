//! Checkpoints in memory, for tests.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use audit_core::{Error, ErrorKind, Log, Result};

use crate::{CheckpointStore, SignedCheckpoint};

/// Keeps checkpoints in memory, for tests. Clones share them.
///
/// They end with the process, so nothing keeps the next one from signing another history: a service
/// uses a [`CheckpointDirectory`](crate::CheckpointDirectory), or a table.
#[derive(Clone, Debug, Default)]
pub struct MemoryCheckpointStore {
    latest: Arc<Mutex<BTreeMap<Log, SignedCheckpoint>>>,
}

impl MemoryCheckpointStore {
    /// Creates an empty store.
    pub fn new() -> Self {
        Self::default()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Log, SignedCheckpoint>> {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl CheckpointStore for MemoryCheckpointStore {
    async fn latest(&self, log: Log) -> Result<Option<SignedCheckpoint>> {
        Ok(self.lock().get(&log).cloned())
    }

    async fn publish(
        &self,
        log: Log,
        expected: Option<&SignedCheckpoint>,
        next: &SignedCheckpoint,
    ) -> Result<()> {
        let mut latest = self.lock();
        if latest.get(&log) != expected {
            return Err(Error::new(ErrorKind::Conflict).with_context("publishing a checkpoint"));
        }
        latest.insert(log, next.clone());
        Ok(())
    }

    async fn logs(&self) -> Result<Vec<Log>> {
        Ok(self.lock().keys().copied().collect())
    }
}
