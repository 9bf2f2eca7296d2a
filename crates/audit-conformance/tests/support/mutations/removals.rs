//! Mutations of erasures, retention and prunings.

use std::sync::atomic::Ordering;

use audit_core::{
    AuditContext, AuditStore, Erasure, Error, Log, NewEvent, Pruned, Pruning, Receipt, Result,
    Retention, RetentionStore as _, Sequence,
    backend::{Batch, PreparedEvent},
};

use super::{Mutated, Mutation};

impl Mutated {
    pub(super) async fn mutated_erase(
        &self,
        log: Log,
        mut sequences: Vec<Sequence>,
        mut by: AuditContext,
    ) -> Result<u64> {
        let all = self.everything(log).await?;
        let wanted: Vec<_> = all.iter().filter(|e| sequences.contains(&e.sequence)).collect();
        let round = self.notes.erasures.fetch_add(1, Ordering::SeqCst);
        match self.mutation {
            Mutation::ErasesACopy => {
                let copy = self.inner.state().logs.get(&log).cloned();
                self.inner.erase_events(log, sequences.clone(), by.clone()).await?;
                let size = self.inner.head(log).await?.size;
                self.wait_for_another_append(log, size).await?;
                let Some(mut copy) = copy else { return Ok(0) };
                let erased = copy.erase(&sequences)?;
                let mut state = self.inner.state();
                state.logs.insert(log, copy);
                if erased > 0 {
                    state.append(Batch::reserved(log, Erasure::event(erased, by)?)?)?;
                }
                return Ok(erased);
            }
            Mutation::ErasesInAllLogs => {
                for (_, other) in
                    self.inner.state().logs.iter_mut().filter(|(name, _)| **name != log)
                {
                    other.erase(&sequences)?;
                }
            }
            Mutation::ErasesNeighbours => {
                let next: Vec<_> = sequences.iter().map(|sequence| sequence.next()).collect();
                sequences.extend(next);
            }
            Mutation::ErasesNothing => return Ok(sequences.len() as u64),
            Mutation::ErasesOnePage if round > 0 => return Ok(0),
            Mutation::ErasesUpTo(last) => sequences.retain(|sequence| sequence.get() <= last),
            Mutation::FindsErasedEvents | Mutation::KeepsOfErased(_) => {
                let was = wanted.iter().filter(|event| !event.erased).copied().cloned();
                self.notes.gone.lock().unwrap().extend(was);
            }
            Mutation::IgnoresTheHold => self.lift_hold(log),
            Mutation::RefusesUnknownNumbers if wanted.len() < sequences.len() => {
                return Err(Error::not_found("event"));
            }
            Mutation::RecordsWhose => {
                let whose = wanted.first().and_then(|event| event.actor.id.clone());
                by.actor.details = whose.or(by.actor.details);
            }
            Mutation::RecordsNoErasure => {
                let mut state = self.inner.state();
                let Some(reserved) = state.logs.get_mut(&log) else { return Ok(0) };
                return reserved.erase(&sequences);
            }
            _ => {}
        }
        let erased = self.inner.erase_events(log, sequences.clone(), by.clone()).await?;
        match self.mutation {
            Mutation::MiscountsErasures => return Ok(erased + 1),
            Mutation::RewritesRecords => {
                if let Some(reserved) = self.inner.state().logs.get_mut(&log) {
                    let events = reserved.events.iter_mut();
                    for (stored, _) in events.filter(|(stored, _)| stored.personal.is_none()) {
                        stored.record.push(b' ');
                    }
                }
            }
            Mutation::RecordsEmptyErasures if erased == 0 => {
                self.record(log, Erasure::event(0, by)?)?;
            }
            _ => {}
        }
        Ok(erased)
    }

    /// Writes the personal parts of events that were delivered again where they were erased.
    pub(super) fn bring_back(&self, log: Log, events: &[NewEvent], receipts: &[Receipt]) {
        let mut state = self.inner.state();
        let Some(reserved) = state.logs.get_mut(&log) else { return };
        for (content, receipt) in events.iter().zip(receipts) {
            let found = reserved.events.iter_mut().find(|(_, event)| event.id == content.id);
            if let Some((stored, event)) = found.filter(|(stored, _)| stored.personal.is_none()) {
                let prepared = PreparedEvent::new(content).unwrap();
                stored.personal =
                    prepared.into_stored(log, receipt.sequence, receipt.recorded_at).personal;
                *event = stored.decode().unwrap();
            }
        }
    }

