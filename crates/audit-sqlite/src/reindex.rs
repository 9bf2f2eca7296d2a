//! Comparing derived data with the records, and rebuilding it, in small transactions; and healing
//! it when a read finds damage.

use audit_core::{Error, ErrorKind, EventId, Log, Result, Sequence};
use audit_index::{Compared, DerivedFinding};
use rusqlite::params;

use crate::append::WriteTransaction;
use crate::derived::{Derived, IdRow, SET_INDEXED};
use crate::error::sqlite;
use crate::read::{LogRow, Snapshot, log_row};
use crate::store::SqliteStore;

/// The events whose ids one step compares.
const STEP: u64 = 4_096;

impl WriteTransaction<'_> {
    /// Returns the log with all that this transaction has added to it, and its derived data.
    fn derived(&mut self, log: Log) -> Result<Option<Derived<'_>>> {
        self.dirty = true;
        self.flush()?;
        let row = log_row(self.connection, log)?;
        Ok(row.map(|log| Derived { connection: self.connection, indexing: self.indexing, log }))
    }

    /// Rebuilds those parts of the log's index that cannot be read.
    pub(crate) fn heal(&mut self, log: Log) -> Result<()> {
        let Some(derived) = self.derived(log)? else { return Ok(()) };
        let indexed = derived.heal()?;
        derived.set_indexed(indexed)
    }

    /// Rebuilds the rows of the log's ids if that of this id leads elsewhere.
    pub(crate) fn heal_id(&mut self, log: Log, id: EventId) -> Result<()> {
        let Some(derived) = self.derived(log)? else { return Ok(()) };
        derived.event_by_id(id).map(drop)
    }

    /// Rebuilds the part of the index that has this event.
    pub(crate) fn reindex_event(&mut self, log: Log, sequence: Sequence) -> Result<()> {
        self.reindex_part(log, sequence.previous()).map(drop)
    }

    /// Compares the part of the index after `after` with the records, and rebuilds it if it is
    /// wrong. Returns what was wrong, and where to go on.
    fn reindex_part(&mut self, log: Log, after: Sequence) -> Result<Step> {
        let Some(derived) = self.derived(log)? else { return Ok(Step::default()) };
        let compared = derived.compare(after, true)?;
        derived.set_indexed(compared.indexed)?;
        Ok(Step::of_part(&compared, &derived.log))
    }

    /// Does the same for the ids of the next events.
    fn reindex_ids(&mut self, log: Log, after: Sequence) -> Result<Step> {
        let Some(derived) = self.derived(log)? else { return Ok(Step::default()) };
        let last = last_of_step(&derived.log, after)?;
        let wrong = derived.wrong_ids(after, last)?;
        if !wrong.is_empty() {
            derived.rebuild_ids(after, last)?;
        }
        Ok(Step::of_ids(wrong, last, &derived.log))
    }

    /// Deletes ids that lead to other events. Returns them, and where to go on.
    fn delete_stale(&mut self, log: Log, after: &IdRow) -> Result<Stale> {
        let Some(derived) = self.derived(log)? else { return Ok(Stale::default()) };
        let (stale, next) = derived.stale_ids(after)?;
        stale.iter().try_for_each(|id| derived.delete_id(*id))?;
        Ok(Stale::of(stale, next))
    }
}

impl Derived<'_> {
    fn set_indexed(&self, indexed: Sequence) -> Result<()> {
        if indexed == self.log.indexed {
            return Ok(());
        }
        let values = params![self.log.id, indexed.as_i64()];
        let set = || self.connection.prepare_cached(SET_INDEXED)?.execute(values);
        set().map(drop).map_err(sqlite("writing the head of a log"))
    }
}

/// The result of a step.
#[derive(Default)]
struct Step {
    found: Vec<DerivedFinding>,
    /// The event after which to go on.
    next: Option<Sequence>,
}

impl Step {
    fn of_part(part: &Compared, log: &LogRow) -> Self {
        let next = (part.through < log.head.size).then_some(part.through);
        Self { found: part.finding.into_iter().collect(), next }
    }

    fn of_ids(wrong: Vec<Sequence>, last: Sequence, log: &LogRow) -> Self {
        let of_id = |sequence| DerivedFinding::EventId { sequence };
        let next = (last < log.head.size).then_some(last);
        Self { found: wrong.into_iter().map(of_id).collect(), next }
    }
}

/// The result of a step through the rows of event ids.
#[derive(Default)]
struct Stale {
    found: Vec<DerivedFinding>,
    next: Option<IdRow>,
}

impl Stale {
    fn of(stale: Vec<EventId>, next: Option<IdRow>) -> Self {
        let found = stale.into_iter().map(|id| DerivedFinding::UnknownId { id }).collect();
        Self { found, next }
    }
}

