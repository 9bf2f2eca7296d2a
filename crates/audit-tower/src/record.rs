//! An event that a handler is about to record.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::task::{Context, Poll};

use audit_core::{
    Accepted, Audited, Change, Diff, EventId, IntoEvent, Log, Message, NewEvent, Outcome, Result,
    Scope, Severity, Staged, Target,
};
use futures_util::ready;
use serde::Serialize;
use serde_json::Value;

use crate::audit::Audit;
use crate::finisher::Carried;
use crate::not_recorded::NotRecorded;

/// An event that a handler is about to record, from [`Audit::record`]. It has the setters of
/// [`NewEvent`].
///
/// | to | end with |
/// |---|---|
/// | record it now: it is durable when this returns | `.await?` |
/// | record it with the outcome of the response | [`.on_response()?`](Self::on_response) |
/// | record it in your own transaction | [`.into_event()?`](Self::into_event), or [`.stage()?`](Self::stage) with any driver |
///
/// An event that is recorded now is a success unless [`outcome`](Self::outcome) says otherwise. Once it is
/// polled, it is recorded although the client hangs up.
///
/// One that is not ended is a warning of the compiler, which a service should deny:
///
/// ```compile_fail
/// #![deny(unused_must_use)]
/// # use audit_tower::Audit;
/// async fn pay(audit: Audit) {
///     audit.record("invoice.paid");
/// }
/// ```
#[must_use = "an event is not recorded until it is awaited"]
pub struct Record {
    audit: Audit,
    log: Log,
    event: Result<NewEvent>,
}

