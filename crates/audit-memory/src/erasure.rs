//! Erasure of personal data.

use audit_core::backend::Term;
use audit_core::{AuditContext, Erasure, Log, Position, Result, Sequence, backend::Batch, limits};

use crate::log::{LogState, Postings};
use crate::store::{MemoryStore, write};

impl MemoryStore {
    pub(crate) fn erase_all(
        &self,
        log: Log,
        sequences: &[Sequence],
        by: AuditContext,
    ) -> Result<u64> {
        limits::erased_events(sequences.len())?;
        let Some(shared) = self.log(log) else { return Ok(0) };
        let mut state = write(&shared);
        state.retention.permits_removal()?;
        let mut sequences: Vec<_> = sequences
            .iter()
            .copied()
            .filter(|sequence| state.stored(*sequence).is_ok_and(|e| e.personal.is_some()))
            .collect();
        sequences.sort_unstable();
        sequences.dedup();
        let erased = sequences.len() as u64;
        if erased == 0 {
            return Ok(0);
        }
        // The event goes first: if it is refused, nothing has been erased.
        state.append(Batch::reserved(log, Erasure::event(erased, by)?)?, &self.shared.latest)?;
        for sequence in sequences {
            state.erase(sequence)?;
        }
        drop(state);
        self.shared.feeds.wake([log]);
        Ok(erased)
    }
}

impl LogState {
    fn erase(&mut self, sequence: Sequence) -> Result<()> {
        let Some(event) = self.index_of(sequence).and_then(|at| self.events.get_mut(at)) else {
            return Ok(());
        };
        let occurred_at = event.decode()?.occurred_at;
        for term in event.erase()? {
            self.remove_term(&term, Position { occurred_at, sequence });
        }
        Ok(())
    }

    /// Removes an event from the postings of a term.
    fn remove_term(&mut self, term: &Term, position: Position) {
        let Some(postings) = self.postings.get_mut(term) else { return };
        let Postings { by_time, by_sequence } = postings;
        by_time.remove(&(position.occurred_at, position.sequence));
        if let Ok(at) = by_sequence.binary_search_by_key(&position.sequence, |p| p.sequence) {
            by_sequence.remove(at);
        }
        if by_sequence.is_empty() {
            self.postings.remove(term);
        }
    }
}
