//! Retention: how long a log keeps its events.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::backend::is_implausible;
use crate::tree::Tile;
use crate::{
    Action, AuditContext, AuditEvent, Change, Error, ErrorKind, Head, Message, NewEvent, Result,
    Sequence, Target, Timestamp, Violation,
};

/// How long a log keeps its events. The default keeps everything.
///
/// Pruning removes an event if either bound permits it, together with all earlier events, in whole
/// [tiles](Tile) of the log's tree: up to [`Tile::WIDTH`] − 1 events are kept longer than required.
///
/// ```
/// use std::time::Duration;
/// use audit_core::Retention;
///
/// let seven_years = Retention::default().max_age(Duration::from_secs(7 * 365 * 86_400));
/// assert!(seven_years.validate().is_ok());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[non_exhaustive]
pub struct Retention {
    /// Seconds for which an event is kept after it was recorded, at least 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_age_seconds: Option<u64>,
    /// Number of events to keep, the newest, at least 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_events: Option<u64>,
    /// Whether removing and erasing is forbidden, regardless of the bounds.
    #[serde(default)]
    pub legal_hold: bool,
}

/// A request to remove the events that retention does not keep.
///
/// ```
/// use audit_core::{Actor, AuditContext, Pruning};
///
/// let by = AuditContext::new(Actor::system());
/// let nightly = Pruning::from(by.clone());
/// let confirmed = Pruning::from(by).trusting_the_clock();
/// # assert_ne!(nightly, confirmed);
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Pruning {
    /// The context of the pruning.
    pub by: AuditContext,
    /// Whether to prune by age even if the clock is far ahead of the log's last event. Otherwise
    /// that is [`ErrorKind::ClockAhead`]: one wrong reading would empty the log.
    pub trust_clock: bool,
}

impl From<AuditContext> for Pruning {
    /// Returns the request of `by`, which does not trust the clock.
    fn from(by: AuditContext) -> Self {
        Self { by, trust_clock: false }
    }
}

impl Pruning {
    /// Prunes by age however far the clock is ahead of the log's last event. For a log that has been
    /// silent for years.
    #[must_use]
    pub fn trusting_the_clock(mut self) -> Self {
        self.trust_clock = true;
        self
    }
}

/// The result of pruning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pruned {
    /// The number of events that this call removed.
    pub events: u64,
    /// The number of the last event removed so far.
    pub floor: Sequence,
}

/// The target type of the event of a pruning. The id is the range of the sequence numbers removed,
/// as `1-4096`.
const EVENTS: &str = "events";

/// The attributes of the event of a change.
const MAX_AGE: &str = "maxAgeSeconds";
const MAX_EVENTS: &str = "maxEvents";
const LEGAL_HOLD: &str = "legalHold";

impl Retention {
    /// Sets how long events are kept after they were recorded, in whole seconds.
    #[must_use]
    pub fn max_age(mut self, age: Duration) -> Self {
        self.max_age_seconds = Some(age.as_secs());
        self
    }

    /// Sets the number of events to keep, the newest.
    #[must_use]
    pub fn max_events(mut self, events: u64) -> Self {
        self.max_events = Some(events);
        self
    }

    /// Sets a legal hold, which forbids removing and erasing.
    #[must_use]
    pub fn with_legal_hold(mut self) -> Self {
        self.legal_hold = true;
        self
    }

    /// Lifts the legal hold.
    #[must_use]
    pub fn without_legal_hold(mut self) -> Self {
        self.legal_hold = false;
        self
    }

    /// Checks the limits.
    pub fn validate(&self) -> Result<()> {
        for (field, value) in
            [("maxAgeSeconds", self.max_age_seconds), ("maxEvents", self.max_events)]
        {
            if value.is_some_and(|value| value == 0 || i64::try_from(value).is_err()) {
                return Err(Error::invalid(field, Violation::OutOfRange { min: 1, max: i64::MAX }));
            }
        }
        Ok(())
    }

    /// Fails under a legal hold. Used by stores.
    ///
    /// # Errors
    /// [`ErrorKind::LegalHold`].
    pub fn permits_removal(&self) -> Result<()> {
        if self.legal_hold { Err(Error::new(ErrorKind::LegalHold)) } else { Ok(()) }
    }

