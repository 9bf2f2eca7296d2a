//! The store and its traits.

use std::sync::Arc;

use async_trait::async_trait;
use audit_core::tree::{Frontier, LogEntry, NodeHash, NodeId};
use audit_core::{
    AuditContext, AuditEvent, AuditStore, EntriesRequest, Error, EventId, Head, Log, NewEvent,
    Pruned, Pruning, Receipt, RefusedEvent, Result, Retention, RetentionStore, Scan, ScanResult,
    Sequence, StagedCounts, StagingStore, TokenKeys, limits,
};
use audit_index::{DerivedFinding, TermHasher, Unhealed, is_damage};
use tokio::sync::oneshot;

use crate::builds::Builds;
use crate::connection::{Connections, column};
use crate::core::Core;
use crate::indexing::Indexing;
use crate::lock::Lock;
use crate::log_state::IfStaged;
use crate::options::PostgresOptions;
use crate::readers::Readers;
use crate::reindex::{Heal, compare_all};
use crate::replica::Replica;
use crate::retention::SetRetention;
use crate::runtime::Runtime;
use crate::scan::SealedResult;
use crate::url::Address;
use crate::writer::Writer;
use crate::{
    builder, erasure, error, intake, prepared, read, refused, retention, scan, schema, scrub,
    sequencer, settings, staged, tree,
};

/// The connections for appends, other writes, the index, the feeds and staged events.
const WRITERS: usize = 6;

/// A store in the schema `audit` of a PostgreSQL database. Clones are handles of the same open store.
/// Dropping the last handle waits until the appends in progress are complete, and closes the store.
#[derive(Clone, Debug)]
pub struct PostgresStore {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    keys: TokenKeys,
    core: Arc<Core>,
    unhealed: Unhealed,
    // In the order in which they are dropped: without the writer, the runtime ends.
    writer: Writer,
    runtime: Runtime,
}

impl PostgresStore {
    /// Opens the store in the database at `url`, and creates its tables if there are none.
    ///
    /// The URL is that of libpq, such as `postgres://user:password@host:5432/database` or
    /// `host=/run/postgresql dbname=app`; its parameters are those of
    /// [`tokio_postgres::Config`](https://docs.rs/tokio-postgres/latest/tokio_postgres/config/struct.Config.html).
    /// A URL can have these as well, with their meaning in libpq: `sslmode` is `disable`, `prefer` (the
    /// default), `require`, `verify-ca` or `verify-full`; `sslrootcert` is a file with the certificates
    /// of the authorities that are trusted, by default those of the system.
    ///
    /// The store drives its connections on threads of its own: its futures can be polled by any
    /// runtime.
    ///
    /// # Errors
    /// [`Incompatible`](audit_core::ErrorKind::Incompatible) if the tables were written by a later
    /// version of this library, if the server is older than PostgreSQL 15, or if a setting does not let
    /// it keep what it acknowledges; then the field is the name of the setting.
    /// [`ReadOnly`](audit_core::ErrorKind::ReadOnly) if the server is a standby.
    /// [`Invalid`](audit_core::ErrorKind::Invalid), field `url`, if the URL is malformed, or that of the
    /// replica.
    /// [`Unavailable`](audit_core::ErrorKind::Unavailable) if the server cannot be reached, or refuses
    /// the connection.
    pub async fn open(url: &str) -> Result<Self> {
        Self::open_with(url, PostgresOptions::default()).await
    }

    /// Opens the store at `url` with these options. Fails as [`PostgresStore::open`] does.
    pub async fn open_with(url: &str, options: PostgresOptions) -> Result<Self> {
        let address = Address::parse(url, &options)?;
        let replica = options.replica.as_deref().map(|url| Address::parse(url, &options));
        let replica = replica.transpose()?;
        let (writer, jobs) =
            Writer::new(options.queue_bytes, options.timeout, options.is_read_only);
        let (send_core, core) = oneshot::channel::<Arc<Core>>();
        let write = move || async move {
            // Not sent if the store cannot be opened.
            if let Ok(core) = core.await {
                jobs.run(core).await;
            }
        };
        let runtime = Runtime::start(options.readers + WRITERS, write)?;
        let (readers, timeout) = (options.readers, options.timeout);
        let open = async move {
            let [of_readers, of_writers] = prepared::of(options.statements);
            // Nothing can be prepared before the tables are there.
            let opening = Connections::new(&address, 1, timeout, &[])?;
            let is_read_only = options.is_read_only;
            let session = opening.take().await?;
            settings::check_server(&session, is_read_only).await?;
            let replica = replica
                .map(|replica| Readers::new(&replica, readers, timeout, of_readers))
                .transpose()?
                .map(Replica::new);
            let readers = Readers::new(&address, readers, timeout, of_readers)?;
            let writers = Connections::new(&address, WRITERS, timeout, of_writers)?;
            schema::prepare(&session, &options).await?;
            let keys = match &options.token_keys {
                Some(keys) => keys.clone(),
                None => TokenKeys::from_secret(schema::token_secret(&session).await?),
            };
            let hasher = TermHasher::new(&schema::index_secret(&session).await?);
            let PostgresOptions { segment_events, longest_tail, .. } = options;
            let indexing = Indexing { hasher, segment_events, longest_tail };
            drop(session);
            let (builds, asked) = Builds::new();
            let core = Core::new(readers, writers, replica, indexing, builds, &options);
            let core = Arc::new(core);
            tokio::spawn(builder::run(Arc::clone(&core), asked));
            if let Some(interval) = options.staging_interval.filter(|_| core.takes_in) {
                tokio::spawn(sequencer::run(Arc::clone(&core), interval));
            }
            Ok((keys, core))
        };
        let (keys, core) = match runtime.run(open).await {
            Ok(opened) => opened,
            Err(error) => {
                // Lets the runtime end.
                drop(send_core);
                return Err(error);
            }
        };
        send_core.send(Arc::clone(&core)).map_err(|_| error::closed())?;
        let unhealed = Unhealed::default();
        Ok(Self { shared: Arc::new(Shared { keys, core, unhealed, writer, runtime }) })
    }

