//! What proves the logs of any store: heads, proofs, evidence, and the verification of a whole log.

use std::collections::HashMap;

use async_trait::async_trait;
use audit_core::tree::NodeId;
use audit_core::{
    AuditStore, EntriesRequest, Error, ErrorKind, EventId, Log, Result, Sequence,
    backend::StoredEvent,
};

use crate::verify::{Progress, verify};
use crate::{
    ConsistencyProof, Evidence, InclusionProof, LeafHash, NodeHash, Report, SignedCheckpoint,
    TreeHead, consistency_nodes, consistency_proof, inclusion_nodes, inclusion_proof, nodes, root,
    root_nodes,
};

/// What proves the logs of every [`AuditStore`], `dyn` ones included.
///
/// A proof asks the store for its nodes once. What retention has removed is proved no more, and
/// [`Gone`](ErrorKind::Gone); a node that the store should have and has not is
/// [`Corrupt`](ErrorKind::Corrupt), with the field `nodes[level][index]`.
///
/// ```
/// use audit_core::{Actor, AuditStoreExt, LeafHash, Log, NewEvent};
/// use audit_memory::MemoryStore;
/// use audit_merkle::ProvableExt;
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
/// let report = store.verify(Log::Platform, &[head], None, &mut |_| ()).await?;
/// assert!(report.is_intact() && report.proved == head.size);
/// # Ok::<(), audit_core::Error>(())
/// # })?;
/// # Ok::<(), audit_core::Error>(())
/// ```
#[async_trait]
pub trait ProvableExt: AuditStore {
    /// The size and the root of `log` as of all its events.
    async fn tree_head(&self, log: Log) -> Result<TreeHead> {
        Ok(self.frontier(log).await?.head())
    }

    /// The root of `log` as of its first `size` events.
    ///
    /// # Errors
    /// [`Behind`](ErrorKind::Behind) if the log has fewer, [`Gone`](ErrorKind::Gone) if retention
    /// has removed more.
    async fn tree_head_at(&self, log: Log, size: Sequence) -> Result<TreeHead> {
        holds(self, log, size).await?;
        let kept = kept_nodes(self, log, root_nodes(size)).await?;
        Ok(TreeHead { size, root: root(&kept, size)? })
    }

