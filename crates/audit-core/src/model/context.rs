//! The context of an action: by whom, why, in which request and trace.

use crate::{
    Action, Actor, ChangeSetId, IntoEvent, Log, NewEvent, OrganizationRef, RequestInfo, Timestamp,
    Trace,
};

/// Declares the setters of the fields that an event has from the context of its action.
macro_rules! context_setters {
    ($type:ty) => {
        impl $type {
            /// Sets the reason for the action, as the actor stated it.
            #[must_use]
            pub fn reason(mut self, reason: impl Into<String>) -> Self {
                self.reason = Some(reason.into());
                self
            }

            /// Sets the id of the credential with which the action was requested.
            #[must_use]
            pub fn submitted_by(mut self, id: impl Into<String>) -> Self {
                self.submitted_by = Some(id.into());
                self
            }

            /// Sets the method and the path of the request that causes the action.
            #[must_use]
            pub fn request(mut self, method: impl Into<String>, path: impl Into<String>) -> Self {
                self.request.method = Some(method.into());
                self.request.path = Some(path.into());
                self
            }

            /// Sets the pattern of the route that the request matched: `/invoices/{id}/pay`.
            #[must_use]
            pub fn route(mut self, route: impl Into<String>) -> Self {
                self.request.route = Some(route.into());
                self
            }

            /// Sets the id of the request that causes the action.
            #[must_use]
            pub fn request_id(mut self, id: impl Into<String>) -> Self {
                self.request.id = Some(id.into());
                self
            }

            /// Sets the trace of the action.
            #[must_use]
            pub fn trace(mut self, trace: impl Into<crate::Trace>) -> Self {
                self.trace = Some(trace.into());
                self
            }

            /// Sets the change set of the action.
            #[must_use]
            pub fn change_set_id(mut self, id: impl Into<crate::ChangeSetId>) -> Self {
                self.change_set_id = Some(id.into());
                self
            }
        }
    };
}
pub(super) use context_setters;

/// The context in which an action is performed: the actor, with its session and the actor for whom
/// it acts, the log and the organization, the reason, the request and the trace.
///
/// ```
/// use audit_core::{Actor, AuditContext};
///
/// let by = AuditContext::new(Actor::user("u_1")).reason("renamed after the merger");
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct AuditContext {
    /// The actor.
    pub actor: Actor,
    /// The log to which the events of the action belong.
    pub log: Option<Log>,
    /// The organization of the events, if it is not that of the log.
    pub organization: Option<OrganizationRef>,
    /// The reason.
    pub reason: Option<String>,
    /// The id of the credential with which the action was requested.
    pub submitted_by: Option<String>,
    /// The request that causes the action.
    pub request: RequestInfo,
    /// The trace of the action.
    pub trace: Option<Trace>,
    /// The change set of the action.
    pub change_set_id: Option<ChangeSetId>,
}

context_setters!(AuditContext);

impl AuditContext {
    /// Returns the context of an action by `actor`.
    pub fn new(actor: Actor) -> Self {
        Self {
            actor,
            log: None,
            organization: None,
            reason: None,
            submitted_by: None,
            request: RequestInfo::default(),
            trace: None,
            change_set_id: None,
        }
    }

    /// Sets the log to which the events of the action belong: that of the tenant.
    #[must_use]
    pub fn log(mut self, log: impl Into<Log>) -> Self {
        self.log = Some(log.into());
        self
    }

    /// Sets the organization of the events, if it is not that of the log.
    #[must_use]
    pub fn organization(mut self, organization: impl Into<OrganizationRef>) -> Self {
        self.organization = Some(organization.into());
        self
    }

    /// Returns the event of `action` in this context.
    ///
    /// It occurs when it is appended, so that an event that is delivered twice is recorded once.
    pub fn new_event(self, action: impl IntoEvent) -> NewEvent {
        action.into_event(self)
    }

    /// Returns the event of `action` in this context, without targets.
    pub(crate) fn named_event(self, action: Action) -> NewEvent {
        NewEvent {
            organization: self.organization,
            reason: self.reason,
            submitted_by: self.submitted_by,
            request: self.request,
            trace: self.trace,
            change_set_id: self.change_set_id,
            ..NewEvent::named(action, self.actor)
        }
    }

    /// Returns the event of `action`, which occurs now, without targets.
    pub(crate) fn event(self, action: Action) -> NewEvent {
        self.new_event(action).occurred_at(Timestamp::now())
    }
}

impl From<Actor> for AuditContext {
    fn from(actor: Actor) -> Self {
        Self::new(actor)
    }
}
