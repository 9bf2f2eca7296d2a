//! Trying a transaction again, after pauses.

use std::time::{Duration, Instant};

use audit_core::{Error, ErrorKind, Result};
use tokio_postgres::error::SqlState;

/// The first pause.
const FIRST: Duration = Duration::from_millis(5);
/// The longest pause.
const LONGEST: Duration = Duration::from_millis(250);

/// The pauses of one transaction.
#[derive(Debug)]
pub(crate) struct Retries {
    pause: Duration,
    deadline: Instant,
}

impl Retries {
    pub(crate) fn until(deadline: Instant) -> Self {
        Self { pause: FIRST, deadline }
    }

    /// Waits until the transaction that failed with `error` is to be tried again.
    ///
    /// # Errors
    /// The error, if it would fail again, or the deadline is too near.
    pub(crate) async fn wait_after(&mut self, error: Error) -> Result<()> {
        if !can_be_tried_again(&error) || Instant::now() + self.pause > self.deadline {
            return Err(busy(error));
        }
        tokio::time::sleep(self.pause).await;
        self.pause = (self.pause * 2).min(LONGEST);
        Ok(())
    }
}

/// Returns whether the transaction that failed with this error can be tried again: it was undone in favour
/// of another one, or it is not known whether it was committed.
fn can_be_tried_again(error: &Error) -> bool {
    let is_lost = error.kind() == ErrorKind::Unavailable;
    let source = std::error::Error::source(error);
    let Some(source) = source.and_then(|s| s.downcast_ref::<tokio_postgres::Error>()) else {
        return is_lost;
    };
    match source.code().map(SqlState::code).map(|code| code.split_at(2)) {
        // Undone, or the server is a standby that may be about to be promoted, or the connection was
        // ended, or the server shuts down, starts or recovers.
        Some(("40" | "08", _) | ("25", "006") | ("57", "P01" | "P02" | "P03" | "P05")) => true,
        None => is_lost,
        _ => false,
    }
}

/// Says what another transaction that held a log means for the caller.
fn busy(source: Error) -> Error {
    if source.kind() != ErrorKind::Busy {
        return source;
    }
    Error::new(ErrorKind::Busy).with_context("another transaction held the log").with_source(source)
}
