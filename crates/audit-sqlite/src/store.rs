//! The store and the traits that it implements.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use audit_core::tree::{Frontier, LogEntry, NodeHash, NodeId};
use audit_core::{
    AuditContext, AuditEvent, AuditStore, EntriesRequest, Error, ErrorKind, EventId, FollowerStore,
    Head, Log, NewEvent, Pruned, Pruning, Receipt, RefusedEvent, Result, Retention, RetentionStore,
    Scan, ScanResult, Sequence, StagedCounts, StagingStore, TokenKeys, limits,
};
use audit_index::Unhealed;

use crate::append::{After, WriteTransaction};
use crate::file::OpenFiles;
use crate::index::Indexing;
use crate::open::Access;
use crate::options::SqliteOptions;
use crate::read::{SealedResult, Snapshot};
use crate::readers::{Length, ReaderOptions, Readers};
use crate::sequencer::Sequencer;
use crate::staged::{self, Intake};
use crate::tenant_cache::TenantCache;
use crate::tree::SealedEntry;
use crate::watch::Watch;
use crate::writer::Writer;
use crate::{error, open, read, schema};

/// A store in one SQLite file. Clones are handles of the same open store. Dropping the last handle
/// completes the appends in progress and closes the store.
#[derive(Clone, Debug)]
pub struct SqliteStore {
    pub(crate) shared: Arc<Shared>,
}

#[derive(Debug)]
pub(crate) struct Shared {
    keys: TokenKeys,
    pub(crate) indexing: Indexing,
    pub(crate) files: Arc<OpenFiles>,
    // In the order in which they close. The writer is last, so that it leaves a single file.
    watch: Watch,
    /// `None` if nothing is written.
    _sequencer: Option<Sequencer>,
    pub(crate) tenants: TenantCache,
    pub(crate) readers: Readers,
    pub(crate) writer: Arc<Writer>,
    pub(crate) unhealed: Unhealed,
}

