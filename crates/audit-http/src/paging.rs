//! Pages that end at their limit, as contracts with offsets have them.

use audit_core::{AuditEvent, AuditStore, AuditStoreExt as _, EventQuery};

/// The size at which a page ends before its limit, in bytes of stored events. Its token continues.
pub(crate) const PAGE_BYTES: usize = 1 << 20;

/// Reads a page that ends only at `limit`, and the number of events that match. `record` converts
/// each event; only the events of [`PAGE_BYTES`] are in memory at a time.
pub(crate) async fn whole_page<T>(
    store: &dyn AuditStore,
    query: EventQuery,
    limit: usize,
    record: impl Fn(&AuditEvent) -> T,
) -> audit_core::Result<(Vec<T>, u64)> {
    let query = query.max_bytes(PAGE_BYTES).limit(limit);
    let mut page = store.page(&query.clone().with_total()).await?;
    let total = page.total.unwrap_or_default();
    let mut records: Vec<T> = page.events.iter().map(&record).collect();
    while let Some(token) = page.next.filter(|_| records.len() < limit) {
        page = store.next_page(&query.clone().limit(limit - records.len()), &token).await?;
        records.extend(page.events.iter().map(&record));
    }
    Ok((records, total))
}
