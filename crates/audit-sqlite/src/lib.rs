//! The embedded store: one SQLite file, durable.
//!
//! An append returns when its transaction is on the disk (`journal_mode=WAL`,
//! `synchronous=FULL`). Appends that wait at the same time share one commit. Several processes may
//! use one file. The futures need no particular runtime: the work is done on the store's own
//! threads. (An executor whose wakers run the task at once, on the thread that wakes it, is the
//! exception: a task that waits in `wait_for_append` would be run under a lock.)
//!
//! ```
//! use audit_core::{EntriesRequest, Actor, AuditStoreExt, Filter, Log, NewEvent, EventQuery};
//! use audit_sqlite::SqliteStore;
//!
//! # let directory = tempfile::tempdir().unwrap();
//! # let path = directory.path().join("audit.db");
//! # futures_executor::block_on(async {
//! let store = SqliteStore::open(&path)?;
//! store.record(Log::Platform, NewEvent::new("user.login", Actor::user("u_1"))).await?;
//!
//! let logins = EventQuery::new(Log::Platform).filter(Filter::new().action("user.*"));
//! assert_eq!(store.page(&logins).await?.events.len(), 1);
//! # Ok::<(), audit_core::Error>(())
//! # })?;
//! # Ok::<(), audit_core::Error>(())
//! ```
//!
//! A service that keeps its own tables in the same file records within its own transaction; see
//! [`SqliteStore::append_in`].
//!
//! | file | noun |
//! |---|---|
//! | `schema.rs` | the tables, their version, how a file is opened |
//! | `append.rs` | the write transaction: what an append writes |
//! | `writer.rs` | the one thread that writes, and commits for many at once |
//! | `read.rs` | how scans are answered, and the threads that do it |
//! | `index.rs` | how events are found by their terms |
//! | `tail.rs` | the newest events, looked through |
//! | `segment.rs` | the others: a run of events, indexed once and for all |
//! | `list.rs` | the events of a segment that have one term |
//! | `terms.rs` | terms as keys of a fixed length |
//! | `tree.rs` | what proves a log |
//! | `personal.rs` | the personal parts, sealed |
//! | `erasure.rs` | what a person may ask to be forgotten |
//! | `retention.rs` | what a log keeps, and for how long |
//! | `compaction.rs` | the file written anew, without what is unused |
//! | `api_keys.rs` | the credentials of the tenants |
//! | `organizations.rs` | the tenants |
//! | `backup.rs` | a copy of the file, taken while others write |
//! | `transaction.rs` | recording in the caller's own transaction |
//! | `file.rs` | which file a store has open |
//! | `watch.rs` | how a waiting feed learns of what other processes append |
//! | `error.rs` | SQLite's errors in the terms of the library |

mod api_keys;
mod append;
mod backup;
mod compaction;
mod erasure;
mod error;
mod file;
mod index;
mod list;
mod organizations;
mod personal;
#[cfg(test)]
mod plans;
mod read;
mod retention;
mod schema;
mod segment;
#[cfg(test)]
mod small_segments;
mod tail;
mod terms;
mod transaction;
mod tree;
mod watch;
mod writer;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use audit_core::backend::Batch;
use audit_core::tree::{Frontier, LogEntry, NodeHash, NodeId};
use audit_core::{
    ApiKey, ApiKeyId, ApiKeySecret, AuditContext, AuditEvent, AuditStore, EntriesRequest, EventId,
    Head, Log, NewApiKey, NewEvent, NewOrganization, Organization, OrganizationId,
    OrganizationUpdate, Pruned, Receipt, Result, Retention, RetentionStore, Scan, ScanResult,
    Sequence, TenantStore, TokenKeys, limits,
};

use crate::append::WriteTransaction;
use crate::file::FileId;
use crate::index::Indexing;
use crate::read::{Readers, Snapshot};
use crate::tree::SealedEntry;
use crate::watch::Watch;
use crate::writer::{After, Writer};
/// The SQLite binding in whose transactions [`SqliteStore::append_in`] records.
pub use rusqlite;

/// A store in one SQLite file. Clones are handles of the same open store, which closes, after the
/// appends under way, with the last of them.
#[derive(Clone, Debug)]
pub struct SqliteStore {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    keys: TokenKeys,
    indexing: Indexing,
    file: FileId,
    // In the order in which they close: the writer last, so that it leaves one whole file.
    watch: Watch,
    readers: Readers,
    writer: Writer,
}

/// How a [`SqliteStore`] is opened.
///
/// ```
/// use std::time::Duration;
/// use audit_sqlite::SqliteOptions;
///
/// let options = SqliteOptions::default().with_busy_timeout(Duration::from_secs(5));
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct SqliteOptions {
    busy_timeout: Duration,
    queue_bytes: usize,
    readers: usize,
    token_keys: Option<TokenKeys>,
    /// See [`Indexing::segment`].
    segment: u64,
}

