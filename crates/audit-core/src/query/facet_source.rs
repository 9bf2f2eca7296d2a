//! The values that an event has of each facet.

use super::facet::{Facet, UUID_BYTES};
use super::pair;
use crate::{
    Action, Actor, Attributes, AuditEvent, ChangeSetId, NewEvent, OrganizationRef, Outcome,
    RequestInfo, Scope, Severity, Source, Target, Trace,
};

/// The parts of an event that facets look at.
pub(crate) struct FacetSource<'a> {
    pub(crate) action: &'a Action,
    pub(crate) category: Option<&'a str>,
    pub(crate) actor: &'a Actor,
    pub(crate) targets: &'a [Target],
    pub(crate) organization: Option<&'a OrganizationRef>,
    pub(crate) scope: &'a Scope,
    pub(crate) change_set_id: Option<ChangeSetId>,
    pub(crate) outcome: Option<&'a Outcome>,
    pub(crate) severity: Option<&'a Severity>,
    pub(crate) request: &'a RequestInfo,
    pub(crate) trace: Option<&'a Trace>,
    pub(crate) source: Option<&'a Source>,
    pub(crate) attributes: &'a Attributes,
}

impl FacetSource<'_> {
    /// Calls `visit` with each value that the event has of `facet`, normalized.
    pub(crate) fn values(&self, facet: Facet, mut visit: impl FnMut(&str)) {
        let single = match facet {
            Facet::TargetType => {
                self.targets.iter().filter_map(|t| t.kind.as_deref()).for_each(visit);
                return;
            }
            Facet::TargetId => {
                self.targets.iter().filter_map(|t| t.id.as_deref()).for_each(visit);
                return;
            }
            Facet::Target => {
                for target in self.targets {
                    if let (Some(kind), Some(id)) = (&target.kind, &target.id) {
                        visit(&pair::join(kind, id));
                    }
                }
                return;
            }
            Facet::Involving => {
                let targets = self.targets.iter().filter_map(|t| t.id.as_deref());
                let actors = self.actor.chain().filter_map(|actor| actor.id.as_deref());
                actors.chain(targets).for_each(visit);
                return;
            }
            Facet::OnBehalfOf => {
                let principals = self.actor.chain().skip(1);
                principals.filter_map(|actor| actor.id.as_deref()).for_each(visit);
                return;
            }
            Facet::Session => {
                let actors = self.actor.chain();
                actors.filter_map(|actor| actor.session_id.as_deref()).for_each(visit);
                return;
            }
            Facet::Trace => {
                if let Some(trace) = self.trace {
                    visit(&trace.trace_id.to_string());
                }
                return;
            }
            Facet::Source => {
                if let Some(source) = self.source {
                    visit(&pair::join(&source.system, &source.id));
                }
                return;
            }
            Facet::Attribute => {
                for (key, value) in self.attributes.iter() {
                    visit(&pair::join(key, value));
                }
                return;
            }
            Facet::ChangeSet => {
                if let Some(id) = self.change_set_id {
                    visit(id.as_uuid().hyphenated().encode_lower(&mut [0; UUID_BYTES]));
                }
                return;
            }
            Facet::Action => Some(self.action.as_str()),
            Facet::Category => self.category,
            Facet::ActorKind => Some(self.actor.kind.as_str()),
            Facet::ActorId => self.actor.id.as_deref(),
            Facet::ActorEmail => self.actor.email.as_deref(),
            Facet::ActorIp => self.actor.ip.as_deref(),
            Facet::Outcome => self.outcome.map(|outcome| outcome.result.as_str()),
            Facet::Severity => self.severity.map(Severity::as_str),
            Facet::Request => self.request.id.as_deref(),
            Facet::SourceSystem => self.source.map(|source| source.system.as_str()),
            Facet::Organization => self.organization.map(|o| o.id.as_str()),
            Facet::Service => self.scope.service.as_deref(),
            Facet::Product => self.scope.product.as_deref(),
            Facet::Config => self.scope.config.as_deref(),
            Facet::Environment => self.scope.environment.as_deref(),
            Facet::Surface => self.scope.surface.as_ref().map(crate::Surface::as_str),
        };
        if let Some(value) = single {
            visit(&facet.normalize(value));
        }
    }
}

/// Implements the view of an event that filters use, for an event with and without a log.
macro_rules! faceted {
    ($($event:ident),*) => {$(
        impl $event {
            pub(crate) fn facets(&self) -> FacetSource<'_> {
                FacetSource {
                    action: &self.action,
                    category: self.category.as_deref(),
                    actor: &self.actor,
                    targets: &self.targets,
                    organization: self.organization.as_ref(),
                    scope: &self.scope,
                    change_set_id: self.change_set_id,
                    outcome: self.outcome.as_ref(),
                    severity: self.severity.as_ref(),
                    request: &self.request,
                    trace: self.trace.as_ref(),
                    source: self.source.as_ref(),
                    attributes: &self.attributes,
                }
            }
        }
    )*};
}

faceted!(NewEvent, AuditEvent);
