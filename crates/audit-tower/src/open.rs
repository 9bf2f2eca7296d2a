//! A request that has not ended.

use audit_core::{Accepted, Error, Log, NewEvent, Outcome, OutcomeResult};
use futures_util::future;

use crate::audit::{Audit, Closing};
use crate::finisher::Carried;

/// A request that has not ended. If it is dropped, its client has hung up, or its handler panicked.
#[derive(Debug)]
pub(crate) struct Open {
    audit: Audit,
}

impl Open {
    pub(crate) fn new(audit: Audit) -> Self {
        Self { audit }
    }

    /// Ends the request, and returns when its events are recorded.
    pub(crate) async fn end(&self, outcome: &Outcome) -> Result<(), Error> {
        // All of them begin at once, so that none is lost if the client hangs up now.
        future::try_join_all(self.close(outcome)).await?;
        Ok(())
    }

    /// Ends the request, and leaves its events to be recorded.
    pub(crate) fn leave(&self, outcome: &Outcome) {
        for recording in self.close(outcome) {
            self.audit.config().leave(recording);
        }
    }

    /// Returns what records the events of the request, one for each log and for the attempt.
    fn close(&self, outcome: &Outcome) -> Vec<Carried<Result<Accepted, Error>>> {
        let Some(closing) = self.audit.close(outcome) else { return Vec::new() };
        let Closing { events, attempt, by_handler } = closing;
        let config = self.audit.config();
        if let Some(coverage) = &config.coverage {
            let request = self.audit.scope().context().request;
            coverage.count(request, by_handler, attempt.is_some() || !events.is_empty());
        }
        let mut by_log: Vec<(Log, Vec<NewEvent>)> = Vec::new();
        for (log, event) in events {
            match by_log.iter_mut().find(|(other, _)| *other == log) {
                Some((_, events)) => events.push(event),
                None => by_log.push((log, vec![event])),
            }
        }
        let records = by_log.into_iter().map(|(log, events)| config.record(log, events));
        records.chain(attempt.map(|attempt| config.end(attempt, outcome.clone()))).collect()
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let code = if std::thread::panicking() { "panic" } else { "cancelled" };
        // Whether it took effect is not known. Does nothing for a request that has ended.
        self.leave(&Outcome::new(OutcomeResult::UNKNOWN).code(code));
    }
}