impl Default for SqliteOptions {
    /// A time-out of 5 seconds, a queue of 64 MiB, four readers, and the key that the file holds.
    fn default() -> Self {
        Self {
            busy_timeout: Duration::from_secs(5),
            queue_bytes: 64 << 20,
            readers: 4,
            token_keys: None,
            segment: index::SEGMENT,
        }
    }
}

impl SqliteOptions {
    /// Sets how long a call waits for other connections to the file before it fails with
    /// [`Busy`](audit_core::ErrorKind::Busy).
    pub fn with_busy_timeout(mut self, timeout: Duration) -> Self {
        self.busy_timeout = timeout;
        self
    }

    /// Sets how many bytes of memory the appends may take that wait to be written, by a rough
    /// estimate. A further append fails at once with
    /// [`Overloaded`](audit_core::ErrorKind::Overloaded), unless no other waits.
    pub fn with_queue_bytes(mut self, bytes: usize) -> Self {
        self.queue_bytes = bytes;
        self
    }

    /// Sets how many threads read: 1 to 64. A number outside becomes the nearest.
    pub fn with_readers(mut self, readers: usize) -> Self {
        self.readers = readers.clamp(1, 64);
        self
    }

    /// Signs tokens with these keys rather than with the key that the file holds.
    pub fn with_token_keys(mut self, keys: TokenKeys) -> Self {
        self.token_keys = Some(keys);
        self
    }
}

impl SqliteStore {
    /// Opens the store at `path`, and makes it if there is none. The file may hold other tables:
    /// the store's own begin with `audit_`.
    ///
    /// # Errors
    /// [`Incompatible`](audit_core::ErrorKind::Incompatible) if the file was written by a later
    /// version of this library, if it cannot be put into WAL mode, or if the linked SQLite is
    /// older than 3.51.3 and can lose what it committed.
    /// [`Corrupt`](audit_core::ErrorKind::Corrupt) if it is not a database.
    /// [`ReadOnly`](audit_core::ErrorKind::ReadOnly) or
    /// [`Unavailable`](audit_core::ErrorKind::Unavailable) if it cannot be written or opened.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::open_with(path, SqliteOptions::default())
    }

    /// Opens the store at `path` with these options. Fails as [`SqliteStore::open`] does.
    pub fn open_with(path: impl AsRef<Path>, options: SqliteOptions) -> Result<Self> {
        let path = std::path::absolute(path).map_err(error::path)?;
        let connection = schema::open(&path, options.busy_timeout)?;
        // Threads open it later, when the working directory or a link may be another.
        let path = path.canonicalize().map_err(error::path)?;
        let file = FileId::of(&path).map_err(error::path)?;
        let keys = match options.token_keys {
            Some(keys) => keys,
            None => TokenKeys::from_secret(schema::token_secret(&connection)?),
        };
        let indexing = Indexing { segment: options.segment, ..schema::indexing(&connection)? };
        let timeout = options.busy_timeout;
        let watch = Watch::new(path.clone());
        let writer = Writer::start(
            connection,
            timeout,
            options.queue_bytes,
            indexing.clone(),
            watch.appended(),
        )?;
        let readers = Readers::start(&path, options.readers, timeout)?;
        Ok(Self { shared: Arc::new(Shared { keys, indexing, file, watch, readers, writer }) })
    }

    /// Copies the store to a new file at `to`, through SQLite's own backup, while others go on
    /// reading and writing. The copy holds every append that was acknowledged before the call, and
    /// is on the disk when this returns; until then nothing is at `to`. It is as private as a new
    /// store, and holds the secret of the tokens too.
    ///
    /// A copy holds what it held: what is erased later is erased in the store alone, and again in a
    /// copy that is restored. A copy is a store: to restore it, open it. A token whose walk began when the store was
    /// longer than the copy is then answered with [`Behind`](audit_core::ErrorKind::Behind).
    ///
    /// # Errors
    /// [`Conflict`](audit_core::ErrorKind::Conflict), with the field `to`, if there is a file.
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
        self.shared.readers.read(move |snapshot| snapshot.copy_to(&to)).await
    }

    /// Writes the file anew, without what is unused: gives the space of events that were pruned back
    /// to the system, and with it the last trace of what was erased, down to the unused bytes of
    /// its pages.
    ///
    /// Appends wait meanwhile, reads do not. It needs room for two more copies, one of them where
    /// SQLite keeps temporary files (`SQLITE_TMPDIR`). Tables of the caller's own in the same file
    /// are written anew, too; SQLite may number the rows of those without an `INTEGER PRIMARY KEY`
    /// otherwise.
    ///
    /// # Errors
    /// [`StorageFull`](audit_core::ErrorKind::StorageFull) if there is no room; the file is as it
    /// was. [`Busy`](audit_core::ErrorKind::Busy) if another connection writes, or reads, for longer
    /// than five seconds; call again.
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
        self.shared.writer.write(compact).await
    }
}

#[async_trait]
impl AuditStore for SqliteStore {
    fn token_keys(&self) -> &TokenKeys {
        &self.shared.keys
    }

