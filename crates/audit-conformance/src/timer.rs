//! A timer that needs no runtime.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

/// Completes at its deadline, whatever runs the future. Uses a thread once it has to wait.
pub(crate) struct Timer {
    deadline: Instant,
    alarm: Option<Alarm>,
}

struct Alarm {
    waker: Arc<Mutex<Waker>>,
    thread: Thread,
}

impl Timer {
    pub(crate) fn after(duration: Duration) -> Self {
        Self { deadline: Instant::now() + duration, alarm: None }
    }
}

impl Future for Timer {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let deadline = self.deadline;
        if Instant::now() >= deadline {
            return Poll::Ready(());
        }
        if let Some(alarm) = &self.alarm {
            set(&alarm.waker, context.waker());
        } else {
            let waker = Arc::new(Mutex::new(context.waker().clone()));
            let of_thread = Arc::downgrade(&waker);
            let thread = thread::spawn(move || ring(&of_thread, deadline)).thread().clone();
            self.alarm = Some(Alarm { waker, thread });
        }
        Poll::Pending
    }
}

impl Drop for Timer {
    /// Ends the thread before the deadline.
    fn drop(&mut self) {
        if let Some(Alarm { waker, thread }) = self.alarm.take() {
            drop(waker);
            thread.unpark();
        }
    }
}

fn set(waker: &Mutex<Waker>, to: &Waker) {
    waker.lock().unwrap_or_else(PoisonError::into_inner).clone_from(to);
}

/// Wakes at the deadline, unless the timer is dropped before.
fn ring(waker: &Weak<Mutex<Waker>>, deadline: Instant) {
    while let Some(waker) = waker.upgrade() {
        match deadline.checked_duration_since(Instant::now()) {
            Some(left) if !left.is_zero() => {
                drop(waker);
                thread::park_timeout(left);
            }
            _ => {
                waker.lock().unwrap_or_else(PoisonError::into_inner).wake_by_ref();
                return;
            }
        }
    }
}
