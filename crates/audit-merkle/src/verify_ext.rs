//! Heads, proofs, evidence and verification, over any store.

use async_trait::async_trait;
use audit_core::{
    AuditStore, EntriesRequest, Error, ErrorKind, EventId, Log, Result, Sequence, Violation,
    backend::StoredEvent,
};

use crate::store_nodes::{check_size, stored_nodes};
use crate::{
    ConsistencyProof, Evidence, InclusionProof, LeafHash, SignedCheckpoint, TreeHead, Verification,
    consistency_nodes, consistency_proof, inclusion_nodes, inclusion_proof, root, root_nodes,
};

/// Proves and verifies the logs of every [`AuditStore`], including `dyn` ones.
///
/// A proof reads the nodes of the store in one call. What retention has removed cannot be proved any
/// more and is [`Gone`](ErrorKind::Gone). A node that the store must keep and lacks is
/// [`Corrupt`](ErrorKind::Corrupt), with the field `nodes[level][index]`.
///
/// ```
/// use audit_core::{Actor, AuditStoreExt, Log, NewEvent};
/// use audit_memory::MemoryStore;
/// use audit_merkle::VerifyExt;
///
/// # futures_executor::block_on(async {
/// let store = MemoryStore::new()?;
/// let paid = || NewEvent::new("invoice.paid", Actor::user("u_7"));
/// let receipt = store.record(Log::Platform, paid()).await?;
/// store.record(Log::Platform, paid()).await?;
///
/// let head = store.tree_head(Log::Platform).await?;
/// let proof = store.inclusion_proof(Log::Platform, receipt.sequence, head.size).await?;
/// proof.verify(receipt.leaf, &head)?;
///
/// let report = store.verify(Log::Platform).against([head]).await?;
/// assert!(report.is_intact() && report.proved == head.size);
/// # Ok::<(), audit_core::Error>(())
/// # })?;
/// # Ok::<(), audit_core::Error>(())
/// ```
#[async_trait]
pub trait VerifyExt: AuditStore {
    /// Returns the size and the root of `log`, with all its events.
    async fn tree_head(&self, log: Log) -> Result<TreeHead> {
        Ok(self.frontier(log).await?.head())
    }

    /// Returns the size and the root that `log` had with its first `size` events.
    ///
    /// # Errors
    /// [`Behind`](ErrorKind::Behind) if the log has fewer events, [`Gone`](ErrorKind::Gone) if
    /// retention has removed more than `size`.
    async fn tree_head_at(&self, log: Log, size: Sequence) -> Result<TreeHead> {
        check_size(self, log, size).await?;
        let stored = stored_nodes(self, log, root_nodes(size)).await?;
        Ok(TreeHead { size, root: root(&stored, size)? })
    }

    /// Proves that event `sequence` is among the first `size` events of `log`.
    ///
    /// # Errors
    /// [`Invalid`](ErrorKind::Invalid) if `sequence` is zero or greater than `size`,
    /// [`Behind`](ErrorKind::Behind) if the log has fewer events than `size`,
    /// [`Gone`](ErrorKind::Gone) if retention has removed the event.
    async fn inclusion_proof(
        &self,
        log: Log,
        sequence: Sequence,
        size: Sequence,
    ) -> Result<InclusionProof> {
        let ids = inclusion_nodes(sequence, size)?;
        if sequence <= check_size(self, log, size).await? {
            return Err(Error::new(ErrorKind::Gone).with_field("sequence"));
        }
        inclusion_proof(&stored_nodes(self, log, ids).await?, sequence, size)
    }

    /// Proves that `log` with its first `to` events begins with its first `from` events.
    ///
    /// # Errors
    /// [`Invalid`](ErrorKind::Invalid) if `from` is greater than `to`,
    /// [`Behind`](ErrorKind::Behind) if the log has fewer events than `to`,
    /// [`Gone`](ErrorKind::Gone) if retention has removed more than `from`.
    async fn consistency_proof(
        &self,
        log: Log,
        from: Sequence,
        to: Sequence,
    ) -> Result<ConsistencyProof> {
        let ids = consistency_nodes(from, to)?;
        check_size(self, log, to).await.map_err(|error| error.with_field("to"))?;
        consistency_proof(&stored_nodes(self, log, ids).await?, from, to)
    }

