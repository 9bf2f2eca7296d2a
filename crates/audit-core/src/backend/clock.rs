//! The time at which a batch is recorded, and what a clock may read.

use std::time::Duration;

use crate::{Head, Result, Sequence, Timestamp};

/// The longest time for which a store is expected to record nothing: two years. A clock that is
/// farther ahead of everything that the store recorded is taken to be wrong.
pub const LONGEST_SILENCE: Duration = Duration::from_secs(2 * 365 * 86_400);

/// The first instant of 2024, in microseconds since 1970. No version of this library is older, so a
/// time before it was recorded by a wrong clock, and says nothing about another.
const EARLIEST: i64 = 1_704_067_200_000_000;

/// How far a clock may go back without being reported: clocks are adjusted, and those of several
/// processes differ.
const TOLERANCE: Duration = Duration::from_secs(60);

/// The time at which the events of a batch are recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecordedTime {
    /// The time recorded, never before that of the log's last event.
    pub recorded_at: Timestamp,
    /// The reading of the clock, if it was not believed.
    pub clock_reading: Option<Timestamp>,
}

impl From<Timestamp> for RecordedTime {
    /// Returns the reading of a clock that is believed.
    fn from(recorded_at: Timestamp) -> Self {
        Self { recorded_at, clock_reading: None }
    }
}

impl RecordedTime {
    /// Returns the time at which events are recorded after `head`, when the clock reads `now`.
    ///
    /// The time never goes back: a clock behind the last event gives that event's time. A clock that
    /// is more than [`LONGEST_SILENCE`] ahead of the last event is believed only if another log
    /// confirms it, or if that event itself was recorded by a wrong clock: before 2024. `latest`
    /// returns the last time recorded in any log of the store, and is called only then, or for the
    /// first event of a log. An unbelieved reading is kept in the records, and counted by
    /// verification.
    ///
    /// # Errors
    /// Whatever `latest` returns.
    pub fn after(
        head: Head,
        now: Timestamp,
        latest: impl FnOnce() -> Result<Option<Timestamp>>,
    ) -> Result<Self> {
        let doubted = |recorded_at| Self { recorded_at, clock_reading: Some(now) };
        if now < head.recorded_at {
            let is_adjusted = head.recorded_at.duration_since(now) <= TOLERANCE;
            return Ok(if is_adjusted {
                head.recorded_at.into()
            } else {
                doubted(head.recorded_at)
            });
        }
        let is_first = head.size == Sequence::ZERO;
        if !is_first && !is_implausible(head.recorded_at, now) {
            return Ok(now.into());
        }
        let of_log = (!is_first).then_some(head.recorded_at);
        Ok(match latest()?.max(of_log) {
            Some(latest) if latest.as_micros() >= EARLIEST && is_implausible(latest, now) => {
                doubted(latest)
            }
            _ => now.into(),
        })
    }
}

/// Returns `true` if a clock that reads `now` is too far ahead of the last time recorded.
pub(crate) fn is_implausible(last: Timestamp, now: Timestamp) -> bool {
    now.duration_since(last) > LONGEST_SILENCE
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros((1_710_514_131 + seconds) * 1_000_000).unwrap()
    }

    /// Records after an event at second 0, while the clock reads `now` and another log has `latest`.
    fn recorded(now: i64, latest: Option<i64>) -> (Timestamp, Option<Timestamp>) {
        let head = Head::new(Sequence::new(7).unwrap(), at(0));
        let time = RecordedTime::after(head, at(now), || Ok(latest.map(at))).unwrap();
        (time.recorded_at, time.clock_reading)
    }

    #[test]
    fn a_clock_is_believed_within_two_years_of_the_store() {
        let (years, leap) = (730 * DAY, 7_300 * DAY);
        for now in [0, 1, DAY, 400 * DAY, years] {
            assert_eq!(recorded(now, None), (at(now), None), "{now}");
        }
        for latest in [None, Some(-5), Some(0)] {
            assert_eq!(recorded(leap, latest), (at(0), Some(at(leap))), "{latest:?}");
        }
        assert_eq!(recorded(leap, Some(9)), (at(9), Some(at(leap))), "the other log is later");
        assert_eq!(recorded(leap, Some(leap - DAY)), (at(leap), None), "the other log confirms it");
    }

    #[test]
    fn a_clock_that_was_decades_behind_does_not_hold_the_right_one_back() {
        let head = Head::new(Sequence::new(7).unwrap(), Timestamp::from_nanos(7));
        let time = RecordedTime::after(head, at(0), || Ok(Some(head.recorded_at))).unwrap();
        assert_eq!(time, at(0).into());
    }

    #[test]
    fn a_clock_that_goes_back_gives_the_time_of_the_last_event() {
        assert_eq!(recorded(-1, None), (at(0), None));
        assert_eq!(recorded(-60, None), (at(0), None));
        assert_eq!(recorded(-61, None), (at(0), Some(at(-61))));
        assert_eq!(recorded(-9_000 * DAY, None), (at(0), Some(at(-9_000 * DAY))));
    }

    #[test]
    fn the_first_event_of_a_log_is_compared_with_the_store() {
        let first = |latest: Option<i64>| {
            let latest = || Ok(latest.map(at));
            RecordedTime::after(Head::default(), at(7_300 * DAY), latest).unwrap()
        };
        assert_eq!(first(None), at(7_300 * DAY).into());
        assert_eq!(first(Some(0)).recorded_at, at(0));
        assert_eq!(first(Some(0)).clock_reading, Some(at(7_300 * DAY)));
    }
}
