//! Checkpoints as files of a directory.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Sender};
use std::thread;

use async_trait::async_trait;
use audit_core::{Error, ErrorKind, Log, Result};
use futures_channel::oneshot;

use crate::{CheckpointStore, SignedCheckpoint};

/// Keeps the latest checkpoint of each log as the file `<directory>/<log>.checkpoint`.
///
/// The files are what is published: any user may read them, and each is replaced as a whole, after
/// it was synced to the disk. Several processes of one machine can share the directory: each holds
/// the lock of `notary.lock` while it compares and replaces. A process that is killed leaves the old
/// checkpoint or the new one, and no lock.
///
/// The directory `<directory>/signed` has a file for each log of which a checkpoint was published,
/// with the size of the latest. If that checkpoint is missing, or an older one is in its place,
/// [`latest`](CheckpointStore::latest) fails with [`ErrorKind::Corrupt`] and the field `checkpoint`,
/// until it is put back or [`start_over`](Self::start_over) is called.
///
/// A thread of its own waits for the disk and for the lock, never the caller's executor. The thread
/// ends when the last clone is dropped. Once it is polled, a [`publish`](CheckpointStore::publish)
/// is carried through, even if its future is dropped.
#[derive(Clone, Debug)]
pub struct CheckpointDirectory {
    files: Files,
    jobs: Sender<Job>,
}

type Job = Box<dyn FnOnce() + Send>;

/// Held while a checkpoint is compared and replaced.
const LOCK: &str = "notary.lock";
const EXTENSION: &str = "checkpoint";
/// The directory of the logs of which a checkpoint was published.
const SIGNED: &str = "signed";

impl CheckpointDirectory {
    /// Opens the directory at `path`, and creates it if it does not exist.
    ///
    /// Blocks until the disk has answered, and for as long as another process holds the lock.
    ///
    /// # Errors
    /// [`ErrorKind::ReadOnly`] if the directory cannot be written, [`ErrorKind::StorageFull`], or
    /// [`ErrorKind::Unavailable`] if the system fails otherwise.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self> {
        let files = Files { directory: path.into() };
        fs::create_dir_all(files.directory.join(SIGNED)).map_err(failed)?;
        files.lock()?;
        let (jobs, queue) = mpsc::channel::<Job>();
        let run = move || queue.into_iter().for_each(|job| job());
        thread::Builder::new().name("audit-checkpoints".into()).spawn(run).map_err(failed)?;
        Ok(Self { files, jobs })
    }

    /// Returns the path of the directory.
    pub fn path(&self) -> &Path {
        &self.files.directory
    }

    /// Returns the path of the file that holds the latest checkpoint of `log`.
    pub fn file(&self, log: Log) -> PathBuf {
        self.files.of(log)
    }

    /// Forgets that a checkpoint of `log` was published, so that a notary signs a first one. Keeps
    /// the checkpoint, if there is one, as `<log>.checkpoint.old`.
    ///
    /// Call it only when an operator has decided so: the notary can then sign a history that
    /// contradicts what it signed before.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub async fn start_over(&self, log: Log) -> Result<()> {
        self.run(move |files| files.start_over(log)).await
    }

    /// Runs `work` on the thread.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Files) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (reply, answer) = oneshot::channel();
        let files = self.files.clone();
        let job = move || {
            // The caller may have left.
            let _ = reply.send(work(&files));
        };
        let ended = || Error::new(ErrorKind::Closed).with_context("keeping checkpoints");
        self.jobs.send(Box::new(job)).map_err(|_| ended())?;
        answer.await.map_err(|_| ended())?
    }
}

#[async_trait]
impl CheckpointStore for CheckpointDirectory {
    async fn latest(&self, log: Log) -> Result<Option<SignedCheckpoint>> {
        self.run(move |files| files.latest(log)).await
    }

    async fn publish(
        &self,
        log: Log,
        expected: Option<&SignedCheckpoint>,
        next: &SignedCheckpoint,
    ) -> Result<()> {
        let (expected, next) = (expected.cloned(), next.clone());
        self.run(move |files| files.publish(log, expected.as_ref(), &next)).await
    }

    async fn logs(&self) -> Result<Vec<Log>> {
        self.run(Files::logs).await
    }
}

/// The files of a directory. Every call blocks.
#[derive(Clone, Debug)]
struct Files {
    directory: PathBuf,
}

impl Files {
    fn of(&self, log: Log) -> PathBuf {
        self.directory.join(format!("{log}.{EXTENSION}"))
    }

