//! The requests a second of each caller, and of each organization.

use std::fmt;
use std::hash::Hash;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering};

use axum::http::{HeaderName, HeaderValue, StatusCode};
use governor::clock::{Clock as _, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::keyed::DefaultKeyedStateStore;
use governor::{Quota, RateLimiter};

use crate::options::HttpOptions;
use crate::places::Holder;
use crate::rejection::Rejection;
use crate::share::Tenant;

/// The header with the number of requests that the caller may make now.
const REMAINING: HeaderName = HeaderName::from_static("x-rate-limit-remaining");
/// The header with the seconds until the caller's full rate is available again.
const RESET: HeaderName = HeaderName::from_static("x-rate-limit-reset");

/// The rates of callers and of organizations.
#[derive(Debug)]
pub(crate) struct Rates {
    callers: Rate<String>,
    tenants: Rate<Tenant>,
}

/// The rate of each of many.
struct Rate<K: Hash + Eq + Clone> {
    limiter: RateLimiter<K, DefaultKeyedStateStore<K>, DefaultClock, StateInformationMiddleware>,
    per_second: NonZeroU32,
    of: &'static str,
    taken: AtomicU32,
}

/// The requests that a caller has left.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Allowance {
    remaining: u32,
    reset: u64,
}

impl Rates {
    pub(crate) fn new(options: &HttpOptions) -> Self {
        Self {
            callers: Rate::new(options.rate, "caller"),
            tenants: Rate::new(options.tenant_rate, "organization"),
        }
    }

    /// Takes a request from the rates of a caller and of its organization. Fails with 429 if one of
    /// them is used up. Returns the lesser allowance.
    pub(crate) fn take(&self, holder: &Holder) -> Result<Allowance, Rejection> {
        let caller = self.callers.take(&holder.caller.to_string())?;
        let tenant = self.tenants.take(&holder.tenant)?;
        Ok(if tenant.remaining < caller.remaining { tenant } else { caller })
    }
}

impl<K: Hash + Eq + Clone> fmt::Debug for Rate<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rate")
            .field("of", &self.of)
            .field("per_second", &self.per_second)
            .finish_non_exhaustive()
    }
}

impl<K: Hash + Eq + Clone> Rate<K> {
    fn new(rate: NonZeroU32, of: &'static str) -> Self {
        let limiter = RateLimiter::keyed(Quota::per_second(rate))
            .with_middleware::<StateInformationMiddleware>();
        Self { limiter, per_second: rate, of, taken: AtomicU32::new(0) }
    }

    fn take(&self, key: &K) -> Result<Allowance, Rejection> {
        /// The number of requests after which idle keys are dropped.
        const FORGET_EVERY: u32 = 1 << 16;
        if self.taken.fetch_add(1, Ordering::Relaxed) % FORGET_EVERY == FORGET_EVERY - 1 {
            self.limiter.retain_recent();
        }
        match self.limiter.check_key(key) {
            Ok(state) => {
                let remaining = state.remaining_burst_capacity();
                let missing = self.per_second.get().saturating_sub(remaining);
                let reset = u64::from(missing).div_ceil(u64::from(self.per_second.get()));
                Ok(Allowance { remaining, reset })
            }
            Err(refusal) => {
                let wait = refusal.wait_time_from(DefaultClock::default().now());
                // Rounded up, so that the next request is not too early again.
                let seconds = (wait.as_secs() + u64::from(wait.subsec_nanos() > 0)).max(1);
                metrics::counter!("audit_http_refused_total", "limit" => "rate").increment(1);
                let detail = format!("too many requests of this {}", self.of);
                let rejection = Rejection::new(StatusCode::TOO_MANY_REQUESTS, detail);
                let headers = Allowance { remaining: 0, reset: seconds }.headers();
                Err(headers
                    .into_iter()
                    .fold(rejection.retry_after(seconds), |rejection, (name, value)| {
                        rejection.with_header(name, value)
                    }))
            }
        }
    }
}

impl Allowance {
    /// Returns the headers that state it.
    pub(crate) fn headers(self) -> [(HeaderName, HeaderValue); 2] {
        [(REMAINING, HeaderValue::from(self.remaining)), (RESET, HeaderValue::from(self.reset))]
    }
}
