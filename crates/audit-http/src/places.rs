//! The places of requests: for work, for a wait for events, and for a body that is on its way.
//!
//! A place is for one of the three only. A request that waits gives its place for work to others, so
//! that those that wait cost the others nothing.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, PoisonError};

use axum::http::StatusCode;

use crate::options::HttpOptions;
use crate::rejection::Rejection;
use crate::share::{Pool, Share, Taken, Tenant};

/// The purpose of a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Purpose {
    /// To be worked on.
    Work,
    /// To wait for events: a long poll or a stream.
    Follow,
    /// To wait for the bytes of its body, or for memory.
    Transfer,
}

impl Purpose {
    /// Returns the name, for errors and metrics.
    const fn name(self) -> &'static str {
        match self {
            Self::Work => "requests under way",
            Self::Follow => "polls and streams that wait",
            Self::Transfer => "bodies on their way",
        }
    }
}

/// The places of the service. All are counted by organization, and by caller.
#[derive(Debug)]
pub(crate) struct Places {
    work: Pool,
    follow: Pool,
    transfer: Pool,
    callers: Callers,
    per_caller: usize,
}

/// The number of places of each caller, by purpose.
#[derive(Clone, Debug, Default)]
struct Callers(Arc<Mutex<HashMap<Key, usize>>>);

type Key = (Purpose, Arc<str>);

/// The caller that takes a place, and its organization.
#[derive(Clone, Debug)]
pub(crate) struct Holder {
    pub(crate) tenant: Tenant,
    pub(crate) caller: Arc<str>,
}

/// A place that is taken until this value is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    _of_caller: Counted,
    _of_all: Taken,
}

/// A place that counts for a caller until this value is dropped.
#[derive(Debug)]
struct Counted {
    key: Key,
    callers: Callers,
}

impl Places {
    pub(crate) fn new(options: &HttpOptions) -> Self {
        let pool = |total| Pool::new(total, Share::of(options.share), 0);
        Self {
            work: pool(options.concurrency),
            follow: pool(options.followers),
            transfer: pool(options.concurrency),
            per_caller: options.per_caller,
            callers: Callers::default(),
        }
    }

    /// Takes a place at once. Fails with 429 if the caller or its organization has too many, and
    /// with 503 if all are taken.
    pub(crate) fn enter(&self, purpose: Purpose, holder: &Holder) -> Result<Place, Rejection> {
        let name = purpose.name();
        let Some(of_caller) = self.callers.count(purpose, holder, self.per_caller) else {
            let detail =
                format!("this caller has {} {name}, the most it may have", self.per_caller);
            return Err(refused(purpose, StatusCode::TOO_MANY_REQUESTS, detail));
        };
        match self.pool(purpose).try_take(holder.tenant, 1) {
            Some(of_all) => Ok(Place { _of_caller: of_caller, _of_all: of_all }),
            None if self.pool(purpose).is_full() => {
                let detail = format!("the service has too many {name}");
                Err(refused(purpose, StatusCode::SERVICE_UNAVAILABLE, detail))
            }
            None => {
                let detail = format!("this organization has its share of the {name}");
                Err(refused(purpose, StatusCode::TOO_MANY_REQUESTS, detail))
            }
        }
    }

    /// Waits for a place for work, for a request that was admitted before. So the number of those
    /// that wait here is bounded by that of the places that they come from.
    pub(crate) async fn resume(&self, holder: &Holder) -> Place {
        let of_all = self.work.take(holder.tenant, 1).await;
        Place { _of_caller: self.callers.add(Purpose::Work, holder), _of_all: of_all }
    }

    fn pool(&self, purpose: Purpose) -> &Pool {
        match purpose {
            Purpose::Work => &self.work,
            Purpose::Follow => &self.follow,
            Purpose::Transfer => &self.transfer,
        }
    }
}

impl Callers {
    /// Counts a place, unless the caller has `most`.
    fn count(&self, purpose: Purpose, holder: &Holder, most: usize) -> Option<Counted> {
        let key = (purpose, Arc::clone(&holder.caller));
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(key.clone()).or_default();
        if *count >= most {
            return None;
        }
        *count += 1;
        Some(Counted { key, callers: self.clone() })
    }

    /// Counts a place, however many the caller has.
    fn add(&self, purpose: Purpose, holder: &Holder) -> Counted {
        let key = (purpose, Arc::clone(&holder.caller));
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry(key.clone()).or_default() += 1;
        Counted { key, callers: self.clone() }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut counts = self.callers.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Entry::Occupied(mut count) = counts.entry(self.key.clone()) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
    }
}

fn refused(purpose: Purpose, status: StatusCode, detail: String) -> Rejection {
    metrics::counter!("audit_http_refused_total", "limit" => purpose.name()).increment(1);
    Rejection::new(status, detail).retry_after(1)
}
