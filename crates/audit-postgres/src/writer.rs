//! The one task that appends. It writes all waiting batches in one transaction, commits it, and answers
//! their callers after the commit: they share its cost, and a log is locked once for all of them. If
//! more wait than one transaction takes, those of different logs are written in turn.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use audit_core::backend::{Batch, Owner, QueuedBytes, QueuedShare, Rotation};
use audit_core::{Log, Receipt, Result};
use audit_index::TermKey;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;

use crate::append::Appended;
use crate::core::Core;
use crate::error::{closed, read_only};
use crate::intake::begin_append;
use crate::lock::Wanted;
use crate::log_end::Grown;
use crate::retry::Retries;

/// A transaction takes no more batches when it has this many events.
const GROUP_EVENTS: usize = 1_000;
/// A transaction takes no more batches when its events have this many bytes.
const GROUP_BYTES: usize = 16 << 20;

/// The handle of the writing task. When it is dropped, the task writes all waiting batches and ends.
#[derive(Debug)]
pub(crate) struct Writer {
    jobs: UnboundedSender<Job>,
    queued: QueuedBytes,
    timeout: Duration,
    is_read_only: bool,
}

/// The batches that wait.
pub(crate) struct Jobs {
    jobs: UnboundedReceiver<Job>,
    /// Those that were received.
    waiting: Rotation<Job>,
}

/// An append that waits.
#[derive(Debug)]
struct Job {
    batch: Batch<TermKey>,
    /// When the wait for others and for a lost server ends.
    deadline: Instant,
    /// What was written by a transaction of which it is not known whether it was committed.
    attempted: Vec<Receipt>,
    answer: oneshot::Sender<Result<Appended>>,
    /// Is dropped when the writing begins.
    share: Option<QueuedShare>,
}

impl Writer {
    pub(crate) fn new(queue_bytes: usize, timeout: Duration, is_read_only: bool) -> (Self, Jobs) {
        let (jobs, received) = unbounded_channel();
        let waiting = Jobs { jobs: received, waiting: Rotation::default() };
        (Self { jobs, queued: QueuedBytes::new(queue_bytes), timeout, is_read_only }, waiting)
    }

    /// Fails if the store was opened for reading.
    pub(crate) fn require(&self) -> Result<()> {
        if self.is_read_only { Err(read_only()) } else { Ok(()) }
    }

    /// Appends `batch` and returns its receipts when it is durable. It is queued at the first poll, and
    /// is then written whether or not the caller waits.
    pub(crate) async fn append(&self, batch: Batch<TermKey>) -> Result<Vec<Receipt>> {
        self.require()?;
        let share = Some(self.queued.add(&batch)?);
        let (answer, outcome) = oneshot::channel();
        let deadline = Instant::now() + self.timeout;
        let job = Job { batch, deadline, attempted: Vec::new(), answer, share };
        self.jobs.send(job).map_err(|_| closed())?;
        Ok(outcome.await.map_err(|_| closed())??.receipts)
    }
}

impl Jobs {
    /// Writes the batches until the store is closed and none waits.
    pub(crate) async fn run(mut self, core: Arc<Core>) {
        while let Some(first) = self.wait().await {
            let (mut events, mut bytes) = (first.batch.len(), first.batch.size());
            let mut group = vec![first];
            while events < GROUP_EVENTS && bytes < GROUP_BYTES {
                let Some(next) = self.next() else { break };
                events += next.batch.len();
                bytes += next.batch.size();
                group.push(next);
            }
            for job in &mut group {
                job.share = None;
            }
            write(&core, group).await;
        }
    }

    /// Takes the next batch, if one waits.
    fn next(&mut self) -> Option<Job> {
        while let Ok(job) = self.jobs.try_recv() {
            self.waiting.push(Owner::Log(job.batch.log()), job);
        }
        self.waiting.take(|_, _| true).map(|(_, job)| job)
    }

    /// Takes the next batch, for which it waits.
    async fn wait(&mut self) -> Option<Job> {
        match self.next() {
            Some(job) => Some(job),
            None => self.jobs.recv().await,
        }
    }
}

/// Writes a group, if it must be one batch at a time, and answers the callers.
async fn write(core: &Arc<Core>, group: Vec<Job>) {
    let mut waiting = VecDeque::from([group]);
    while let Some(mut group) = waiting.pop_front() {
        match write_patiently(core, &mut group).await {
            Ok((outcomes, appended)) => {
                for (job, outcome) in group.into_iter().zip(outcomes) {
                    // The caller may have gone away by now.
                    let _ = job.answer.send(outcome);
                }
                core.appended(&appended);
            }
            Err(_) if group.len() > 1 => waiting.extend(group.into_iter().map(|job| vec![job])),
            Err(error) => {
                if let Some(job) = group.pop() {
                    let _ = job.answer.send(Err(error));
                }
            }
        }
    }
}

/// The outcome of each batch of a group, and the logs that have new events.
type Written = (Vec<Result<Appended>>, Vec<Grown>);

/// Writes a group in one transaction, again if the transaction or the connection was lost.
async fn write_patiently(core: &Arc<Core>, group: &mut [Job]) -> Result<Written> {
    let deadline = group.iter().map(|job| job.deadline).min().unwrap_or_else(Instant::now);
    let mut retries = Retries::until(deadline);
    let mut built = false;
    loop {
        let error = match write_once(core, group, deadline, built).await {
            Ok(Attempt::Written(written)) => return Ok(written),
            Ok(Attempt::TailsAreLong(logs)) => {
                for log in logs {
                    core.builds.wait(log).await;
                }
                // Whatever came of it: a damaged index keeps nobody from appending.
                built = true;
                continue;
            }
            Err(error) => error,
        };
        retries.wait_after(error).await?;
    }
}

enum Attempt {
    Written(Written),
    /// The indexes of these logs must be built before more is appended to them.
    TailsAreLong(Vec<Log>),
}

async fn write_once(
    core: &Arc<Core>,
    group: &mut [Job],
    deadline: Instant,
    built: bool,
) -> Result<Attempt> {
    let wanted = group.iter().fold(Wanted::default(), |wanted, job| wanted.batch(&job.batch));
    let mut transaction = begin_append(core, &wanted, deadline).await?;
    let longest = core.indexing.longest_tail;
    let long = transaction.ends.iter().filter(|(_, end)| end.tail() >= longest);
    let long: Vec<_> = long.map(|(log, _)| *log).collect();
    if !built && !long.is_empty() {
        transaction.session.release();
        return Ok(Attempt::TailsAreLong(long));
    }
    let mut outcomes: Vec<_> =
        group.iter().map(|job| transaction.append(job.batch.clone())).collect();
    for (job, outcome) in group.iter_mut().zip(&mut outcomes) {
        let Ok(appended) = outcome else { continue };
        settle(&job.attempted, &mut appended.receipts);
        job.attempted.clone_from(&appended.receipts);
    }
    let (appended, _) = transaction.commit().await?;
    Ok(Attempt::Written((outcomes, appended)))
}

/// Replaces receipts of events that an earlier attempt turns out to have written by those of that
/// attempt. Its leaves are of salted records, so that nobody else can have written them.
fn settle(attempted: &[Receipt], receipts: &mut [Receipt]) {
    for (attempted, receipt) in attempted.iter().zip(receipts) {
        if (attempted.sequence, attempted.leaf) == (receipt.sequence, receipt.leaf) {
            *receipt = *attempted;
        }
    }
}
