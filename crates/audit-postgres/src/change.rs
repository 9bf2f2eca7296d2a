//! Changes: transactions that write more than the events that record them.

use std::sync::Arc;
use std::time::Instant;

use audit_core::backend::Batch;
use audit_core::{EventId, Log, Result};
use audit_index::IndexWriter;
use tokio::task::spawn_blocking;

use crate::append::WriteTransaction;
use crate::connection::Session;
use crate::core::Core;
use crate::error::{closed, task};
use crate::index::PostgresIndex;
use crate::lock::Wanted;
use crate::retry::Retries;

/// A change of the store.
pub(crate) trait Change: Sync {
    /// What the change returns.
    type Output: Send;

    /// Returns the logs whose heads the change locks: those to which it appends.
    fn wanted(&self) -> Wanted;

    /// Takes the connection that the change uses.
    fn session(&self, core: &Core) -> impl Future<Output = Result<Session>> + Send {
        core.writers.take()
    }

    /// Writes the change, and adds the events that record it. After an error the transaction is undone.
    fn apply(
        &self,
        core: &Core,
        transaction: &mut WriteTransaction,
    ) -> impl Future<Output = Result<Self::Output>> + Send;
}

/// A change of which it is not known whether it was committed.
struct Attempt<T> {
    output: T,
    /// The events that record it.
    events: Vec<(Log, EventId)>,
}

impl Core {
    /// Makes a change in a transaction of its own, again if the server undid that in favour of another, or
    /// if the connection was lost. If the events of an attempt are found then, it was committed, and its
    /// outcome is that of the change. A change without events has changed nothing.
    ///
    /// # Errors
    /// Those of the change.
    pub(crate) async fn change<C: Change>(self: Arc<Self>, change: C) -> Result<C::Output> {
        let deadline = Instant::now() + self.timeout;
        let mut retries = Retries::until(deadline);
        let mut attempt = None;
        loop {
            let error = match self.change_once(&change, deadline, &mut attempt).await {
                Ok(output) => return Ok(output),
                Err(error) => error,
            };
            retries.wait_after(error).await?;
        }
    }

    async fn change_once<C: Change>(
        self: &Arc<Self>,
        change: &C,
        deadline: Instant,
        attempt: &mut Option<Attempt<C::Output>>,
    ) -> Result<C::Output> {
        let session = change.session(self).await?;
        let begin = self.begin(deadline);
        let earlier = attempt.iter().flat_map(|attempt| attempt.events.iter().copied());
        let wanted = change.wanted().events(earlier);
        // The heads are locked: an attempt that was still being committed is complete.
        let mut transaction = WriteTransaction::begin(session, &wanted, begin).await?;
        if !attempt.as_ref().is_some_and(|attempt| transaction.knows(&attempt.events)) {
            *attempt = None;
            match change.apply(self, &mut transaction).await {
                Ok(output) => *attempt = Some(Attempt { output, events: transaction.events() }),
                Err(error) => {
                    transaction.session.release();
                    return Err(error);
                }
            }
        }
        // Also for an earlier attempt, so that nothing is confirmed that a standby does not have.
        let (appended, session) = transaction.commit().await?;
        drop(session);
        self.appended(&appended);
        attempt.take().map(|attempt| attempt.output).ok_or_else(closed)
    }
}

impl WriteTransaction {
    /// Adds an event that the store itself makes.
    pub(crate) fn append_own(&mut self, core: &Core, batch: Batch) -> Result<()> {
        self.append(core.indexing.hasher.keyed(batch)).map(drop)
    }

    /// Adds the events of one change.
    pub(crate) fn append_all(&mut self, core: &Core, batches: &[Batch]) -> Result<()> {
        batches.iter().try_for_each(|batch| self.append_own(core, batch.clone()))
    }

    /// Runs `work` with the stored index of a log, on a thread for blocking work. It does not have what
    /// this transaction appends.
    pub(crate) async fn with_index<T: Send + 'static>(
        &mut self,
        core: &Core,
        log: Log,
        work: impl FnOnce(&IndexWriter<'_, PostgresIndex>, &PostgresIndex) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let row = self.end(log)?.row;
        let index = PostgresIndex::of_transaction(self.session.take(), log, row);
        let indexing = core.indexing.clone();
        let run = move || {
            let result = work(&index.writer(&indexing), &index);
            (index.into_session(), result)
        };
        let (session, result) = spawn_blocking(run).await.map_err(task)?;
        self.session = session;
        result
    }
}
