//! The attempt: an event before an effect that no transaction covers, and its outcome after it.

use std::time::Duration;

use futures_util::stream::BoxStream;
use futures_util::{StreamExt as _, TryStreamExt as _};

use crate::{
    Accepted, Action, AuditEvent, AuditStore, AuditStoreExt as _, ErrorKind, EventId, EventQuery,
    Filter, Log, NewEvent, Order, Outcome, OutcomeResult, Recorder, Result, Timestamp,
};

/// An action whose effect is outside the caller's transaction: a payment, an e-mail, a call.
///
/// An event of the action [`Action::ATTEMPT_BEGUN`] is recorded before the effect, and the action's own
/// event after it. That one has both, what was done and how it ended. A process that dies between them
/// leaves an attempt that [`unfinished`](Self::unfinished) finds, and that [`sweep`](Self::sweep)
/// closes with the outcome `unknown`.
///
/// Both events have the same content but for the outcome. The id of the last one is derived from that of the
/// first, so that an attempt ends once; the first one's id is its attribute `attempt.begun`.
///
/// ```
/// use std::time::Duration;
///
/// use audit_core::{Actor, Attempt, AuditStore, Log, NewEvent, Outcome, Result};
///
/// # async fn charge() -> Result<(), ()> { Ok(()) }
/// async fn pay(store: &impl AuditStore) -> Result<()> {
///     let event = NewEvent::new("invoice.paid", Actor::user("u_7")).target("invoice", "inv_9");
///     let attempt = Attempt::begin(store, Log::Platform, event).await?; // nothing is paid yet
///     let outcome = match charge().await {
///         Ok(()) => Outcome::success(),
///         Err(()) => Outcome::failure(),
///     };
///     attempt.end(store, outcome).await?;
///     Ok(())
/// }
///
/// /// Called at intervals.
/// async fn sweep(store: &impl AuditStore) -> Result<u64> {
///     Attempt::sweep(store, Log::Platform, Duration::from_secs(3600)).await
/// }
/// ```
#[derive(Clone, Debug, PartialEq)]
#[must_use = "an attempt that is not ended is closed as unknown"]
pub struct Attempt {
    log: Log,
    begun: EventId,
    /// The action's own event, without an outcome.
    event: NewEvent,
}

impl Attempt {
    /// The attribute of the event with which an attempt begins: the action.
    pub const ACTION_ATTRIBUTE: &'static str = "attempt.action";

    /// The attribute of the event with which it ends: the id of the first one.
    pub const BEGUN_ATTRIBUTE: &'static str = "attempt.begun";

    /// Records that the action of `event` begins.
    ///
    /// # Errors
    /// As [`Recorder::accept`]. The effect should not take place then.
    pub async fn begin(
        recorder: &(impl Recorder + ?Sized),
        log: impl Into<Log>,
        event: NewEvent,
    ) -> Result<Self> {
        let log = log.into();
        // An attempt whose end could not be recorded must not begin.
        event.validate()?;
        let mut begun = event.clone();
        let action = std::mem::replace(&mut begun.action, Action::ATTEMPT_BEGUN);
        begun.attributes.insert(Self::ACTION_ATTRIBUTE, action.as_str());
        begun.outcome = None;
        let id = begun.id;
        recorder.accept(log, vec![begun]).await?;
        Ok(Self::new(log, id, event))
    }

    /// Returns the attempt of `event`, whose first event has the id `begun`.
    fn new(log: Log, begun: EventId, event: NewEvent) -> Self {
        let mut event = event.id(end_of(begun)).attribute(Self::BEGUN_ATTRIBUTE, begun.to_string());
        event.occurred_at = None;
        Self { log, begun, event }
    }

    /// Returns the id of the event with which it began.
    pub fn begun(&self) -> EventId {
        self.begun
    }

    /// Returns the log.
    pub fn log(&self) -> Log {
        self.log
    }

