//! Changes of organizations and keys: by whom, and in which logs they are recorded.

use audit_core::{
    Actor, AuditContext, AuditEvent, ChangeSetId, EventQuery, Log, Order, OrganizationId, Scope,
    Surface,
};
use uuid::Uuid;

use crate::TenantHarness;
use crate::samples::trace;
use crate::subject::Subject;

pub(super) fn by() -> AuditContext {
    AuditContext::new(Actor::user("u_1").email("ana@example.org"))
}

/// Returns a context with every field set.
pub(super) fn attributed() -> AuditContext {
    let actor = Actor::api("key_1").name("Deploy key").ip("10.0.0.7").session_id("sess_1");
    AuditContext::new(actor.on_behalf_of(Actor::user("u_1").name("Bea")))
        .request_id("req_1")
        .trace(trace("4bf92f3577b34da6a3ce929d0e0e4736"))
        .reason("asked for in ticket 7")
        .submitted_by("key_7")
        .request("POST", "/organizations")
        .change_set_id(ChangeSetId::derived(Uuid::nil(), b"set"))
}

/// Returns the scope of every event of an organization or a key, by which people filter such events.
pub(super) fn platform_scope() -> Scope {
    Scope::default().surface(Surface::PLATFORM)
}

pub(super) fn assert_attributed(event: &AuditEvent) {
    let AuditContext { actor, reason, submitted_by, request, trace, change_set_id, .. } =
        attributed();
    assert_eq!(event.actor, actor, "the event names the actor");
    assert_eq!(event.reason, reason, "the event says why");
    assert_eq!(event.submitted_by, submitted_by, "the event says with which credential");
    assert!(event.by_store, "the event is marked as the store's own");
    assert_eq!(event.request, request, "the event says in which request");
    assert_eq!(event.trace, trace, "the event names the trace");
    assert_eq!(event.change_set_id, change_set_id, "the event names the change set");
}

impl Subject<dyn TenantHarness> {
    /// Returns the sizes of the logs in which a change is recorded: the organization's own, and
    /// the platform's.
    pub(super) fn sizes(&self, id: OrganizationId) -> [u64; 2] {
        [id.into(), Log::Platform].map(|log| self.head(log).size.get())
    }

    /// Returns the last event of an organization's log, which must be the `number`th.
    pub(super) fn last_event(&self, id: OrganizationId, number: u64) -> AuditEvent {
        let page = self.page(&EventQuery::new(id).limit(1).order(Order::NewestFirst));
        let event = page.events.into_iter().next().expect("a change leaves an event");
        assert_eq!(event.sequence.get(), number, "each change leaves one event");
        event
    }

    /// Checks that the event of an organization's log is also the platform's last.
    pub(super) fn assert_recorded_in_both(&self, event: &AuditEvent) {
        let copy = self.events(Log::Platform).pop().expect("the platform's log records a change");
        assert_eq!(copy.log, Log::Platform, "the platform's log holds events of its own");
        assert_eq!(copy.id, event.id, "both logs record a change under one id");
        let (copy, event) = (copy.into_content(), event.clone().into_content());
        assert_eq!(copy, event, "both logs record the same content");
    }
}
