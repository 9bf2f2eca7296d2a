//! The one thread that writes. It runs all waiting jobs in one transaction, commits it, and answers
//! their callers after the commit: they share its cost. If more wait than one transaction takes, those
//! of different owners are run in turn.

use std::fmt;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use audit_core::backend::{Batch, Owner, QueuedBytes, Rotation, WaitingFeeds};
use audit_core::{Error, ErrorKind, Log, Receipt, Result};
use audit_index::TermKey;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, unbounded};
use futures_channel::oneshot;
use rusqlite::{Connection, Transaction, TransactionBehavior};

use crate::append::{After, WriteTransaction};
use crate::busy::{deadline, retry_busy};
use crate::compaction::compact;
use crate::error::{closed, hand_out, read_only, sqlite, thread as thread_error};
use crate::file::OpenFiles;
use crate::index::Indexing;
use crate::marks;
use crate::own_transaction::{OWN_PATIENCE, OwnTransaction};
use crate::schema;
use crate::scrubs::Scrubs;

/// The handle of the writing thread. When it is dropped, the thread completes all waiting jobs and
/// ends.
pub(crate) struct Writer {
    jobs: Option<Sender<Job>>,
    thread: Option<JoinHandle<()>>,
    busy_timeout: Duration,
    queued: QueuedBytes,
    files: Arc<OpenFiles>,
}

/// Work for one transaction.
struct Job {
    owner: Owner,
    /// The latest time at which its transaction may begin.
    deadline: Instant,
    /// The transaction in which its caller has recorded, and which may be open.
    own: Option<Arc<OwnTransaction>>,
    work: Work,
}

/// Runs in a transaction, or gets the error that prevented it. Returns how to answer the caller
/// once the outcome of the transaction is known. It runs whether or not the caller still waits.
type Work = Box<dyn FnOnce(Result<&mut WriteTransaction<'_>>) -> Done + Send>;

struct Done {
    /// The kind of the job's own error, if it failed.
    failure: Option<ErrorKind>,
    /// The work for which its caller waits after the commit.
    after: After,
    answer: Box<dyn FnOnce(Result<()>) + Send>,
}

/// A transaction takes no more jobs when it has this many events.
const GROUP_EVENTS: usize = 1_000;
/// A transaction takes no more jobs when its events have this many bytes.
const GROUP_BYTES: usize = 16 << 20;

/// The WAL is written back to the file each time it has grown by this many pages.
const WRITE_BACK_PAGES: i32 = 4_000;
/// When readers keep SQLite from restarting the WAL and it has this many pages, new readers wait
/// until the old ones have finished.
const LONGEST_PAGES: i32 = 8_000;
/// How long the writer then waits for the old readers.
const CHECKPOINT_PATIENCE: Duration = Duration::from_millis(200);

/// The context of a time-out. SQLite does not report which connection holds the lock: it may be that
/// of the caller.
const HELD_TOO_LONG: &str = "another connection held the write lock of the file; inside your own \
                             transaction, record with `append_in`";

/// How long a compaction waits for readers and writers.
const PATIENCE: Duration = Duration::from_secs(5);

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let waiting = self.jobs.as_ref().map_or(0, Sender::len);
        f.debug_struct("Writer").field("waiting", &waiting).finish_non_exhaustive()
    }
}

impl Writer {
    pub(crate) fn start(
        connection: Connection,
        busy_timeout: Duration,
        queue_bytes: usize,
        files: Arc<OpenFiles>,
        indexing: Indexing,
        feeds: WaitingFeeds,
    ) -> Result<Self> {
        let (jobs, queue) = unbounded();
        // SQLite would write the WAL back within the commit. `checkpoint` does it after the
        // answers.
        connection
            .pragma_update(None, "wal_autocheckpoint", 0)
            .map_err(sqlite("opening the file"))?;
        let mut state = State {
            connection,
            files: Arc::clone(&files),
            indexing,
            written_back: 0,
            patient_at: LONGEST_PAGES,
            feeds,
            scrubs: Scrubs::default(),
        };
        let run = move || {
            let mut queue = Queue { jobs: queue, waiting: Rotation::default() };
            loop {
                match queue.wait(state.scrubs.pause()) {
                    Ok(first) => state.group(first, &mut queue),
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => break,
                }
                state.scrub();
            }
        };
        let thread =
            thread::Builder::new().name("audit-write".into()).spawn(run).map_err(thread_error)?;
        let queued = QueuedBytes::new(queue_bytes);
        Ok(Self { jobs: Some(jobs), thread: Some(thread), busy_timeout, queued, files })
    }

    /// Returns the writer of a store that is only read: every job fails.
    pub(crate) fn none(files: Arc<OpenFiles>) -> Self {
        let queued = QueuedBytes::new(usize::MAX);
        Self { jobs: None, thread: None, busy_timeout: Duration::ZERO, queued, files }
    }

    /// Returns `true` for a store that is only read.
    pub(crate) fn is_none(&self) -> bool {
        self.jobs.is_none()
    }

