//! The removals that a log declares in its reserved events, compared with what is missing.

use audit_core::{AuditEvent, Erasure, Pruned, Sequence, backend::StoredEvent};

use crate::Finding;

/// The erasures and the pruning that the events read so far declare, and the personal data that is
/// missing of them.
///
/// The store appends `log.erased` after the events that it erased. So from any event on, no more
/// personal data may be missing than the later events declare.
#[derive(Clone, Debug, Default)]
pub(crate) struct DeclaredRemovals {
    /// The number of events whose personal data is missing.
    pub(crate) missing: u64,
    /// The number of events that the log declares erased.
    pub(crate) erased_count: u64,
    /// The last event that the log declares pruned.
    pub(crate) pruned_through: Sequence,
    /// Where the balance before an event is the smallest; of several the last.
    least: Option<Counts>,
    /// The first event that declares more erasures than are missing before it.
    excess: Option<Counts>,
    closed: bool,
}

/// An event, and the counts before it.
#[derive(Clone, Copy, Debug)]
struct Counts {
    at: Sequence,
    missing: u64,
    erased_count: u64,
}

impl Counts {
    fn balance(self) -> i128 {
        i128::from(self.missing) - i128::from(self.erased_count)
    }
}

impl DeclaredRemovals {
    /// Takes the next event.
    pub(crate) fn event(&mut self, at: Sequence, event: &StoredEvent) {
        if let Some(reserved) = reserved(&event.record) {
            self.erased_count = self.erased_count.saturating_add(Erasure::erased_count(&reserved));
            let pruned_through = Pruned::pruned_through(&reserved).unwrap_or_default();
            self.pruned_through = self.pruned_through.max(pruned_through);
            if self.excess.is_none() && !self.closed && self.counts(at).balance() < 0 {
                self.excess = Some(self.counts(at));
            }
        }
        if event.personal.is_none() && !self.closed {
            let counts = self.counts(at);
            if self.least.is_none_or(|least| counts.balance() <= least.balance()) {
                self.least = Some(counts);
            }
            self.missing += 1;
        }
    }

    fn counts(&self, at: Sequence) -> Counts {
        Counts { at, missing: self.missing, erased_count: self.erased_count }
    }

    /// Stops counting missing personal data, and continues to count declarations: an erasure that
    /// ran during the verification is declared after the end of it.
    pub(crate) fn close(&mut self) {
        self.closed = true;
    }

    /// Returns the personal data that is missing without a declared erasure.
    pub(crate) fn undeclared(&self) -> Option<Finding> {
        let Counts { at: from, missing, erased_count } = self.least?;
        let (missing, declared) = (self.missing - missing, self.erased_count - erased_count);
        (missing > declared).then_some(Finding::UndeclaredErasure { from, missing, declared })
    }

    /// Returns the personal data that is present though an erasure of it is declared. Holds only if
    /// the log was read from its first event.
    pub(crate) fn restored(&self) -> Option<Finding> {
        let Counts { at, missing, erased_count: declared } = self.excess?;
        Some(Finding::Restored { at, missing, declared })
    }
}

/// Decodes a record if its action may be reserved. Few are, and no other is decoded.
fn reserved(record: &[u8]) -> Option<AuditEvent> {
    let text = std::str::from_utf8(record).ok()?;
    if !text.contains(r#""action":"log."#) {
        return None;
    }
    // A record that cannot be decoded declares nothing. Its hash shows that it was changed.
    StoredEvent::new(record.to_vec(), None).decode().ok()
}

#[cfg(test)]
mod tests {
    use audit_core::{Actor, AuditContext, Log, NewEvent, Timestamp, backend::PreparedEvent};

    use super::*;

    /// Takes events: `true` one with personal data, `false` one without.
    fn removals(events: &[Result<bool, u64>]) -> DeclaredRemovals {
        let mut removals = DeclaredRemovals::default();
        for (number, event) in (1..).zip(events) {
            let by = || AuditContext::new(Actor::user("u"));
            let content = match event {
                Ok(_) => NewEvent::new("a", Actor::user("u")),
                Err(erased) => Erasure::event(*erased, by()).unwrap(),
            };
            let at = Sequence::new(number).unwrap();
            let prepared = PreparedEvent::new(&content).unwrap();
            let mut stored = prepared.into_stored(Log::Platform, at, Timestamp::now());
            stored.personal = stored.personal.filter(|_| *event != Ok(false));
            removals.event(at, &stored);
        }
        removals
    }

    #[test]
    fn an_erasure_is_declared_after_what_it_erased() {
        const THERE: Result<bool, u64> = Ok(true);
        const GONE: Result<bool, u64> = Ok(false);
        let missing = |events: &[_]| match removals(events).undeclared() {
            Some(Finding::UndeclaredErasure { from, missing, declared }) => {
                (from.get(), missing, declared)
            }
            None => (0, 0, 0),
            other => unreachable!("{other:?}"),
        };
        assert_eq!(missing(&[THERE, GONE, GONE, Err(2), THERE]), (0, 0, 0));
        assert_eq!(missing(&[GONE, Err(3)]), (0, 0, 0)); // some were pruned
        assert_eq!(missing(&[GONE]), (1, 1, 0));
        assert_eq!(missing(&[GONE, GONE, Err(1), THERE]), (1, 2, 1));
        assert_eq!(missing(&[GONE, Err(1), THERE, GONE, THERE]), (4, 1, 0));
        // One was put back, another was removed: the sums agree, the places do not.
        assert_eq!(missing(&[THERE, Err(1), GONE]), (3, 1, 0));

        let restored = |events: &[_]| removals(events).restored();
        assert_eq!(restored(&[THERE, GONE, GONE, Err(2), GONE]), None);
        let finding = restored(&[THERE, GONE, Err(2), GONE]);
        let at = Sequence::new(3).unwrap();
        assert_eq!(finding, Some(Finding::Restored { at, missing: 1, declared: 2 }));
    }
}