impl SqliteStore {
    /// Opens the store at `path`, and creates it if the file does not exist. The file may hold
    /// other tables; the names of the store's own tables begin with `audit_`.
    ///
    /// # Errors
    /// [`Incompatible`](audit_core::ErrorKind::Incompatible) if the file was written by a later
    /// version of this library, if it cannot be put into WAL mode, or if the linked SQLite is
    /// older than 3.51.3 and can lose committed data.
    /// [`Corrupt`](audit_core::ErrorKind::Corrupt) if it is not a database.
    /// [`ReadOnly`](audit_core::ErrorKind::ReadOnly) or
    /// [`Unavailable`](audit_core::ErrorKind::Unavailable) if it cannot be written or opened.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::open_with(path, SqliteOptions::default())
    }

    /// Opens the store at `path` with these options. Fails as [`SqliteStore::open`] does.
    pub fn open_with(path: impl AsRef<Path>, options: SqliteOptions) -> Result<Self> {
        let path = std::path::absolute(path).map_err(error::path)?;
        let timeout = options.busy_timeout;
        let (connection, access) = if options.is_read_only {
            open::open_read_only(&path, timeout)?
        } else {
            (open::open(&path, options.tables, timeout)?, Access::Shared)
        };
        // Threads open it by this path later, when the working directory or a link may have
        // changed.
        let path = path.canonicalize().map_err(error::path)?;
        let files = if options.is_read_only {
            OpenFiles::of_read_only(&path)?
        } else {
            OpenFiles::of(&path)?
        };
        let files = Arc::new(files);
        let keys = match options.token_keys {
            Some(keys) => keys,
            None => TokenKeys::from_secret(schema::token_secret(&connection)?),
        };
        let SqliteOptions { segment_events, merge_share, .. } = options;
        let indexing = Indexing { segment_events, merge_share, ..Indexing::read(&connection)? };
        let watch = Watch::new(path.clone(), access, Arc::clone(&files));
        let tenants = TenantCache::new(path.clone(), access, Arc::clone(&files));
        let writer = if options.is_read_only {
            Writer::none(Arc::clone(&files))
        } else {
            Writer::start(
                connection,
                timeout,
                options.queue_bytes,
                Arc::clone(&files),
                indexing.clone(),
                watch.feeds(),
            )?
        };
        let readers =
            ReaderOptions { turns: options.readers, turn: options.turn, busy_timeout: timeout };
        let readers = Readers::start(&path, access, &files, readers)?;
        let writer = Arc::new(writer);
        let sequencer = match options.staging_interval {
            Some(interval) if !options.is_read_only => {
                let (files, writer) = (Arc::clone(&files), Arc::clone(&writer));
                Some(Sequencer::start(path, files, writer, interval)?)
            }
            _ => None,
        };
        let shared = Shared {
            keys,
            indexing,
            files,
            watch,
            _sequencer: sequencer,
            tenants,
            readers,
            writer,
            unhealed: Unhealed::default(),
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Copies the store to a new file at `to` with SQLite's backup API. Others may read and write
    /// meanwhile. The copy holds every append that was acknowledged before the call. It appears at
    /// `to` when it is complete and on the disk. It has the permissions of a new store, and holds
    /// the secrets of the store.
    ///
    /// A copy is a store. To restore it, open it, or [put it](Self::replace) at the path of another
    /// store. Do not copy the file of an open store without this call: a part of it is in its WAL.
    /// Data erased after the backup remains in the backup; repeat the erasure after a restore. After
    /// a restore, tokens of walks and feeds that saw later events fail with
    /// [`HistoryChanged`](audit_core::ErrorKind::HistoryChanged).
    ///
    /// # Errors
    /// [`Conflict`](audit_core::ErrorKind::Conflict), with the field `to`, if a file exists there, or
    /// a WAL of a file with that name.
    /// [`StorageFull`](audit_core::ErrorKind::StorageFull),
    /// [`ReadOnly`](audit_core::ErrorKind::ReadOnly) or
    /// [`Unavailable`](audit_core::ErrorKind::Unavailable) if the copy cannot be written.
    ///
    /// ```
    /// # use audit_core::{Actor, AuditStoreExt, Log, NewEvent, EventQuery};
    /// # use audit_sqlite::SqliteStore;
    /// # let directory = tempfile::tempdir().unwrap();
    /// # let at = |name: &str| directory.path().join(name);
    /// # futures_executor::block_on(async {
    /// let store = SqliteStore::open(at("audit.db"))?;
    /// store.record(Log::Platform, NewEvent::new("user.login", Actor::user("u_1"))).await?;
    /// store.backup(at("monday.db")).await?;
    ///
    /// let restored = SqliteStore::open(at("monday.db"))?;
    /// assert_eq!(restored.count(&EventQuery::new(Log::Platform)).await?, 1);
    /// # Ok::<(), audit_core::Error>(())
    /// # })?;
    /// # Ok::<(), audit_core::Error>(())
    /// ```
    pub async fn backup(&self, to: impl AsRef<Path>) -> Result<()> {
        let to = std::path::absolute(to).map_err(error::path)?;
        self.shared.readers.read_apart(move |snapshot| snapshot.copy_to(&to)).await
    }

    /// Copies the store over the store at `to`, as [`backup`](Self::backup) does to a new file: to
    /// restore a backup, open it [for reading](crate::SqliteOptions::read_only), verify it, and call
    /// this with the path of the store to replace. Removes the WAL of the replaced store, which SQLite
    /// would otherwise play into the copy. `to` may also be missing, or damaged.
    ///
    /// # Errors
    /// [`Busy`](audit_core::ErrorKind::Busy) if the store at `to` is open, here or in another process.
    /// [`Conflict`](audit_core::ErrorKind::Conflict), with the field `to`, if it is a database of
    /// another application. Those of [`backup`](Self::backup). Nothing is replaced after an error.
    pub async fn replace(&self, to: impl AsRef<Path>) -> Result<()> {
        let to = std::path::absolute(to).map_err(error::path)?;
        self.shared.readers.read_apart(move |snapshot| snapshot.copy_over(&to)).await
    }

    /// Rewrites the file without its unused space. Returns the space of pruned events to the
    /// system, and removes the last traces of erased data from the unused bytes of pages.
    ///
    /// Appends wait meanwhile; reads do not. It needs room for two more copies of the file, one of
    /// them where SQLite keeps temporary files (`SQLITE_TMPDIR`). The caller's own tables in the
    /// same file are rewritten too; SQLite may renumber the rows of those without an
    /// `INTEGER PRIMARY KEY`.
    ///
    /// # Errors
    /// [`StorageFull`](audit_core::ErrorKind::StorageFull) if there is not enough room.
    /// [`Busy`](audit_core::ErrorKind::Busy) if another connection writes for longer than five seconds;
    /// call again. The file is unchanged after these. [`Pending`](audit_core::ErrorKind::Pending) if
    /// another connection reads an older state for longer than that: the file is rewritten, but what
    /// it held before is still in the WAL. Call again.
    ///
    /// ```
    /// # use audit_core::{Actor, AuditStoreExt, Log, NewEvent};
    /// # use audit_sqlite::SqliteStore;
    /// # let directory = tempfile::tempdir().unwrap();
    /// # futures_executor::block_on(async {
    /// let store = SqliteStore::open(directory.path().join("audit.db"))?;
    /// store.record(Log::Platform, NewEvent::new("user.login", Actor::user("u_1"))).await?;
    /// store.compact().await?;
    /// # Ok::<(), audit_core::Error>(())
    /// # })?;
    /// # Ok::<(), audit_core::Error>(())
    /// ```
    pub async fn compact(&self) -> Result<()> {
        let compact = |transaction: &mut WriteTransaction<'_>| {
            transaction.after = After::Compact;
            Ok(())
        };
        self.shared.writer.write(Log::Platform, compact).await
    }
}

