//! The scope of a context: the current context, and the events that were made in it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::{AuditContext, EventId};

/// A scope that its owner can look into: the [`AuditContext`] that is current in it, and the events
/// that were made in it. [`AuditContext::scope`] opens one that nobody has to look into.
///
/// ```
/// use audit_core::{Actor, AuditContext, ContextScope, NewEvent};
///
/// let scope = ContextScope::new(AuditContext::new(Actor::user("u_7")));
/// let work = async { NewEvent::here("invoice.paid").map(|event| event.id) };
/// let id = futures_executor::block_on(scope.enter(work))?;
/// assert_eq!(scope.events(), [id]);
/// # Ok::<(), audit_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct ContextScope {
    context: Arc<Mutex<AuditContext>>,
    /// Shared with the scopes within.
    events: Arc<Mutex<Vec<EventId>>>,
}

impl ContextScope {
    /// Returns a scope of `context`, in which no event was made.
    pub fn new(context: AuditContext) -> Self {
        Self { context: Arc::new(Mutex::new(context)), events: Arc::default() }
    }

    /// Returns a scope of `context` within this one: the events made in it are made in this one, too.
    pub(super) fn inner(&self, context: AuditContext) -> Self {
        Self { context: Arc::new(Mutex::new(context)), events: Arc::clone(&self.events) }
    }

    /// Returns the context as it is now.
    pub fn context(&self) -> AuditContext {
        lock(&self.context).clone()
    }

    /// Changes the context. Has no effect on scopes within this one.
    pub fn amend(&self, change: impl FnOnce(&mut AuditContext)) {
        // Changed outside the lock, so that the closure may use the current context.
        let mut context = self.context();
        change(&mut context);
        *lock(&self.context) = context;
    }

    /// Returns the ids of the events that [`NewEvent::here`](crate::NewEvent::here) made in this scope
    /// and in scopes within it, in order.
    ///
    /// That an event was made does not say that it was recorded: a transaction can have been rolled
    /// back.
    pub fn events(&self) -> Vec<EventId> {
        lock(&self.events).clone()
    }

    /// Adds an event that was made otherwise.
    pub fn add(&self, event: EventId) {
        lock(&self.events).push(event);
    }
}

/// No code that can panic runs under a lock, so that its value is whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
