//! The fields of an event that hold one text.

use audit_core::{Actor, NewEvent, OrganizationRef, Outcome, OutcomeResult, Trace};

use crate::layout::{ActorField, Party, Slot};

/// The parts of an event that are put together of several texts.
#[derive(Default)]
pub(crate) struct Parts {
    principal: Option<Actor>,
    organizations: [Option<OrganizationRef>; 3],
    code: Option<String>,
    trace: Option<audit_core::TraceId>,
    span: Option<audit_core::SpanId>,
}

impl Parts {
    pub(crate) fn set(&mut self, event: &mut NewEvent, slot: Slot, text: String) {
        match slot {
            Slot::Action => event.action = text.into(),
            Slot::Category => event.category = Some(text),
            Slot::Severity => event.severity = Some(text.into()),
            Slot::Location => event.location = Some(text),
            Slot::Reason => event.reason = Some(text),
            Slot::ChangeSet => event.change_set_id = text.parse().ok(),
            Slot::Actor(Party::Actor, field) => {
                actor(&mut event.actor, &mut self.organizations[1], field, text);
            }
            Slot::Actor(Party::Principal, field) => {
                let principal = self.principal.get_or_insert_with(Actor::unknown);
                actor(principal, &mut self.organizations[2], field, text);
            }
            Slot::OrganizationId => organization(&mut self.organizations[0]).id = text,
            Slot::OrganizationName => organization(&mut self.organizations[0]).name = Some(text),
            Slot::Service => event.scope.service = Some(text),
            Slot::Product => event.scope.product = Some(text),
            Slot::Config => event.scope.config = Some(text),
            Slot::Environment => event.scope.environment = Some(text),
            Slot::Surface => event.scope.surface = Some(text.into()),
            Slot::OutcomeResult => event.outcome = Some(Outcome::new(text)),
            Slot::OutcomeCode => self.code = Some(text),
            Slot::MessageTitle => event.message.title = Some(text),
            Slot::MessageText => event.message.text = Some(text),
            Slot::MessageKey => event.message.key = Some(text),
            Slot::MessageParams => event.message.params = Some(text),
            Slot::RequestMethod => event.request.method = Some(text),
            Slot::RequestPath => event.request.path = Some(text),
            Slot::RequestId => event.request.id = Some(text),
            Slot::TraceId => self.trace = text.parse().ok(),
            Slot::SpanId => self.span = text.parse().ok(),
        }
    }

    pub(crate) fn finish(self, event: &mut NewEvent) {
        let [whole, actor, principal] = self.organizations;
        event.organization = whole;
        event.actor.organization = actor;
        event.actor.on_behalf_of = self.principal.map(|mut actor| {
            actor.organization = principal;
            Box::new(actor)
        });
        if let Some(code) = self.code {
            let outcome = event.outcome.take();
            event.outcome =
                Some(outcome.unwrap_or_else(|| OutcomeResult::UNKNOWN.into()).code(code));
        }
        event.trace = self.trace.map(|trace| {
            let trace = Trace::new(trace);
            self.span.map_or(trace, |span| trace.span_id(span))
        });
    }
}

fn organization(organization: &mut Option<OrganizationRef>) -> &mut OrganizationRef {
    organization.get_or_insert_with(|| OrganizationRef::new(""))
}

fn actor(
    actor: &mut Actor,
    organization: &mut Option<OrganizationRef>,
    field: ActorField,
    text: String,
) {
    match field {
        ActorField::Kind => actor.kind = text.into(),
        ActorField::Id => actor.id = Some(text),
        ActorField::Name => actor.name = Some(text),
        ActorField::Email => actor.email = Some(text),
        ActorField::Ip => actor.ip = Some(text),
        ActorField::UserAgent => actor.user_agent = Some(text),
        ActorField::Details => actor.details = Some(text),
        ActorField::SessionId => actor.session_id = Some(text),
        ActorField::EntityClass => actor.entity_class = Some(text.into()),
        ActorField::OrganizationId => self::organization(organization).id = text,
        ActorField::OrganizationName => self::organization(organization).name = Some(text),
    }
}
