//! The notary: signs what the logs of a store state, and never two things that deny each other.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use audit_core::{AuditStore, Error, ErrorKind, Log, OrganizationId, Result};

use crate::{
    Checkpoint, CheckpointSigner, CheckpointVerifier, ConsistencyProof, ProvableExt as _,
    SignedCheckpoint, TreeHead,
};

/// Signs the checkpoints of a store's logs, and keeps the last of each in a directory.
///
/// A log's origin is the name of the key, a slash, and the log: `audit.example.com/platform`. The
/// file `<directory>/<log>.checkpoint` is the last checkpoint of that log, and what is published:
/// readable by all, replaced at once, and on the disk before anyone is given it.
///
/// The directory is what the notary remembers, and so what has to be kept: not beside the database,
/// so that nobody restores the one with the other. Without it, another log could be signed under the
/// same name. Several processes may share it, on one machine.
///
/// ```
/// use audit_core::{Actor, AuditStoreExt, Log, NewEvent};
/// use audit_memory::MemoryStore;
/// use audit_merkle::{CheckpointSigner, Notary, ProvableExt};
///
/// # let directory = tempfile::tempdir()?;
/// # futures_executor::block_on(async {
/// let store = MemoryStore::new()?;
/// let notary = Notary::new(CheckpointSigner::generate("audit.example.com")?, directory.path())?;
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
    directory: PathBuf,
}

/// The file whose lock is held while a checkpoint is put in the place of the last.
const LOCK: &str = "notary.lock";

impl Notary {
    /// The notary that signs with this key, and keeps what it has signed in `directory`, which is
    /// made if it is not there.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] if the key's name is too long for the origins of its logs.
    /// [`ErrorKind::Unavailable`], or what else the system says, if the directory cannot be written.
    pub fn new(signer: CheckpointSigner, directory: impl Into<PathBuf>) -> Result<Self> {
        let notary = Self { signer, directory: directory.into() };
        let longest = notary.origin(Log::Organization(OrganizationId::new()));
        Checkpoint::new(longest, TreeHead::EMPTY).map_err(|error| error.with_field("name"))?;
        fs::create_dir_all(&notary.directory).map_err(failed)?;
        notary.lock()?;
        Ok(notary)
    }

    /// The name of `log` in its checkpoints.
    pub fn origin(&self, log: Log) -> String {
        format!("{}/{log}", self.signer.verifier().origin())
    }

    /// What others know the checkpoints of `log` by.
    pub fn verifier(&self, log: Log) -> CheckpointVerifier {
        self.signer.verifier().clone().with_origin(self.origin(log))
    }

    /// Where the last checkpoint of `log` is kept, and published.
    pub fn path(&self, log: Log) -> PathBuf {
        self.directory.join(format!("{log}.checkpoint"))
    }

