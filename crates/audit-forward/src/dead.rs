//! Dead events: set aside, and tried again when an operator asks for it.

use audit_core::{AuditEvent, Error, ErrorKind, Log, Result, Timestamp, Violation};

use crate::route::Route;
use crate::sink::{Batch, DeliveryErrorKind};
use crate::state::{self, DeadEvent, DeadEvents, Kept, error_text};

/// The most dead events of a log. A destination that refuses more is treated as unavailable.
pub(crate) const MAX_DEAD_EVENTS: usize = 1_000;

/// Whether events that are set aside are tried again without an operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Retry {
    Never,
    Once,
}

/// Sets events aside. The error of the last attempt of each is given.
///
/// # Errors
/// [`Overloaded`](ErrorKind::Overloaded) if the log has too many. Those of the store.
pub(crate) async fn bury(
    route: &Route,
    log: Log,
    events: &[AuditEvent],
    attempts: u32,
    errors: &[String],
    retry: Retry,
) -> Result<()> {
    let Route { store, options, progress, .. } = route;
    let add = |dead: &mut DeadEvents| {
        for (event, error) in events.iter().zip(errors) {
            dead.0.retain(|dead| dead.sequence != event.sequence);
            dead.0.push(DeadEvent {
                sequence: event.sequence,
                id: event.id,
                at: Timestamp::now(),
                attempts,
                error: error_text(error),
                is_due: retry == Retry::Once,
            });
        }
        dead.0.sort_by_key(|dead| dead.sequence);
        if dead.0.len() > MAX_DEAD_EVENTS {
            return Err(too_many(dead.0.len()));
        }
        Ok(())
    };
    state::change(&**store, &options.name, log, add).await?;
    for event in events {
        let (sink, sequence) = (&options.name, event.sequence.get());
        tracing::error!(sink, %log, sequence, "an event is set aside");
    }
    progress.dead(events.len());
    Ok(())
}

fn too_many(actual: usize) -> Error {
    let error = Error::invalid("dead", Violation::TooMany { limit: MAX_DEAD_EVENTS, actual });
    Error::new(ErrorKind::Overloaded).with_context("setting an event aside").with_source(error)
}

/// Tries again the dead events of a log for which an operator asked.
pub(crate) async fn retry(route: &Route, log: Log) -> Result<()> {
    let Route { store, options, .. } = route;
    let dead = Kept::<DeadEvents>::read(&**store, &options.name, log).await?;
    for due in dead.value.0.into_iter().filter(|dead| dead.is_due) {
        route.gate.open().await;
        let outcome = match store.get(log, due.id).await {
            Ok(event) => match Batch::new(log, vec![event]) {
                Some(batch) => route.attempt(&batch).await,
                None => Ok(()),
            },
            Err(error) if error.kind() == ErrorKind::NotFound => {
                Err((DeliveryErrorKind::Refused, "retention removed the event".to_owned()))
            }
            Err(error) => return Err(error),
        };
        let settle = |dead: &mut DeadEvents| {
            match &outcome {
                Ok(()) => dead.0.retain(|dead| dead.sequence != due.sequence),
                // It stays due.
                Err((DeliveryErrorKind::Unavailable, _)) => {}
                Err((_, error)) => {
                    let found = dead.0.iter_mut().filter(|dead| dead.sequence == due.sequence);
                    for dead in found {
                        (dead.is_due, dead.at) = (false, Timestamp::now());
                        dead.attempts = dead.attempts.saturating_add(1);
                        dead.error = error_text(error);
                    }
                }
            }
            Ok(())
        };
        state::change(&**store, &options.name, log, settle).await?;
        if matches!(outcome, Err((DeliveryErrorKind::Unavailable, _))) {
            return Err(Error::new(ErrorKind::Unavailable).with_context("retrying a dead event"));
        }
    }
    Ok(())
}
