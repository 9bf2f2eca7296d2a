//! The facet: a property of events by which a filter selects.

use crate::limits::{MAX_ID_BYTES, MAX_NAME_BYTES};
use crate::{Action, Actor, AuditEvent, ChangeSetId, NewEvent, OrganizationRef, Scope, Target};

/// A property of events by which a filter selects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Facet {
    /// The action, exact, or with `prefix.*` every action that starts with `prefix.`.
    Action,
    /// The category.
    Category,
    /// The actor's kind.
    ActorKind,
    /// The actor's id.
    ActorId,
    /// The actor's e-mail address, letter by letter. Personal.
    ActorEmail,
    /// The type of a target. With [`Facet::TargetId`], one and the same target has both.
    TargetType,
    /// The id of a target.
    TargetId,
    /// The organization that the event names.
    Organization,
    /// The service of the scope.
    Service,
    /// The product of the scope.
    Product,
    /// The config of the scope.
    Config,
    /// The environment of the scope.
    Environment,
    /// The surface of the scope.
    Surface,
    /// The change set.
    ChangeSet,
}

impl Facet {
    /// Every facet.
    pub const ALL: [Self; 14] = [
        Self::Action,
        Self::Category,
        Self::ActorKind,
        Self::ActorId,
        Self::ActorEmail,
        Self::TargetType,
        Self::TargetId,
        Self::Organization,
        Self::Service,
        Self::Product,
        Self::Config,
        Self::Environment,
        Self::Surface,
        Self::ChangeSet,
    ];

    /// The facet's name, as errors and parameters spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Action => "action",
            Self::Category => "category",
            Self::ActorKind => "actorKind",
            Self::ActorId => "actorId",
            Self::ActorEmail => "actorEmail",
            Self::TargetType => "targetType",
            Self::TargetId => "targetId",
            Self::Organization => "organizationId",
            Self::Service => "service",
            Self::Product => "product",
            Self::Config => "config",
            Self::Environment => "environment",
            Self::Surface => "surface",
            Self::ChangeSet => "changeSetId",
        }
    }

    /// The most bytes that a value of this facet has.
    pub fn limit(self) -> usize {
        match self {
            Self::Action | Self::Category | Self::ActorKind | Self::TargetType | Self::Surface => {
                MAX_NAME_BYTES
            }
            _ => MAX_ID_BYTES,
        }
    }
}

/// The parts of an event that facets look at.
pub(crate) struct FacetSource<'a> {
    pub(crate) action: &'a Action,
    pub(crate) category: Option<&'a str>,
    pub(crate) actor: &'a Actor,
    pub(crate) targets: &'a [Target],
    pub(crate) organization: Option<&'a OrganizationRef>,
    pub(crate) scope: &'a Scope,
    pub(crate) change_set_id: Option<ChangeSetId>,
}

impl FacetSource<'_> {
    /// Calls `visit` with each value that the event has of `facet`.
    pub(crate) fn values(&self, facet: Facet, mut visit: impl FnMut(&str)) {
        let single = match facet {
            Facet::TargetType | Facet::TargetId => {
                for target in self.targets {
                    let value = if facet == Facet::TargetId { &target.id } else { &target.kind };
                    value.as_deref().into_iter().for_each(&mut visit);
                }
                None
            }
            Facet::ChangeSet => {
                if let Some(id) = self.change_set_id {
                    visit(id.as_uuid().hyphenated().encode_lower(&mut [0; 36]));
                }
                None
            }
            Facet::Action => Some(self.action.as_str()),
            Facet::Category => self.category,
            Facet::ActorKind => Some(self.actor.kind.as_str()),
            Facet::ActorId => self.actor.id.as_deref(),
            Facet::ActorEmail => self.actor.email.as_deref(),
            Facet::Organization => self.organization.map(|o| o.id.as_str()),
            Facet::Service => self.scope.service.as_deref(),
            Facet::Product => self.scope.product.as_deref(),
            Facet::Config => self.scope.config.as_deref(),
            Facet::Environment => self.scope.environment.as_deref(),
            Facet::Surface => self.scope.surface.as_ref().map(crate::Surface::as_str),
        };
        single.into_iter().for_each(visit);
    }
}

/// What filters look at is the same in both.
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
                }
            }
        }
    )*};
}

faceted!(NewEvent, AuditEvent);
