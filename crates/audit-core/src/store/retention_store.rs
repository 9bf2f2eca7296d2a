//! The store's operations that remove data: erasure, retention, pruning.

use async_trait::async_trait;

use super::scan::scan_of;
use crate::backend::StoredEvent;
use crate::limits::MAX_PAGE_EVENTS;
use crate::{
    AuditContext, AuditStore, ChangeSetId, DamagedEvent, EntriesRequest, Erased, Erasure, Error,
    ErrorKind, EventQuery, Filter, Log, Order, Position, Pruned, Pruning, Result, Retention, Scan,
    ScanResult, Sequence, Timestamp,
};

/// A store that erases personal data and removes old events.
///
/// Use [`RetentionStoreExt::erase`] to erase by a filter. Errors that describe the engine are those
/// of [`AuditStore`].
#[async_trait]
pub trait RetentionStore: AuditStore {
    /// Erases the personal data of the events with these sequence numbers, at most
    /// [`MAX_BATCH_EVENTS`](crate::limits::MAX_BATCH_EVENTS), and returns how many events had some.
    ///
    /// # Behavior
    /// - MUST erase the personal data and its salt, and leave the record unchanged.
    /// - MUST append the [event of the erasure](crate::Erasure::event) in the same transaction if
    ///   any event had personal data.
    /// - MUST, when it returns, keep nothing of what this or an earlier call erased in its index and in
    ///   free space, so that a journal or a copy, if the engine keeps one, is all that can have it.
    /// - MUST fail with [`Pending`](ErrorKind::Pending) if the data is erased, but somebody who reads an
    ///   older state still holds its bytes in the storage. A later call succeeds when they are gone.
    /// - MUST ignore numbers that the log does not hold.
    /// - MUST fail with [`LegalHold`](ErrorKind::LegalHold), changing nothing, under a legal hold.
    /// - MUST fail with [`Invalid`](ErrorKind::Invalid) for too many numbers.
    async fn erase_events(
        &self,
        log: Log,
        sequences: Vec<Sequence>,
        by: AuditContext,
    ) -> Result<u64>;

    /// Returns the retention of the log.
    ///
    /// # Behavior
    /// - MUST return the [default](Retention::default), which keeps everything, until it is set.
    async fn retention(&self, log: Log) -> Result<Retention>;

    /// Sets the retention of the log. Removes nothing.
    ///
    /// # Behavior
    /// - MUST set it, and append the [event of the change](Retention::event) in the same
    ///   transaction.
    /// - MUST append no event if nothing changes.
    /// - MUST fail with [`Invalid`](ErrorKind::Invalid) if a field exceeds a bound.
    async fn set_retention(&self, log: Log, retention: Retention, by: AuditContext) -> Result<()>;

    /// Removes the oldest events of the log, as far as its retention permits.
    ///
    /// # Behavior
    /// - MUST remove the events up to [`Retention::floor`], and no other.
    /// - MUST append the [event of the pruning](Pruned::event) in the transaction in which the
    ///   events become invisible: from then on no call finds one, and [`Head::pruned`](crate::Head)
    ///   has their number.
    /// - MUST append no event if there is nothing to remove.
    /// - MUST let appends continue meanwhile.
    /// - MUST finish what an earlier call left unfinished.
    /// - MUST keep the [frontier](AuditStore::frontier) and the [retained
    ///   nodes](AuditStore::nodes).
    /// - MUST fail with [`LegalHold`](ErrorKind::LegalHold), changing nothing, under a legal hold.
    /// - MUST fail with [`ClockAhead`](ErrorKind::ClockAhead), changing nothing, if it would remove
    ///   events by age while the clock is years ahead of the last event, unless
    ///   [`Pruning::trust_clock`] is set.
    async fn prune(&self, log: Log, pruning: Pruning) -> Result<Pruned>;
}

