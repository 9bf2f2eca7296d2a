//! A mapping in the form in which it is applied: where each part of an event comes from.

use audit_core::limits::{MAX_ID_BYTES, MAX_NAME_BYTES, MAX_TEXT_BYTES};

use crate::expr::{Condition, Expr};
use crate::glob::Glob;
use crate::place::{Place, Spelling, View};
use crate::prepare::Program;

/// Where the parts of an event are found in the records of one system.
#[derive(Debug, Default)]
pub(crate) struct Layout {
    pub(crate) spelling: Spelling,
    /// What a record of the system has.
    pub(crate) marks: Vec<Mark>,
    /// The places of a delivery that can hold its records.
    pub(crate) unwrap: Vec<Place>,
    /// The number of these that the mapping names: they are looked into first, before the marks. The
    /// others are of deliveries of any system, and looked into for want of marks.
    pub(crate) own_unwrap: usize,
    /// What rewrites a record before the rest reads it.
    pub(crate) prepare: Option<Program>,
    /// The list of which each item is an event.
    pub(crate) split: Option<Place>,
    /// The keys of a record that are part of its delivery.
    pub(crate) envelope: Vec<Glob>,
    /// Whether a text that is JSON is known again by the JSON, not by its spelling.
    pub(crate) json_texts: bool,
    /// The places that can hold the time; from the number `carriers` on, those of systems that pass
    /// records on.
    pub(crate) times: Vec<TimePlace>,
    pub(crate) carriers: usize,
    /// The source's own id.
    pub(crate) id: Option<Expr>,
    /// The action comes first, then the other fields that hold one text.
    pub(crate) texts: Vec<(Slot, Expr)>,
    pub(crate) targets: Vec<Targets>,
    pub(crate) old: Vec<Place>,
    pub(crate) new: Vec<Place>,
    /// Whether the old and the new value are of a change.
    pub(crate) changed: Option<Condition>,
    pub(crate) diff: Vec<Diff>,
    pub(crate) attributes: Vec<(String, Expr)>,
}

/// A place that can hold the time of an event.
#[derive(Debug)]
pub(crate) struct TimePlace {
    pub(crate) place: Place,
    /// Under which condition the value is used.
    pub(crate) when: Option<Condition>,
}

/// What every record of the system has: one of several places, usually.
#[derive(Debug)]
pub(crate) struct Mark {
    pub(crate) condition: Condition,
    /// The places of the condition, for the error of a record without the mark.
    pub(crate) places: Vec<Place>,
}

/// A target, or one for each item of a list.
#[derive(Debug, Default)]
pub(crate) struct Targets {
    /// The list of which each item is a target, and before it the lists in whose items it is.
    pub(crate) each: Vec<Place>,
    pub(crate) when: Option<Condition>,
    pub(crate) kind: Option<Expr>,
    pub(crate) id: Option<Expr>,
    pub(crate) name: Option<Expr>,
    pub(crate) ids: Option<Ids>,
}

/// The keys of one object that hold ids.
#[derive(Debug)]
pub(crate) struct Ids {
    pub(crate) parent: Place,
    pub(crate) rows: Vec<IdRow>,
}

/// A key that holds an id.
#[derive(Debug)]
pub(crate) struct IdRow {
    pub(crate) key: String,
    pub(crate) place: Place,
    /// The type of what the id identifies.
    pub(crate) kind: String,
}

/// A changed field, or one for each item of a list, or one for each key that has a form.
#[derive(Debug)]
pub(crate) enum Diff {
    One(Sides),
    /// Of each item of the last list, of which each is in the items of the one before.
    Each(Vec<Place>, Sides),
    /// Of a key that has the form, the field is the text beside it; the key holds the old value, and
    /// the field's own key the new one.
    Keys(Vec<(Glob, String)>),
}

/// The name of a changed field, and the places of its values.
#[derive(Debug)]
pub(crate) struct Sides {
    pub(crate) when: Option<Condition>,
    pub(crate) field: Expr,
    pub(crate) old: Vec<Place>,
    pub(crate) new: Vec<Place>,
}

impl Sides {
    pub(crate) fn holds(&self, view: View<'_>) -> bool {
        self.when.as_ref().is_none_or(|when| when.holds(view))
    }
}

