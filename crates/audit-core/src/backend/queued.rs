//! The bytes of the appends that wait to be written, which a store bounds.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Batch;
use crate::{Error, Log, Result};

/// Counts the bytes of the appends that wait to be written, up to a limit. No log can take all of it:
/// the appends to a log take at most as much as they leave free.
#[derive(Debug)]
pub struct QueuedBytes {
    waiting: Arc<Mutex<Waiting>>,
    limit: usize,
}

#[derive(Debug, Default)]
struct Waiting {
    bytes: usize,
    by_log: HashMap<Log, usize>,
}

/// The bytes of one append. They count until it is dropped.
#[derive(Debug)]
pub struct QueuedShare {
    of: Arc<Mutex<Waiting>>,
    log: Log,
    bytes: usize,
}

impl QueuedBytes {
    /// Allows this many bytes of memory.
    pub fn new(limit: usize) -> Self {
        Self { waiting: Arc::default(), limit }
    }

    /// Counts the memory that a batch takes, about, until the returned value is dropped.
    ///
    /// # Errors
    /// [`Overloaded`](crate::ErrorKind::Overloaded) if all appends together take more than the limit, or
    /// those to its log, if there are others, more than half of what the other logs leave of it. An
    /// append that waits alone may have any size.
    pub fn add<K>(&self, batch: &Batch<K>) -> Result<QueuedShare> {
        let (log, bytes) = (batch.log(), memory(batch));
        let mut waiting = lock(&self.waiting);
        let of_log = waiting.by_log.get(&log).copied().unwrap_or_default();
        let (limit, actual) = if of_log == 0 {
            (self.limit, waiting.bytes.saturating_add(bytes))
        } else {
            // Half of what the other logs leave is as much as the rest of it.
            let left = self.limit.saturating_sub(waiting.bytes - of_log);
            (left / 2, of_log.saturating_add(bytes))
        };
        if actual > limit && waiting.bytes > 0 {
            return Err(Error::overloaded(limit, actual));
        }
        waiting.bytes += bytes;
        waiting.by_log.insert(log, of_log + bytes);
        Ok(QueuedShare { of: Arc::clone(&self.waiting), log, bytes })
    }
}

impl Drop for QueuedShare {
    fn drop(&mut self) {
        let mut waiting = lock(&self.of);
        waiting.bytes -= self.bytes;
        if let Some(of_log) = waiting.by_log.get_mut(&self.log) {
            *of_log -= self.bytes;
            if *of_log == 0 {
                waiting.by_log.remove(&self.log);
            }
        }
    }
}

fn lock(waiting: &Mutex<Waiting>) -> MutexGuard<'_, Waiting> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Estimates the memory of a batch: its events as given and as encoded, and their terms.
fn memory<K>(batch: &Batch<K>) -> usize {
    const OF_EACH_EVENT: usize = 1 << 10;
    (2 * batch.size()).saturating_add(batch.len() * OF_EACH_EVENT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Actor, ErrorKind, NewEvent, OrganizationId};

    fn batch(log: Log, text: &str) -> Batch {
        let event = NewEvent::new("a.b", Actor::system()).message(text.repeat(100));
        Batch::new(log, vec![event]).unwrap()
    }

    #[test]
    fn what_waits_is_bounded_and_one_append_alone_is_not() {
        let batch = |text| batch(Log::Platform, text);
        let queued = QueuedBytes::new(memory(&batch("x")) * 4);
        let first = queued.add(&batch("x")).unwrap();
        let second = queued.add(&batch("x")).unwrap();
        let error = queued.add(&batch("x")).unwrap_err();
        assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Overloaded, true));
        drop(first);
        let third = queued.add(&batch("x")).unwrap();
        drop((second, third));
        let large = queued.add(&batch("a text that is beyond the limit ")).unwrap();
        assert!(queued.add(&batch("x")).is_err());
        drop(large);
        assert!(queued.add(&batch("x")).is_ok());
    }

    #[test]
    fn no_log_takes_what_others_need() {
        let [busy, quiet, last] = [(); 3].map(|()| Log::organization(OrganizationId::new()));
        let queued = QueuedBytes::new(memory(&batch(busy, "x")) * 16);
        let all =
            |log| std::iter::from_fn(|| queued.add(&batch(log, "x")).ok()).collect::<Vec<_>>();
        let of_busy = all(busy);
        let of_quiet = all(quiet);
        let of_last = all(last);
        assert_eq!((of_busy.len(), of_quiet.len(), of_last.len()), (8, 4, 2));
        drop((of_busy, of_quiet, of_last));
        assert!(lock(&queued.waiting).by_log.is_empty(), "logs without appends are forgotten");
    }
}
