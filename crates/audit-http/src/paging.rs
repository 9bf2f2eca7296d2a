//! Pages that end at their limit, as contracts with offsets have them.

use audit_core::{AuditEvent, AuditStoreExt as _, Error, EventQuery, Page};
use axum::response::Response;
use serde::Serialize;

use crate::answer::json;
use crate::app::App;
use crate::caller::Caller;
use crate::rejection::Rejection;
use crate::walk::{self, PIECE_BYTES};

/// The size at which a page ends before its limit, in bytes of stored events. Its token continues.
pub(crate) const PAGE_BYTES: usize = 1 << 20;

/// Answers with a page that ends only at `limit`, [piece by piece](walk::send). `around` returns the text
/// before and after the entries, given the number of events that match; `entry` converts each event.
pub(crate) async fn whole_page<T: Serialize + 'static>(
    app: &App,
    caller: &Caller,
    query: EventQuery,
    limit: usize,
    around: impl FnOnce(u64) -> (String, String),
    entry: fn(&AuditEvent) -> T,
) -> Result<Response, Rejection> {
    let reading = caller.reading(app).await?;
    let query = query.max_bytes(PIECE_BYTES);
    let page = app.store.page(&query.clone().limit(limit).with_total()).await?;
    let (before, after) = around(page.total.unwrap_or_default());
    let entries = Entries { left: limit, is_begun: false, after, entry };
    walk::send(app, caller, query, (page, reading), before.into_bytes(), entries).map(json)
}

/// The entries of a page that are still to be written.
struct Entries<T> {
    /// The highest number of entries.
    left: usize,
    /// Whether an entry was written.
    is_begun: bool,
    /// The text after the last entry.
    after: String,
    entry: fn(&AuditEvent) -> T,
}

impl<T: Serialize + 'static> walk::Write for Entries<T> {
    fn write(&mut self, page: &Page, text: &mut Vec<u8>) -> audit_core::Result<usize> {
        for event in &page.events {
            if std::mem::replace(&mut self.is_begun, true) {
                text.push(b',');
            }
            serde_json::to_writer(&mut *text, &(self.entry)(event))
                .map_err(|error| Error::malformed("", "JSON").with_source(error))?;
        }
        self.left -= page.events.len().min(self.left);
        Ok(self.left)
    }

    fn end(&mut self, text: &mut Vec<u8>) {
        text.extend_from_slice(self.after.as_bytes());
    }
}
