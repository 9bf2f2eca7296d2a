//! Scrubs: the truncation of the WAL that ends an erasure. Their callers wait for the readers that
//! can still see erased data. The writer goes on meanwhile.

use std::fmt;
use std::time::{Duration, Instant};

use audit_core::{Error, ErrorKind, Result};
use rusqlite::Connection;

use crate::busy::deadline;
use crate::error::{hand_out, sqlite};

/// How long a caller waits for the readers.
const PATIENCE: Duration = Duration::from_secs(5);
/// The pause between two attempts.
const PAUSE: Duration = Duration::from_millis(20);
/// How long one attempt holds up other writers to wait for short reads.
const ATTEMPT: Duration = Duration::from_millis(5);

/// Answers a caller.
type Answer = Box<dyn FnOnce(Result<()>) + Send>;

/// The callers that wait until the WAL has no erased data.
#[derive(Default)]
pub(crate) struct Scrubs {
    waiting: Vec<(Instant, Answer)>,
    /// The earliest time of the next attempt.
    next: Option<Instant>,
}

impl fmt::Debug for Scrubs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scrubs").field("waiting", &self.waiting.len()).finish_non_exhaustive()
    }
}

impl Scrubs {
    /// Adds a caller, which is answered by an [attempt](Self::attempt).
    pub(crate) fn add(&mut self, answer: Answer) {
        self.waiting.push((deadline(PATIENCE), answer));
        self.next = None;
    }

    /// Returns how long the next attempt should wait; `None` if nobody waits.
    pub(crate) fn pause(&self) -> Option<Duration> {
        let next =
            self.next.map_or(Duration::ZERO, |at| at.saturating_duration_since(Instant::now()));
        (!self.waiting.is_empty()).then_some(next)
    }

    /// Tries to truncate the WAL if somebody waits and the pause is over. Answers those who need
    /// wait no longer. Returns `true` if the WAL is empty.
    pub(crate) fn attempt(&mut self, connection: &Connection) -> bool {
        let now = Instant::now();
        if self.waiting.is_empty() || self.next.is_some_and(|next| now < next) {
            return false;
        }
        self.next = Some(now + PAUSE);
        let mut outcome = truncate(connection);
        let is_pending = outcome.as_ref().is_err_and(|error| error.kind() == ErrorKind::Pending);
        for (until, answer) in std::mem::take(&mut self.waiting) {
            if is_pending && now < until {
                self.waiting.push((until, answer));
            } else {
                answer(hand_out(&mut outcome, IN_USE));
            }
        }
        outcome.is_ok()
    }
}

const IN_USE: &str = "another connection uses the WAL";
const CONTEXT: &str = "removing erased data from the WAL";

/// Removes erased data from the WAL by truncating it. Free pages hold none: SQLite overwrites a page
/// when it frees it.
///
/// # Errors
/// [`ErrorKind::Pending`] if another connection uses the WAL.
fn truncate(connection: &Connection) -> Result<()> {
    let in_use = || Error::new(ErrorKind::Pending).with_context(IN_USE);
    // Without the write lock: while a reader still needs the WAL, writers are not held up.
    let back = connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| {
        Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?))
    });
    let (busy, pages, written_back) = back.map_err(sqlite(CONTEXT))?;
    if busy != 0 || written_back < pages {
        return Err(in_use());
    }
    connection.busy_timeout(ATTEMPT).map_err(sqlite(CONTEXT))?;
    let cut = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0));
    connection.busy_timeout(Duration::ZERO).map_err(sqlite(CONTEXT))?;
    match cut.map_err(sqlite(CONTEXT)) {
        Ok(0) => Ok(()),
        Ok(_) => Err(in_use()),
        Err(error) if error.kind() == ErrorKind::Busy => Err(in_use().with_source(error)),
        Err(error) => Err(error),
    }
}
