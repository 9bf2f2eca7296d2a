//! Reads from a replica.
//!
//! A scan with a bound returns the same whatever is appended, so that a replica can answer it if it has
//! the events up to the bound. What was erased or pruned since would be returned by a replica that has not
//! heard of it. So the primary is asked for one number, that of the last event that records a removal, and
//! the replica must have that event, too.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use audit_core::{Error, ErrorKind, Log, Result, Sequence};

use crate::connection::{Session, Statement, sequence, types};
use crate::readers::Readers;

/// Reads the last event that records a removal.
pub(crate) const READ_REMOVED: Statement = Statement {
    sql: "SELECT removed FROM audit.log WHERE log = $1",
    types: types![BYTEA],
    context: "reading the head of a log",
};
/// Sets the last event that records a removal.
pub(crate) const SET_REMOVED: Statement = Statement {
    sql: "UPDATE audit.log SET removed = $2 WHERE log = $1",
    types: types![BYTEA, INT8],
    context: "writing the head of a log",
};

/// How long a replica that fails is not asked again.
const PAUSE: Duration = Duration::from_secs(10);

/// A replica.
#[derive(Debug)]
pub(crate) struct Replica {
    pub(crate) readers: Readers,
    /// When it may be asked again after a failure.
    resume: Mutex<Option<Instant>>,
}

impl Replica {
    pub(crate) fn new(readers: Readers) -> Self {
        Self { readers, resume: Mutex::default() }
    }

    pub(crate) fn may_be_asked(&self) -> bool {
        let resume = self.resume.lock().unwrap_or_else(PoisonError::into_inner);
        resume.is_none_or(|resume| Instant::now() >= resume)
    }

    /// Notes the failure of a scan. One that says that events are lacking is no failure of the replica.
    pub(crate) fn note(&self, error: &Error) {
        if error.kind() == ErrorKind::Unavailable {
            let mut resume = self.resume.lock().unwrap_or_else(PoisonError::into_inner);
            *resume = Some(Instant::now() + PAUSE);
        }
    }
}

/// Notes that the event `sequence` records a removal.
pub(crate) async fn note_removal(session: &Session, log: Log, sequence: Sequence) -> Result<()> {
    session.execute(&SET_REMOVED, &[&log.as_bytes(), &sequence.as_i64()]).await.map(drop)
}

/// Returns the last event that records a removal.
pub(crate) async fn last_removal(primary: &Readers, log: Log) -> Result<Sequence> {
    let row = primary.take(log).await?.query_opt(&READ_REMOVED, &[&log.as_bytes()]).await?;
    row.map_or(Ok(Sequence::ZERO), |row| sequence(&row, 0))
}
