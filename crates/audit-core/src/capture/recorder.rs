//! The recorder, which accepts the events of a service.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;

use crate::{AuditStore, Log, NewEvent, Receipt, Result};

/// Accepts events for good: a store, or a spool in front of one that may be unavailable.
///
/// Every [`AuditStore`] is a recorder, as is an `Arc<dyn Recorder>`.
#[async_trait]
pub trait Recorder: Debug + Send + Sync + 'static {
    /// Accepts a batch of events of one log.
    ///
    /// # Behavior
    /// - MUST return only when the events are durable: in their log, or where they reach it from.
    /// - MUST put what it accepted into the log once, and in the order of the calls: a call that
    ///   begins after another returned comes after it.
    /// - MUST accept all the events or none. Accepting them again MUST NOT record them again.
    /// - MUST be safe to drop at any point: the events are then accepted or not, as a whole.
    ///
    /// # Errors
    /// As [`AuditStore::append`].
    async fn accept(&self, log: Log, events: Vec<NewEvent>) -> Result<Accepted>;
}

/// The state of events that were accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Accepted {
    /// They are in the log. One receipt for each event, in their order.
    Recorded(Vec<Receipt>),
    /// They are durable elsewhere, and reach the log when the store is back.
    Spooled,
}

impl Accepted {
    /// Returns `true` if the events are in the log.
    pub fn is_recorded(&self) -> bool {
        matches!(self, Self::Recorded(_))
    }

    /// Returns the receipts, which a spool does not have yet.
    pub fn receipts(&self) -> Option<&[Receipt]> {
        match self {
            Self::Recorded(receipts) => Some(receipts),
            Self::Spooled => None,
        }
    }
}

#[async_trait]
impl<S: AuditStore> Recorder for S {
    async fn accept(&self, log: Log, events: Vec<NewEvent>) -> Result<Accepted> {
        self.append(log, events).await.map(Accepted::Recorded)
    }
}

#[async_trait]
impl Recorder for Arc<dyn Recorder> {
    async fn accept(&self, log: Log, events: Vec<NewEvent>) -> Result<Accepted> {
        (**self).accept(log, events).await
    }
}
