//! The route from a store to a sink.

use std::sync::Arc;

use audit_core::FollowerStore;
use metrics::histogram;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::gate::Gate;
use crate::options::SinkOptions;
use crate::progress::Progress;
use crate::sink::{Batch, DeliveryErrorKind, Sink};

/// A store and a sink, and what the followers of its logs share.
#[derive(Debug)]
pub(crate) struct Route {
    pub(crate) store: Arc<dyn FollowerStore>,
    pub(crate) sink: Arc<dyn Sink>,
    pub(crate) options: SinkOptions,
    pub(crate) gate: Gate,
    pub(crate) turns: Semaphore,
    pub(crate) progress: Progress,
}

impl Route {
    /// Delivers a batch. The error is the kind and the words of the destination's.
    pub(crate) async fn attempt(&self, batch: &Batch) -> Result<(), (DeliveryErrorKind, String)> {
        let begun = Instant::now();
        let delivered = self.sink.deliver(batch).await;
        histogram!("audit_forward_delivery_seconds", "sink" => self.options.name.clone())
            .record(begun.elapsed());
        let Err(error) = delivered else {
            self.gate.accepted();
            self.progress.delivered(batch.events().len());
            return Ok(());
        };
        let (sink, log) = (&self.options.name, batch.log());
        tracing::warn!(sink, %log, kind = ?error.kind(), %error, "a delivery failed");
        self.progress.failed(error.kind());
        let asks = error.asked_pause().is_some();
        if error.kind() == DeliveryErrorKind::Unavailable || asks {
            self.gate.close(begun, &error, self.options.backoff);
        }
        Err((error.kind(), error.to_string()))
    }
}