impl SqliteStore {
    /// Reads a few rows of `log`, with what is staged of it.
    async fn look_up<T: Send + 'static>(
        &self,
        log: Log,
        read: impl Fn(&Snapshot<'_>) -> Result<T> + Clone + Send + 'static,
    ) -> Result<T> {
        self.with_staged(Length::Rows, Some(log), read).await
    }

    /// Does the same for a read of any length.
    async fn read<T: Send + 'static>(
        &self,
        log: Log,
        read: impl Fn(&Snapshot<'_>) -> Result<T> + Clone + Send + 'static,
    ) -> Result<T> {
        self.with_staged(Length::Any, Some(log), read).await
    }

    /// Reads after what is staged of `log`, or of any log, has been taken in.
    async fn with_staged<T: Send + 'static>(
        &self,
        length: Length,
        log: Option<Log>,
        read: impl Fn(&Snapshot<'_>) -> Result<T> + Clone + Send + 'static,
    ) -> Result<T> {
        let Shared { readers, writer, .. } = &*self.shared;
        let owner = log.unwrap_or(Log::Platform);
        let unless_staged = staged::unless_staged(log, !writer.is_none(), read.clone());
        if let Some(found) = readers.run(length, owner, unless_staged).await? {
            return Ok(found);
        }
        staged::take_in(writer, log.map_or_else(Intake::default, Intake::of)).await?;
        readers.run(length, owner, read).await
    }

    async fn find(&self, scan: &Arc<Scan>) -> Result<SealedResult> {
        let (indexing, scan) = (self.shared.indexing.clone(), Arc::clone(scan));
        self.read(scan.log, move |snapshot| snapshot.scan(&indexing, &scan)).await
    }

    async fn find_event(&self, log: Log, id: EventId) -> Result<AuditEvent> {
        let find = move |snapshot: &Snapshot<'_>| snapshot.event(log, id);
        let event = self.look_up(log, find).await?.decode()?;
        // A damaged row in the table of ids must not make the store return another event.
        if event.id != id {
            return Err(error::damaged(Error::new(ErrorKind::Corrupt).with_field("id")));
        }
        Ok(event)
    }
}

#[async_trait]
impl AuditStore for SqliteStore {
    fn token_keys(&self) -> &TokenKeys {
        &self.shared.keys
    }

    async fn append(&self, log: Log, events: Vec<NewEvent>) -> Result<Vec<Receipt>> {
        let batch = self.shared.indexing.hasher.batch(log, events)?;
        if batch.is_empty() {
            return Ok(Vec::new());
        }
        self.shared.writer.append(batch).await
    }

    async fn get(&self, log: Log, id: EventId) -> Result<AuditEvent> {
        match self.find_event(log, id).await {
            // The row of its id can lead elsewhere.
            Err(error) if error.kind() == ErrorKind::Corrupt && !self.shared.writer.is_none() => {
                self.shared.writer.write(log, move |t| t.heal_id(log, id)).await?;
                self.find_event(log, id).await
            }
            found => found,
        }
    }

    async fn head(&self, log: Log) -> Result<Head> {
        self.look_up(log, move |snapshot| snapshot.head(log)).await
    }

    async fn logs(&self, after: Option<Log>, limit: usize) -> Result<Vec<Log>> {
        limits::logs_page(limit)?;
        let list = move |snapshot: &Snapshot<'_>| read::logs(snapshot.connection, after, limit);
        self.with_staged(Length::Any, None, list).await
    }