    /// Returns event `sequence` of `log` as it is stored.
    ///
    /// # Errors
    /// [`Gone`](ErrorKind::Gone) if retention has removed it, [`Corrupt`](ErrorKind::Corrupt) if it
    /// is missing otherwise.
    async fn stored_event(&self, log: Log, sequence: Sequence) -> Result<StoredEvent> {
        let request = EntriesRequest::default().after(sequence.previous()).limit(1).bytes(1);
        let entry = self.entries(log, request).await?.into_iter().next();
        if let Some(entry) = entry.filter(|entry| entry.sequence == sequence) {
            return Ok(entry.event);
        }
        let is_pruned = self.head(log).await?.pruned >= sequence;
        let kind = if is_pruned { ErrorKind::Gone } else { ErrorKind::Corrupt };
        Err(Error::new(kind).with_context("reading an event"))
    }

    /// Returns the evidence of event `id` of `log` under a checkpoint of the log. To pass it on
    /// without the personal data, see [`Evidence::without_personal`].
    ///
    /// Does not verify the signature of the checkpoint.
    ///
    /// # Errors
    /// [`NotFound`](ErrorKind::NotFound) if the log does not hold the event.
    /// [`Invalid`](ErrorKind::Invalid) with the field `checkpoint.size` if the checkpoint is older
    /// than the event. [`Corrupt`](ErrorKind::Corrupt) if the log does not match the checkpoint,
    /// with the reason as the source. Those of [`inclusion_proof`](Self::inclusion_proof).
    async fn evidence(
        &self,
        log: Log,
        id: EventId,
        checkpoint: SignedCheckpoint,
    ) -> Result<Evidence> {
        let sequence = self.get(log, id).await?.sequence;
        let head = *checkpoint.unverified().head();
        if sequence > head.size {
            let min = sequence.get().cast_signed();
            let violation = Violation::OutOfRange { min, max: i64::MAX };
            return Err(Error::invalid("checkpoint.size", violation));
        }
        let proof = self.inclusion_proof(log, sequence, head.size).await?;
        let event = self.stored_event(log, sequence).await?;
        proof.verify(LeafHash::of(&event.record), &head).map_err(|source| {
            let error = Error::new(ErrorKind::Corrupt).with_context("proving an event");
            error.with_source(source)
        })?;
        Evidence::new(event, &proof, checkpoint)
    }

    /// Verifies `log`: reads it, or what retention has left of it, and compares it with
    /// [kept heads](Verification::against), with the store's own head, frontier and nodes, and with
    /// the removals that the log declares.
    ///
    /// Finds every change that a kept head covers: a record that was deleted, changed, moved or
    /// inserted, and a log that was cut. The store's nodes narrow a change down to the record, as
    /// long as they were not changed with it. The events after the largest kept head are compared
    /// with the store's own frontier only, which anyone who can write to the store can replace.
    ///
    /// Personal data is compared with the digest in its record. Missing personal data is accepted if
    /// the log records at least as many erasures after it; only the store can append these events.
    /// Erasures are counted, not named: if an event that was erased is pruned, the personal data of
    /// another event can be removed without a finding.
    ///
    /// Appends, erasures and pruning may run meanwhile. Events that are appended meanwhile are left
    /// to the next verification. Reads at most 1,000 events or 4 MiB at a time, and lets the
    /// executor run other tasks after each.
    ///
    /// # Errors
    /// A fault of the log is not an error: it is a finding in the [`Report`](crate::Report).
    /// [`Gone`](ErrorKind::Gone) if retention has removed events after the head of
    /// [`since`](Verification::since). [`Corrupt`](ErrorKind::Corrupt) if the nodes are missing from
    /// which the reading starts.
    ///
    /// ```
    /// # use audit_core::{AuditStore, Log, Result, TreeHead};
    /// use audit_merkle::VerifyExt;
    ///
    /// # async fn example(store: &dyn AuditStore, kept: Vec<TreeHead>, monday: TreeHead) -> Result<()> {
    /// let report = store
    ///     .verify(Log::Platform)
    ///     .against(&kept)
    ///     .since(monday)
    ///     .on_progress(|progress| println!("{} of {}", progress.read, progress.end))
    ///     .await?;
    /// # let _ = report;
    /// # Ok(())
    /// # }
    /// ```
    fn verify(&self, log: Log) -> Verification<'_, Self> {
        Verification::new(self, log)
    }
}

impl<S: AuditStore + ?Sized> VerifyExt for S {}
