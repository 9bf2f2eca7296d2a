//! An append that goes on by itself.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use futures_util::FutureExt as _;
use futures_util::future::{self, BoxFuture};

use crate::{Receipt, Result};

/// The outcome of [`AuditStoreExt::submit`](crate::AuditStoreExt::submit), as a future. Dropping it
/// does not stop the append.
pub struct Submitted<'s> {
    outcome: BoxFuture<'s, Result<Vec<Receipt>>>,
}

impl<'s> Submitted<'s> {
    /// Begins `append`, which a store carries through once it has been polled.
    pub(super) fn begin(mut append: BoxFuture<'s, Result<Vec<Receipt>>>) -> Self {
        // The caller that waits for the outcome polls again, with its own waker.
        let outcome = match append.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(outcome) => future::ready(outcome).boxed(),
            Poll::Pending => append,
        };
        Self { outcome }
    }
}

impl Future for Submitted<'_> {
    type Output = Result<Vec<Receipt>>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.outcome.as_mut().poll(context)
    }
}

impl fmt::Debug for Submitted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Submitted").finish_non_exhaustive()
    }
}