    async fn scan(&self, scan: Scan) -> Result<ScanResult> {
        let log = scan.log;
        let scan = Arc::new(scan);
        let found = match self.find(&scan).await {
            Err(error) if self.heal_after(log, &error).await? => {
                self.find(&scan).await.inspect(|_| self.healed(log))
            }
            found => found,
        };
        found?.decode()
    }

    async fn wait_for_append(&self, log: Log, sequence: Sequence) -> Result<Head> {
        self.shared.watch.wait(log)?.wait_for_append(sequence, || self.head(log)).await
    }

    async fn frontier(&self, log: Log) -> Result<Frontier> {
        self.look_up(log, move |snapshot| snapshot.frontier(log)).await
    }

    async fn nodes(&self, log: Log, nodes: Vec<NodeId>) -> Result<Vec<Option<NodeHash>>> {
        self.read(log, move |snapshot| snapshot.nodes(log, &nodes)).await
    }

    async fn entries(&self, log: Log, request: EntriesRequest) -> Result<Vec<LogEntry>> {
        let read = move |snapshot: &Snapshot<'_>| snapshot.entries(log, request);
        let sealed = self.read(log, read).await?;
        Ok(sealed.into_iter().map(SealedEntry::unseal).collect())
    }
}

#[async_trait]
impl RetentionStore for SqliteStore {
    async fn erase_events(
        &self,
        log: Log,
        sequences: Vec<Sequence>,
        by: AuditContext,
    ) -> Result<u64> {
        self.shared.writer.write(log, move |t| t.erase(log, sequences, by)).await
    }

    async fn retention(&self, log: Log) -> Result<Retention> {
        self.shared.readers.look_up(log, move |snapshot| snapshot.retention(log)).await
    }

    async fn set_retention(&self, log: Log, retention: Retention, by: AuditContext) -> Result<()> {
        self.shared.writer.write(log, move |t| t.set_retention(log, retention, by)).await
    }

    async fn prune(&self, log: Log, pruning: Pruning) -> Result<Pruned> {
        let pruned = self.shared.writer.write(log, move |t| t.prune(log, pruning)).await?;
        // Each step has its own transaction, so that appends can run in between.
        while self.shared.writer.write(log, move |t| t.remove_pruned(log)).await? {}
        Ok(pruned)
    }
}

#[async_trait]
impl StagingStore for SqliteStore {
    async fn take_in(&self) -> Result<()> {
        staged::take_in(&self.shared.writer, Intake::default()).await
    }

    async fn staged_counts(&self) -> Result<StagedCounts> {
        let count = |snapshot: &Snapshot<'_>| snapshot.staged_counts();
        self.shared.readers.read(Log::Platform, count).await
    }

    async fn refused(&self, after: u64, limit: usize) -> Result<Vec<RefusedEvent>> {
        limits::refused_page(limit)?;
        let list = move |snapshot: &Snapshot<'_>| snapshot.refused(after, limit);
        self.shared.readers.read(Log::Platform, list).await
    }

    async fn restage(&self, number: u64) -> Result<()> {
        self.shared.writer.write(Log::Platform, move |t| t.restage(number)).await
    }

    async fn drop_refused(&self, number: u64, by: AuditContext) -> Result<()> {
        self.shared.writer.write(Log::Platform, move |t| t.drop_refused(number, by)).await
    }
}

#[async_trait]
impl FollowerStore for SqliteStore {
    async fn follower_state(&self, follower: &str, log: Log) -> Result<Option<String>> {
        limits::follower(follower, [])?;
        let follower = follower.to_owned();
        let find = move |snapshot: &Snapshot<'_>| snapshot.follower_state(&follower, log);
        self.shared.readers.look_up(log, find).await
    }

    async fn follower_states(
        &self,
        follower: &str,
        after: Option<Log>,
        limit: usize,
    ) -> Result<Vec<(Log, String)>> {
        limits::follower(follower, [])?;
        let follower = follower.to_owned();
        let list = move |snapshot: &Snapshot<'_>| snapshot.follower_states(&follower, after, limit);
        self.shared.readers.read(Log::Platform, list).await
    }

    async fn replace_follower_state(
        &self,
        follower: &str,
        log: Log,
        before: Option<String>,
        after: Option<String>,
    ) -> Result<()> {
        limits::follower(follower, [before.as_deref(), after.as_deref()])?;
        let follower = follower.to_owned();
        let replace = move |t: &mut WriteTransaction<'_>| {
            t.replace_follower_state(&follower, log, before.as_deref(), after.as_deref())
        };
        self.shared.writer.write(log, replace).await
    }
}
