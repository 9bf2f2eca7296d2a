//! The facet: a property of events by which a filter selects.

use std::borrow::Cow;

use super::pair;
use crate::limits::{self, MAX_ACTION_SEGMENTS, MAX_ID_BYTES, MAX_NAME_BYTES};
use crate::{Error, Result, TraceId, Violation};

/// A property of events by which a filter selects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Facet {
    /// The action: exact, or `prefix.*` for every action that starts with `prefix.`.
    Action,
    /// The category.
    Category,
    /// The actor's kind.
    ActorKind,
    /// The actor's id.
    ActorId,
    /// The actor's e-mail address, compared in lower case. Personal.
    ActorEmail,
    /// The actor's IP address, as recorded. Personal.
    ActorIp,
    /// The id of an actor on whose behalf the actor acted, directly or in turn.
    OnBehalfOf,
    /// The session of the actor, or of an actor on whose behalf it acted.
    Session,
    /// An id as the actor's, as a target's, or as that of an actor on whose behalf the actor acted.
    Involving,
    /// The result of the outcome.
    Outcome,
    /// The severity.
    Severity,
    /// The type and the id of one target, as `type=id`.
    Target,
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
    /// The id of the request.
    Request,
    /// The trace id.
    Trace,
    /// The foreign system that recorded the event first.
    SourceSystem,
    /// The foreign system and the id of the event there, as `system=id`.
    Source,
    /// The key and the value of an attribute, as `key=value`.
    Attribute,
}

impl Facet {
    /// Every facet.
    pub const ALL: [Self; 26] = [
        Self::Action,
        Self::Category,
        Self::ActorKind,
        Self::ActorId,
        Self::ActorEmail,
        Self::ActorIp,
        Self::OnBehalfOf,
        Self::Session,
        Self::Involving,
        Self::Outcome,
        Self::Severity,
        Self::Target,
        Self::TargetType,
        Self::TargetId,
        Self::Organization,
        Self::Service,
        Self::Product,
        Self::Config,
        Self::Environment,
        Self::Surface,
        Self::ChangeSet,
        Self::Request,
        Self::Trace,
        Self::SourceSystem,
        Self::Source,
        Self::Attribute,
    ];

    /// Returns the facet's name, as [query parameters](crate::Filter::from_query) and errors spell
    /// it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Action => "action",
            Self::Category => "category",
            Self::ActorKind => "actorKind",
            Self::ActorId => "actorId",
            Self::ActorEmail => "actorEmail",
            Self::ActorIp => "actorIp",
            Self::OnBehalfOf => "onBehalfOfId",
            Self::Session => "sessionId",
            Self::Involving => "involving",
            Self::Outcome => "outcome",
            Self::Severity => "severity",
            Self::Target => "target",
            Self::TargetType => "targetType",
            Self::TargetId => "targetId",
            Self::Organization => "namedOrganizationId",
            Self::Service => "service",
            Self::Product => "product",
            Self::Config => "config",
            Self::Environment => "environment",
            Self::Surface => "surface",
            Self::ChangeSet => "changeSetId",
            Self::Request => "requestId",
            Self::Trace => "traceId",
            Self::SourceSystem => "sourceSystem",
            Self::Source => "source",
            Self::Attribute => "attribute",
        }
    }

    /// Returns the form in which values of the facet are compared.
    ///
    /// E-mail addresses are compared in lower case, after [`str::to_lowercase`], and so are change
    /// sets and trace ids. All other values are compared byte by byte.
    pub(crate) fn normalize(self, value: &str) -> Cow<'_, str> {
        match self {
            Self::ActorEmail => {
                let is_lower = |byte: u8| byte.is_ascii() && !byte.is_ascii_uppercase();
                if value.bytes().all(is_lower) {
                    Cow::Borrowed(value)
                } else {
                    Cow::Owned(value.to_lowercase())
                }
            }
            Self::ChangeSet => {
                uuid_of(value).map_or(value.into(), |id| id.hyphenated().to_string().into())
            }
            Self::Trace => {
                value.parse::<TraceId>().map_or(value.into(), |id| id.to_string().into())
            }
            _ => Cow::Borrowed(value),
        }
    }

    /// Returns the form of the values, if they are pairs.
    fn pair_form(self) -> Option<&'static str> {
        match self {
            Self::Target => Some("`type=id`, with `\\=` for `=` in the type"),
            Self::Source => Some("`system=id`, with `\\=` for `=` in the system"),
            Self::Attribute => Some("`key=value`, with `\\=` for `=` in the key"),
            _ => None,
        }
    }

    /// Checks a normalized value: its length, and that an event can have it. So a condition that no
    /// event can meet is an error, and not a list without events.
    pub(crate) fn check(self, value: &str) -> Result<()> {
        let name = self.name();
        if let Some(form) = self.pair_form() {
            let (left, right) = pair::split(value).ok_or_else(|| Error::malformed(name, form))?;
            if self == Self::Target {
                limits::text(format_args!("{name}"), &left, MAX_NAME_BYTES)?;
            } else {
                limits::required(format_args!("{name}"), &left, MAX_NAME_BYTES)?;
            }
            return limits::text(format_args!("{name}"), right, MAX_ID_BYTES);
        }
        match self {
            Self::Action if !is_action_pattern(value) => {
                let expected = "an action without `*`, or `prefix.*` for every action that starts \
                                with `prefix.`";
                return Err(Error::malformed(name, expected));
            }
            Self::Action if value.split('.').count() > MAX_ACTION_SEGMENTS => {
                let actual = value.split('.').count();
                let violation = Violation::TooMany { limit: MAX_ACTION_SEGMENTS, actual };
                return Err(Error::invalid(name, violation));
            }
            // Other texts can be empty: a service that sets an empty id can look for it.
            Self::Action
            | Self::ActorKind
            | Self::Outcome
            | Self::Severity
            | Self::SourceSystem
                if value.is_empty() =>
            {
                return Err(Error::invalid(name, Violation::Empty));
            }
            Self::ChangeSet if uuid_of(value).is_none() => {
                return Err(Error::malformed(name, "a UUID"));
            }
            Self::Trace if value.parse::<TraceId>().is_err() => {
                return Err(Error::malformed(name, "a trace id of 32 hexadecimal digits"));
            }
            _ => {}
        }
        limits::text(format_args!("{name}"), value, self.limit())
    }

    /// Returns the highest number of bytes of a normalized value.
    fn limit(self) -> usize {
        match self {
            Self::Action
            | Self::Category
            | Self::ActorKind
            | Self::Outcome
            | Self::Severity
            | Self::TargetType
            | Self::Surface
            | Self::SourceSystem => MAX_NAME_BYTES,
            // A letter of two bytes can have a lower case of three.
            Self::ActorEmail => MAX_ID_BYTES / 2 * 3,
            _ => MAX_ID_BYTES,
        }
    }
}

