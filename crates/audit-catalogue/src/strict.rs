//! A store that enforces a catalogue.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use audit_core::backend::delegate;
use audit_core::{AuditStore, Error, Log, NewEvent, Receipt, Result};

use crate::Catalogue;

type OnOutside = dyn Fn(Log, &NewEvent, &Error) + Send + Sync;

/// A store in front of another one, which refuses or counts the events that are not in a catalogue. All other
/// calls are those of the other store.
///
/// Only appends through it are checked. Not checked are events that are recorded in the service's own
/// transaction (use [`Catalogue::check`] there), and those that the store itself records.
#[derive(Clone)]
pub struct Strict {
    store: Arc<dyn AuditStore>,
    catalogue: Arc<Catalogue>,
    refuses: bool,
    outside: Arc<AtomicU64>,
    on_outside: Option<Arc<OnOutside>>,
}

impl Strict {
    /// Returns a store that refuses a batch with an event outside `catalogue`, with the error of
    /// [`Catalogue::check`].
    pub fn refusing(store: impl AuditStore, catalogue: Catalogue) -> Self {
        Self::new(Arc::new(store), catalogue, true)
    }

    /// Returns a store that records the events outside `catalogue`, too, and counts them. For a service
    /// whose catalogue is not complete yet.
    pub fn counting(store: impl AuditStore, catalogue: Catalogue) -> Self {
        Self::new(Arc::new(store), catalogue, false)
    }

    fn new(store: Arc<dyn AuditStore>, catalogue: Catalogue, refuses: bool) -> Self {
        let (catalogue, outside) = (Arc::new(catalogue), Arc::default());
        Self { store, catalogue, refuses, outside, on_outside: None }
    }

    /// Calls `report` for each event outside the catalogue, with the error of [`Catalogue::check`]. It must
    /// not block.
    #[must_use]
    pub fn on_outside(
        mut self,
        report: impl Fn(Log, &NewEvent, &Error) + Send + Sync + 'static,
    ) -> Self {
        self.on_outside = Some(Arc::new(report));
        self
    }

    /// Returns the number of events outside the catalogue that were to be appended through this store and
    /// its clones. An event that is sent again is counted again.
    pub fn outside(&self) -> u64 {
        self.outside.load(Ordering::Relaxed)
    }

    /// Returns the catalogue.
    pub fn catalogue(&self) -> &Catalogue {
        &self.catalogue
    }

    /// Checks all events, and returns the first fault.
    fn check(&self, log: Log, events: &[NewEvent]) -> Result<()> {
        let mut first = Ok(());
        for (index, event) in events.iter().enumerate() {
            let Err(error) = self.catalogue.check(event) else { continue };
            self.outside.fetch_add(1, Ordering::Relaxed);
            if let Some(report) = &self.on_outside {
                report(log, event, &error);
            }
            first = first.and_then(|()| Err(error.below(&format!("events[{index}]"))));
        }
        first
    }
}

#[async_trait]
impl AuditStore for Strict {
    delegate!(store: token_keys, get, head, logs, scan, wait_for_append, frontier, nodes, entries);

    async fn append(&self, log: Log, events: Vec<NewEvent>) -> Result<Vec<Receipt>> {
        let checked = self.check(log, &events);
        if self.refuses {
            checked?;
        }
        self.store.append(log, events).await
    }
}

impl fmt::Debug for Strict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { store, catalogue, refuses, outside, .. } = self;
        f.debug_struct("Strict")
            .field("store", store)
            .field("catalogue", catalogue)
            .field("refuses", refuses)
            .field("outside", outside)
            .finish_non_exhaustive()
    }
}
