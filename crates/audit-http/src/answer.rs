//! The memory of answers: events that are read for them, and bytes that their clients have not taken yet.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use hyper::body::{Frame, SizeHint};
use serde::Serialize;

use crate::options::HttpOptions;
use crate::rejection::Rejection;
use crate::share::{Pool, Share, Taken, Tenant};

/// The least memory that an answer takes before its size is known, in bytes.
const RESERVED: usize = 64 << 10;
/// The size of the pieces that the connection gets, in bytes. It copies one at most.
const FRAME: usize = 32 << 10;

/// The limits of answers: the reads at a time, and the bytes that wait for their clients. Both are
/// dealt out by organization.
#[derive(Debug)]
pub(crate) struct Answers {
    memory: Pool,
    reads: Pool,
    most: usize,
}

/// Memory for an answer and, while events are read for it, a turn to read.
#[derive(Debug)]
pub(crate) struct Reading {
    turn: Option<Taken>,
    memory: Taken,
}

impl Answers {
    pub(crate) fn new(options: &HttpOptions) -> Self {
        let share = Share::of(options.share);
        Self {
            memory: Pool::new(options.answer_memory, share, 0),
            reads: Pool::new(options.reads, share, 0),
            most: options.answer_memory,
        }
    }

    /// Returns the bytes to take before the size of an answer is known, if it is about `expected`.
    fn reserved(&self, expected: usize) -> usize {
        expected.max(RESERVED).min(self.most)
    }

    /// Takes memory for an answer of about `expected` bytes, if it is free for `tenant`.
    pub(crate) fn try_memory(&self, tenant: Tenant, expected: usize) -> Option<Reading> {
        let memory = self.memory.try_take(tenant, self.reserved(expected))?;
        Some(Reading { turn: None, memory })
    }

    /// Waits for memory for an answer of about `expected` bytes.
    pub(crate) async fn memory(&self, tenant: Tenant, expected: usize) -> Reading {
        let memory = self.memory.take(tenant, self.reserved(expected)).await;
        Reading { turn: None, memory }
    }

    /// Waits for a turn to read. Returns `None` if there is no memory then: who waits for memory
    /// takes no turn, and only those in turn take more memory than they reserved.
    pub(crate) async fn turn(&self, tenant: Tenant) -> Option<Reading> {
        let turn = self.reads.take(tenant, 1).await;
        let memory = self.memory.try_take(tenant, self.reserved(0))?;
        Some(Reading { turn: Some(turn), memory })
    }
}

impl Reading {
    /// Returns `value` as a whole answer. Its memory counts until the client has taken it.
    pub(crate) fn json(self, value: &impl Serialize) -> Result<Response, Rejection> {
        // Most answers fit into what is reserved, so that they are not copied while they grow.
        let mut text = Vec::with_capacity(RESERVED);
        serde_json::to_writer(&mut text, value).map_err(|_| not_written())?;
        Ok(whole(self.piece(text)))
    }

    /// Returns a text as bytes whose memory counts until they are dropped, and ends the turn.
    pub(crate) fn piece(self, mut text: Vec<u8>) -> Bytes {
        let Self { turn, mut memory } = self;
        text.shrink_to_fit();
        memory.settle(text.capacity());
        drop(turn);
        Bytes::from_owner(Piece { text, _memory: memory })
    }
}

/// Returns an answer of JSON.
pub(crate) fn json(body: Body) -> Response {
    let mut response = Response::new(body);
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}

/// Returns `text` as a whole answer of JSON.
pub(crate) fn whole(text: Bytes) -> Response {
    json(body(text))
}

/// Returns `text` as a whole body.
pub(crate) fn body(text: Bytes) -> Body {
    Body::new(Whole(text))
}

/// Cuts bytes into pieces of a size that the connection may copy.
pub(crate) fn frames(mut bytes: Bytes) -> impl Iterator<Item = Bytes> {
    std::iter::from_fn(move || {
        let length = bytes.len().min(FRAME);
        (length > 0).then(|| bytes.split_to(length))
    })
}

pub(crate) fn not_written() -> Rejection {
    Rejection::new(StatusCode::INTERNAL_SERVER_ERROR, "the answer cannot be written")
}

struct Piece {
    text: Vec<u8>,
    _memory: Taken,
}

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        &self.text
    }
}

/// A body of known size, sent in pieces.
struct Whole(Bytes);

impl HttpBody for Whole {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let length = self.0.len().min(FRAME);
        Poll::Ready((length > 0).then(|| Ok(Frame::data(self.0.split_to(length)))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.len() as u64)
    }
}