    /// Returns the sequence up to which `pruning` may remove events at `now` in a log with this head,
    /// at least [`Head::pruned`]. `recorded_at` returns the time at which an event was recorded; it
    /// is called about 60 times at most. Used by stores.
    ///
    /// # Errors
    /// [`ErrorKind::LegalHold`] under a legal hold. [`ErrorKind::ClockAhead`] if events would be
    /// removed by age, `now` is more than [`LONGEST_SILENCE`](crate::backend::LONGEST_SILENCE) after
    /// the last event, and `pruning` does not trust the clock. Whatever `recorded_at` returns.
    pub fn floor(
        &self,
        head: Head,
        pruning: &Pruning,
        now: Timestamp,
        mut recorded_at: impl FnMut(Sequence) -> Result<Timestamp>,
    ) -> Result<Sequence> {
        self.permits_removal()?;
        let by_count = self.max_events.map_or(0, |most| head.size.get().saturating_sub(most));
        let mut by_age = head.pruned.get();
        if let Some(seconds) = self.max_age_seconds {
            let oldest = now.saturating_sub(Duration::from_secs(seconds));
            // Times never go back within a log, so a binary search finds the first event to keep.
            let (mut low, mut high) = (head.pruned.get(), head.size.get());
            while low < high {
                let middle = low.midpoint(high);
                if recorded_at(Sequence::new(middle + 1)?)? < oldest {
                    low = middle + 1;
                } else {
                    high = middle;
                }
            }
            by_age = low;
            let removes = by_age > head.pruned.get().max(by_count);
            if removes && !pruning.trust_clock && is_implausible(head.recorded_at, now) {
                return Err(Error::new(ErrorKind::ClockAhead));
            }
        }
        let last = by_count.max(by_age);
        Sequence::new(last - last % Tile::WIDTH).map(|floor| floor.max(head.pruned))
    }

    /// Returns the event that records a change of retention. Used by stores.
    pub fn event(&self, before: &Self, by: AuditContext) -> Result<NewEvent> {
        let event = NewEvent {
            change: Change::of(before, self)?,
            message: Message {
                title: Some("Retention changed".to_owned()),
                text: None,
                key: Some("LogRetentionChanged".to_owned()),
                params: None,
            },
            ..by.event(Action::LOG_RETENTION_CHANGED)
        };
        // In the record, so that it is declared even when the change is erased.
        let bounds = [(MAX_AGE, self.max_age_seconds), (MAX_EVENTS, self.max_events)];
        let event = bounds.into_iter().fold(event, |event, (key, bound)| match bound {
            Some(bound) => event.attribute(key, bound.to_string()),
            None => event,
        });
        let event = event.attribute(LEGAL_HOLD, self.legal_hold.to_string());
        event.validate()?;
        Ok(event)
    }

    /// Returns the retention that `event` declares; `None` if it is not the event of a change.
    /// Verification compares the last one with that of the store.
    pub fn declared(event: &AuditEvent) -> Option<Self> {
        if event.action != Action::LOG_RETENTION_CHANGED {
            return None;
        }
        let bound = |key| event.attributes.get(key).and_then(|bound| bound.parse().ok());
        Some(Self {
            max_age_seconds: bound(MAX_AGE),
            max_events: bound(MAX_EVENTS),
            legal_hold: event.attributes.get(LEGAL_HOLD) == Some("true"),
        })
    }
}

impl Pruned {
    /// Returns the result of removing the events after `head.pruned` up to `floor`.
    pub fn new(head: Head, floor: Sequence) -> Self {
        Self { events: floor.get().saturating_sub(head.pruned.get()), floor }
    }

    /// Returns the event that records the pruning. The range of the numbers is part of the record.
    /// Used by stores.
    pub fn event(&self, by: AuditContext) -> Result<NewEvent> {
        let first = self.floor.get().saturating_sub(self.events) + 1;
        let event = NewEvent {
            message: Message {
                title: Some("Events removed".to_owned()),
                text: Some(format!("The events {first} to {} were removed", self.floor)),
                key: Some("LogPruned".to_owned()),
                params: None,
            },
            ..by.event(Action::LOG_PRUNED)
        }
        .add_target(Target::new(EVENTS, format!("{first}-{}", self.floor)));
        event.validate()?;
        Ok(event)
    }

