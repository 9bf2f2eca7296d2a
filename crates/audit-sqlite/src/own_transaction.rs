//! Detects an append that waits for its own caller: for a transaction in which the calling thread has
//! recorded and which is still open.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use audit_core::{EventId, Log};
use rusqlite::Connection;

use crate::file::FileId;
use crate::read::{log_row, sequence_by_id};

/// How long an append waits although its caller's transaction seems to be open. That transaction may
/// have been rolled back, and another connection may be writing since.
pub(crate) const OWN_PATIENCE: Duration = Duration::from_millis(50);

/// The last transaction in which a thread has recorded.
#[derive(Debug)]
pub(crate) struct OwnTransaction {
    file: FileId,
    log: Log,
    event: EventId,
    is_over: AtomicBool,
}

thread_local! {
    static LAST: RefCell<Option<Arc<OwnTransaction>>> = const { RefCell::new(None) };
}

impl OwnTransaction {
    /// Notes that this thread has recorded `event` in a transaction on `file`.
    pub(crate) fn note(file: FileId, log: Log, event: EventId) {
        let own = Self { file, log, event, is_over: AtomicBool::new(false) };
        LAST.with_borrow_mut(|last| *last = Some(Arc::new(own)));
    }

    /// Returns the transaction on `file` in which this thread has recorded, unless it is known to be
    /// over.
    pub(crate) fn of_this_thread(file: &FileId) -> Option<Arc<Self>> {
        LAST.with_borrow(Clone::clone)
            .filter(|own| own.file == *file && !own.is_over.load(Ordering::Relaxed))
    }

    /// Notes that the transaction is over, because the file's lock was free.
    pub(crate) fn end(&self) {
        self.is_over.store(true, Ordering::Relaxed);
    }

    /// Returns `true` if it has not been committed, as far as another connection sees.
    pub(crate) fn is_open(&self, connection: &Connection) -> bool {
        let find = || {
            let Some(log) = log_row(connection, self.log)? else { return Ok(None) };
            sequence_by_id(connection, &log, self.event)
        };
        let is_committed = find().is_ok_and(|found: Option<_>| found.is_some());
        if is_committed {
            self.end();
        }
        !is_committed
    }
}
