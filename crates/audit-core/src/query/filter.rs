//! The filter: which events of a log a query selects, and the reference for what "matches" means.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::{Facet, FacetSource, pair};
use crate::limits::{self, MAX_FILTER_VALUES};
use crate::{AuditEvent, ChangeSetId, Error, NewEvent, Result, Timestamp, TraceId};

/// Selects events of a log.
///
/// An event matches if it meets the condition on every [`Facet`] that has one, and lies in the time
/// range. It meets a condition if it has one of the condition's values. The empty filter matches
/// every event.
///
/// ```
/// use audit_core::{Actor, Facet, Filter, NewEvent};
///
/// let filter = Filter::new().action("user.*").actor_id("u_1").actor_id("u_2");
/// assert!(filter.matches_content(&NewEvent::new("user.login", Actor::user("u_2"))));
/// assert!(!filter.matches_content(&NewEvent::new("user", Actor::user("u_2"))));
/// assert!(!filter.matches_content(&NewEvent::new("user.login", Actor::user("u_3"))));
/// assert_eq!(filter.values(Facet::ActorId).count(), 2);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Filter {
    /// The values of each condition, [normalized](Facet::normalize).
    conditions: BTreeMap<Facet, BTreeSet<String>>,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
}

macro_rules! condition {
    ($($(#[$doc:meta])* $name:ident => $facet:ident;)*) => {
        $(
            $(#[$doc])*
            #[must_use]
            pub fn $name(self, value: impl Into<String>) -> Self {
                self.with(Facet::$facet, value)
            }
        )*
    };
}

impl Filter {
    /// Returns the filter that matches every event.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a value to the condition on `facet`.
    ///
    /// The values of [`Facet::Target`], [`Facet::Source`] and [`Facet::Attribute`] are pairs:
    /// `type=id`, where `=` and `\\` in the type are escaped by `\\`. [`Filter::target`],
    /// [`Filter::source`] and [`Filter::attribute`] write them.
    #[must_use]
    pub fn with(mut self, facet: Facet, value: impl Into<String>) -> Self {
        let value = value.into();
        let value = match facet.normalize(&value) {
            Cow::Borrowed(_) => value,
            Cow::Owned(normalized) => normalized,
        };
        self.conditions.entry(facet).or_default().insert(value);
        self
    }

    condition! {
        /// Adds an action: exact, or `prefix.*` for every action that starts with `prefix.`.
        action => Action;
        /// Adds a category.
        category => Category;
        /// Adds an actor's kind.
        actor_kind => ActorKind;
        /// Adds an actor's id.
        actor_id => ActorId;
        /// Adds an actor's e-mail address, in any case.
        actor_email => ActorEmail;
        /// Adds an actor's IP address, as recorded.
        actor_ip => ActorIp;
        /// Adds the id of an actor on whose behalf the actor acted, directly or in turn.
        on_behalf_of => OnBehalfOf;
        /// Adds the session of the actor, or of an actor on whose behalf it acted.
        session_id => Session;
        /// Adds an id that the actor, a target, or an actor on whose behalf the actor acted has.
        involving => Involving;
        /// Adds the result of an outcome.
        outcome => Outcome;
        /// Adds a severity.
        severity => Severity;
        /// Adds a target's type. With [`Filter::target_id`], one and the same target has both.
        target_type => TargetType;
        /// Adds a target's id.
        target_id => TargetId;
        /// Adds an organization that events name.
        organization_id => Organization;
        /// Adds a service.
        service => Service;
        /// Adds a product.
        product => Product;
        /// Adds a config.
        config => Config;
        /// Adds an environment.
        environment => Environment;
        /// Adds a surface.
        surface => Surface;
        /// Adds the id of a request.
        request_id => Request;
        /// Adds the foreign system that recorded events first.
        source_system => SourceSystem;
    }

    /// Adds the target of type `kind` with the id `id`.
    ///
    /// ```
    /// use audit_core::{Actor, Filter, NewEvent};
    ///
    /// let filter = Filter::new().target("user", "1").target("team", "2");
    /// let event = |kind: &str, id: &str| NewEvent::new("a", Actor::system()).target(kind, id);
    /// assert!(filter.matches_content(&event("team", "2")));
    /// assert!(!filter.matches_content(&event("team", "1")));
    /// ```
    #[must_use]
    pub fn target(self, kind: impl AsRef<str>, id: impl AsRef<str>) -> Self {
        self.with(Facet::Target, pair::join(kind.as_ref(), id.as_ref()))
    }

    /// Adds the foreign system and the id that the event has there.
    #[must_use]
    pub fn source(self, system: impl AsRef<str>, id: impl AsRef<str>) -> Self {
        self.with(Facet::Source, pair::join(system.as_ref(), id.as_ref()))
    }

    /// Adds the attribute `key` of this value.
    #[must_use]
    pub fn attribute(self, key: impl AsRef<str>, value: impl AsRef<str>) -> Self {
        self.with(Facet::Attribute, pair::join(key.as_ref(), value.as_ref()))
    }

    /// Adds a trace.
    #[must_use]
    pub fn trace_id(self, id: TraceId) -> Self {
        self.with(Facet::Trace, id.to_string())
    }

    /// Adds a change set.
    #[must_use]
    pub fn change_set_id(self, id: ChangeSetId) -> Self {
        self.with(Facet::ChangeSet, id.to_string())
    }

    /// Selects only events that occurred at `time` or later.
    #[must_use]
    pub fn since(mut self, time: Timestamp) -> Self {
        self.since = Some(time);
        self
    }

    /// Selects only events that occurred before `time`.
    #[must_use]
    pub fn until(mut self, time: Timestamp) -> Self {
        self.until = Some(time);
        self
    }

    /// Selects only events that occurred within the half-open `range`.
    #[must_use]
    pub fn during(self, range: Range<Timestamp>) -> Self {
        self.since(range.start).until(range.end)
    }

    /// Returns the facets that have a condition, in a fixed order.
    pub fn facets(&self) -> impl Iterator<Item = Facet> + '_ {
        self.conditions.keys().copied()
    }

    /// Returns the values of the condition on `facet`, sorted, e-mail addresses in lower case; empty
    /// without a condition.
    pub fn values(&self, facet: Facet) -> impl Iterator<Item = &str> {
        self.conditions.get(&facet).into_iter().flatten().map(String::as_str)
    }

    /// Returns the first instant of the time range.
    pub fn first_instant(&self) -> Timestamp {
        self.since.unwrap_or(Timestamp::MIN)
    }

    /// Returns the end of the time range, which is not part of it; `None` if it is open.
    pub fn end_instant(&self) -> Option<Timestamp> {
        self.until
    }

    /// Returns whether `time` lies in the time range.
    pub fn covers(&self, time: Timestamp) -> bool {
        time >= self.first_instant() && self.until.is_none_or(|until| time < until)
    }

    /// Returns whether `event` matches. This is the reference with which every store agrees.
    pub fn matches(&self, event: &AuditEvent) -> bool {
        self.covers(event.occurred_at) && self.holds_for(&event.facets())
    }

    /// Returns whether an event of this content matches.
    pub fn matches_content(&self, content: &NewEvent) -> bool {
        self.covers(content.occurred_at.unwrap_or_else(Timestamp::now))
            && self.holds_for(&content.facets())
    }

    fn holds_for(&self, event: &FacetSource<'_>) -> bool {
        let holds = |(facet, wanted): (&Facet, &BTreeSet<String>)| {
            let mut found = false;
            event.values(*facet, |value| {
                found |= wanted.contains(value)
                    || *facet == Facet::Action
                        && wanted.iter().any(|pattern| is_below(value, pattern));
            });
            found
        };
        let same_target = match (
            self.conditions.get(&Facet::TargetType),
            self.conditions.get(&Facet::TargetId),
        ) {
            (Some(kinds), Some(ids)) => event.targets.iter().any(|target| {
                target.kind.as_ref().is_some_and(|kind| kinds.contains(kind))
                    && target.id.as_ref().is_some_and(|id| ids.contains(id))
            }),
            _ => true,
        };
        same_target && self.conditions.iter().all(holds)
    }

    /// Checks the conditions: at most [`MAX_FILTER_VALUES`] values each, every value no longer than
    /// the field and of a form that events can have, and at most 1,000 combinations of target type
    /// and target id. Checks that the time range does not end before it begins.
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid), with the [name](Facet::name) of the facet, `since` or
    /// `until` as the field.
    pub fn validate(&self) -> Result<()> {
        for (facet, values) in &self.conditions {
            limits::count(facet.name(), values.len(), MAX_FILTER_VALUES)?;
            values.iter().try_for_each(|value| facet.check(value))?;
        }
        let count = |facet| self.values(facet).count();
        let pairs = count(Facet::TargetType) * count(Facet::TargetId);
        limits::count(Facet::TargetId.name(), pairs, MAX_TARGET_PAIRS)?;
        if self.until.is_some_and(|until| until < self.first_instant()) {
            return Err(Error::malformed("until", "at or after `since`"));
        }
        Ok(())
    }
}

const MAX_TARGET_PAIRS: usize = 1_000;

/// Returns whether `pattern` is a `prefix.*` and `action` starts with `prefix.`.
fn is_below(action: &str, pattern: &str) -> bool {
    pattern
        .strip_suffix('*')
        .is_some_and(|prefix| prefix.ends_with('.') && action.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Actor;
    use crate::limits::{MAX_ID_BYTES, MAX_NAME_BYTES};

    #[test]
    fn type_and_id_are_of_one_target() {
        let event = NewEvent::new("a", Actor::system()).target("user", "1").target("team", "2");
        let apart = |kind, id| Filter::new().target_type(kind).target_id(id);
        for (kind, id, matches) in [("user", "1", true), ("user", "2", false)] {
            assert_eq!(Filter::new().target(kind, id).matches_content(&event), matches);
            assert_eq!(apart(kind, id).matches_content(&event), matches);
        }
        assert!(Filter::new().target_type("user").matches_content(&event));
    }

    #[test]
    fn pairs_stay_pairs() {
        let filter = Filter::new().target("user", "1").target("team", "2");
        let event = |kind: &str, id: &str| NewEvent::new("a", Actor::system()).target(kind, id);
        for (kind, id, matches) in
            [("user", "1", true), ("team", "2", true), ("team", "1", false), ("user", "2", false)]
        {
            assert_eq!(filter.matches_content(&event(kind, id)), matches, "{kind} {id}");
        }
        let odd = Filter::new().target(r"a=\b", "c=d");
        assert!(odd.validate().is_ok());
        assert!(odd.matches_content(&event(r"a=\b", "c=d")));
    }

    #[test]
    fn addresses_match_in_any_case() {
        let event = NewEvent::new("a", Actor::user("u").email("José@Example.org"));
        for email in ["José@Example.org", "josé@example.org", "JOSÉ@EXAMPLE.ORG"] {
            assert!(Filter::new().actor_email(email).matches_content(&event), "{email}");
        }
        assert!(!Filter::new().actor_email("jose@example.org").matches_content(&event));
    }

    #[test]
    fn involved_are_the_actor_and_the_targets() {
        let event = NewEvent::new("a", Actor::user("u")).target("user", "v").target("w", "x");
        for (id, matches) in [("u", true), ("v", true), ("x", true), ("w", false)] {
            assert_eq!(Filter::new().involving(id).matches_content(&event), matches, "{id}");
        }
    }

    #[test]
    fn the_range_is_half_open() {
        let at = |micros| Timestamp::from_micros(micros).unwrap();
        let event = |micros| NewEvent::new("a", Actor::system()).occurred_at(at(micros));
        let filter = Filter::new().during(at(10)..at(20));
        let wanted: Vec<_> =
            [9, 10, 19, 20].into_iter().filter(|m| filter.matches_content(&event(*m))).collect();
        assert_eq!(wanted, [10, 19]);
        assert!(Filter::new().during(at(1)..at(1)).validate().is_ok());
    }

    #[test]
    fn a_range_that_ends_a_nanosecond_before_it_begins_is_an_error() {
        let at = Timestamp::from_nanos;
        let error = Filter::new().during(at(2)..at(1)).validate().unwrap_err();
        assert_eq!(error.field(), Some("until"));
        assert!(error.to_string().contains("must be at or after `since`"), "{error}");
        assert!(Filter::new().since(at(2)).validate().is_ok());
        assert!(Filter::new().until(Timestamp::MIN).validate().is_ok());
    }

    #[test]
    fn a_prefix_ends_at_a_dot() {
        assert!(is_below("user.login", "user.*"));
        assert!(is_below("user.", "user.*"));
        for (action, pattern) in [("user", "user.*"), ("users.x", "user.*"), ("user.x", "user*")] {
            assert!(!is_below(action, pattern), "{action} {pattern}");
        }
    }

    #[test]
    fn bounds_name_the_facet() {
        let many = (0..=MAX_FILTER_VALUES).fold(Filter::new(), |f, n| f.actor_id(n.to_string()));
        assert_eq!(many.validate().unwrap_err().field(), Some("actorId"));
        let long = "x".repeat(MAX_ID_BYTES + 1);
        for (field, filter) in [
            ("action", Filter::new().action(&long[..=MAX_NAME_BYTES])),
            ("action", Filter::new().action("*.paid")),
            ("actorId", Filter::new().actor_id(&long)),
            ("target", Filter::new().target(&long[..=MAX_NAME_BYTES], "1")),
            ("target", Filter::new().target("user", &long)),
            ("target", Filter::new().with(Facet::Target, "user")),
            ("changeSetId", Filter::new().with(Facet::ChangeSet, "x")),
        ] {
            assert_eq!(filter.validate().unwrap_err().field(), Some(field), "{filter:?}");
        }
        let longest = Filter::new().target("=".repeat(MAX_NAME_BYTES), &long[..MAX_ID_BYTES]);
        assert!(longest.validate().is_ok());
    }
}
