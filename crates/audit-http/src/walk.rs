//! Answers that are read and written piece by piece, while the client takes them.

use audit_core::{AuditStoreExt as _, ErrorKind, EventQuery, Page, Token};
use axum::BoxError;
use axum::body::{Body, Bytes};
use futures_util::stream::{self, StreamExt as _};

use crate::answer::{Reading, body, frames, not_written};
use crate::app::App;
use crate::caller::Caller;
use crate::rejection::Rejection;

/// The size of a piece, in bytes of stored events.
pub(crate) const PIECE_BYTES: usize = 64 << 10;

/// Writes the events of an answer.
pub(crate) trait Write: Send + 'static {
    /// Appends the events of a page to `text`. Returns the highest number of events of the next page; 0
    /// ends the answer.
    fn write(&mut self, page: &Page, text: &mut Vec<u8>) -> audit_core::Result<usize>;

    /// Appends what comes after the last event.
    fn end(&mut self, text: &mut Vec<u8>);
}

/// Returns the body of an answer: `before`, and what `writer` writes of the events of `query`, of which `page`
/// is the first page, read in the turn of `reading`.
///
/// An answer of one piece is sent whole. Otherwise the first piece is followed by others, each read
/// once the client has taken the one before; the answer is cut if that fails, or if the caller's
/// credential is no longer valid.
pub(crate) fn send(
    app: &App,
    caller: &Caller,
    query: EventQuery,
    (page, reading): (Page, Reading),
    before: Vec<u8>,
    writer: impl Write,
) -> Result<Body, Rejection> {
    let mut walk = Walk { query, limit: 0, next: None, writer };
    let first = walk.piece(before, page, reading).map_err(|_| not_written())?;
    if walk.next.is_none() {
        return Ok(body(first));
    }
    let state = (app.clone(), caller.clone(), walk);
    let rest = stream::try_unfold(state, |(app, caller, mut walk)| async move {
        let Some(token) = walk.next.take() else { return Ok(None) };
        let piece = walk.read(&app, &caller, &token).await;
        let piece = piece.inspect_err(|error| tracing::warn!(%error, "an answer was cut"))?;
        Ok::<_, BoxError>(Some((piece, (app, caller, walk))))
    });
    let rest = rest.map(|piece| match piece {
        Ok(piece) => frames(piece).map(Ok).collect(),
        Err(error) => vec![Err(error)],
    });
    let first = stream::iter(frames(first).map(Ok));
    Ok(Body::from_stream(first.chain(rest.flat_map(stream::iter))))
}

/// The pieces of an answer that are still to be written.
struct Walk<W> {
    query: EventQuery,
    /// The highest number of events of the next piece.
    limit: usize,
    /// The token of the next piece; `None` after the last.
    next: Option<Token>,
    writer: W,
}

impl<W: Write> Walk<W> {
    async fn read(&mut self, app: &App, caller: &Caller, token: &Token) -> Result<Bytes, BoxError> {
        let (_place, reading) = caller.reading_on(app).await?;
        if !caller.is_still_valid(app).await {
            return Err(audit_core::Error::new(ErrorKind::Gone)
                .with_context("the key is gone")
                .into());
        }
        let page = app.store.next_page(&self.query.clone().limit(self.limit), token).await?;
        Ok(self.piece(Vec::new(), page, reading)?)
    }

    fn piece(
        &mut self,
        mut text: Vec<u8>,
        page: Page,
        reading: Reading,
    ) -> audit_core::Result<Bytes> {
        self.limit = self.writer.write(&page, &mut text)?;
        self.next = page.next.filter(|_| self.limit > 0);
        if self.next.is_none() {
            self.writer.end(&mut text);
        }
        Ok(reading.piece(text))
    }
}
