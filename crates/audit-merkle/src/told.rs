//! What a log tells of itself in its events, held against what is missing.

use audit_core::{AuditEvent, Erasure, Pruned, Sequence, backend::StoredEvent};

use crate::Fault;

/// What the events read so far tell: how many personal parts were erased, which events removed.
///
/// An erasure is told by an event behind those that it erased. So from any event on, no more
/// personal parts may be missing than the events behind it tell of.
#[derive(Clone, Debug, Default)]
pub(crate) struct Told {
    /// Events without a personal part.
    pub(crate) erased: u64,
    /// Those that the log tells of.
    pub(crate) stated: u64,
    /// The last event that the log says was removed.
    pub(crate) removed: Sequence,
    /// Where the fewest are missing before, as against those told of; of several the last.
    least: Option<Counts>,
    /// The first event that tells of more than are missing before it.
    excess: Option<Counts>,
    closed: bool,
}

/// An event, and the counts before it.
#[derive(Clone, Copy, Debug)]
struct Counts {
    at: Sequence,
    erased: u64,
    stated: u64,
}

impl Counts {
    fn balance(self) -> i128 {
        i128::from(self.erased) - i128::from(self.stated)
    }
}

impl Told {
    /// Takes the next event.
    pub(crate) fn event(&mut self, at: Sequence, event: &StoredEvent) {
        if let Some(telling) = telling(&event.record) {
            self.stated = self.stated.saturating_add(Erasure::erased_count(&telling));
            self.removed = self.removed.max(Pruned::pruned_through(&telling).unwrap_or_default());
            if self.excess.is_none() && !self.closed && self.counts(at).balance() < 0 {
                self.excess = Some(self.counts(at));
            }
        }
        if event.personal.is_none() && !self.closed {
            let counts = self.counts(at);
            if self.least.is_none_or(|least| counts.balance() <= least.balance()) {
                self.least = Some(counts);
            }
            self.erased += 1;
        }
    }

    fn counts(&self, at: Sequence) -> Counts {
        Counts { at, erased: self.erased, stated: self.stated }
    }

    /// Counts no more that is missing, but still what is told: of what was erased while the events
    /// were read, the event came behind them.
    pub(crate) fn close(&mut self) {
        self.closed = true;
    }

    /// Personal parts that are missing, and that no event tells of.
    pub(crate) fn missing(&self) -> Option<Fault> {
        let Counts { at: from, erased, stated } = self.least?;
        let (missing, stated) = (self.erased - erased, self.stated - stated);
        (missing > stated).then_some(Fault::Missing { from, missing, stated })
    }

    /// Personal parts that are there, and that an event says were erased. It holds only where no
    /// event was left out before.
    pub(crate) fn restored(&self) -> Option<Fault> {
        let Counts { at, erased: missing, stated } = self.excess?;
        Some(Fault::Restored { at, missing, stated })
    }
}

/// The event of a record, if it may be one by which a log tells of itself. Few are, and only those
/// are read.
fn telling(record: &[u8]) -> Option<AuditEvent> {
    let text = std::str::from_utf8(record).ok()?;
    if !text.contains(r#""action":"log."#) {
        return None;
    }
    // What cannot be read tells nothing; that it is not what was recorded, its hash tells.
    StoredEvent { record: record.to_vec(), personal: None }.decode().ok()
}

#[cfg(test)]
mod tests {
    use audit_core::{Actor, AuditContext, Log, NewEvent, Timestamp, backend::PreparedEvent};

    use super::*;

    /// Takes events: `true` one that has a personal part, `false` one that has none.
    fn told(events: &[Result<bool, u64>]) -> Told {
        let mut told = Told::default();
        for (number, event) in (1..).zip(events) {
            let by = || AuditContext::new(Actor::user("u"));
            let content = match event {
                Ok(_) => NewEvent::new("a", Actor::user("u")),
                Err(erased) => Erasure::event(*erased, by()).unwrap(),
            };
            let at = Sequence::new(number).unwrap();
            let prepared = PreparedEvent::new(content).unwrap();
            let mut stored = prepared.into_stored(Log::Platform, at, Timestamp::now());
            stored.personal = stored.personal.filter(|_| *event != Ok(false));
            told.event(at, &stored);
        }
        told
    }

    #[test]
    fn what_is_missing_is_told_behind() {
        const THERE: Result<bool, u64> = Ok(true);
        const GONE: Result<bool, u64> = Ok(false);
        let missing = |events: &[_]| match told(events).missing() {
            Some(Fault::Missing { from, missing, stated }) => (from.get(), missing, stated),
            None => (0, 0, 0),
            other => unreachable!("{other:?}"),
        };
        assert_eq!(missing(&[THERE, GONE, GONE, Err(2), THERE]), (0, 0, 0));
        assert_eq!(missing(&[GONE, Err(3)]), (0, 0, 0)); // some were pruned
        assert_eq!(missing(&[GONE]), (1, 1, 0));
        assert_eq!(missing(&[GONE, GONE, Err(1), THERE]), (1, 2, 1));
        assert_eq!(missing(&[GONE, Err(1), THERE, GONE, THERE]), (4, 1, 0));
        // One was put back, another was taken: the sums agree, the places do not.
        assert_eq!(missing(&[THERE, Err(1), GONE]), (3, 1, 0));

        let restored = |events: &[_]| told(events).restored();
        assert_eq!(restored(&[THERE, GONE, GONE, Err(2), GONE]), None);
        let fault = restored(&[THERE, GONE, Err(2), GONE]);
        let at = Sequence::new(3).unwrap();
        assert_eq!(fault, Some(Fault::Restored { at, missing: 1, stated: 2 }));
    }
}