    fn latest(&self, log: Log) -> Result<Option<SignedCheckpoint>> {
        // Between rename and sync a checkpoint can be read that a power cut takes back.
        let lock = self.open_lock()?;
        lock.lock_shared().map_err(failed)?;
        self.read(log)
    }

    fn publish(
        &self,
        log: Log,
        expected: Option<&SignedCheckpoint>,
        next: &SignedCheckpoint,
    ) -> Result<()> {
        let _lock = self.lock()?;
        if self.read(log)?.as_ref() != expected {
            return Err(Error::new(ErrorKind::Conflict).with_context("publishing a checkpoint"));
        }
        replace(&self.of(log), next.to_string().as_bytes()).map_err(failed)?;
        // After the checkpoint: a power cut in between must not leave a larger size than it has.
        let size = next.unverified().size().to_string();
        replace(&self.signed(log), size.as_bytes()).map_err(failed)
    }

    /// Returns the size of the latest checkpoint that was published; `None` if none was.
    fn signed_size(&self, log: Log) -> Result<Option<u64>> {
        match fs::read_to_string(self.signed(log)) {
            Ok(size) => Ok(Some(size.parse().unwrap_or(u64::MAX))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed(error)),
        }
    }

    fn signed(&self, log: Log) -> PathBuf {
        self.directory.join(SIGNED).join(log.to_string())
    }

    fn start_over(&self, log: Log) -> Result<()> {
        let _lock = self.lock()?;
        let path = self.of(log);
        let kept = path.with_extension(format!("{EXTENSION}.old"));
        for done in [fs::rename(&path, kept), fs::remove_file(self.signed(log))] {
            match done {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                done => done.map_err(failed)?,
            }
        }
        sync_directory(&self.directory).map_err(failed)
    }

    fn logs(&self) -> Result<Vec<Log>> {
        let mut logs = Vec::new();
        for entry in fs::read_dir(&self.directory).map_err(failed)? {
            let path = PathBuf::from(entry.map_err(failed)?.file_name());
            if path.extension().is_some_and(|extension| extension == EXTENSION) {
                let name = path.file_stem().and_then(|name| name.to_str());
                logs.extend(name.and_then(|name| name.parse::<Log>().ok()));
            }
        }
        // Also those whose checkpoint is missing, so that it is noticed.
        for entry in fs::read_dir(self.directory.join(SIGNED)).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name();
            logs.extend(name.to_str().and_then(|name| name.parse::<Log>().ok()));
        }
        logs.sort_unstable();
        logs.dedup();
        Ok(logs)
    }

    /// Reads the checkpoint of `log`. The caller holds the lock.
    fn read(&self, log: Log) -> Result<Option<SignedCheckpoint>> {
        let text = match fs::read_to_string(self.of(log)) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return if self.signed_size(log)?.is_some() { Err(lost()) } else { Ok(None) };
            }
            Err(error) => return Err(failed(error)),
        };
        let latest: SignedCheckpoint = text.parse().map_err(|source: Error| {
            let error =
                Error::new(ErrorKind::Corrupt).with_context("reading the latest checkpoint");
            error.with_source(source)
        })?;
        let is_latest = self.signed_size(log)? <= Some(latest.unverified().size().get());
        if is_latest { Ok(Some(latest)) } else { Err(lost()) }
    }

    /// Waits for the lock of the directory. It is released when the file is dropped, or the process
    /// ends.
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

/// Replaces the file at `path`. A reader sees the old content or the new; when this returns, a power
/// cut leaves the new.
fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let new = path.with_extension("new");
    let mut file = File::create(&new)?;
    file.write_all(content)?;
    let_everyone_read(&file)?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    path.parent().map_or(Ok(()), sync_directory)
}

/// Lets every user read a file, whatever the umask of the process.
#[cfg(unix)]
fn let_everyone_read(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    file.set_permissions(fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn let_everyone_read(_: &File) -> io::Result<()> {
    Ok(())
}

#[cfg(unix)]
fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

/// A directory cannot be synced here. A rename is durable by itself, or cannot be made so.
#[cfg(not(unix))]
fn sync_directory(_: &Path) -> io::Result<()> {
    Ok(())
}

fn lost() -> Error {
    Error::new(ErrorKind::Corrupt)
        .with_context("the latest checkpoint of the log was published and is missing")
        .with_field("checkpoint")
}

fn failed(source: io::Error) -> Error {
    let kind = match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ErrorKind::StorageFull,
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => ErrorKind::ReadOnly,
        _ => ErrorKind::Unavailable,
    };
    Error::new(kind).with_context("keeping checkpoints").with_source(source)
}
