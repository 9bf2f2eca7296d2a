//! The one thread that writes. It takes whatever waits into one transaction, commits it, and only
//! then answers: many callers share the cost of one commit.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use audit_core::backend::Batch;
use audit_core::{Error, ErrorKind, Receipt, Result};
use crossbeam_channel::{Receiver, Sender, unbounded};
use event_listener::Event;
use futures_channel::oneshot;
use rusqlite::{Connection, Transaction, TransactionBehavior};

use crate::append::{After, WriteTransaction};
use crate::compaction::compact;
use crate::erasure::scrub;
use crate::error::{closed, sqlite, thread as thread_error};
use crate::index::Indexing;
use crate::schema::{deadline, retry_busy};

/// The handle of the writing thread, which ends, with all that waits done, when it is dropped.
pub(crate) struct Writer {
    jobs: Option<Sender<Job>>,
    thread: Option<JoinHandle<()>>,
    busy_timeout: Duration,
    queued: Queued,
}

/// Work for one transaction.
struct Job {
    /// Until when it may wait for its transaction to begin.
    deadline: Instant,
    work: Work,
}

/// Runs in a transaction, or gets the error that prevented it. Returns how to answer the caller once
/// the outcome of the transaction is known. It runs whether or not the caller still waits.
type Work = Box<dyn FnOnce(Result<&mut WriteTransaction<'_>>) -> Done + Send>;

/// The bytes of the appends that wait for their transactions.
#[derive(Debug)]
struct Queued {
    bytes: Arc<AtomicUsize>,
    limit: usize,
}

impl Queued {
    /// Counts `bytes` more until the returned value is dropped.
    ///
    /// # Errors
    /// [`Overloaded`](ErrorKind::Overloaded) if they are more than the limit together with those
    /// that wait. An append that waits alone may have any size.
    fn add(&self, bytes: usize) -> Result<Share> {
        let add = |waiting: usize| {
            let total = waiting.saturating_add(bytes);
            (waiting == 0 || total <= self.limit).then_some(total)
        };
        match self.bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add) {
            Ok(_) => Ok(Share { of: Arc::clone(&self.bytes), bytes }),
            Err(waiting) => Err(Error::overloaded(self.limit, waiting.saturating_add(bytes))),
        }
    }
}

/// Estimates the bytes of memory that a batch takes: its events as given and as encoded, and their
/// terms.
fn memory(batch: &Batch) -> usize {
    const OF_EACH_EVENT: usize = 1 << 10;
    (2 * batch.size()).saturating_add(batch.len() * OF_EACH_EVENT)
}

/// What one append counts for in [`Queued`].
struct Share {
    of: Arc<AtomicUsize>,
    bytes: usize,
}

impl Drop for Share {
    fn drop(&mut self) {
        self.of.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

struct Done {
    /// The kind of its failure, if it failed.
    failure: Option<ErrorKind>,
    /// What it waits for when the transaction is committed.
    after: After,
    answer: Box<dyn FnOnce(Result<()>) + Send>,
}

/// When a transaction has looked at so many events, or bytes, it takes in no more.
const GROUP_EVENTS: usize = 10_000;
const GROUP_BYTES: usize = 64 << 20;

/// When the WAL has grown by so many pages, it is written back to the file.
const WRITE_BACK_PAGES: i32 = 4_000;
/// When it is so long nevertheless, because readers keep it from being begun again, new readers
/// wait until the old are gone.
const LONGEST_PAGES: i32 = 8_000;
/// How long the writer waits for readers then.
const CHECKPOINT_PATIENCE: Duration = Duration::from_millis(200);

/// How long an erasure waits for readers, who may still see what is erased, and a compaction for
/// writers, too.
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
        indexing: Indexing,
        appended: Arc<Event>,
    ) -> Result<Self> {
        let (jobs, queue) = unbounded();
        // SQLite would write the WAL back before the commit is acknowledged; `checkpoint` does it
        // afterwards.
        connection
            .pragma_update(None, "wal_autocheckpoint", 0)
            .map_err(sqlite("opening the file"))?;
        let mut state =
            State { connection, indexing, written_back: 0, patient_at: LONGEST_PAGES, appended };
        let run = move || {
            while let Ok(first) = queue.recv() {
                state.group(first, &queue);
            }
        };
        let thread =
            thread::Builder::new().name("audit-write".into()).spawn(run).map_err(thread_error)?;
        let queued = Queued { bytes: Arc::default(), limit: queue_bytes };
        Ok(Self { jobs: Some(jobs), thread: Some(thread), busy_timeout, queued })
    }

    /// Appends `batch` and returns its receipts when it is durable. As [`Writer::write`], but fails
    /// if the batches that wait take too much memory together.
    pub(crate) async fn append(&self, batch: Batch) -> Result<Vec<Receipt>> {
        let share = self.queued.add(memory(&batch))?;
        let append = move |transaction: &mut WriteTransaction<'_>| {
            drop(share);
            transaction.append(batch)
        };
        self.write(append).await
    }

    /// Runs `work` in a transaction and returns when that is durable. It is queued at the first
    /// poll, and is then done whether or not the caller waits.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
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
        let jobs = self.jobs.as_ref().ok_or_else(closed)?;
        let deadline = deadline(self.busy_timeout);
        jobs.send(Job { deadline, work }).map_err(|_| closed())?;
        outcome.await.map_err(|_| closed())?
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take()
            && thread.thread().id() != thread::current().id()
        {
            let _ = thread.join();
        }
    }
}

struct State {
    connection: Connection,
    indexing: Indexing,
    /// How many of them had been written back when that was last done.
    written_back: i32,
    /// At how many readers are next made to wait.
    patient_at: i32,
    appended: Arc<Event>,
}

