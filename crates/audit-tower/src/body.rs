//! The body of a response, which ends its request if it is produced while it is sent.

use std::pin::Pin;
use std::task::{Context, Poll};

use audit_core::Outcome;
use futures_util::ready;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use crate::open::Open;

pin_project! {
    /// The body of an audited response.
    ///
    /// A read with a body whose size is not known before, such as a stream or a download, ends with
    /// its body: with success if it was sent to its end, with failure if its source failed, with the
    /// outcome `unknown` if the client hung up before.
    #[derive(Debug)]
    pub struct AuditBody<B> {
        #[pin]
        body: B,
        open: Option<Open>,
    }
}

impl<B> AuditBody<B> {
    pub(crate) fn whole(body: B) -> Self {
        Self { body, open: None }
    }

    pub(crate) fn streamed(body: B, open: Open) -> Self {
        Self { body, open: Some(open) }
    }
}

impl<B: Body> Body for AuditBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let mut this = self.project();
        let frame = ready!(this.body.as_mut().poll_frame(context));
        let outcome = match &frame {
            // A server need not ask a body for more that says that it has ended.
            Some(Ok(_)) if !this.body.is_end_stream() => None,
            Some(Ok(_)) | None => Some(Outcome::success()),
            Some(Err(_)) => Some(Outcome::failure().code("body")),
        };
        if let Some(outcome) = outcome
            && let Some(open) = this.open.take()
        {
            open.leave(&outcome);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
