//! The rate limit: so many requests a second for each caller.

use std::fmt;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use governor::clock::{Clock as _, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::keyed::DefaultKeyedStateStore;
use governor::{Quota, RateLimiter};

use crate::HttpOptions;
use crate::fault::Fault;

type Limiter =
    RateLimiter<String, DefaultKeyedStateStore<String>, DefaultClock, StateInformationMiddleware>;

/// How many of the requests that are left a caller may make.
pub(crate) const REMAINING: HeaderName = HeaderName::from_static("x-rate-limit-remaining");
/// In how many seconds all of them are there again.
pub(crate) const RESET: HeaderName = HeaderName::from_static("x-rate-limit-reset");

pub(crate) struct Rates {
    limiter: Limiter,
    rate: NonZeroU32,
    taken: AtomicU32,
}

/// What is left to a caller.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Allowance {
    remaining: u32,
    reset: u64,
}

impl fmt::Debug for Rates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rates").field("rate", &self.rate).finish_non_exhaustive()
    }
}

impl Rates {
    pub(crate) fn new(options: &HttpOptions) -> Self {
        let limiter = RateLimiter::keyed(Quota::per_second(options.rate))
            .with_middleware::<StateInformationMiddleware>();
        Self { limiter, rate: options.rate, taken: AtomicU32::new(0) }
    }

    /// Counts a request of `caller`.
    pub(crate) fn take(&self, caller: &String) -> Result<Allowance, Fault> {
        /// Now and then those are forgotten who have not called for a while.
        const FORGET_EVERY: u32 = 1 << 16;
        if self.taken.fetch_add(1, Ordering::Relaxed) % FORGET_EVERY == FORGET_EVERY - 1 {
            self.limiter.retain_recent();
        }
        match self.limiter.check_key(caller) {
            Ok(state) => {
                let remaining = state.remaining_burst_capacity();
                let missing = self.rate.get().saturating_sub(remaining);
                let reset = u64::from(missing).div_ceil(u64::from(self.rate.get()));
                Ok(Allowance { remaining, reset })
            }
            Err(refusal) => {
                let wait = refusal.wait_time_from(DefaultClock::default().now());
                let wait = wait.max(Duration::from_millis(1)).as_secs_f64().ceil();
                #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // below a day
                let seconds = wait as u64;
                Err(Fault::too_many(Allowance { remaining: 0, reset: seconds }, seconds))
            }
        }
    }
}

impl Allowance {
    pub(crate) fn tell(self, headers: &mut HeaderMap) {
        headers.insert(REMAINING, HeaderValue::from(self.remaining));
        headers.insert(RESET, HeaderValue::from(self.reset));
    }
}
