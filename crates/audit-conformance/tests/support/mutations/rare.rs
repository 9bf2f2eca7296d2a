//! Mutations that show under a rare condition only.

use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use audit_core::{
    AuditEvent, AuditStore, Error, ErrorKind, EventQuery, Filter, Head, Log, NewEvent, Pruned,
    Pruning, Receipt, Result, Retention, RetentionStore as _, Sequence, backend::PreparedEvent,
};

use super::{Mutated, MutatedHarness, Mutation, Seen};

/// The calls that `neighbours` makes at once.
const NEIGHBOURS: usize = 120;

impl Mutated {
    pub(super) async fn seen(&self, log: Log) -> Result<Seen> {
        let Head { size, pruned, .. } = self.inner.head(log).await?;
        let opened = self.notes.opened.load(Ordering::Relaxed);
        Ok(Seen { size: size.get(), floor: pruned.get(), opened })
    }

    /// Makes events of known ids more like those that the log holds.
    pub(super) async fn align(
        &self,
        log: Log,
        events: &mut [NewEvent],
        alter: fn(&mut NewEvent, &NewEvent),
    ) {
        for event in events {
            let Ok(held) = self.inner.get(log, event.id).await else { continue };
            alter(event, &held.into_content());
        }
    }

    /// Appends a batch in two parts if it has more events.
    pub(super) async fn append_in_steps(
        &self,
        log: Log,
        mut events: Vec<NewEvent>,
        most: usize,
    ) -> Result<Vec<Receipt>> {
        if events.len() <= most {
            return self.inner.append(log, events).await;
        }
        let rest = events.split_off(most);
        let mut receipts = self.inner.append(log, events).await?;
        // Another handle reads the head in between, if any reads at all.
        let reads = self.notes.reads.load(Ordering::Relaxed);
        let end = Instant::now() + Duration::from_secs(5);
        while self.notes.reads.load(Ordering::Relaxed) == reads && Instant::now() < end {
            thread::sleep(Duration::from_millis(1));
        }
        receipts.extend(self.inner.append(log, rest).await?);
        Ok(receipts)
    }

    pub(super) fn refuse_bytes(events: &[NewEvent], most: usize) -> Result<()> {
        let sizes = events.iter().map(PreparedEvent::new);
        let sizes = sizes.map(|event| event.map(|event| event.size()));
        match sizes.sum::<Result<usize>>()? {
            size if size < most => Ok(()),
            _ => Err(Error::new(ErrorKind::Invalid)),
        }
    }

    /// Looks first, and begins to wait some time after.
    pub(super) async fn wait_late(&self, log: Log, sequence: Sequence) -> Result<Head> {
        loop {
            let head = self.inner.head(log).await?;
            if head.size > sequence {
                return Ok(head);
            }
            self.wait_for_another_append(log, head.size).await?;
            let missed = self.inner.head(log).await?.size;
            self.inner.wait_for_append(log, missed.max(sequence)).await?;
        }
    }

    /// Waits until a log has more events than this, but not for ever: nobody may append.
    pub(super) async fn wait_for_another_append(&self, log: Log, size: Sequence) -> Result<()> {
        let end = Instant::now() + Duration::from_secs(1);
        while self.inner.head(log).await?.size <= size && Instant::now() < end {
            thread::sleep(Duration::from_micros(100));
        }
        Ok(())
    }

    /// Waits until all calls of the log that was used first have begun, as if all logs had one queue.
    pub(super) fn wait_for_the_first_log(&self, log: Log) {
        let calls = || {
            let mut calls = self.notes.calls.lock().unwrap();
            let (first, calls) = calls.get_or_insert((log, 0));
            *calls += usize::from(*first == log);
            (*first == log, *calls)
        };
        // Only so that a case that ends early does not hang; on a busy machine the calls take long.
        let end = Instant::now() + Duration::from_secs(300);
        while let (false, calls) = calls()
            && !calls.is_multiple_of(NEIGHBOURS)
            && Instant::now() < end
        {
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Returns the new size with the time of the last event before.
    pub(super) async fn wait_with_old_time(&self, log: Log, sequence: Sequence) -> Result<Head> {
        let before = self.inner.head(log).await?;
        let mut head = self.inner.wait_for_append(log, sequence).await?;
        if before.size <= sequence {
            head.recorded_at = before.recorded_at;
        }
        Ok(head)
    }

    /// Prunes by another rule than was set.
    pub(super) async fn prune_by(
        &self,
        log: Log,
        pruning: Pruning,
        rule: fn(Retention) -> Retention,
    ) -> Result<Pruned> {
        let retention = self.inner.retention(log).await?;
        self.set(log, rule(retention));
        let pruned = self.inner.prune(log, pruning).await;
        self.set(log, retention);
        pruned
    }

    fn set(&self, log: Log, retention: Retention) {
        self.inner.state().logs.entry(log).or_default().retention = retention;
    }

    /// Gives erased events something that they had.
    pub(super) fn restore(
        &self,
        events: &mut [AuditEvent],
        alter: fn(&mut AuditEvent, &AuditEvent),
    ) {
        let gone = self.notes.gone.lock().unwrap();
        for event in events.iter_mut().filter(|event| event.erased) {
            if let Some(was) = gone.iter().find(|was| (was.log, was.id) == (event.log, event.id)) {
                alter(event, was);
            }
        }
    }
}

impl MutatedHarness {
    /// Returns the query that a token was issued for, if it is taken for this one.
    pub(super) fn taken_for(
        &self,
        first: Option<EventQuery>,
        query: &EventQuery,
    ) -> Option<EventQuery> {
        let Mutation::BindsTokensTo(form) = self.mutation else { return None };
        let form = |query: &EventQuery| form(&format!("{:?}", query.clone().limit(1)));
        first.filter(|first| form(first) == form(query))
    }
}

/// Returns the filter with the values that `keep` wants, by condition and place.
pub(crate) fn with_values(filter: &Filter, keep: impl Fn(usize, &str) -> bool) -> Filter {
    super::reads::rebuilt(filter, |_, place, value| keep(place, value))
}
