//! The spool, as a recorder.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use audit_core::{Accepted, AuditStore as _, Error, ErrorKind, Log, NewEvent, Recorder, Result};
use event_listener::Event;

use crate::backlog::Backlog;
use crate::drain::Drain;
use crate::options::{SpoolNotice, SpoolOptions};
use crate::shared::{Shared, is_away};

/// A spool in front of a store. Its clones are the same spool.
#[derive(Clone, Debug)]
pub struct Spool {
    shared: Arc<Shared>,
    /// Ends with the last clone.
    _drain: Arc<Drain>,
}

impl Spool {
    /// Opens the spool in `directory`, in front of `store`. Creates the directory if it does not exist. Events that
    /// an earlier process left wait on.
    ///
    /// # Errors
    /// [`ErrorKind::Busy`] if another process has it. [`ErrorKind::Unavailable`] if the directory or its file
    /// cannot be used.
    pub fn open(directory: impl AsRef<Path>, store: impl Recorder) -> Result<Self> {
        Self::open_with(directory, store, SpoolOptions::default())
    }

    /// As [`open`](Self::open), with options.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_with(
        directory: impl AsRef<Path>,
        store: impl Recorder,
        options: SpoolOptions,
    ) -> Result<Self> {
        let shared = Arc::new(Shared {
            store: Box::new(store),
            backlog: Backlog::open(directory.as_ref())?,
            options,
            spooled: Event::new(),
            empty: Event::new(),
        });
        let drain = Drain::start(&shared)?;
        Ok(Self { shared, _drain: Arc::new(drain) })
    }

    /// Returns the number of events that wait.
    pub fn pending(&self) -> u64 {
        self.shared.backlog.count()
    }

    /// Waits until no event waits, for example before the service ends. It need not: what waits is
    /// brought to the store by the next process.
    pub async fn drained(&self) {
        loop {
            let empty = self.shared.empty.listen();
            if self.pending() == 0 {
                return;
            }
            empty.await;
        }
    }

    /// Writes events to the file. `error` is that of the store.
    async fn spool(
        &self,
        log: Log,
        events: Vec<NewEvent>,
        error: Option<Error>,
    ) -> Result<Accepted> {
        let Shared { backlog, options, spooled, .. } = &*self.shared;
        let count = events.len();
        let Some(file) = backlog.reserve(log, count as u64, options.max_events)? else {
            let error = error.unwrap_or_else(|| {
                Error::new(ErrorKind::Overloaded).with_context("too many events are spooled")
            });
            options.notify(&SpoolNotice::Full { log, count, error: &error });
            return Err(error);
        };
        // If this is dropped, the store of the file carries the append through, and its events wait.
        let appended = file.append(log, events).await;
        spooled.notify(1);
        match appended {
            Ok(receipts) => {
                // Those were counted before.
                let again = receipts.iter().filter(|receipt| receipt.redelivered).count();
                backlog.release(log, again as u64);
                options.notify(&SpoolNotice::Spooled { log, count, error: error.as_ref() });
                Ok(Accepted::Spooled)
            }
            Err(error) => {
                backlog.release(log, count as u64);
                Err(error)
            }
        }
    }
}

#[async_trait]
impl Recorder for Spool {
    async fn accept(&self, log: Log, events: Vec<NewEvent>) -> Result<Accepted> {
        if self.shared.backlog.has(log) {
            return self.spool(log, events, None).await;
        }
        match self.shared.store.accept(log, events.clone()).await {
            Err(error) if is_away(&error) => self.spool(log, events, Some(error)).await,
            accepted => accepted,
        }
    }
}
