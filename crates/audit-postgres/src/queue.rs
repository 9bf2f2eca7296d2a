//! The appends that wait to be written: at most so many bytes of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use audit_core::backend::Batch;
use audit_core::{Error, Result};
use audit_index::TermKey;

/// The bytes of the appends that wait for their transactions.
#[derive(Debug)]
pub(crate) struct Queued {
    bytes: Arc<AtomicUsize>,
    limit: usize,
}

impl Queued {
    pub(crate) fn new(limit: usize) -> Self {
        Self { bytes: Arc::default(), limit }
    }

    /// Counts the bytes of a batch until the returned value is dropped.
    ///
    /// # Errors
    /// [`Overloaded`](audit_core::ErrorKind::Overloaded) if they are more than the limit together with
    /// those that wait. An append that waits alone may have any size.
    pub(crate) fn add(&self, batch: &Batch<TermKey>) -> Result<Share> {
        let bytes = memory(batch);
        let add = |waiting: usize| {
            let total = waiting.saturating_add(bytes);
            (waiting == 0 || total <= self.limit).then_some(total)
        };
        match self.bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add) {
            Ok(_) => Ok(Share { of: Arc::clone(&self.bytes), bytes }),
            Err(waiting) => Err(Error::overloaded(self.limit, waiting.saturating_add(bytes))),
        }
    }
}

/// Estimates the bytes of memory that a batch takes: its events as given and as encoded, and their
/// terms.
fn memory(batch: &Batch<TermKey>) -> usize {
    const OF_EACH_EVENT: usize = 1 << 10;
    (2 * batch.size()).saturating_add(batch.len() * OF_EACH_EVENT)
}

/// The bytes that one append adds to [`Queued`].
#[derive(Debug)]
pub(crate) struct Share {
    of: Arc<AtomicUsize>,
    bytes: usize,
}

impl Drop for Share {
    fn drop(&mut self) {
        self.of.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}
