//! The notary: signs the checkpoints of a store's logs, and never two that contradict each other.

use audit_core::{AuditStore, ErrorKind, Log, OrganizationId, Result};

use crate::{
    Checkpoint, CheckpointSigner, CheckpointStore, CheckpointVerifier, ConsistencyProof,
    SignedCheckpoint, TreeHead, VerifyExt as _,
};

/// Signs the checkpoints of a store's logs, and publishes each in a [`CheckpointStore`] before it
/// returns it.
///
/// It signs a checkpoint only if the log still begins with everything that was signed before. So a
/// log that was rewritten, cut, or restored from an old backup gets no further signature. It signs a
/// first checkpoint only of a log of which none was published. The checkpoint store is what the notary remembers: keep it apart from the database. Without it,
/// another history could be signed under the same name. Any number of notaries with the same key may
/// share one, in as many processes as the checkpoint store allows.
///
/// The origin of a log is the name of the key, a slash, and the log: `audit.example.com/platform`.
///
/// ```
/// use audit_core::{Actor, AuditStoreExt, Log, NewEvent};
/// use audit_memory::MemoryStore;
/// use audit_merkle::{CheckpointDirectory, CheckpointSigner, Notary, VerifyExt};
///
/// # let directory = tempfile::tempdir()?;
/// # futures_executor::block_on(async {
/// let store = MemoryStore::new()?;
/// let checkpoints = CheckpointDirectory::open(directory.path())?;
/// let notary = Notary::new(CheckpointSigner::generate("audit.example.com")?, checkpoints)?;
/// let receipt = store.record(Log::Platform, NewEvent::new("a", Actor::user("u_7"))).await?;
///
/// let signed = notary.checkpoint(&store, Log::Platform).await?;
/// let evidence = store.evidence(Log::Platform, receipt.id, signed).await?;
/// evidence.verify(&notary.verifier(Log::Platform))?;
/// # Ok::<(), audit_core::Error>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Notary {
    signer: CheckpointSigner,
    checkpoints: Box<dyn CheckpointStore>,
}

impl Notary {
    /// Creates a notary that signs with `signer` and publishes in `checkpoints`.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] with the field `name` if the key's name is too long for the origins of
    /// its logs.
    pub fn new(signer: CheckpointSigner, checkpoints: impl CheckpointStore) -> Result<Self> {
        let notary = Self { signer, checkpoints: Box::new(checkpoints) };
        let longest = notary.origin(Log::Organization(OrganizationId::new()));
        Checkpoint::new(longest, TreeHead::EMPTY).map_err(|error| error.with_field("name"))?;
        Ok(notary)
    }

    /// Returns the origin of `log`: its name in checkpoints.
    pub fn origin(&self, log: Log) -> String {
        format!("{}/{log}", self.signer.verifier().origin())
    }

    /// Returns the verifier of the checkpoints of `log`.
    pub fn verifier(&self, log: Log) -> CheckpointVerifier {
        self.signer.verifier().clone().with_origin(self.origin(log))
    }

    /// Returns the logs that have a published checkpoint, in their order.
    ///
    /// # Errors
    /// Those of the checkpoint store.
    pub async fn logs(&self) -> Result<Vec<Log>> {
        self.checkpoints.logs().await
    }

    /// Returns the latest published checkpoint of `log`, whichever process signed it.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] with a field below `latest` if it is of another key or log. Those of
    /// the checkpoint store.
    pub async fn latest(&self, log: Log) -> Result<Option<SignedCheckpoint>> {
        let latest = self.checkpoints.latest(log).await?;
        if let Some(latest) = &latest {
            self.verifier(log).verify(latest).map_err(|error| error.below("latest"))?;
        }
        Ok(latest)
    }

    /// Returns the checkpoint of `log` as it is now: the latest one if the log has not grown since,
    /// else a new one, signed and published.
    ///
    /// Holds no lock while it reads the store. Dropping the future is safe at any point: a
    /// checkpoint is returned only after it was published.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] if the log contradicts what was signed before: it is smaller (field
    /// `size`), has another root (`root`), or does not begin with it (`proof`). Nothing is signed
    /// then. [`ErrorKind::Gone`] if retention has removed events that were appended after the latest
    /// checkpoint, so that no proof can be made. [`ErrorKind::Corrupt`] with the field `checkpoint`
    /// if the latest checkpoint is lost, where the checkpoint store notices. Those of [`latest`](Self::latest), of the store,
    /// and of the checkpoint store.
    pub async fn checkpoint<S>(&self, store: &S, log: Log) -> Result<SignedCheckpoint>
    where
        S: AuditStore + ?Sized,
    {
        loop {
            let latest = self.latest(log).await?;
            let head = store.tree_head(log).await?;
            let proof = match &latest {
                Some(latest) if latest.unverified().head() == &head => return Ok(latest.clone()),
                Some(latest) => proof(store, log, latest.unverified().head(), &head).await?,
                None => ConsistencyProof::new(TreeHead::EMPTY.size, head.size, Vec::new()),
            };
            let next = self.sign(log, head, latest.as_ref(), &proof)?;
            match self.checkpoints.publish(log, latest.as_ref(), &next).await {
                Ok(()) => return Ok(next),
                // Another notary has published meanwhile. What was signed here is not returned, and
                // the next attempt starts from what the other has published.
                Err(error) if error.kind() == ErrorKind::Conflict => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn sign(
        &self,
        log: Log,
        head: TreeHead,
        latest: Option<&SignedCheckpoint>,
        proof: &ConsistencyProof,
    ) -> Result<SignedCheckpoint> {
        let checkpoint = Checkpoint::new(self.origin(log), head)?;
        match latest {
            Some(latest) => self.signer.sign_next(&checkpoint, latest, proof),
            None => self.signer.sign_first(&checkpoint),
        }
    }
}

/// Proves that the log at `head` begins with the log at `latest`.
async fn proof<S: AuditStore + ?Sized>(
    store: &S,
    log: Log,
    latest: &TreeHead,
    head: &TreeHead,
) -> Result<ConsistencyProof> {
    if latest.size > head.size {
        // There is no proof. The signer says why.
        return Ok(ConsistencyProof::new(latest.size, head.size, Vec::new()));
    }
    store.consistency_proof(log, latest.size, head.size).await
}