    /// Returns the number of the last event that `event` records as removed; `None` if it does not
    /// record a pruning.
    pub fn pruned_through(event: &AuditEvent) -> Option<Sequence> {
        let of_pruning = |target: &&Target| target.kind.as_deref() == Some(EVENTS);
        let mut targets = event.targets.iter().filter(|_| event.action == Action::LOG_PRUNED);
        let (_, last) = targets.find(of_pruning)?.id.as_deref()?.split_once('-')?;
        last.parse().ok().and_then(|last| Sequence::new(last).ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(size: u64, pruned: u64) -> Head {
        let (pruned, recorded_at) = (Sequence::new(pruned).unwrap(), at(size));
        Head { size: Sequence::new(size).unwrap(), pruned, recorded_at }
    }

    fn pruning() -> Pruning {
        AuditContext::new(crate::Actor::user("u")).into()
    }

    fn at(second: u64) -> Timestamp {
        Timestamp::from_micros(i64::try_from(second).unwrap() * 1_000_000).unwrap()
    }

    /// Event n was recorded in second n.
    fn floor(retention: Retention, head: Head, now: u64) -> u64 {
        let recorded_at = |sequence: Sequence| Ok(at(sequence.get()));
        retention.floor(head, &pruning(), at(now), recorded_at).unwrap().get()
    }

    #[test]
    fn the_floor_is_a_multiple_of_a_tile_and_never_goes_back() {
        let kept = Retention::default();
        assert_eq!(floor(kept, head(1_000, 0), 5_000), 0);
        assert_eq!(floor(kept.max_events(1_000), head(1_000, 0), 5_000), 0);
        assert_eq!(floor(kept.max_events(1), head(1_000, 0), 5_000), 992);
        assert_eq!(floor(kept.max_events(968), head(1_000, 0), 5_000), 32);
        assert_eq!(floor(kept.max_events(969), head(1_000, 0), 5_000), 0);
        assert_eq!(floor(kept.max_events(969), head(1_000, 64), 5_000), 64);
        let aged = kept.max_age(Duration::from_secs(100));
        assert_eq!(floor(aged, head(1_000, 0), 1_000), 896);
        assert_eq!(floor(aged, head(1_000, 0), 100), 0);
        assert_eq!(floor(aged, head(1_000, 960), 1_000), 960);
        assert_eq!(floor(aged, head(1_000, 0), 9_000), 992);
        assert_eq!(floor(aged.max_events(10), head(1_000, 0), 200), 960);
        assert_eq!(floor(aged, head(0, 0), 9_000), 0);
        let eternal = kept.max_age(Duration::from_secs(u64::MAX >> 1));
        assert_eq!(floor(eternal, head(1_000, 0), 9_000), 0);
    }

    #[test]
    fn a_legal_hold_forbids_removal_regardless_of_the_bounds() {
        let held = Retention::default().max_events(1).with_legal_hold();
        let error = held.floor(head(1_000, 0), &pruning(), at(9), |_| Ok(at(0))).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::LegalHold);
        assert!(held.without_legal_hold().permits_removal().is_ok());
    }

    #[test]
    fn a_clock_years_ahead_removes_nothing_by_age_unless_it_is_trusted() {
        let (aged, head) = (Retention::default().max_age(Duration::from_secs(100)), head(1_000, 0));
        let floor = |retention: Retention, pruning: &Pruning, days: u64| {
            let recorded_at = |sequence: Sequence| Ok(at(sequence.get()));
            retention.floor(head, pruning, at(1_000 + days * 86_400), recorded_at)
        };
        let kind = |floor: Result<Sequence>| floor.unwrap_err().kind();
        let trusting = pruning().trusting_the_clock();
        assert_eq!(floor(aged, &pruning(), 400).unwrap().get(), 992);
        assert_eq!(floor(aged, &pruning(), 730).unwrap().get(), 992);
        assert_eq!(kind(floor(aged, &pruning(), 731)), ErrorKind::ClockAhead);
        assert_eq!(floor(aged, &trusting, 731).unwrap().get(), 992);
        assert_eq!(kind(floor(aged.max_events(900), &pruning(), 7_300)), ErrorKind::ClockAhead);
        // A bound on the number does not depend on a clock.
        let counted = Retention::default().max_events(100);
        assert_eq!(floor(counted, &pruning(), 7_300).unwrap().get(), 896);
        let seven_thousand_days = Retention::default().max_age(Duration::from_secs(7_000 * 86_400));
        assert_eq!(floor(seven_thousand_days, &pruning(), 4_000).unwrap().get(), 0);
    }

    #[test]
    fn the_event_of_a_pruning_records_the_floor() {
        let pruned = Pruned { events: 32, floor: Sequence::new(96).unwrap() };
        let event = |action: Action| {
            let recorded = pruned.event(AuditContext::new(crate::Actor::user("u"))).unwrap();
            let recorded = NewEvent { action, ..recorded };
            AuditEvent::new(crate::Log::Platform, Sequence::MAX, at(0), recorded)
        };
        assert_eq!(Pruned::pruned_through(&event(Action::LOG_PRUNED)), Some(pruned.floor));
        assert_eq!(Pruned::pruned_through(&event("other".into())), None);
    }

    #[test]
    fn the_event_of_a_change_declares_the_retention_when_its_values_are_erased() {
        let kept = Retention::default();
        let aged = kept.max_age(Duration::from_secs(86_400));
        for retention in [kept, aged, kept.max_events(7), aged.max_events(9).with_legal_hold()] {
            let event = retention.event(&kept, pruning().by).unwrap();
            let event = NewEvent { change: Change::default(), ..event };
            let event = AuditEvent::new(crate::Log::Platform, Sequence::MAX, at(0), event);
            assert_eq!(Retention::declared(&event), Some(retention));
            assert_eq!(Retention::declared(&AuditEvent { action: "a".into(), ..event }), None);
        }
    }

    #[test]
    fn a_bound_of_zero_is_an_error() {
        for (retention, field) in [
            (Retention::default().max_events(0), "maxEvents"),
            (Retention::default().max_age(Duration::from_millis(999)), "maxAgeSeconds"),
            (Retention::default().max_events(u64::MAX), "maxEvents"),
        ] {
            assert_eq!(retention.validate().unwrap_err().field(), Some(field));
        }
    }
}