    async fn append(&self, log: Log, events: Vec<NewEvent>) -> Result<Vec<Receipt>> {
        let batch = Batch::new(log, events)?;
        if batch.is_empty() {
            return Ok(Vec::new());
        }
        self.shared.writer.append(batch).await
    }

    async fn get(&self, log: Log, id: EventId) -> Result<AuditEvent> {
        self.shared.readers.read(move |snapshot| snapshot.event(log, id)).await
    }

    async fn head(&self, log: Log) -> Result<Head> {
        self.shared.readers.read(move |snapshot| snapshot.head(log)).await
    }

    async fn logs(&self, after: Option<Log>, limit: usize) -> Result<Vec<Log>> {
        limits::logs_page(limit)?;
        self.shared
            .readers
            .read(move |snapshot| read::logs(&snapshot.connection, after, limit))
            .await
    }

    async fn scan(&self, scan: Scan) -> Result<ScanResult> {
        let indexing = self.shared.indexing.clone();
        self.shared.readers.read(move |snapshot| snapshot.slice(&indexing, &scan)).await?.open()
    }

    async fn wait_for_append(&self, log: Log, sequence: Sequence) -> Result<Head> {
        let waiting = self.shared.watch.wait()?;
        loop {
            // Listening begins before the look, so that an append in between is not missed.
            let appended = waiting.listen();
            let head = self.head(log).await?;
            if head.size > sequence {
                return Ok(head);
            }
            appended.await;
        }
    }

    async fn frontier(&self, log: Log) -> Result<Frontier> {
        self.shared.readers.read(move |snapshot| snapshot.frontier(log)).await
    }

    async fn nodes(&self, log: Log, nodes: Vec<NodeId>) -> Result<Vec<Option<NodeHash>>> {
        self.shared.readers.read(move |snapshot| snapshot.nodes(log, &nodes)).await
    }

    async fn entries(&self, log: Log, request: EntriesRequest) -> Result<Vec<LogEntry>> {
        let read = move |snapshot: &Snapshot<'_>| snapshot.entries(log, request);
        let sealed = self.shared.readers.read(read).await?;
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
        self.shared.writer.write(move |t| t.erase(log, sequences, by)).await
    }

    async fn retention(&self, log: Log) -> Result<Retention> {
        self.shared.readers.read(move |snapshot| snapshot.retention(log)).await
    }

    async fn set_retention(&self, log: Log, retention: Retention, by: AuditContext) -> Result<()> {
        self.shared.writer.write(move |t| t.set_retention(log, retention, by)).await
    }

    async fn prune(&self, log: Log, by: AuditContext) -> Result<Pruned> {
        let pruned = self.shared.writer.write(move |t| t.prune(log, by)).await?;
        // In transactions of its own each, so that appends find their place between them.
        while self.shared.writer.write(move |t| t.remove_pruned(log)).await? {}
        Ok(pruned)
    }
}

#[async_trait]
impl TenantStore for SqliteStore {
    async fn create_organization(
        &self,
        new: NewOrganization,
        by: AuditContext,
    ) -> Result<Organization> {
        let (organization, event) = Organization::create(new, by)?;
        let batches = Organization::batches(organization.id, event)?;
        self.shared.writer.write(move |t| t.create_organization(organization, batches)).await
    }

    async fn organization(&self, id: OrganizationId) -> Result<Organization> {
        self.shared.readers.read(move |snapshot| snapshot.organization(id)).await
    }

    async fn organizations(
        &self,
        after: Option<OrganizationId>,
        limit: usize,
    ) -> Result<Vec<Organization>> {
        self.shared.readers.read(move |snapshot| snapshot.organizations(after, limit)).await
    }

    async fn update_organization(
        &self,
        id: OrganizationId,
        update: OrganizationUpdate,
        by: AuditContext,
    ) -> Result<Organization> {
        self.shared.writer.write(move |t| t.update_organization(id, update, by)).await
    }

    async fn delete_organization(&self, id: OrganizationId, by: AuditContext) -> Result<()> {
        self.shared.writer.write(move |t| t.delete_organization(id, by)).await
    }

    async fn create_api_key(
        &self,
        new: NewApiKey,
        by: AuditContext,
    ) -> Result<(ApiKey, ApiKeySecret)> {
        let (key, secret, event) = ApiKey::create(new, by)?;
        let batches = key.batches(event)?;
        let key = self.shared.writer.write(move |t| t.create_api_key(key, batches)).await?;
        Ok((key, secret))
    }

    async fn api_key(&self, id: ApiKeyId) -> Result<ApiKey> {
        self.shared.readers.read(move |snapshot| api_keys::find(&snapshot.connection, id)).await
    }

    async fn api_keys(
        &self,
        organization: OrganizationId,
        after: Option<ApiKeyId>,
        limit: usize,
    ) -> Result<Vec<ApiKey>> {
        self.shared
            .readers
            .read(move |snapshot| snapshot.api_keys(organization, after, limit))
            .await
    }

    async fn revoke_api_key(&self, id: ApiKeyId, by: AuditContext) -> Result<ApiKey> {
        self.shared.writer.write(move |t| t.revoke_api_key(id, by)).await
    }
}