    /// Rewrites the tables of keys, of the index, of staged and refused events, of organizations and of API
    /// keys. Removes the last traces of erased data from the unused bytes of their pages, where a
    /// [`VACUUM`](RetentionStore::erase_events) can leave some.
    ///
    /// Appends and reads wait while a table is rewritten, and fail if that takes longer than their
    /// [time-out](PostgresOptions::with_timeout). The tables are about a twentieth of those of events, which
    /// are not rewritten, because what they can have of erased events is sealed with keys that are gone. The
    /// role must own the tables.
    ///
    /// # Errors
    /// [`Pending`](audit_core::ErrorKind::Pending) as for an erasure. [`Busy`](audit_core::ErrorKind::Busy)
    /// or [`Unavailable`](audit_core::ErrorKind::Unavailable) if the server does not do it.
    pub async fn compact(&self) -> Result<()> {
        self.write(|core| async move { scrub::compact(&core).await }).await
    }

    /// Checks that the server can be reached and keeps the promises of the store: what a service asks
    /// before it says that it is ready.
    ///
    /// # Errors
    /// Those of the server that [`open`](Self::open) has:
    /// [`Unavailable`](audit_core::ErrorKind::Unavailable), [`ReadOnly`](audit_core::ErrorKind::ReadOnly)
    /// for a standby, [`Incompatible`](audit_core::ErrorKind::Incompatible) with the setting as the field.
    pub async fn check(&self) -> Result<()> {
        let is_read_only = self.require_writable().is_err();
        self.run(|core| async move {
            let session = if is_read_only {
                core.readers.take(Log::Platform).await?
            } else {
                core.writers.take().await?
            };
            settings::check_server(&session, is_read_only).await
        })
        .await
    }

    /// Returns the size of the store's tables, with their indexes, in bytes.
    ///
    /// # Errors
    /// Those of the server.
    pub async fn size(&self) -> Result<u64> {
        let read = |core: Arc<Core>| async move {
            let session = core.readers.take(Log::Platform).await?;
            let row = session.query_opt(&schema::READ_SIZE, &[]).await?;
            row.map_or(Ok(0), |row| column::<i64>(&row, 0)).map(i64::unsigned_abs)
        };
        self.run(read).await
    }

    /// Compares the derived data of `log` with its records: its index, and the ids of its events.
    /// Returns what does not match. Changes nothing. It reads the whole log, in steps, and appends
    /// may run meanwhile.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn check_derived(&self, log: Log) -> Result<Vec<DerivedFinding>> {
        self.run(|core| compare_all(core, log, false)).await
    }

    /// Compares the derived data of `log` with its records, as [`check_derived`](Self::check_derived)
    /// does, and rebuilds what does not match, in small transactions. Returns what did not match.
    ///
    /// # Errors
    /// Those of the engine. [`ReadOnly`](audit_core::ErrorKind::ReadOnly) if the store was opened for
    /// reading.
    pub async fn reindex(&self, log: Log) -> Result<Vec<DerivedFinding>> {
        let found = self.write(|core| compare_all(core, log, true)).await?;
        self.healed(log);
        Ok(found)
    }

    async fn find(&self, scan: Scan) -> Result<SealedResult> {
        let log = scan.log;
        self.read(log, move |core, if_staged| scan::scan(core, scan.clone(), if_staged)).await
    }

    /// Reads a log, with what is staged of it.
    async fn read<T, F>(
        &self,
        log: Log,
        read: impl Fn(Arc<Core>, IfStaged) -> F + Send + 'static,
    ) -> Result<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<Option<T>>> + Send + 'static,
    {
        self.run(|core| intake::with_staged(core, log, read)).await
    }

    /// Rebuilds the index of `log` after a read has found damage. Returns `true` if the read should
    /// be tried again.
    async fn heal_after(&self, log: Log, error: &Error) -> Result<bool> {
        let unhealed = &self.shared.unhealed;
        if !is_damage(error) || unhealed.has(log) || self.require_writable().is_err() {
            return Ok(false);
        }
        // Until a read succeeds.
        unhealed.set(log, true);
        self.write(|core| core.change(Heal(log))).await?;
        Ok(true)
    }

    /// Notes that a read succeeded after the index of `log` was rebuilt.
    fn healed(&self, log: Log) {
        self.shared.unhealed.set(log, false);
    }

    /// Runs `work` on the threads of the store.
    pub(crate) async fn run<T, F>(&self, work: impl FnOnce(Arc<Core>) -> F) -> Result<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T>> + Send + 'static,
    {
        self.shared.runtime.run(work(Arc::clone(&self.shared.core))).await
    }

    /// Fails if the store was opened for reading.
    fn require_writable(&self) -> Result<()> {
        self.shared.writer.require()
    }

    /// Runs `work`, which writes.
    pub(crate) async fn write<T, F>(&self, work: impl FnOnce(Arc<Core>) -> F) -> Result<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T>> + Send + 'static,
    {
        self.require_writable()?;
        self.run(work).await
    }
}

