//! Waits for the locks of other connections.

use std::time::{Duration, Instant};

use audit_core::{ErrorKind, Result};

/// A day. Longer time-outs could overflow the clock.
pub(crate) const LONGEST_TIMEOUT: Duration = Duration::from_secs(86_400);

/// Returns when a wait that begins now ends.
pub(crate) fn deadline(timeout: Duration) -> Instant {
    Instant::now() + timeout.min(LONGEST_TIMEOUT)
}

/// Repeats `attempt` while it fails with [`Busy`](ErrorKind::Busy), until the deadline.
pub(crate) fn retry_busy<T>(
    deadline: Instant,
    mut attempt: impl FnMut() -> Result<T>,
) -> Result<T> {
    let mut pause = Duration::from_micros(200);
    loop {
        match attempt() {
            Err(error) if error.kind() == ErrorKind::Busy && Instant::now() < deadline => {
                std::thread::sleep(pause);
                // Short, so that a waiting writer finds the gap between two others.
                pause = (pause * 2).min(Duration::from_millis(5));
            }
            result => return result,
        }
    }
}
