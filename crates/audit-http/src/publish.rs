//! The publisher of checkpoints: signs the checkpoint of every log in the background.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use audit_core::{AuditStore, AuditStoreExt as _, Log, Result};
use audit_merkle::Notary;

/// Signs the checkpoint of every log that has grown, and pauses for `every` after each round. Covers
/// each log of the store and each log that was signed before.
///
/// Signs one log at a time, and pauses after each for as long as it took. Reports a log that cannot
/// be signed as a `tracing` error, and continues with the others. The future does not end; it can be
/// dropped at any point.
///
/// ```no_run
/// use std::sync::Arc;
/// use std::time::Duration;
///
/// # async fn example(store: impl audit_core::AuditStore, notary: audit_merkle::Notary) {
/// let notary = Arc::new(notary);
/// tokio::spawn(audit_http::publish_checkpoints(store, notary, Duration::from_secs(60)));
/// # }
/// ```
pub async fn publish_checkpoints(store: impl AuditStore, notary: Arc<Notary>, every: Duration) {
    loop {
        if let Err(error) = publish_all(&store, &notary).await {
            tracing::warn!(%error, "cannot list the logs whose checkpoints are to be signed");
        }
        tokio::time::sleep(every).await;
    }
}

/// Runs one round.
async fn publish_all(store: &dyn AuditStore, notary: &Notary) -> Result<()> {
    let mut logs = BTreeSet::from([Log::Platform]);
    logs.extend(store.all_logs().await?);
    logs.extend(notary.logs().await?);
    for log in logs {
        publish(store, notary, log).await;
    }
    Ok(())
}

async fn publish(store: &dyn AuditStore, notary: &Notary, log: Log) {
    let start = tokio::time::Instant::now();
    if let Err(error) = notary.checkpoint(store, log).await {
        let source = std::error::Error::source(&error).map(tracing::field::display);
        tracing::error!(%error, source, %log, "cannot sign the checkpoint");
    }
    tokio::time::sleep(start.elapsed()).await;
}
