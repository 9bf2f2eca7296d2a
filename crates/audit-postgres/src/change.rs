//! Changes: transactions that write more than the events that record them.

use std::sync::Arc;
use std::time::Instant;

use audit_core::backend::Batch;
use audit_core::{Log, Result};
use audit_index::IndexWriter;
use tokio::task::spawn_blocking;

use crate::append::{Wanted, WriteTransaction};
use crate::connection::Session;
use crate::core::Core;
use crate::error::{Retry, busy, task};
use crate::index::PostgresIndex;
use crate::writer::PAUSES;

/// A change of the store.
pub(crate) trait Change: Sync {
    /// What the change returns.
    type Output: Send;

    /// Returns the logs whose heads the change locks: those to which it appends.
    fn wanted(&self) -> Wanted;

    /// Returns whether the change may be made again where it is not known whether it was made.
    fn is_repeatable(&self) -> bool {
        false
    }

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

impl Core {
    /// Makes a change in a transaction of its own, again if the server undid that in favour of another.
    ///
    /// # Errors
    /// Those of the change. After a lost connection it is not known whether the change was made.
    pub(crate) async fn change<C: Change>(self: Arc<Self>, change: C) -> Result<C::Output> {
        let deadline = Instant::now() + self.timeout;
        let [mut pause, longest] = PAUSES;
        loop {
            let error = match self.change_once(&change, deadline).await {
                Ok(output) => return Ok(output),
                Err(error) => error,
            };
            let can_help = match Retry::of(&error) {
                Retry::Undone => true,
                Retry::Unknown => change.is_repeatable(),
                Retry::Never => false,
            };
            if !can_help || Instant::now() + pause > deadline {
                return Err(busy(error));
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(longest);
        }
    }

    async fn change_once<C: Change>(
        self: &Arc<Self>,
        change: &C,
        deadline: Instant,
    ) -> Result<C::Output> {
        let session = change.session(self).await?;
        let begin = self.begin(deadline);
        let mut transaction = WriteTransaction::begin(session, &change.wanted(), begin).await?;
        match change.apply(self, &mut transaction).await {
            Ok(output) => {
                let (appended, session) = transaction.commit().await?;
                drop(session);
                self.appended(&appended);
                Ok(output)
            }
            Err(error) => {
                transaction.session.release();
                Err(error)
            }
        }
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