/// A field of an event that holds one text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Slot {
    Action,
    Category,
    Severity,
    Location,
    Reason,
    ChangeSet,
    Actor(Party, ActorField),
    OrganizationId,
    OrganizationName,
    Service,
    Product,
    Config,
    Environment,
    Surface,
    OutcomeResult,
    OutcomeCode,
    MessageTitle,
    MessageText,
    MessageKey,
    MessageParams,
    RequestMethod,
    RequestPath,
    RequestId,
    TraceId,
    SpanId,
}

/// The actor, or the one for whom the actor acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Party {
    Actor,
    Principal,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ActorField {
    Kind,
    Id,
    Name,
    Email,
    Ip,
    UserAgent,
    Details,
    SessionId,
    EntityClass,
    OrganizationId,
    OrganizationName,
}

impl Slot {
    /// The fields below each table of a mapping, `""` for the top, under their names.
    pub(crate) const FIELDS: &[(&str, &[(&str, Self)])] = &[
        (
            "",
            &[
                ("action", Self::Action),
                ("category", Self::Category),
                ("severity", Self::Severity),
                ("location", Self::Location),
                ("reason", Self::Reason),
                ("changeSetId", Self::ChangeSet),
            ],
        ),
        ("organization", &[("id", Self::OrganizationId), ("name", Self::OrganizationName)]),
        (
            "scope",
            &[
                ("service", Self::Service),
                ("product", Self::Product),
                ("config", Self::Config),
                ("environment", Self::Environment),
                ("surface", Self::Surface),
            ],
        ),
        ("outcome", &[("result", Self::OutcomeResult), ("code", Self::OutcomeCode)]),
        (
            "message",
            &[
                ("title", Self::MessageTitle),
                ("text", Self::MessageText),
                ("key", Self::MessageKey),
                ("params", Self::MessageParams),
            ],
        ),
        (
            "request",
            &[
                ("method", Self::RequestMethod),
                ("path", Self::RequestPath),
                ("id", Self::RequestId),
            ],
        ),
        ("trace", &[("traceId", Self::TraceId), ("spanId", Self::SpanId)]),
    ];

    /// Returns the most bytes that the field holds.
    pub(crate) const fn limit(self) -> usize {
        match self {
            Self::Action
            | Self::Category
            | Self::Severity
            | Self::Surface
            | Self::OutcomeResult
            | Self::RequestMethod
            | Self::Actor(_, ActorField::Kind | ActorField::EntityClass) => MAX_NAME_BYTES,
            Self::Location
            | Self::Reason
            | Self::MessageTitle
            | Self::MessageText
            | Self::MessageKey
            | Self::MessageParams
            | Self::RequestPath
            | Self::OrganizationName
            | Self::Actor(
                _,
                ActorField::Name
                | ActorField::UserAgent
                | ActorField::Details
                | ActorField::OrganizationName,
            ) => MAX_TEXT_BYTES,
            _ => MAX_ID_BYTES,
        }
    }

    /// Returns the name of the field in an event's JSON.
    pub(crate) fn name(self) -> String {
        if let Self::Actor(party, field) = self {
            let name = ActorField::FIELDS.iter().find(|(_, other)| *other == field);
            let table = if party == Party::Actor { "actor" } else { "actor.onBehalfOf" };
            return format!("{table}.{}", name.map_or("", |(name, _)| name));
        }
        let fields = Self::FIELDS.iter().flat_map(|(table, fields)| {
            fields.iter().map(move |(name, slot)| (*table, *name, *slot))
        });
        let found = fields.into_iter().find(|(_, _, slot)| *slot == self);
        found.map_or_else(String::new, |(table, name, _)| match table {
            "" => name.to_owned(),
            _ => format!("{table}.{name}"),
        })
    }
}

impl ActorField {
    pub(crate) const FIELDS: &[(&str, Self)] = &[
        ("kind", Self::Kind),
        ("id", Self::Id),
        ("name", Self::Name),
        ("email", Self::Email),
        ("ip", Self::Ip),
        ("userAgent", Self::UserAgent),
        ("details", Self::Details),
        ("sessionId", Self::SessionId),
        ("entityClass", Self::EntityClass),
        ("organization.id", Self::OrganizationId),
        ("organization.name", Self::OrganizationName),
    ];
}