fn last_of_step(log: &LogRow, after: Sequence) -> Result<Sequence> {
    let after = after.max(log.head.pruned);
    Sequence::new(after.get().saturating_add(STEP).min(log.head.size.get()))
}

impl SqliteStore {
    /// Compares the derived data of `log` with its records: its index, and the ids of its events.
    /// Returns what does not match. Changes nothing. It reads the whole log, in steps, and appends
    /// may run meanwhile.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn check_derived(&self, log: Log) -> Result<Vec<DerivedFinding>> {
        let mut found = Vec::new();
        let mut at = Some(Sequence::ZERO);
        while let Some(after) = at {
            let step = self.with_derived(log, move |derived| {
                let compared = derived.compare(after, false)?;
                Ok(Step::of_part(&compared, &derived.log))
            });
            let step = step.await?.unwrap_or_default();
            found.extend(step.found);
            at = step.next;
        }
        at = Some(Sequence::ZERO);
        while let Some(after) = at {
            let step = self.with_derived(log, move |derived| {
                let last = last_of_step(&derived.log, after)?;
                Ok(Step::of_ids(derived.wrong_ids(after, last)?, last, &derived.log))
            });
            let step = step.await?.unwrap_or_default();
            found.extend(step.found);
            at = step.next;
        }
        let mut at = Some((Vec::new(), i64::MIN));
        while let Some(after) = at {
            let step = self.with_derived(log, move |derived| {
                let (stale, next) = derived.stale_ids(&after)?;
                Ok(Stale::of(stale, next))
            });
            let step = step.await?.unwrap_or_default();
            found.extend(step.found);
            at = step.next;
        }
        Ok(found)
    }

    /// Compares the derived data of `log` with its records, as [`check_derived`](Self::check_derived)
    /// does, and rebuilds what does not match, in small transactions. Returns what did not match.
    ///
    /// Damage that a call meets is rebuilt without this call. What says something else than the
    /// records can only be found by comparing.
    ///
    /// # Errors
    /// Those of the engine.
    ///
    /// ```
    /// # use audit_core::{Actor, AuditStoreExt, Log, NewEvent};
    /// # use audit_sqlite::SqliteStore;
    /// # let directory = tempfile::tempdir().unwrap();
    /// # futures_executor::block_on(async {
    /// let store = SqliteStore::open(directory.path().join("audit.db"))?;
    /// store.record(Log::Platform, NewEvent::new("user.login", Actor::user("u_1"))).await?;
    /// assert!(store.reindex(Log::Platform).await?.is_empty());
    /// # Ok::<(), audit_core::Error>(())
    /// # })?;
    /// # Ok::<(), audit_core::Error>(())
    /// ```
    pub async fn reindex(&self, log: Log) -> Result<Vec<DerivedFinding>> {
        let writer = &self.shared.writer;
        let mut found = Vec::new();
        let mut at = Some(Sequence::ZERO);
        while let Some(after) = at {
            let step = writer.write(log, move |t| t.reindex_part(log, after)).await?;
            found.extend(step.found);
            at = step.next;
        }
        at = Some(Sequence::ZERO);
        while let Some(after) = at {
            let step = writer.write(log, move |t| t.reindex_ids(log, after)).await?;
            found.extend(step.found);
            at = step.next;
        }
        let mut at = Some((Vec::new(), i64::MIN));
        while let Some(after) = at {
            let step = writer.write(log, move |t| t.delete_stale(log, &after)).await?;
            found.extend(step.found);
            at = step.next;
        }
        self.shared.unhealed.set(log, false);
        Ok(found)
    }

    async fn with_derived<T: Send + 'static>(
        &self,
        log: Log,
        work: impl FnOnce(&Derived<'_>) -> Result<T> + Send + 'static,
    ) -> Result<Option<T>> {
        let indexing = self.shared.indexing.clone();
        let run = move |snapshot: &Snapshot<'_>| {
            let connection = snapshot.connection;
            let Some(log) = log_row(connection, log)? else { return Ok(None) };
            work(&Derived { connection, indexing: &indexing, log }).map(Some)
        };
        self.shared.readers.read_apart(run).await
    }

    /// Rebuilds the index of `log` after a read has found damage. Returns `true` if the read should
    /// be tried again.
    pub(crate) async fn heal_after(&self, log: Log, error: &Error) -> Result<bool> {
        if error.kind() != ErrorKind::Corrupt || self.shared.unhealed.has(log) {
            return Ok(false);
        }
        if !audit_index::is_damage(error) || self.shared.writer.is_none() {
            return Ok(false);
        }
        // Until a read succeeds.
        self.shared.unhealed.set(log, true);
        self.shared.writer.write(log, move |t| t.heal(log)).await?;
        Ok(true)
    }

    /// Notes that a read succeeded after the index of `log` was rebuilt.
    pub(crate) fn healed(&self, log: Log) {
        self.shared.unhealed.set(log, false);
    }
}
