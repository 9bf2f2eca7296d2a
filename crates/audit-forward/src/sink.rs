//! Sinks: where events are delivered to.

use std::error::Error as StdError;
use std::fmt::{self, Debug};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use audit_core::{AuditEvent, Error, EventId, Log};

/// A destination of events.
#[async_trait]
pub trait Sink: Debug + Send + Sync + 'static {
    /// Delivers the events of a batch, in their order.
    ///
    /// # Behavior
    /// - MUST return `Ok` only when the destination has acknowledged all of them: they are not delivered
    ///   again then.
    /// - MUST accept that a batch, or a part of it, was delivered before. Its events have the same ids.
    /// - MUST be safe to drop at any point. Is called for several logs at once.
    async fn deliver(&self, batch: &Batch) -> Result<(), DeliveryError>;
}

#[async_trait]
impl<S: Sink + ?Sized> Sink for Arc<S> {
    async fn deliver(&self, batch: &Batch) -> Result<(), DeliveryError> {
        (**self).deliver(batch).await
    }
}

/// Events of one log, in the order of their sequences; at least one.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    log: Log,
    events: Vec<AuditEvent>,
}

impl Batch {
    /// Creates a batch of events of `log`; `None` if there are none.
    pub fn new(log: Log, events: Vec<AuditEvent>) -> Option<Self> {
        (!events.is_empty()).then_some(Self { log, events })
    }

    /// Returns the log.
    pub fn log(&self) -> Log {
        self.log
    }

    /// Returns the events.
    pub fn events(&self) -> &[AuditEvent] {
        &self.events
    }

    /// Returns the key under which a destination recognizes the batch when it is delivered again: the id
    /// of the event, or for several events an id derived from those of the first and the last.
    ///
    /// After an interruption, the same events can be delivered in other batches. A destination that must
    /// not count an event twice compares the ids of the events.
    pub fn key(&self) -> EventId {
        let ends = self.events.first().zip(self.events.last());
        // It has at least one event.
        ends.map_or_else(EventId::new, |(first, last)| {
            if first.id == last.id {
                return first.id;
            }
            EventId::derived(*first.id.as_uuid(), last.id.as_uuid().as_bytes())
        })
    }
}

/// The state of the destination after a failed delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DeliveryErrorKind {
    /// The destination cannot be reached, or accepts nothing at present. Deliveries of all logs are retried
    /// after a pause, for as long as it takes.
    Unavailable,
    /// The destination was reached and did not acknowledge this batch. The batch is delivered again after
    /// a pause; its events may be set aside in the end.
    Refused,
}

/// The reason that a delivery failed.
#[derive(Debug)]
pub struct DeliveryError {
    kind: DeliveryErrorKind,
    retry_after: Option<Duration>,
    source: Error,
}

impl DeliveryError {
    /// Creates the error of a destination that cannot be reached, or accepts nothing at present.
    pub fn unavailable(source: Error) -> Self {
        Self { kind: DeliveryErrorKind::Unavailable, retry_after: None, source }
    }

    /// Creates the error of a batch that was not acknowledged.
    pub fn refused(source: Error) -> Self {
        Self { kind: DeliveryErrorKind::Refused, retry_after: None, source }
    }

    /// Sets how long the destination asks to be left alone.
    #[must_use]
    pub fn retry_after(mut self, pause: Option<Duration>) -> Self {
        self.retry_after = pause;
        self
    }

    /// Returns the kind.
    pub fn kind(&self) -> DeliveryErrorKind {
        self.kind
    }

    /// Returns how long the destination asks to be left alone.
    pub fn asked_pause(&self) -> Option<Duration> {
        self.retry_after
    }
}

impl fmt::Display for DeliveryError {
    /// Writes the error and its causes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = self.source.to_string();
        let mut source = self.source.source();
        while let Some(cause) = source {
            let words = cause.to_string();
            if !text.contains(&words) {
                text = format!("{text}: {words}");
            }
            source = cause.source();
        }
        f.write_str(&text)
    }
}

impl StdError for DeliveryError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&self.source)
    }
}
