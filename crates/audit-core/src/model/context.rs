//! The context of an action: who, why, in which request.

use crate::{Action, Actor, ChangeSetId, NewEvent, RequestInfo};

/// On whose behalf an organization is changed: what its event says beside the change itself.
///
/// ```
/// use audit_core::{Actor, AuditContext};
///
/// let by = AuditContext::new(Actor::user("u_1")).reason("renamed after the merger");
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct AuditContext {
    /// Who changes it.
    pub actor: Actor,
    /// Why.
    pub reason: Option<String>,
    /// The request in which it is changed.
    pub request: RequestInfo,
    /// The change made in several places of which this is one.
    pub change_set_id: Option<ChangeSetId>,
}

impl AuditContext {
    /// On behalf of `actor`.
    pub fn new(actor: Actor) -> Self {
        Self { actor, reason: None, request: RequestInfo::default(), change_set_id: None }
    }

    /// Sets the reason.
    #[must_use]
    pub fn reason(mut self, reason: impl Into<String>) -> Self {
        self.reason = Some(reason.into());
        self
    }

    /// Sets the request.
    #[must_use]
    pub fn request(mut self, method: impl Into<String>, path: impl Into<String>) -> Self {
        self.request = RequestInfo::new(method, path);
        self
    }

    /// Sets the change set.
    #[must_use]
    pub fn change_set_id(mut self, id: impl Into<ChangeSetId>) -> Self {
        self.change_set_id = Some(id.into());
        self
    }
}

impl AuditContext {
    /// The event that this did `action`, without what the action was done to.
    pub(crate) fn event(self, action: Action) -> NewEvent {
        NewEvent {
            reason: self.reason,
            request: self.request,
            change_set_id: self.change_set_id,
            ..NewEvent::new(action, self.actor)
        }
    }
}

impl From<Actor> for AuditContext {
    fn from(actor: Actor) -> Self {
        Self::new(actor)
    }
}
