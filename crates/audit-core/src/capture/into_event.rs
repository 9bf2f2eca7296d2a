//! The conversion to an event.

use crate::{Action, AuditContext, NewEvent};

/// Converts to an event in a context: the name of an action, or an
/// [`AuditAction`](crate::AuditAction), which has its targets and attributes with it.
///
/// ```
/// use audit_core::{Actor, AuditContext, IntoEvent};
///
/// let event = "invoice.paid".into_event(AuditContext::new(Actor::user("u_7")));
/// assert_eq!(event.action.as_str(), "invoice.paid");
/// ```
pub trait IntoEvent {
    /// Returns the event of the action in `context`.
    ///
    /// It occurs when it is appended, so that an event that is delivered twice is recorded once.
    fn into_event(self, context: AuditContext) -> NewEvent;
}

impl<A: Into<Action>> IntoEvent for A {
    fn into_event(self, context: AuditContext) -> NewEvent {
        context.named_event(self.into())
    }
}
