//! Pages that end at their limit, as contracts with offsets have them. They are read and written
//! piece by piece, while the client takes them.

use audit_core::{AuditEvent, AuditStoreExt as _, ErrorKind, EventQuery, Page, Token};
use axum::BoxError;
use axum::body::{Body, Bytes};
use axum::response::Response;
use futures_util::stream::{self, StreamExt as _};
use serde::Serialize;

use crate::answer::{Reading, frames, json, not_written, whole};
use crate::app::App;
use crate::caller::Caller;
use crate::rejection::Rejection;

/// The size at which a page ends before its limit, in bytes of stored events. Its token continues.
pub(crate) const PAGE_BYTES: usize = 1 << 20;

/// The size of a piece of a page without such an end, in bytes of stored events.
const PIECE_BYTES: usize = 64 << 10;

/// Answers with a page that ends only at `limit`. `around` returns the text before and after the
/// entries, given the number of events that match; `entry` converts each event.
///
/// A page of one piece is sent whole. Otherwise the first piece is followed by others, each read
/// once the client has taken the one before; the answer is cut if that fails, or if the caller's
/// credential is no longer valid.
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
    let mut pieces = Pieces { query, left: limit, next: None, is_begun: false, after, entry };
    let first = pieces.write(before.into_bytes(), page, reading).map_err(|_| not_written())?;
    if pieces.next.is_none() {
        return Ok(whole(first));
    }
    let state = (app.clone(), caller.clone(), pieces);
    let rest = stream::try_unfold(state, |(app, caller, mut pieces)| async move {
        let Some(token) = pieces.next.take() else { return Ok(None) };
        let piece = pieces.read(&app, &caller, &token).await;
        let piece = piece.inspect_err(|error| tracing::warn!(%error, "an answer was cut"))?;
        Ok::<_, BoxError>(Some((piece, (app, caller, pieces))))
    });
    let rest = rest.map(|piece| match piece {
        Ok(piece) => frames(piece).map(Ok).collect(),
        Err(error) => vec![Err(error)],
    });
    let first = stream::iter(frames(first).map(Ok));
    Ok(json(Body::from_stream(first.chain(rest.flat_map(stream::iter)))))
}

/// The pieces of a page that are still to be written.
struct Pieces<T> {
    query: EventQuery,
    /// The highest number of entries.
    left: usize,
    /// The token of the next piece; `None` after the last.
    next: Option<Token>,
    /// Whether an entry was written.
    is_begun: bool,
    /// The text after the last entry.
    after: String,
    entry: fn(&AuditEvent) -> T,
}

impl<T: Serialize> Pieces<T> {
    async fn read(&mut self, app: &App, caller: &Caller, token: &Token) -> Result<Bytes, BoxError> {
        let (_place, reading) = caller.reading_on(app).await?;
        if !caller.is_still_valid(app).await {
            return Err(audit_core::Error::new(ErrorKind::Gone)
                .with_context("the key is gone")
                .into());
        }
        let page = app.store.next_page(&self.query.clone().limit(self.left), token).await?;
        Ok(self.write(Vec::new(), page, reading)?)
    }

    fn write(
        &mut self,
        mut text: Vec<u8>,
        page: Page,
        reading: Reading,
    ) -> serde_json::Result<Bytes> {
        for event in &page.events {
            if std::mem::replace(&mut self.is_begun, true) {
                text.push(b',');
            }
            serde_json::to_writer(&mut text, &(self.entry)(event))?;
        }
        self.left -= page.events.len().min(self.left);
        self.next = page.next.filter(|_| self.left > 0);
        if self.next.is_none() {
            text.extend_from_slice(self.after.as_bytes());
        }
        Ok(reading.piece(text))
    }
}
