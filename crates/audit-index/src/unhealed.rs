//! The logs whose damage could not be healed.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use audit_core::Log;

/// The logs whose damage a read has tried to heal, without success. A store does not try it again at
/// each read.
#[derive(Debug, Default)]
pub struct Unhealed(Mutex<HashSet<Log>>);

impl Unhealed {
    /// Returns `true` if the log is one of them.
    pub fn has(&self, log: Log) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(&log)
    }

    /// Sets whether the log is one of them.
    pub fn set(&self, log: Log, is_unhealed: bool) {
        let mut logs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if is_unhealed {
            logs.insert(log);
        } else {
            logs.remove(&log);
        }
    }
}