    pub(super) async fn mutated_retention(&self, log: Log) -> Result<Retention> {
        let retention = self.inner.retention(log).await?;
        Ok(match self.mutation {
            Mutation::KeepsLessByDefault if retention == Retention::default() => {
                retention.max_events(1_000)
            }
            Mutation::OneRetentionForAll => *self.notes.retention.lock().unwrap(),
            _ => retention,
        })
    }

    pub(super) async fn mutated_set_retention(
        &self,
        log: Log,
        mut to: Retention,
        by: AuditContext,
    ) -> Result<()> {
        *self.notes.retention.lock().unwrap() = to;
        let before = self.inner.retention(log).await?;
        match self.mutation {
            Mutation::ForgetsTheHold => to = to.without_legal_hold(),
            Mutation::RecordsNoRetention => {
                self.inner.state().logs.entry(log).or_default().retention = to;
            }
            _ => {}
        }
        let set = self.inner.set_retention(log, to, by.clone()).await;
        match self.mutation {
            Mutation::AcceptsAnyRetention if set.is_err() => {
                self.inner.state().logs.entry(log).or_default().retention = to;
                return Ok(());
            }
            Mutation::RecordsUnchangedRetention if before == to => {
                self.record(log, to.event(&before, by)?)?;
            }
            _ => {}
        }
        set
    }

    pub(super) async fn mutated_prune(&self, log: Log, pruning: Pruning) -> Result<Pruned> {
        let by = pruning.by.clone();
        let head = self.inner.head(log).await?;
        let retention = self.inner.retention(log).await?;
        let all = self.everything(log).await?;
        match self.mutation {
            Mutation::IgnoresTheAge => {
                self.inner.state().logs.entry(log).or_default().retention.max_age_seconds = None;
            }
            Mutation::IgnoresTheHold => self.lift_hold(log),
            Mutation::PrunesACopy => {
                let copy = self.inner.state().logs.get(&log).cloned();
                let pruned = self.inner.prune(log, pruning.clone()).await?;
                let size = self.inner.head(log).await?.size;
                if pruned.events > 0 {
                    self.wait_for_another_append(log, size).await?;
                }
                if let (Some(mut copy), 1..) = (copy, pruned.events) {
                    copy.prune(pruned.floor);
                    let mut state = self.inner.state();
                    state.logs.insert(log, copy);
                    state.append(Batch::reserved(log, pruned.event(by)?)?)?;
                }
                return Ok(pruned);
            }
            Mutation::PrunesBy(rule) => return self.prune_by(log, pruning, rule).await,
            Mutation::PrunesNothing => return Ok(Pruned::new(head, head.pruned)),
            Mutation::PrunesOnce if head.pruned > Sequence::ZERO => {
                return Ok(Pruned::new(head, head.pruned));
            }
            Mutation::PrunesPartOfATile | Mutation::RecordsNoPruning => {
                retention.permits_removal()?;
                let kept = retention.max_events.unwrap_or(u64::MAX);
                let mut last = head.size.get().saturating_sub(kept);
                if let Mutation::RecordsNoPruning = self.mutation {
                    last -= last % audit_core::tree::Tile::WIDTH;
                }
                let floor = Sequence::new(last)?.max(head.pruned);
                let pruned = Pruned::new(head, floor);
                if let Mutation::PrunesPartOfATile = self.mutation {
                    self.record(log, pruned.event(by)?)?;
                }
                self.inner.state().logs.entry(log).or_default().prune(floor);
                return Ok(pruned);
            }
            _ => {}
        }
        let pruned = self.inner.prune(log, pruning.clone()).await?;
        match self.mutation {
            Mutation::CountsPrunedEvents | Mutation::FindsPrunedEvents => {
                let gone = all.into_iter().filter(|event| event.sequence <= pruned.floor);
                self.notes.gone.lock().unwrap().extend(gone);
            }
            Mutation::PrunesAllLogs => {
                for other in self.inner.state().logs.values_mut() {
                    other.prune(pruned.floor.min(other.head.size));
                }
            }
            Mutation::RecordsEmptyPrunings if pruned.events == 0 => {
                self.record(log, pruned.event(by)?)?;
            }
            _ => {}
        }
        Ok(pruned)
    }

    fn lift_hold(&self, log: Log) {
        self.inner.state().logs.entry(log).or_default().retention.legal_hold = false;
    }

    fn record(&self, log: Log, event: NewEvent) -> Result<()> {
        self.inner.state().append(Batch::reserved(log, event)?).map(drop)
    }
}