impl State {
    /// Does `first`, and whatever waits behind it, in one transaction.
    fn group(&mut self, first: Job, queue: &Receiver<Job>) {
        let mut done = Vec::new();
        let outcome = self.transact(first, queue, &mut done);
        let kind = outcome.as_ref().err().map(Error::kind);
        let mut cause = outcome.err();
        let wait_for = |after| kind.is_none() && done.iter().any(|done| done.after == after);
        let (compacts, scrubs) = (wait_for(After::Compact), wait_for(After::Scrub));
        let mut compacted = if compacts { self.compact() } else { Ok(()) };
        let mut scrubbed = if compacts || scrubs { self.scrub() } else { Ok(()) };
        for Done { failure, after, answer } in done {
            answer(match (kind, failure) {
                (None, _) => match after {
                    After::Nothing => Ok(()),
                    After::Scrub => hand_out(&mut scrubbed),
                    After::Compact => {
                        hand_out(&mut compacted).and_then(|()| hand_out(&mut scrubbed))
                    }
                },
                // A failure of its own tells more than that the others were undone.
                (Some(kind), Some(own)) if kind == own => Ok(()),
                (Some(kind), _) => Err(cause.take().unwrap_or_else(|| undone(kind))),
            });
        }
        self.appended.notify(usize::MAX);
        self.checkpoint();
    }

    fn transact(&mut self, first: Job, queue: &Receiver<Job>, done: &mut Vec<Done>) -> Result<()> {
        let begin = || {
            Transaction::new_unchecked(&self.connection, TransactionBehavior::Immediate)
                .map_err(sqlite("beginning to write"))
        };
        let transaction = match retry_busy(first.deadline, begin) {
            Ok(transaction) => transaction,
            Err(error) => {
                done.push((first.work)(Err(error)));
                return Ok(());
            }
        };
        let mut write = WriteTransaction::new(&transaction, &self.indexing);
        let mut next = Some(first);
        while let Some(job) = next {
            write.dirty = false;
            let job = (job.work)(Ok(&mut write));
            let failure = job.failure.filter(|_| write.dirty);
            done.push(job);
            // It wrote before it failed, so that all of the transaction must go.
            if let Some(kind) = failure {
                return Err(undone(kind));
            }
            let has_room = write.events < GROUP_EVENTS && write.bytes < GROUP_BYTES;
            next = if has_room { queue.try_recv().ok() } else { None };
        }
        write.finish()?;
        transaction.commit().map_err(sqlite("committing"))
    }

    /// Keeps the WAL short. What fails here is tried again later; nothing that was committed
    /// depends on it.
    fn checkpoint(&mut self) {
        let Ok(pages) = self.wal_pages() else { return };
        if pages < self.written_back {
            self.written_back = 0; // it was begun again
        }
        if pages >= self.patient_at {
            // SQLite begins the WAL again by itself only when no reader is in it, which under load
            // is never.
            let _ = self.connection.busy_timeout(CHECKPOINT_PATIENCE);
            let is_short = self.write_back("PRAGMA wal_checkpoint(TRUNCATE)").is_ok_and(|b| b == 0);
            let _ = self.connection.busy_timeout(Duration::ZERO);
            if is_short {
                (self.written_back, self.patient_at) = (0, LONGEST_PAGES);
            } else {
                (self.written_back, self.patient_at) = (pages, pages + WRITE_BACK_PAGES);
            }
        } else if pages >= self.written_back + WRITE_BACK_PAGES {
            let _ = self.write_back("PRAGMA wal_checkpoint(PASSIVE)");
            self.written_back = pages;
        }
    }

    /// Writes the file anew, without what is unused.
    fn compact(&mut self) -> Result<()> {
        self.patiently(compact)
    }

    /// Clears away what transactions have left of what was erased.
    fn scrub(&mut self) -> Result<()> {
        // Where another connection writes the WAL back, SQLite does not wait.
        let until = deadline(PATIENCE);
        let scrubbed = self.patiently(|connection| retry_busy(until, || scrub(connection)));
        if scrubbed.is_ok() {
            (self.written_back, self.patient_at) = (0, LONGEST_PAGES);
        }
        scrubbed
    }

    /// Does what has to wait for other connections.
    fn patiently(&self, work: impl FnOnce(&Connection) -> Result<()>) -> Result<()> {
        const CONTEXT: &str = "waiting for other connections";
        self.connection.busy_timeout(PATIENCE).map_err(sqlite(CONTEXT))?;
        let done = work(&self.connection);
        self.connection.busy_timeout(Duration::ZERO).map_err(sqlite(CONTEXT))?;
        done
    }

    /// Returns the pages that the WAL holds. Takes no lock and writes nothing back: it costs some
    /// microseconds, beside a commit that syncs the disk.
    fn wal_pages(&self) -> rusqlite::Result<i32> {
        let mut noop = self.connection.prepare_cached("PRAGMA wal_checkpoint(NOOP)")?;
        noop.query_row([], |row| row.get(1))
    }

    /// Returns whether somebody was in the way, as 0 or 1.
    fn write_back(&self, pragma: &str) -> rusqlite::Result<i64> {
        self.connection.query_row(pragma, [], |row| row.get(0))
    }
}

/// The outcome for one of those who waited for it: the first who is told has the whole error.
fn hand_out(outcome: &mut Result<()>) -> Result<()> {
    let Err(error) = outcome else { return Ok(()) };
    let again = Error::new(error.kind()).with_context(UNFINISHED);
    std::mem::replace(outcome, Err(again))
}

/// What others are told of whom the first was told why.
const UNFINISHED: &str = "what was erased may be in the file still; call again";

/// For those who shared a transaction that another's failure undid.
fn undone(kind: ErrorKind) -> Error {
    Error::new(kind).with_context("the shared transaction failed")
}
