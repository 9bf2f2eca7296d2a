//! Which events of a log a query wants, and the reference for what "matches" means.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::{Facet, FacetSource};
use crate::limits::{self, MAX_FILTER_VALUES};
use crate::{AuditEvent, ChangeSetId, Error, NewEvent, Result, Timestamp, Violation};

/// Which events of a log a query wants. All conditions hold together; a condition holds where the
/// event has one of its values. The empty filter wants every event.
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
    /// The filter that wants every event.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a value that events may have of `facet`.
    #[must_use]
    pub fn with(mut self, facet: Facet, value: impl Into<String>) -> Self {
        self.conditions.entry(facet).or_default().insert(value.into());
        self
    }

    condition! {
        /// Adds an action, exact or `prefix.*`.
        action => Action;
        /// Adds a category.
        category => Category;
        /// Adds an actor's kind.
        actor_kind => ActorKind;
        /// Adds an actor's id.
        actor_id => ActorId;
        /// Adds an actor's e-mail address.
        actor_email => ActorEmail;
        /// Adds a target's type.
        target_type => TargetType;
        /// Adds a target's id.
        target_id => TargetId;
        /// Adds an organization that events may name.
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
    }

    /// Adds the target of type `kind` with the id `id`.
    #[must_use]
    pub fn target(self, kind: impl Into<String>, id: impl Into<String>) -> Self {
        self.target_type(kind).target_id(id)
    }

    /// Adds a change set.
    #[must_use]
    pub fn change_set_id(self, id: ChangeSetId) -> Self {
        self.with(Facet::ChangeSet, id.to_string())
    }

    /// Wants only events that occurred at `time` or later.
    #[must_use]
    pub fn since(mut self, time: Timestamp) -> Self {
        self.since = Some(time);
        self
    }

    /// Wants only events that occurred before `time`.
    #[must_use]
    pub fn until(mut self, time: Timestamp) -> Self {
        self.until = Some(time);
        self
    }

    /// Wants only events that occurred within the half-open `range`.
    #[must_use]
    pub fn during(self, range: Range<Timestamp>) -> Self {
        self.since(range.start).until(range.end)
    }

    /// The facets that have a condition, in a fixed order.
    pub fn facets(&self) -> impl Iterator<Item = Facet> + '_ {
        self.conditions.keys().copied()
    }

    /// The values of the condition on `facet`, sorted; none where there is no condition.
    pub fn values(&self, facet: Facet) -> impl Iterator<Item = &str> {
        self.conditions.get(&facet).into_iter().flatten().map(String::as_str)
    }

    /// The first instant that the filter wants.
    pub fn first_instant(&self) -> Timestamp {
        self.since.unwrap_or(Timestamp::MIN)
    }

    /// The first instant, if any, that the filter no longer wants.
    pub fn end_instant(&self) -> Option<Timestamp> {
        self.until
    }

    /// Whether an event that occurred at `time` is within the filter's time range.
    pub fn covers(&self, time: Timestamp) -> bool {
        time >= self.first_instant() && self.until.is_none_or(|until| time < until)
    }

    /// Whether the filter wants `event`: the reference with which every store agrees.
    pub fn matches(&self, event: &AuditEvent) -> bool {
        self.covers(event.occurred_at) && self.holds_for(&event.facets())
    }

    /// Whether the filter wants an event of this content.
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

    /// Checks the bounds: at most [`MAX_FILTER_VALUES`] values a condition, each as long as the field
    /// may be, at most 1,000 pairs of target type and id, and a range that does not end before it
    /// begins.
    pub fn validate(&self) -> Result<()> {
        for (facet, values) in &self.conditions {
            limits::count(facet.name(), values.len(), MAX_FILTER_VALUES)?;
            for value in values {
                limits::text(format_args!("{}", facet.name()), value, facet.limit())?;
            }
        }
        let count = |facet| self.values(facet).count();
        let pairs = count(Facet::TargetType) * count(Facet::TargetId);
        limits::count(Facet::TargetId.name(), pairs, MAX_TARGET_PAIRS)?;
        if self.until.is_some_and(|until| until < self.first_instant()) {
            let violation = Violation::OutOfRange {
                min: self.first_instant().as_micros(),
                max: Timestamp::MAX.as_micros(),
            };
            return Err(Error::invalid("until", violation));
        }
        Ok(())
    }
}

const MAX_TARGET_PAIRS: usize = 1_000;

/// Whether `pattern` is a `prefix.*` below which `action` stands.
fn is_below(action: &str, pattern: &str) -> bool {
    pattern
        .strip_suffix('*')
        .is_some_and(|prefix| prefix.ends_with('.') && action.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Actor;
    use crate::limits::MAX_NAME_BYTES;

    #[test]
    fn type_and_id_are_of_one_target() {
        let event = NewEvent::new("a", Actor::system()).target("user", "1").target("team", "2");
        assert!(Filter::new().target("user", "1").matches_content(&event));
        assert!(!Filter::new().target("user", "2").matches_content(&event));
        assert!(Filter::new().target_type("user").matches_content(&event));
    }

    #[test]
    fn the_range_is_half_open() {
        let at = |micros| Timestamp::from_micros(micros).unwrap();
        let event = |micros| NewEvent::new("a", Actor::system()).occurred_at(at(micros));
        let filter = Filter::new().during(at(10)..at(20));
        let wanted: Vec<_> =
            [9, 10, 19, 20].into_iter().filter(|m| filter.matches_content(&event(*m))).collect();
        assert_eq!(wanted, [10, 19]);
        assert_eq!(
            Filter::new().during(at(2)..at(1)).validate().unwrap_err().field(),
            Some("until")
        );
        assert!(Filter::new().during(at(1)..at(1)).validate().is_ok());
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
        let long = Filter::new().action("x".repeat(MAX_NAME_BYTES + 1));
        assert_eq!(long.validate().unwrap_err().field(), Some("action"));
    }
}
