//! Reads from a replica.
//!
//! A scan with a bound returns the same whatever is appended, so that a replica can answer it if it has
//! the events up to the bound. What was erased or pruned since would be returned by a replica that has not
//! heard of it. So the primary is asked for one number, that of the last event that records a removal, and
//! the replica must have that event, too.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use audit_core::{Error, ErrorKind, Log, Result, Scan, Sequence};
use tokio_postgres::types::Type;

use crate::connection::{Session, Statement, sequence};
use crate::core::Core;
use crate::read::{self, SealedResult};
use crate::readers::Readers;
use crate::staged::IfStaged;

/// Reads the last event that records a removal.
pub(crate) const READ_REMOVED: Statement = Statement {
    sql: "SELECT removed FROM audit.log WHERE log = $1",
    types: &[Type::BYTEA],
    context: "reading the head of a log",
};
/// Sets the last event that records a removal.
pub(crate) const SET_REMOVED: Statement = Statement {
    sql: "UPDATE audit.log SET removed = $2 WHERE log = $1",
    types: &[Type::BYTEA, Type::INT8],
    context: "writing the head of a log",
};

/// How long a replica that fails is not asked again.
const PAUSE: Duration = Duration::from_secs(10);

/// A replica.
#[derive(Debug)]
pub(crate) struct Replica {
    readers: Readers,
    /// When it may be asked again after a failure.
    resume: Mutex<Option<Instant>>,
}

impl Replica {
    pub(crate) fn new(readers: Readers) -> Self {
        Self { readers, resume: Mutex::default() }
    }

    fn may_be_asked(&self) -> bool {
        let resume = self.resume.lock().unwrap_or_else(PoisonError::into_inner);
        resume.is_none_or(|resume| Instant::now() >= resume)
    }

    /// Notes the failure of a scan. One that says that events are lacking is no failure of the replica.
    fn note(&self, error: &Error) {
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

/// Reads a part of a log: from the replica, if there is one that can answer, else from the primary.
/// What is staged when a scan with a bound begins comes after the bound.
pub(crate) async fn scan(
    core: Arc<Core>,
    scan: Scan,
    if_staged: IfStaged,
) -> Result<Option<SealedResult>> {
    let indexing = core.indexing.clone();
    let replica = core.replica.as_ref().filter(|replica| replica.may_be_asked());
    if let (Some(replica), Some(bound)) = (replica, scan.bound) {
        let least = bound.max(removed(&core.readers, scan.log).await?);
        let readers = replica.readers.clone();
        match read::scan(readers, indexing.clone(), scan.clone(), least, IfStaged::Ignore).await {
            // Whatever the reason, the primary knows better.
            Err(error) => replica.note(&error),
            found => return found,
        }
    }
    read::scan(core.readers.clone(), indexing, scan, Sequence::ZERO, if_staged).await
}

async fn removed(primary: &Readers, log: Log) -> Result<Sequence> {
    let row = primary.take(log).await?.query_opt(&READ_REMOVED, &[&log.as_bytes()]).await?;
    row.map_or(Ok(Sequence::ZERO), |row| sequence(&row, 0))
}
