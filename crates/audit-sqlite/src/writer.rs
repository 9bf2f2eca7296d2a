//! The one thread that writes. It takes whatever waits into one transaction, commits it, and only
//! then answers: many callers share the cost of one commit.

use std::fmt;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use audit_core::{Error, ErrorKind, Result};
use crossbeam_channel::{Receiver, Sender, unbounded};
use event_listener::Event;
use futures_channel::oneshot;
use rusqlite::{Connection, Transaction, TransactionBehavior};

use crate::append::WriteTransaction;
use crate::error::{closed, sqlite, thread as thread_error};
use crate::index::TermIds;
use crate::schema::retry_busy;

/// The handle of the writing thread, which ends, with all that waits done, when it is dropped.
pub(crate) struct Writer {
    jobs: Option<Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

/// Work for one transaction, or the reason why there is none. It returns how to answer its caller
/// once the fate of the transaction is known.
type Job = Box<dyn FnOnce(Result<&mut WriteTransaction<'_>>) -> Done + Send>;

enum Done {
    /// The caller waits for the commit.
    Well(Answer),
    /// The caller has been told of the failure.
    Failed(ErrorKind),
}

type Answer = Box<dyn FnOnce(Result<()>) + Send>;

/// When a transaction has so many events, it takes in no more.
const GROUP_EVENTS: usize = 10_000;

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
        appended: Arc<Event>,
    ) -> Result<Self> {
        let (jobs, queue) = unbounded();
        let mut state =
            State { connection, busy_timeout, terms: TermIds::default(), version: 0, appended };
        let run = move || {
            while let Ok(first) = queue.recv() {
                state.group(first, &queue);
            }
        };
        let thread =
            thread::Builder::new().name("audit-write".into()).spawn(run).map_err(thread_error)?;
        Ok(Self { jobs: Some(jobs), thread: Some(thread) })
    }

    /// Runs `work` in a transaction and returns when that is durable. Once taken in, the work is
    /// done even if the caller goes away.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut WriteTransaction<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (reply, outcome) = oneshot::channel();
        let job: Job = Box::new(move |transaction| match transaction.and_then(work) {
            Ok(value) => Done::Well(Box::new(move |committed| {
                // The caller may have gone away.
                let _ = reply.send(committed.map(|()| value));
            })),
            Err(error) => {
                let kind = error.kind();
                let _ = reply.send(Err(error));
                Done::Failed(kind)
            }
        });
        let jobs = self.jobs.as_ref().ok_or_else(closed)?;
        jobs.send(job).map_err(|_| closed())?;
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
    busy_timeout: Duration,
    terms: TermIds,
    /// SQLite's count of what other connections have committed.
    version: i64,
    appended: Arc<Event>,
}

impl State {
    /// Does `first`, and whatever waits behind it, in one transaction.
    fn group(&mut self, first: Job, queue: &Receiver<Job>) {
        let mut waiting = Vec::new();
        let outcome = self.transact(first, queue, &mut waiting);
        if outcome.is_err() {
            self.terms.clear();
        }
        let kind = outcome.as_ref().err().map(Error::kind);
        let mut outcome = Some(outcome);
        for answer in waiting {
            // The first gets the cause itself, the others its kind.
            answer(outcome.take().unwrap_or_else(|| kind.map_or(Ok(()), |kind| Err(shared(kind)))));
        }
        self.appended.notify(usize::MAX);
    }

    fn transact(
        &mut self,
        first: Job,
        queue: &Receiver<Job>,
        waiting: &mut Vec<Answer>,
    ) -> Result<()> {
        let begin = || {
            Transaction::new_unchecked(&self.connection, TransactionBehavior::Immediate)
                .map_err(sqlite("beginning to write"))
        };
        let transaction = match retry_busy(self.busy_timeout, begin) {
            Ok(transaction) => transaction,
            Err(error) => {
                first(Err(error));
                return Ok(());
            }
        };
        let version = transaction
            .pragma_query_value(None, "data_version", |row| row.get(0))
            .map_err(sqlite("beginning to write"));
        match version {
            Ok(version) if version == self.version => {}
            // Another process may have changed what the numbers mean.
            version => {
                self.terms.clear();
                self.version = version.unwrap_or_default();
            }
        }
        let mut write = WriteTransaction::new(&transaction, &mut self.terms);
        let mut next = Some(first);
        while let Some(job) = next {
            write.dirty = false;
            match job(Ok(&mut write)) {
                Done::Well(answer) => waiting.push(answer),
                // It wrote before it failed, so that all of the transaction must go.
                Done::Failed(kind) if write.dirty => return Err(shared(kind)),
                Done::Failed(_) => {}
            }
            next = if write.events < GROUP_EVENTS { queue.try_recv().ok() } else { None };
        }
        write.finish()?;
        transaction.commit().map_err(sqlite("committing"))
    }
}

/// For those who shared a transaction that another's failure undid.
fn shared(kind: ErrorKind) -> Error {
    Error::new(kind).with_context("the shared transaction failed")
}