    /// The logs of which a checkpoint was signed, in their order.
    ///
    /// # Errors
    /// Those of the directory.
    pub fn logs(&self) -> Result<Vec<Log>> {
        let mut logs = Vec::new();
        for entry in fs::read_dir(&self.directory).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name();
            let log = name.to_str().and_then(|name| name.strip_suffix(".checkpoint"));
            logs.extend(log.and_then(|log| log.parse::<Log>().ok()));
        }
        logs.sort_unstable();
        Ok(logs)
    }

    /// The last checkpoint of `log` that was signed, by whichever process.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] if the file is no checkpoint; [`ErrorKind::Invalid`] with a field below
    /// `last` if it is one of another key or log. Then it was not written by this notary.
    pub fn last(&self, log: Log) -> Result<Option<SignedCheckpoint>> {
        // One that is being written is not on the disk yet.
        let lock = self.open_lock()?;
        lock.lock_shared().map_err(failed)?;
        self.read(log)
    }

    /// The last checkpoint, whoever holds the lock.
    fn read(&self, log: Log) -> Result<Option<SignedCheckpoint>> {
        let text = match fs::read_to_string(self.path(log)) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        let signed: SignedCheckpoint = text.parse().map_err(|source: Error| {
            let error = Error::new(ErrorKind::Corrupt).with_context("reading the last checkpoint");
            error.with_source(source)
        })?;
        self.verifier(log).verify(&signed).map_err(|error| error.below("last"))?;
        Ok(Some(signed))
    }

    /// The checkpoint of `log` as it is now: the last one if nothing was appended since, else a new
    /// one, that is signed if the log still begins with all that was signed before.
    ///
    /// Dropping the future is safe at any point.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] if the log is not what was signed before, as when an old copy was
    /// restored: it is smaller (field `size`), has another root (`root`), or begins otherwise
    /// (`proof`). Then nothing is signed. [`ErrorKind::Gone`] if retention has removed events that
    /// were appended since the last checkpoint, so that nothing can show it. Those of
    /// [`last`](Self::last), of the store, and of the directory.
    pub async fn checkpoint<S>(&self, store: &S, log: Log) -> Result<SignedCheckpoint>
    where
        S: AuditStore + ?Sized,
    {
        loop {
            let last = self.last(log)?;
            let head = store.tree_head(log).await?;
            let proof = match &last {
                Some(last) if last.unverified().head() == &head => return Ok(last.clone()),
                Some(last) => proof(store, log, last.unverified().head(), &head).await?,
                None => ConsistencyProof::new(TreeHead::EMPTY.size, head.size, Vec::new()),
            };
            // The lock is held only to write, and not while the store is asked: so it is not known
            // before whether another has signed meanwhile.
            let _lock = self.lock()?;
            if self.read(log)? == last {
                return self.sign(log, head, last.as_ref(), &proof);
            }
        }
    }

    fn sign(
        &self,
        log: Log,
        head: TreeHead,
        last: Option<&SignedCheckpoint>,
        proof: &ConsistencyProof,
    ) -> Result<SignedCheckpoint> {
        let checkpoint = Checkpoint::new(self.origin(log), head)?;
        let signed = match last {
            Some(last) => self.signer.sign_next(&checkpoint, last, proof)?,
            None => self.signer.sign_first(&checkpoint)?,
        };
        replace(&self.path(log), signed.to_string().as_bytes()).map_err(failed)?;
        Ok(signed)
    }

    /// Waits for the lock of the directory, for as long as another writes a file. It is let go when
    /// the file is dropped, or the process ends.
    fn lock(&self) -> Result<File> {
        let lock = self.open_lock()?;
        lock.lock().map_err(failed)?;
        Ok(lock)
    }

    fn open_lock(&self) -> Result<File> {
        let path = self.directory.join(LOCK);
        let open = || OpenOptions::new().create(true).truncate(false).write(true).open(path);
        open().map_err(failed)
    }
}

/// The proof that a log that was at `last` is now at `head`.
async fn proof<S: AuditStore + ?Sized>(
    store: &S,
    log: Log,
    last: &TreeHead,
    head: &TreeHead,
) -> Result<ConsistencyProof> {
    if last.size > head.size {
        // There is none. The signer says why.
        return Ok(ConsistencyProof::new(last.size, head.size, Vec::new()));
    }
    store.consistency_proof(log, last.size, head.size).await
}

/// Puts `content` in the place of the file at `path`: whoever reads sees the one or the other, and
/// when this returns a power cut leaves the new.
fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let new = path.with_extension("new");
    let mut file = File::create(&new)?;
    file.write_all(content)?;
    publish(&file)?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    path.parent().map_or(Ok(()), sync_directory)
}

/// Lets everyone read a file, whatever the process's files are otherwise.
#[cfg(unix)]
fn publish(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    file.set_permissions(fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn publish(_: &File) -> io::Result<()> {
    Ok(())
}

#[cfg(unix)]
fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

/// Elsewhere a directory cannot be synced, and a rename is durable by itself or not at all.
#[cfg(not(unix))]
fn sync_directory(_: &Path) -> io::Result<()> {
    Ok(())
}

fn failed(source: io::Error) -> Error {
    let kind = match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ErrorKind::StorageFull,
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => ErrorKind::ReadOnly,
        _ => ErrorKind::Unavailable,
    };
    Error::new(kind).with_context("keeping checkpoints").with_source(source)
}
