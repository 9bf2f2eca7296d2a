//! The finisher: carries through what its caller has left.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Waker};

use futures_channel::mpsc::{UnboundedSender, unbounded};
use futures_util::future::BoxFuture;
use futures_util::{FutureExt as _, StreamExt as _};

type Task = BoxFuture<'static, ()>;

/// A thread that polls appends whose callers have left, so that their failures are reported. It begins
/// with the first of them, needs no runtime, and ends with the layer. What waits here is bounded by
/// the queue of the store, which refuses at once what is beyond it.
#[derive(Debug, Default)]
pub(crate) struct Finisher {
    /// `None` if the thread could not be created.
    tasks: OnceLock<Option<UnboundedSender<Task>>>,
}

impl Finisher {
    /// Begins `task` at once, and carries it through.
    pub(crate) fn begin(&self, mut task: Task) {
        if task.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending() {
            self.finish(task);
        }
    }

    /// Carries `task` through, which has begun.
    fn finish(&self, task: Task) {
        let tasks = self.tasks.get_or_init(|| {
            let (tasks, received) = unbounded::<Task>();
            let work = || futures_executor::block_on(received.for_each_concurrent(None, |t| t));
            let thread = std::thread::Builder::new().name("audit-finisher".to_owned());
            thread.spawn(work).ok().map(|_| tasks)
        });
        // A store carries through by itself what was polled; only the report of a failure is lost.
        let sent = tasks.as_ref().is_some_and(|tasks| tasks.unbounded_send(task).is_ok());
        if !sent {
            tracing::error!("nobody waits for an append whose caller left: no thread");
        }
    }
}

/// A future that is carried through once it is polled, although it is dropped.
pub(crate) struct Carried<T: 'static> {
    future: Option<BoxFuture<'static, T>>,
    has_begun: bool,
    finisher: Arc<Finisher>,
}

impl<T: 'static> Carried<T> {
    pub(crate) fn new(future: BoxFuture<'static, T>, finisher: &Arc<Finisher>) -> Self {
        Self { future: Some(future), has_begun: false, finisher: Arc::clone(finisher) }
    }
}

impl<T: 'static> Future for Carried<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        self.has_begun = true;
        let Some(future) = self.future.as_mut() else { return Poll::Pending };
        let output = futures_util::ready!(future.as_mut().poll(context));
        self.future = None;
        Poll::Ready(output)
    }
}

impl<T: 'static> Drop for Carried<T> {
    fn drop(&mut self) {
        if let Some(future) = self.future.take_if(|_| self.has_begun) {
            self.finisher.finish(future.map(drop).boxed());
        }
    }
}