/// The bytes of a UUID with hyphens.
pub(super) const UUID_BYTES: usize = 36;

/// Reads a UUID in its usual form, in either case.
fn uuid_of(text: &str) -> Option<uuid::Uuid> {
    (text.len() == UUID_BYTES).then(|| uuid::Uuid::try_parse(text).ok()).flatten()
}

/// Returns whether `value` is an action or a `prefix.*`.
fn is_action_pattern(value: &str) -> bool {
    !value.strip_suffix(".*").unwrap_or(value).contains('*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wildcard_that_matches_nothing_is_an_error_that_says_what_is_possible() {
        for pattern in ["*", "*.paid", "a/*", "a*", "a.*.b", "a.**", "*.*", "a*.*"] {
            let error = Facet::Action.check(pattern).unwrap_err();
            assert_eq!(error.field(), Some("action"), "{pattern}");
            assert!(error.to_string().contains("`prefix.*`"), "{error}");
        }
        for pattern in ["a", "a.*", "a.b.*", ".*", "a.", "a/b"] {
            assert!(Facet::Action.check(pattern).is_ok(), "{pattern}");
        }
    }

    #[test]
    fn a_value_that_no_event_can_have_is_an_error() {
        let deep = "a.".repeat(MAX_ACTION_SEGMENTS) + "*";
        for (facet, value) in [
            (Facet::Action, ""),
            (Facet::Action, &deep),
            (Facet::ActorKind, ""),
            (Facet::Outcome, ""),
            (Facet::Severity, ""),
            (Facet::SourceSystem, ""),
            (Facet::Source, "=1"),
            (Facet::Attribute, "=1"),
            (Facet::ChangeSet, ""),
            (Facet::Trace, &"0".repeat(32)),
        ] {
            let filter = crate::Filter::new().with(facet, value);
            assert_eq!(filter.validate().unwrap_err().field(), Some(facet.name()), "{value}");
        }
        // Events can have these.
        let deepest = &deep["a.".len()..];
        for (facet, value) in [
            (Facet::Action, deepest),
            (Facet::Category, ""),
            (Facet::ActorId, ""),
            (Facet::TargetType, ""),
            (Facet::Target, "="),
            (Facet::Attribute, "plan="),
        ] {
            assert!(facet.check(value).is_ok(), "{facet:?} {value}");
        }
    }

    #[test]
    fn an_address_of_the_greatest_length_can_be_looked_for() {
        for letter in ["İ", "Ⱥ", "A", "é"] {
            let email = letter.repeat(MAX_ID_BYTES / letter.len());
            let value = Facet::ActorEmail.normalize(&email);
            assert!(Facet::ActorEmail.check(&value).is_ok(), "{letter}");
        }
    }
}
