//! The bytes of the appends that wait to be written, which a store bounds.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::Batch;
use crate::{Error, Result};

/// Counts the bytes of the appends that wait to be written, up to a limit.
#[derive(Debug)]
pub struct QueuedBytes {
    bytes: Arc<AtomicUsize>,
    limit: usize,
}

/// The bytes of one append. They count until it is dropped.
#[derive(Debug)]
pub struct QueuedShare {
    of: Arc<AtomicUsize>,
    bytes: usize,
}

impl QueuedBytes {
    /// Allows this many bytes of memory.
    pub fn new(limit: usize) -> Self {
        Self { bytes: Arc::default(), limit }
    }

    /// Counts the memory that a batch takes, about, until the returned value is dropped.
    ///
    /// # Errors
    /// [`Overloaded`](crate::ErrorKind::Overloaded) if it is more than the limit together with that
    /// of the appends that wait. An append that waits alone may have any size.
    pub fn add<K>(&self, batch: &Batch<K>) -> Result<QueuedShare> {
        let bytes = memory(batch);
        let add = |waiting: usize| {
            let total = waiting.saturating_add(bytes);
            (waiting == 0 || total <= self.limit).then_some(total)
        };
        match self.bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add) {
            Ok(_) => Ok(QueuedShare { of: Arc::clone(&self.bytes), bytes }),
            Err(waiting) => Err(Error::overloaded(self.limit, waiting.saturating_add(bytes))),
        }
    }
}

impl Drop for QueuedShare {
    fn drop(&mut self) {
        self.of.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// Estimates the memory of a batch: its events as given and as encoded, and their terms.
fn memory<K>(batch: &Batch<K>) -> usize {
    const OF_EACH_EVENT: usize = 1 << 10;
    (2 * batch.size()).saturating_add(batch.len() * OF_EACH_EVENT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Actor, ErrorKind, Log, NewEvent};

    #[test]
    fn what_waits_is_bounded_and_one_append_alone_is_not() {
        let event = |text: &str| NewEvent::new("a.b", Actor::system()).message(text.repeat(100));
        let batch = |text| Batch::new(Log::Platform, vec![event(text)]).unwrap();
        let queued = QueuedBytes::new(memory(&batch("x")) * 2);
        let first = queued.add(&batch("x")).unwrap();
        let second = queued.add(&batch("x")).unwrap();
        let error = queued.add(&batch("x")).unwrap_err();
        assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Overloaded, true));
        drop(first);
        let third = queued.add(&batch("x")).unwrap();
        drop((second, third));
        let large = queued.add(&batch("a long text ")).unwrap();
        assert!(queued.add(&batch("x")).is_err());
        drop(large);
        assert!(queued.add(&batch("x")).is_ok());
    }
}