    /// Returns the event with which it ends, whose outcome is not known yet.
    pub fn event(&self) -> &NewEvent {
        &self.event
    }

    /// Records how it ended.
    ///
    /// # Errors
    /// As [`end_with`](Self::end_with).
    pub async fn end(
        self,
        recorder: &(impl Recorder + ?Sized),
        outcome: impl Into<Outcome>,
    ) -> Result<Accepted> {
        let outcome = outcome.into();
        self.end_with(recorder, |event| event.outcome(outcome)).await
    }

    /// Records the outcome, with values that are only known now: the change, a target's id.
    ///
    /// If a sweep has closed it as unknown meanwhile, records a second event with the outcome, so that
    /// what happened is not lost.
    ///
    /// # Errors
    /// As [`Recorder::accept`]. The attempt stays unfinished then.
    pub async fn end_with(
        self,
        recorder: &(impl Recorder + ?Sized),
        complete: impl FnOnce(NewEvent) -> NewEvent,
    ) -> Result<Accepted> {
        let Self { log, begun, event } = self;
        // The id is what makes it the end of this attempt.
        let event =
            complete(event).id(end_of(begun)).attribute(Self::BEGUN_ATTRIBUTE, begun.to_string());
        match recorder.accept(log, vec![event.clone()]).await {
            Err(error) if error.kind() == ErrorKind::Conflict => {
                let late = EventId::derived(*begun.as_uuid(), b"late end");
                recorder.accept(log, vec![event.id(late)]).await
            }
            ended => ended,
        }
    }

    /// Returns the attempts that began longer ago than `older_than` and have not ended, oldest first.
    ///
    /// Reads the first events of all attempts that the log still holds, and looks for the last of each.
    pub fn unfinished<S: AuditStore + ?Sized>(
        store: &S,
        log: impl Into<Log>,
        older_than: Duration,
    ) -> BoxStream<'_, Result<Self>> {
        let log = log.into();
        let until = Timestamp::now().saturating_sub(older_than);
        let begun = Filter::new().action(Action::ATTEMPT_BEGUN.as_str()).until(until);
        let query = EventQuery::new(log).filter(begun).order(Order::Sequence);
        let begun = store.walk(query).try_filter_map(move |event| async move {
            match store.get(log, end_of(event.id)).await {
                Ok(_) => Ok(None),
                Err(error) if error.kind() == ErrorKind::NotFound => Ok(Self::of(event)),
                Err(error) => Err(error),
            }
        });
        begun.boxed()
    }

    /// Closes the attempts that began longer ago than `older_than` and have not ended, with the outcome
    /// `unknown`, and returns their number.
    ///
    /// An attempt that ends at the same time is not counted. Let `older_than` be longer than any attempt takes.
    pub async fn sweep<S: AuditStore + ?Sized>(
        store: &S,
        log: impl Into<Log>,
        older_than: Duration,
    ) -> Result<u64> {
        let mut closed = 0;
        let mut unfinished = Self::unfinished(store, log, older_than);
        while let Some(attempt) = unfinished.try_next().await? {
            let outcome = Outcome::new(OutcomeResult::UNKNOWN).code("unfinished");
            match store.append(attempt.log, vec![attempt.event.outcome(outcome)]).await {
                Ok(_) => closed += 1,
                Err(error) if error.kind() == ErrorKind::Conflict => {}
                Err(error) => return Err(error),
            }
        }
        Ok(closed)
    }

    /// Returns the attempt that began with `begun`; `None` if another library wrote an event of this
    /// action.
    fn of(begun: AuditEvent) -> Option<Self> {
        let (log, id) = (begun.log, begun.id);
        let mut event = begun.into_content();
        event.action = event.attributes.remove(Self::ACTION_ATTRIBUTE)?.into();
        Some(Self::new(log, id, event))
    }
}

/// Returns the id of the event with which the attempt ends that began with the event `begun`.
fn end_of(begun: EventId) -> EventId {
    EventId::derived(*begun.as_uuid(), b"end")
}