    /// The proof that event `sequence` is among the first `size` events of `log`.
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
        let names = inclusion_nodes(sequence, size)?;
        if sequence <= holds(self, log, size).await? {
            return Err(Error::new(ErrorKind::Gone).with_field("sequence"));
        }
        inclusion_proof(&kept_nodes(self, log, names).await?, sequence, size)
    }

    /// The proof that `log` with its first `from` events is the beginning of `log` with its first
    /// `to`.
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
        let names = consistency_nodes(from, to)?;
        holds(self, log, to).await.map_err(|error| error.with_field("to"))?;
        consistency_proof(&kept_nodes(self, log, names).await?, from, to)
    }

    /// Event `sequence` of `log` as it is kept, which the log must hold.
    ///
    /// # Errors
    /// [`Gone`](ErrorKind::Gone) if retention has removed it, [`Corrupt`](ErrorKind::Corrupt) if it
    /// is not there for another reason.
    async fn stored_event(&self, log: Log, sequence: Sequence) -> Result<StoredEvent> {
        let entry = self
            .entries(log, EntriesRequest::default().after(sequence.previous()).limit(1).bytes(1))
            .await?
            .into_iter()
            .next();
        if let Some(entry) = entry.filter(|entry| entry.sequence == sequence) {
            return Ok(entry.event);
        }
        let is_pruned = self.head(log).await?.pruned >= sequence;
        let kind = if is_pruned { ErrorKind::Gone } else { ErrorKind::Corrupt };
        Err(Error::new(kind).with_context("reading an event"))
    }

    /// The event `id` of `log`, and all that proves it under a checkpoint of the log. Without its
    /// personal part it is given away [as well](Evidence::without_personal).
    ///
    /// # Errors
    /// [`NotFound`](ErrorKind::NotFound) if the log does not hold it. [`Invalid`](ErrorKind::Invalid)
    /// with the field `checkpoint.size` if the checkpoint is from before the event.
    /// [`Corrupt`](ErrorKind::Corrupt) if the log is not the one that the checkpoint states, with
    /// the reason as the source. The others as of [`inclusion_proof`](Self::inclusion_proof).
    /// Whether the signature is right is not looked at.
    async fn evidence(
        &self,
        log: Log,
        id: EventId,
        checkpoint: SignedCheckpoint,
    ) -> Result<Evidence> {
        let sequence = self.get(log, id).await?.sequence;
        let head = *checkpoint.unverified().head();
        if sequence.get() > head.size.get() {
            let min = sequence.get().cast_signed();
            let violation = audit_core::Violation::OutOfRange { min, max: i64::MAX };
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

    /// Reads all of `log`, or what retention has left of it, and compares it with kept heads, with
    /// the store's own head, edge and nodes, and with what the log tells of itself.
    ///
    /// The heads are those of checkpoints that were verified, and kept where whoever can change the
    /// store cannot change them; each is compared when its size is reached. With `since`, one of
    /// them, only the events behind it are read: it stands for those before.
    ///
    /// Every fault is found that kept heads can show: a record that was deleted, changed, moved or
    /// inserted, and a log that was cut. Where the store's nodes were left, they tell the place.
    /// Beyond the largest head, the store's own edge states what was there, which who can write to
    /// the store can write as well. Personal parts are compared with their records. One that is
    /// missing is right if the log tells of as many erasures: so one of two may be missing that were
    /// erased together, in another's stead. What tells is an event like others: whoever may append
    /// events of these actions may tell.
    ///
    /// Appends, erasures and pruning may go on meanwhile; what is appended is left to the next time.
    /// It reads a thousand events at a time, tells `on_progress`, and gives way to other tasks.
    ///
    /// # Errors
    /// What is wrong with the log is no error but in the [`Report`]. [`Gone`](ErrorKind::Gone) if
    /// retention has removed events behind `since`. [`Corrupt`](ErrorKind::Corrupt) if the nodes
    /// are missing from which the reading begins.
    async fn verify(
        &self,
        log: Log,
        heads: &[TreeHead],
        since: Option<TreeHead>,
        on_progress: &mut (dyn FnMut(Progress) + Send),
    ) -> Result<Report> {
        verify(self, log, heads, since, on_progress).await
    }
}

impl<S: AuditStore + ?Sized> ProvableExt for S {}

/// Checks that `log` has `size` events, and returns the last that retention has removed.
async fn holds<S: AuditStore + ?Sized>(store: &S, log: Log, size: Sequence) -> Result<Sequence> {
    let head = store.head(log).await?;
    if size > head.size {
        return Err(Error::new(ErrorKind::Behind).with_field("size"));
    }
    Ok(head.pruned)
}

/// The nodes of these names, all of which are complete.
pub(crate) async fn kept_nodes<S: AuditStore + ?Sized>(
    store: &S,
    log: Log,
    names: Vec<NodeId>,
) -> Result<HashMap<NodeId, NodeHash>> {
    let (kept, missing) = ask(store, log, names).await?;
    if let Some(id) = missing.first() {
        let pruned = store.head(log).await?.pruned;
        return Err(if id.is_retained(pruned) {
            nodes::missing(*id)
        } else {
            Error::new(ErrorKind::Gone).with_context("proving")
        });
    }
    Ok(kept)
}

/// The nodes of these names that are there, and those that are not.
pub(crate) async fn ask<S: AuditStore + ?Sized>(
    store: &S,
    log: Log,
    names: Vec<NodeId>,
) -> Result<(HashMap<NodeId, NodeHash>, Vec<NodeId>)> {
    if names.is_empty() {
        return Ok((HashMap::new(), Vec::new()));
    }
    let hashes = store.nodes(log, names.clone()).await?;
    let (mut kept, mut missing) = (HashMap::with_capacity(names.len()), Vec::new());
    // A store that answers too little has not kept the rest.
    for (name, hash) in names.into_iter().zip(hashes.into_iter().chain(std::iter::repeat(None))) {
        match hash {
            Some(hash) => drop(kept.insert(name, hash)),
            None => missing.push(name),
        }
    }
    Ok((kept, missing))
}