#[async_trait]
impl AuditStore for PostgresStore {
    fn token_keys(&self) -> &TokenKeys {
        &self.shared.keys
    }

    async fn append(&self, log: Log, events: Vec<NewEvent>) -> Result<Vec<Receipt>> {
        let batch = self.shared.core.indexing.hasher.batch(log, events)?;
        if batch.is_empty() {
            return Ok(Vec::new());
        }
        self.shared.writer.append(batch).await
    }

    async fn get(&self, log: Log, id: EventId) -> Result<AuditEvent> {
        let find = move |core, if_staged| read::event(core, log, id, if_staged);
        let event = self.read(log, find).await?;
        read::decode_event(event, id)
    }

    async fn head(&self, log: Log) -> Result<Head> {
        self.read(log, move |core, if_staged| read::head(core, log, if_staged)).await
    }

    async fn logs(&self, after: Option<Log>, limit: usize) -> Result<Vec<Log>> {
        limits::logs_page(limit)?;
        let list = move |core, if_staged| read::logs(core, after, limit, if_staged);
        self.run(|core| intake::with_all_staged(core, list)).await
    }

    async fn scan(&self, scan: Scan) -> Result<ScanResult> {
        let log = scan.log;
        let found = match self.find(scan.clone()).await {
            Err(error) if self.heal_after(log, &error).await? => {
                self.find(scan).await.inspect(|_| self.healed(log))
            }
            found => found,
        };
        found?.decode()
    }

    async fn wait_for_append(&self, log: Log, sequence: Sequence) -> Result<Head> {
        let core = Arc::clone(&self.shared.core);
        let wait = async move { Ok(core.watch.wait(log, &core.writers)) };
        let feed = self.shared.runtime.run(wait).await?;
        feed.wait_for_append(sequence, || self.head(log)).await
    }

    async fn frontier(&self, log: Log) -> Result<Frontier> {
        self.read(log, move |core, if_staged| tree::frontier(core, log, if_staged)).await
    }

    async fn nodes(&self, log: Log, nodes: Vec<NodeId>) -> Result<Vec<Option<NodeHash>>> {
        let read = move |core, if_staged| tree::nodes(core, log, nodes.clone(), if_staged);
        self.read(log, read).await
    }

    async fn entries(&self, log: Log, request: EntriesRequest) -> Result<Vec<LogEntry>> {
        let read = move |core, if_staged| tree::entries(core, log, request, if_staged);
        Ok(tree::unseal(self.read(log, read).await?))
    }
}

#[async_trait]
impl RetentionStore for PostgresStore {
    async fn erase_events(
        &self,
        log: Log,
        sequences: Vec<Sequence>,
        by: AuditContext,
    ) -> Result<u64> {
        self.write(|core| erasure::erase(core, log, sequences, by)).await
    }

    async fn retention(&self, log: Log) -> Result<Retention> {
        self.run(|core| retention::find(core.readers.clone(), log)).await
    }

    async fn set_retention(&self, log: Log, retention: Retention, by: AuditContext) -> Result<()> {
        retention.validate()?;
        self.write(|core| core.change(SetRetention { log, retention, by })).await
    }

    async fn prune(&self, log: Log, pruning: Pruning) -> Result<Pruned> {
        self.write(|core| retention::prune(core, log, pruning)).await
    }
}

#[async_trait]
impl StagingStore for PostgresStore {
    async fn take_in(&self) -> Result<()> {
        self.write(|core| async move { intake::take_in(&core, Lock::Wait).await }).await
    }

    async fn staged_counts(&self) -> Result<StagedCounts> {
        self.run(|core| staged::counts(core.readers.clone())).await
    }

    async fn refused(&self, after: u64, limit: usize) -> Result<Vec<RefusedEvent>> {
        limits::refused_page(limit)?;
        self.run(|core| refused::list(core.readers.clone(), after, limit)).await
    }

    async fn restage(&self, number: u64) -> Result<()> {
        self.write(|core| refused::restage(core, number)).await
    }

    async fn drop_refused(&self, number: u64, by: AuditContext) -> Result<()> {
        self.write(|core| refused::drop(core, number, by)).await
    }
}