/// Declares setters that [`NewEvent`] has, too.
macro_rules! setters {
    ($($(#[$doc:meta])* $name:ident($($argument:ident: $type:ty),*);)*) => {
        impl Record {
            $($(#[$doc])*
            pub fn $name(self, $($argument: $type),*) -> Self {
                self.with(|event| event.$name($($argument),*))
            })*
        }
    };
}

setters! {
    /// Sets the id. Derive it from the id of a message that may come twice.
    id(id: impl Into<EventId>);
    /// Sets the outcome. It goes before that of the response.
    outcome(outcome: impl Into<Outcome>);
    /// Sets the severity.
    severity(severity: impl Into<Severity>);
    /// Sets the category.
    category(category: impl Into<String>);
    /// Adds the target of type `kind` with the id `id`.
    target(kind: impl Into<String>, id: impl Into<String>);
    /// Adds a target.
    add_target(target: Target);
    /// Sets the part of the product to which the event belongs.
    scope(scope: Scope);
    /// Sets the change. [`changed`](Record::changed) compares two values.
    change(change: Change);
    /// Sets the message for people.
    message(message: impl Into<Message>);
    /// Sets the reason, as the actor stated it.
    reason(reason: impl Into<String>);
    /// Sets one attribute.
    attribute(key: impl Into<String>, value: impl Into<String>);
    /// Sets one entry of the metadata.
    metadata(key: impl Into<String>, value: impl Into<Value>);
}

impl Audit {
    /// Begins the event of `action` in the context of the request. `await` records it; see [`Record`].
    /// The action is its name, or an [`AuditAction`](audit_core::AuditAction) of the service.
    ///
    /// The context is the [current](audit_core::AuditContext::current) one, or that of the request in a task that
    /// was spawned without it.
    pub fn record(&self, action: impl IntoEvent) -> Record {
        let context = self.context();
        let log = self.log_of(&context);
        Record { audit: self.clone(), log, event: Ok(context.new_event(action)) }
    }
}

impl Record {
    /// Changes any other field of the event.
    pub fn with(mut self, change: impl FnOnce(NewEvent) -> NewEvent) -> Self {
        self.event = self.event.map(change);
        self
    }

    /// Sets the log, if it is not that of the request.
    pub fn log(mut self, log: impl Into<Log>) -> Self {
        self.log = log.into();
        self
    }

    /// Sets the change from `before` to `after`, with secrets masked: see [`Change::of`].
    pub fn changed<T, U>(self, before: &T, after: &U) -> Self
    where
        T: Serialize + ?Sized,
        U: Serialize + ?Sized,
    {
        self.changed_by(&Diff::new(), before, after)
    }

    /// Adds the target, unless the event has it, and sets the change from `before` to `after`, in the form
    /// that their type states: see [`Audited`].
    pub fn audited<T: Audited>(mut self, before: &T, after: &T) -> Self {
        self.event = self.event.and_then(|mut event| {
            let target = after.target();
            if !event.targets.contains(&target) {
                event.targets.push(target);
            }
            Ok(event.change(Change::audited(before, after)?))
        });
        self
    }

    /// Sets the change from `before` to `after` by the rules of `diff`.
    pub fn changed_by<T, U>(mut self, diff: &Diff, before: &T, after: &U) -> Self
    where
        T: Serialize + ?Sized,
        U: Serialize + ?Sized,
    {
        self.event = self.event.and_then(|event| Ok(event.change(diff.compare(before, after)?)));
        self
    }

    /// Leaves the event to the layer, which records it before it returns the response, with the
    /// response's outcome. If that fails, the client gets the error in place of the response. If the client hangs up
    /// before, the outcome is `unknown`.
    ///
    /// # Errors
    /// Fails if the event exceeds a limit.
    pub fn on_response(self) -> Result<(), NotRecorded> {
        let event = self.event?;
        event.validate()?;
        self.audit.wait(self.log, event);
        Ok(())
    }

    /// Returns the event, to be recorded in a transaction of the service. It is a success unless
    /// [`outcome`](Self::outcome) says otherwise: it is in the log only if the transaction commits.
    ///
    /// The layer takes it for recorded if the request succeeds; a failed request is recorded by the layer,
    /// because its transaction may have been rolled back.
    ///
    /// # Errors
    /// Fails if the values of a change cannot be compared.
    pub fn into_event(self) -> Result<NewEvent, NotRecorded> {
        let mut event = self.event?;
        event.outcome.get_or_insert_with(Outcome::success);
        self.audit.scope().add(event.id);
        Ok(event)
    }

    /// Returns the event checked and encoded, to be staged in a transaction of the service by its own
    /// driver: see [`Staged`]. For the rest it is [`into_event`](Self::into_event).
    ///
    /// # Errors
    /// Fails if the values of a change cannot be compared, or if the event exceeds a limit.
    pub fn stage(self) -> Result<Staged, NotRecorded> {
        let mut event = self.event?;
        event.outcome.get_or_insert_with(Outcome::success);
        let id = event.id;
        let staged = Staged::new(self.log, vec![event])?;
        self.audit.scope().add(id);
        Ok(staged)
    }
}

impl IntoFuture for Record {
    type Output = Result<Accepted, NotRecorded>;
    type IntoFuture = Recording;

    fn into_future(self) -> Recording {
        let Self { audit, log, event } = self;
        let begin = |mut event: NewEvent| {
            event.outcome.get_or_insert_with(Outcome::success);
            event.validate()?;
            audit.recording();
            Ok(audit.config().record(log, vec![event]))
        };
        let begun = event.and_then(begin).map_err(|error| Some(error.into()));
        Recording { begun, audit }
    }
}

/// The future of a [`Record`]. It is carried through once it is polled.
pub struct Recording {
    begun: Result<Carried<Result<Accepted>>, Option<NotRecorded>>,
    audit: Audit,
}

impl Future for Recording {
    type Output = Result<Accepted, NotRecorded>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.begun {
            Ok(carried) => {
                let accepted = ready!(Pin::new(carried).poll(context));
                Poll::Ready(accepted.map_err(|error| {
                    self.audit.not_recorded();
                    error.into()
                }))
            }
            // It is gone if this is polled after it was ready.
            Err(error) => error.take().map_or(Poll::Pending, |error| Poll::Ready(Err(error))),
        }
    }
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record")
            .field("log", &self.log)
            .field("event", &self.event)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Recording {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recording").finish_non_exhaustive()
    }
}