/// Conveniences over every [`RetentionStore`], including `dyn` ones.
#[async_trait]
pub trait RetentionStoreExt: RetentionStore {
    /// Erases the personal data of the events that `erasure` selects: names, addresses, texts,
    /// values, metadata. The records stay, and every proof with them. The events are
    /// [marked as erased](crate::AuditEvent::erased).
    ///
    /// Erases a thousand events at a time, and records after each thousand how many and why
    /// ([`Erasure::event`]). Skips events that are appended meanwhile. A second call, after a
    /// failure for instance, continues with the rest.
    ///
    /// An event that is damaged does not keep the others from being erased: if the store cannot read
    /// one, or finds one that does not match, the log is read event by event. Reports the events of
    /// which the filter cannot be known ([`Erased::damaged`]).
    ///
    /// # Errors
    /// [`LegalHold`](ErrorKind::LegalHold) under a legal hold. [`Pending`](ErrorKind::Pending) if all
    /// is erased, and the storage still holds bytes of it. [`NotFound`](ErrorKind::NotFound) if it names
    /// an event that the log does not hold. [`Invalid`](ErrorKind::Invalid) if the filter exceeds a bound
    /// or has no condition.
    async fn erase(&self, log: Log, erasure: Erasure, by: AuditContext) -> Result<Erased> {
        erasure.validate()?;
        // Shared by all events that record this erasure.
        let by =
            AuditContext { change_set_id: by.change_set_id.or(Some(ChangeSetId::new())), ..by };
        let mut progress = Progress::default();
        match erasure {
            Erasure::Events(ids) => {
                let mut sequences = Vec::with_capacity(ids.len());
                for id in ids {
                    match self.get(log, id).await {
                        Ok(event) => sequences.push(event.sequence),
                        Err(error) if error.kind() == ErrorKind::Corrupt => {
                            progress.erased.damaged.push(DamagedEvent::Id(id));
                        }
                        Err(error) => return Err(error),
                    }
                }
                progress.add(self.erase_events(log, sequences, by).await)?;
            }
            Erasure::Matching(filter) => {
                let size = self.head(log).await?.size;
                let query = EventQuery::new(log)
                    .filter(*filter)
                    .order(Order::Sequence)
                    .limit(MAX_PAGE_EVENTS);
                let mut at = Scan { bound: Some(size), ..scan_of(&query, None, 0) };
                loop {
                    let slice = match self.scan(at.clone()).await {
                        // Pruned meanwhile: continue with the rest.
                        Err(error) if error.kind() == ErrorKind::Gone => {
                            let floor = self.head(log).await?.pruned;
                            if at.after.is_none_or(|after| after.sequence >= floor) {
                                return Err(error);
                            }
                            let occurred_at = Timestamp::MIN;
                            at.after = Some(Position { occurred_at, sequence: floor });
                            continue;
                        }
                        // One damaged event must not keep the others from being erased.
                        Err(error) if error.kind() == ErrorKind::Corrupt => None,
                        slice => Some(slice?),
                    };
                    // A wrong index must not have others' events erased.
                    let is_right = |slice: &ScanResult| {
                        slice.events.iter().all(|event| at.filter.matches(event))
                    };
                    let Some(slice) = slice.filter(is_right) else {
                        let from = at.after.map_or(Sequence::ZERO, |after| after.sequence);
                        let selected = Selected { log, filter: &at.filter, from, through: size };
                        erase_by_reading(self, selected, &by, &mut progress).await?;
                        break;
                    };
                    let left = slice.events.iter().filter(|event| !event.erased);
                    let sequences = left.map(|event| event.sequence).collect();
                    // Called with no sequences as well: finishes an earlier call's clearing.
                    progress.add(self.erase_events(log, sequences, by.clone()).await)?;
                    match slice.events.last().filter(|_| slice.more) {
                        Some(last) => at.after = Some(Position::of(last)),
                        None => break,
                    }
                }
            }
        }
        progress.finish()
    }
}

impl<S: RetentionStore + ?Sized> RetentionStoreExt for S {}

/// The progress of an erasure.
#[derive(Default)]
struct Progress {
    erased: Erased,
    /// The last call's error, if the storage holds bytes of what it or an earlier one erased.
    pending: Option<Error>,
}

impl Progress {
    /// Adds the result of a call. One that is [pending](ErrorKind::Pending) has erased its events, and
    /// does not keep the others from being erased.
    fn add(&mut self, result: Result<u64>) -> Result<()> {
        match result {
            Err(error) if error.kind() == ErrorKind::Pending => self.pending = Some(error),
            result => {
                self.erased.events += result?;
                self.pending = None;
            }
        }
        Ok(())
    }

    fn finish(self) -> Result<Erased> {
        self.pending.map_or(Ok(self.erased), Err)
    }
}

/// The events that an erasure selects.
struct Selected<'a> {
    log: Log,
    filter: &'a Filter,
    /// Only events after this one.
    from: Sequence,
    /// The last event.
    through: Sequence,
}

/// Erases what the filter selects, without the index.
async fn erase_by_reading<S: RetentionStore + ?Sized>(
    store: &S,
    selected: Selected<'_>,
    by: &AuditContext,
    progress: &mut Progress,
) -> Result<()> {
    const SLICE_BYTES: usize = 4 << 20;
    let Selected { log, filter, from, through } = selected;
    let mut after = from;
    while after < through {
        let request = EntriesRequest::default().after(after);
        let request = request.limit(MAX_PAGE_EVENTS).bytes(SLICE_BYTES);
        let entries = store.entries(log, request).await?;
        let Some(last) = entries.last().map(|entry| entry.sequence) else { break };
        let mut sequences = Vec::new();
        for entry in entries.iter().filter(|entry| entry.sequence <= through) {
            match selects(filter, &entry.event) {
                Some(true) if entry.event.personal.is_some() => sequences.push(entry.sequence),
                Some(_) => {}
                None => progress.erased.damaged.push(DamagedEvent::Sequence(entry.sequence)),
            }
        }
        progress.add(store.erase_events(log, sequences, by.clone()).await)?;
        after = last;
    }
    Ok(())
}

/// Returns whether the filter selects the event; `None` if its damage hides it.
fn selects(filter: &Filter, event: &StoredEvent) -> Option<bool> {
    if let Ok(event) = event.decode() {
        return Some(filter.matches(&event));
    }
    // Damaged personal data of an event whose record the filter selects.
    let record = StoredEvent::new(event.record.clone(), None).decode().ok()?;
    filter.matches(&record).then_some(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pending_bytes_keep_no_event_from_being_erased() {
        let pending = || Err(Error::new(ErrorKind::Pending));
        let mut progress = Progress::default();
        progress.add(pending()).unwrap();
        progress.add(Ok(3)).unwrap();
        // The last call reached what the first one left.
        assert_eq!(progress.finish().unwrap().events, 3);

        let mut progress = Progress::default();
        progress.add(Ok(3)).unwrap();
        progress.add(pending()).unwrap();
        assert_eq!(progress.finish().unwrap_err().kind(), ErrorKind::Pending);

        let failed = Progress::default().add(Err(Error::new(ErrorKind::LegalHold)));
        assert_eq!(failed.unwrap_err().kind(), ErrorKind::LegalHold);
    }
}