    /// Appends `batch` and returns its receipts when it is durable. As [`Writer::write`], but fails
    /// if the batches that wait take too much memory together.
    pub(crate) async fn append(&self, batch: Batch<TermKey>) -> Result<Vec<Receipt>> {
        let (share, log) = (self.queued.add(&batch)?, batch.log());
        let append = move |transaction: &mut WriteTransaction<'_>| {
            drop(share);
            transaction.take_in_before_append(log)?;
            transaction.append(batch)
        };
        Ok(self.write(log, append).await?.receipts)
    }

    /// Runs `work` for an owner in a transaction and returns when that is durable. It is queued at the
    /// first poll, and is then done whether or not the caller waits.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        owner: impl Into<Owner>,
        work: impl FnOnce(&mut WriteTransaction<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (reply, outcome) = oneshot::channel::<Result<T>>();
        let work: Work = Box::new(move |transaction| {
            let mut after = After::Nothing;
            let result = transaction.and_then(|transaction| {
                let result = work(transaction);
                after = std::mem::take(&mut transaction.after);
                result
            });
            let failure = result.as_ref().err().map(Error::kind);
            let answer = Box::new(move |fate: Result<()>| {
                // The caller may have gone away by now.
                let _ = reply.send(fate.and(result));
            });
            Done { failure, after, answer }
        });
        let jobs = self.jobs.as_ref().ok_or_else(read_only)?;
        let deadline = deadline(self.busy_timeout);
        let own = OwnTransaction::of_this_thread(self.files.id());
        jobs.send(Job { owner: owner.into(), deadline, own, work }).map_err(|_| closed())?;
        outcome.await.map_err(|_| closed())?
    }

    /// Returns whether this is the thread that writes, which must not wait for itself.
    pub(crate) fn is_current_thread(&self) -> bool {
        self.thread.as_ref().is_some_and(|thread| thread.thread().id() == thread::current().id())
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.jobs = None;
        let is_own = self.is_current_thread();
        if let Some(thread) = self.thread.take().filter(|_| !is_own) {
            let _ = thread.join();
        }
    }
}

/// The jobs that wait.
struct Queue {
    jobs: Receiver<Job>,
    /// Those that were received.
    waiting: Rotation<Job>,
}

impl Queue {
    /// Takes the next job, if one waits.
    fn next(&mut self) -> Option<Job> {
        while let Ok(job) = self.jobs.try_recv() {
            self.waiting.push(job.owner, job);
        }
        self.waiting.take(|_, _| true).map(|(_, job)| job)
    }

    /// Takes the next job, for which it waits, at most for a time.
    fn wait(&mut self, most: Option<Duration>) -> std::result::Result<Job, RecvTimeoutError> {
        match (self.next(), most) {
            (Some(job), _) => Ok(job),
            (None, Some(most)) => self.jobs.recv_timeout(most),
            (None, None) => self.jobs.recv().map_err(|_| RecvTimeoutError::Disconnected),
        }
    }
}

struct State {
    connection: Connection,
    files: Arc<OpenFiles>,
    indexing: Indexing,
    /// The pages of the WAL at the last write-back.
    written_back: i32,
    /// The pages at which new readers are made to wait.
    patient_at: i32,
    feeds: WaitingFeeds,
    /// The callers that wait until the WAL has no erased data.
    scrubs: Scrubs,
}

/// The size of the WAL, in pages.
struct Wal {
    pages: i32,
    written_back: i32,
}

impl State {
    /// Runs `first` and the jobs that wait after it in one transaction.
    fn group(&mut self, first: Job, queue: &mut Queue) {
        let mut done = Vec::new();
        let wal = self.wal().ok();
        // Whoever wrote it back: the next commit can begin it from its start.
        let is_mark_due = wal.as_ref().is_some_and(|wal| wal.pages == wal.written_back);
        let outcome = self.transact(first, queue, &mut done, is_mark_due);
        let kind = outcome.as_ref().err().map(Error::kind);
        let (appended, mut cause) = match outcome {
            Ok(appended) => (appended, None),
            Err(error) => (Vec::new(), Some(error)),
        };
        let compacts = kind.is_none() && done.iter().any(|done| done.after == After::Compact);
        let mut compacted = if compacts { self.compact() } else { Ok(()) };
        for Done { failure, after, answer } in done {
            let outcome = match (kind, failure) {
                (None, _) if after == After::Compact => hand_out(&mut compacted, UNFINISHED),
                (None, _) => Ok(()),
                // The job's own error is more precise than that the transaction was rolled back.
                (Some(kind), Some(own)) if kind == own => Ok(()),
                (Some(kind), _) => Err(cause.take().unwrap_or_else(|| undone(kind))),
            };
            match (kind, after, outcome) {
                (None, After::Scrub | After::Compact, Ok(())) => self.scrubs.add(answer),
                (.., outcome) => answer(outcome),
            }
        }
        self.feeds.wake(appended);
        // By the size before the transaction: asking again would cost each of them microseconds, and
        // the next one sees what this one added.
        if let Some(wal) = wal {
            self.checkpoint(wal.pages);
        }
    }

