//! Checkpoints, signed when they are asked for and when nobody asks.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use audit_core::limits::ORGANIZATIONS_PAGE;
use audit_core::{AuditStore, Log, Result};
use audit_merkle::Notary;

/// Signs the checkpoint of every log that has grown, again and again, with a pause of `every` after
/// each round: of the platform's log, of each organization's, and of each that was signed before,
/// such as those of organizations that were deleted.
///
/// It is gentle: one log at a time, and between two as long a rest as the one took. A log that
/// cannot be signed is told as an error, and keeps no other from it. It does not end; dropping it
/// is safe at any point.
///
/// A log of no organization that was never asked for is not known to the store as one: the service
/// that keeps it asks the notary for its first checkpoint.
///
/// ```no_run
/// use std::sync::Arc;
/// use std::time::Duration;
///
/// # async fn example(store: Arc<dyn audit_core::AuditStore>, notary: audit_merkle::Notary) {
/// let notary = Arc::new(notary);
/// tokio::spawn(audit_http::publish_checkpoints(store, notary, Duration::from_secs(60)));
/// # }
/// ```
pub async fn publish_checkpoints(store: Arc<dyn AuditStore>, notary: Arc<Notary>, every: Duration) {
    loop {
        if let Err(error) = publish_all(&store, &notary).await {
            tracing::warn!(%error, "not all checkpoints could be looked at");
        }
        tokio::time::sleep(every).await;
    }
}

/// One round.
async fn publish_all(store: &Arc<dyn AuditStore>, notary: &Arc<Notary>) -> Result<()> {
    publish(store, notary, Log::Platform).await;
    let mut seen = HashSet::from([Log::Platform]);
    let mut after = None;
    loop {
        let page = store.organizations(after, ORGANIZATIONS_PAGE).await?;
        for organization in &page {
            publish(store, notary, organization.id.into()).await;
            seen.insert(organization.id.into());
        }
        match page.last() {
            Some(last) if page.len() == ORGANIZATIONS_PAGE => after = Some(last.id),
            _ => break,
        }
    }
    for log in notary.logs().await? {
        if !seen.contains(&log) {
            publish(store, notary, log).await;
        }
    }
    Ok(())
}

async fn publish(store: &Arc<dyn AuditStore>, notary: &Arc<Notary>, log: Log) {
    let start = tokio::time::Instant::now();
    if let Err(error) = notary.checkpoint(&**store, log).await {
        let source = std::error::Error::source(&error).map(tracing::field::display);
        tracing::error!(%error, source, %log, "a checkpoint was not signed");
    }
    tokio::time::sleep(start.elapsed()).await;
}
