//! Where a notary keeps the latest signed checkpoint of each log.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use audit_core::{Log, Result};

use crate::SignedCheckpoint;

/// Keeps the latest signed checkpoint of each log, for a [`Notary`](crate::Notary) and for those to
/// whom it is published.
///
/// It is what a notary remembers between two signatures. A store that loses it, or returns an older
/// checkpoint, lets the notary sign two histories of one log. So keep it apart from the database,
/// and never restore the one together with the other.
///
/// [`CheckpointDirectory`](crate::CheckpointDirectory) keeps files on one machine,
/// [`MemoryCheckpointStore`](crate::MemoryCheckpointStore) is for tests. A table of a database
/// serves notaries on several machines: `UPDATE … SET note = $next WHERE log = $log AND note =
/// $expected`.
///
/// Dropping a future before it is ready is safe at any point: the checkpoint was then published as
/// a whole or not at all, and [`latest`](Self::latest) returns which.
#[async_trait]
pub trait CheckpointStore: fmt::Debug + Send + Sync + 'static {
    /// Returns the latest checkpoint of `log`.
    ///
    /// # Behavior
    /// - MUST return the checkpoint of the last [`publish`](Self::publish) of `log` that succeeded,
    ///   by whichever process, with all its signature lines; `None` if there was none.
    /// - MUST NOT return a checkpoint that is lost in a power cut.
    /// - MUST fail with [`Corrupt`](audit_core::ErrorKind::Corrupt) if what is kept is not a signed
    ///   checkpoint. Its signature need not be verified.
    /// - SHOULD fail with the same kind, and the field `checkpoint`, if a checkpoint was published
    ///   and is lost: a notary would sign a first one again.
    async fn latest(&self, log: Log) -> Result<Option<SignedCheckpoint>>;

    /// Replaces the latest checkpoint of `log`, if it is still `expected`, with `next`.
    ///
    /// # Behavior
    /// - MUST compare and replace in one step: of two calls with the same `expected`, in whichever
    ///   processes, one succeeds.
    /// - MUST fail with [`Conflict`](audit_core::ErrorKind::Conflict), changing nothing, if the
    ///   latest checkpoint is not `expected`, or if there is one and `expected` is `None`. MUST NOT
    ///   fail with this kind for another reason.
    /// - MUST return only when `next` is durable.
    /// - MUST NOT let a reader see a part of `next`.
    /// - MUST NOT change the checkpoint of another log.
    async fn publish(
        &self,
        log: Log,
        expected: Option<&SignedCheckpoint>,
        next: &SignedCheckpoint,
    ) -> Result<()>;

    /// Returns the logs that have a checkpoint, in their order.
    ///
    /// # Behavior
    /// - MUST return each log of which a checkpoint was published before the call, once, sorted.
    async fn logs(&self) -> Result<Vec<Log>>;
}

#[async_trait]
impl<T: CheckpointStore + ?Sized> CheckpointStore for Arc<T> {
    async fn latest(&self, log: Log) -> Result<Option<SignedCheckpoint>> {
        (**self).latest(log).await
    }

    async fn publish(
        &self,
        log: Log,
        expected: Option<&SignedCheckpoint>,
        next: &SignedCheckpoint,
    ) -> Result<()> {
        (**self).publish(log, expected, next).await
    }

    async fn logs(&self) -> Result<Vec<Log>> {
        (**self).logs().await
    }
}
