//! The gate of a sink: closed for a while after the destination could not be reached, for all logs.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use audit_core::Timestamp;
use tokio::time::{Instant, sleep_until};

use crate::backoff::Backoff;
use crate::sink::DeliveryError;

/// The longest pause that a destination can ask for.
const LONGEST_ASKED: Duration = Duration::from_secs(3_600);

/// The state of the destination, as far as all logs share it.
#[derive(Debug, Default)]
pub(crate) struct Gate(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// Failures in a row to reach the destination.
    failures: u32,
    closed: Option<Closed>,
    outage: Option<Outage>,
    /// When the destination last acknowledged a batch, of whatever log.
    accepted: Option<Instant>,
}

#[derive(Clone, Copy, Debug)]
struct Closed {
    since: Instant,
    until: Instant,
}

/// A destination that cannot be reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outage {
    pub(crate) since: Timestamp,
    pub(crate) error: String,
}

impl Gate {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the gate is open.
    pub(crate) async fn open(&self) {
        loop {
            let until = self.state().closed.map(|closed| closed.until);
            match until.filter(|until| *until > Instant::now()) {
                Some(until) => sleep_until(until).await,
                None => return,
            }
        }
    }

    /// Closes the gate after an attempt that `begun` then could not reach the destination.
    pub(crate) fn close(&self, begun: Instant, error: &DeliveryError, backoff: Backoff) {
        let mut state = self.state();
        // Attempts at the same time are one failure.
        if state.closed.is_some_and(|closed| closed.since > begun) {
            return;
        }
        state.failures = state.failures.saturating_add(1);
        let pause = backoff.pause(state.failures);
        let pause = pause.max(error.asked_pause().unwrap_or_default().min(LONGEST_ASKED));
        let now = Instant::now();
        state.closed = Some(Closed { since: now, until: now + pause });
        let since = state.outage.as_ref().map_or_else(Timestamp::now, |outage| outage.since);
        state.outage = Some(Outage { since, error: error.to_string() });
    }

    /// Notes that the destination has acknowledged a batch.
    pub(crate) fn accepted(&self) {
        let mut state = self.state();
        let accepted = Some(Instant::now());
        *state = State { accepted, ..State::default() };
    }

    /// Returns `true` if the destination has acknowledged a batch after `since`.
    pub(crate) fn accepted_since(&self, since: Instant) -> bool {
        self.state().accepted.is_some_and(|accepted| accepted > since)
    }

    /// Returns the outage, if the destination cannot be reached.
    pub(crate) fn outage(&self) -> Option<Outage> {
        self.state().outage.clone()
    }
}