    /// Returns the logs to which the transaction has appended.
    fn transact(
        &mut self,
        first: Job,
        queue: &mut Queue,
        done: &mut Vec<Done>,
        is_mark_due: bool,
    ) -> Result<Vec<Log>> {
        let begin = || {
            Transaction::new_unchecked(&self.connection, TransactionBehavior::Immediate)
                .map_err(sqlite("beginning to write"))
        };
        let is_busy = |error: &Error| error.kind() == ErrorKind::Busy;
        let begun = match &first.own {
            Some(own) => match retry_busy(first.deadline.min(deadline(OWN_PATIENCE)), begin) {
                Err(error) if is_busy(&error) && !own.is_open(&self.connection) => {
                    retry_busy(first.deadline, begin)
                }
                begun => begun.inspect(|_| own.end()),
            },
            None => retry_busy(first.deadline, begin),
        };
        let transaction = match begun {
            Ok(transaction) => transaction,
            Err(error) => {
                let error = if is_busy(&error) { error.with_context(HELD_TOO_LONG) } else { error };
                done.push((first.work)(Err(error)));
                return Ok(Vec::new());
            }
        };
        if let Err(error) = schema::require_version(&transaction) {
            done.push((first.work)(Err(error)));
            return Ok(Vec::new());
        }
        let before = transaction.total_changes();
        let mut write = WriteTransaction::new(&transaction, &self.indexing);
        let mut next = Some(first);
        while let Some(job) = next {
            write.dirty = false;
            let job = (job.work)(Ok(&mut write));
            let failure = job.failure.filter(|_| write.dirty);
            done.push(job);
            // It wrote before it failed, so that the whole transaction must be rolled back.
            if let Some(kind) = failure {
                return Err(undone(kind));
            }
            let has_room = write.events < GROUP_EVENTS && write.bytes < GROUP_BYTES;
            next = if has_room { queue.next() } else { None };
        }
        let appended = write.finish()?;
        if is_mark_due && transaction.total_changes() > before {
            marks::advance(&transaction)?;
        }
        self.files.check_database()?;
        transaction.commit().map_err(sqlite("committing"))?;
        // Nothing is acknowledged that was committed to a file just moved.
        self.files.check()?;
        Ok(appended)
    }

    /// Keeps the WAL short. A failure is ignored and tried again later: nothing that was committed
    /// depends on it.
    fn checkpoint(&mut self, pages: i32) {
        if pages < self.written_back {
            // SQLite has restarted the WAL.
            self.written_back = 0;
        }
        if pages >= self.patient_at {
            // SQLite restarts the WAL by itself only when no reader uses it, which under load never
            // happens.
            let _ = self.connection.busy_timeout(CHECKPOINT_PATIENCE);
            let is_short = self.write_back("PRAGMA wal_checkpoint(TRUNCATE)").is_ok_and(|b| b == 0);
            let _ = self.connection.busy_timeout(Duration::ZERO);
            if is_short {
                self.wal_is_empty();
            } else {
                (self.written_back, self.patient_at) = (pages, pages + WRITE_BACK_PAGES);
            }
        } else if pages >= self.written_back + WRITE_BACK_PAGES {
            let _ = self.write_back("PRAGMA wal_checkpoint(PASSIVE)");
            self.written_back = pages;
        }
    }

    /// Rewrites the file without its unused space.
    fn compact(&mut self) -> Result<()> {
        const CONTEXT: &str = "waiting for other connections";
        self.connection.busy_timeout(PATIENCE).map_err(sqlite(CONTEXT))?;
        let compacted = compact(&self.connection);
        self.connection.busy_timeout(Duration::ZERO).map_err(sqlite(CONTEXT))?;
        compacted
    }

    /// Removes from the WAL what earlier transactions left of erased data, if somebody waits for it.
    fn scrub(&mut self) {
        if self.scrubs.attempt(&self.connection) {
            self.wal_is_empty();
        }
    }

    fn wal_is_empty(&mut self) {
        (self.written_back, self.patient_at) = (0, LONGEST_PAGES);
    }

    /// Returns the size of the WAL. Takes no lock and writes nothing back; it costs some microseconds.
    fn wal(&self) -> rusqlite::Result<Wal> {
        let mut noop = self.connection.prepare_cached("PRAGMA wal_checkpoint(NOOP)")?;
        noop.query_row([], |row| Ok(Wal { pages: row.get(1)?, written_back: row.get(2)? }))
    }

    /// Runs a checkpoint pragma. Returns 1 if another connection prevented it, else 0.
    fn write_back(&self, pragma: &str) -> rusqlite::Result<i64> {
        self.connection.query_row(pragma, [], |row| row.get(0))
    }
}

/// The context of the errors that the later waiters of a compaction get.
const UNFINISHED: &str = "the file was not compacted; call again";

/// Returns the error for the jobs of a transaction that was rolled back because another job failed.
fn undone(kind: ErrorKind) -> Error {
    Error::new(kind).with_context("the shared transaction failed")
}
