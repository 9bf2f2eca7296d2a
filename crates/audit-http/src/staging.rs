//! The numbers of staged and of refused events, as metrics.

use std::time::Duration;

use audit_core::StagingStore;

/// Counts, once in `every`, the events that wait to be taken into their logs and those that were refused:
/// the gauge `audit_staged_events`, whose label `state` is `waiting` or `refused`.
///
/// Events that wait for long, or are refused, need an operator: see
/// [`StagingStore`](audit_core::StagingStore). Reports a failure as a `tracing` warning, and goes on. The
/// future does not end; it can be dropped at any point.
///
/// ```no_run
/// use std::time::Duration;
///
/// # async fn example(store: impl audit_core::StagingStore) {
/// tokio::spawn(audit_http::count_staged(store, Duration::from_secs(5)));
/// # }
/// ```
pub async fn count_staged(store: impl StagingStore, every: Duration) {
    loop {
        match store.staged_counts().await {
            Ok(counts) => {
                for (state, count) in [("waiting", counts.waiting), ("refused", counts.refused)] {
                    // Exact up to 2^53.
                    #[allow(clippy::cast_precision_loss)]
                    metrics::gauge!("audit_staged_events", "state" => state).set(count as f64);
                }
            }
            Err(error) => {
                let source = std::error::Error::source(&error).map(tracing::field::display);
                tracing::warn!(%error, source, "cannot count staged events");
            }
        }
        tokio::time::sleep(every).await;
    }
}
