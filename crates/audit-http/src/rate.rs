//! The limits of each caller: requests a second, and requests at a time.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::num::NonZeroU32;
use std::pin::Pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use governor::clock::{Clock as _, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::keyed::DefaultKeyedStateStore;
use governor::{Quota, RateLimiter};
use hyper::body::{Frame, SizeHint};

use crate::options::HttpOptions;
use crate::rejection::Rejection;

type Limiter =
    RateLimiter<String, DefaultKeyedStateStore<String>, DefaultClock, StateInformationMiddleware>;

/// The header with the number of requests that the caller may make now.
const REMAINING: HeaderName = HeaderName::from_static("x-rate-limit-remaining");
/// The header with the seconds until the caller's full rate is available again.
const RESET: HeaderName = HeaderName::from_static("x-rate-limit-reset");

pub(crate) struct Rates {
    limiter: Limiter,
    rate: NonZeroU32,
    taken: AtomicU32,
    at_a_time: usize,
    under_way: Arc<Mutex<HashMap<String, usize>>>,
}

/// A request that counts as under way until this value is dropped.
#[derive(Debug)]
pub(crate) struct UnderWay {
    caller: String,
    counts: Arc<Mutex<HashMap<String, usize>>>,
}

impl UnderWay {
    /// Returns `body` so that the request counts as under way until the body is sent.
    pub(crate) fn with(self, body: Body) -> Body {
        Body::new(Counted { body, _under_way: self })
    }
}

struct Counted {
    body: Body,
    _under_way: UnderWay,
}

impl HttpBody for Counted {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Entry::Occupied(mut count) = counts.entry(std::mem::take(&mut self.caller)) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
    }
}

/// The requests that a caller has left.
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
        let (taken, under_way) = (AtomicU32::new(0), Arc::default());
        Self { limiter, rate: options.rate, taken, at_a_time: options.per_caller, under_way }
    }

    /// Counts a request of `caller` as under way. Fails if the caller has too many.
    pub(crate) fn begin(&self, caller: &str) -> Result<UnderWay, Rejection> {
        let mut counts = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(caller.to_owned()).or_default();
        if *count >= self.at_a_time {
            let detail =
                format!("more than {} requests of this caller are under way", self.at_a_time);
            return Err(Rejection::new(StatusCode::TOO_MANY_REQUESTS, detail).retry_after(1));
        }
        *count += 1;
        Ok(UnderWay { caller: caller.to_owned(), counts: Arc::clone(&self.under_way) })
    }

    /// Takes a request from the rate of `caller`. Fails if none is left.
    pub(crate) fn take(&self, caller: &String) -> Result<Allowance, Rejection> {
        /// The number of requests after which idle callers are dropped.
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
                // Rounded up, so that the next request is not too early again.
                let seconds = (wait.as_secs() + u64::from(wait.subsec_nanos() > 0)).max(1);
                let detail = "too many requests of this caller";
                let allowance = Allowance { remaining: 0, reset: seconds };
                let rejection = Rejection::new(StatusCode::TOO_MANY_REQUESTS, detail);
                Err(allowance
                    .headers()
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
