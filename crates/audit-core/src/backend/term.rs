//! The term: a property of an event in the form in which stores index it.
//!
//! A term is a tag and a value. The tags, and the values below, are part of the format of a store:
//!
//! | tag | facet | value |
//! |---|---|---|
//! | 0 | | empty: every event has this term |
//! | 1 | action | the action |
//! | 2 | | one for each dot of the action: the action up to and including the dot |
//! | 3 | category | the category |
//! | 4 | actor kind | the kind |
//! | 5 | actor id | the id |
//! | 6 | actor e-mail | the address in lower case, after [`str::to_lowercase`] |
//! | 7 | involving | one for each id of the actor and the targets: the id |
//! | 8 | target | one for each target that has both: `type=id`, `=` and `\` in the type escaped by `\` |
//! | 9 | target type | one for each target: the type |
//! | 10 | target id | one for each target: the id |
//! | 11 | organization | the id of the organization that the event names |
//! | 12 | service | the service |
//! | 13 | product | the product |
//! | 14 | config | the config |
//! | 15 | environment | the environment |
//! | 16 | surface | the surface |
//! | 17 | change set | the UUID in lower case, with hyphens |
//!
//! An event has a term only for what it has: an absent field has none.

use crate::query::{FacetSource, pair};
use crate::{AuditEvent, Facet, Filter, NewEvent};

/// A property of an event in the form in which stores index it: a tag and a value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Term {
    tag: u8,
    value: Box<[u8]>,
}

/// The tags. Stores keep these numbers: no number ever gets another meaning.
mod tag {
    pub(super) const EVERY: u8 = 0;
    pub(super) const ACTION: u8 = 1;
    pub(super) const ACTION_PREFIX: u8 = 2;
}

const fn tag_of(facet: Facet) -> u8 {
    match facet {
        Facet::Action => tag::ACTION,
        Facet::Category => 3,
        Facet::ActorKind => 4,
        Facet::ActorId => 5,
        Facet::ActorEmail => 6,
        Facet::Involving => 7,
        Facet::Target => 8,
        Facet::TargetType => 9,
        Facet::TargetId => 10,
        Facet::Organization => 11,
        Facet::Service => 12,
        Facet::Product => 13,
        Facet::Config => 14,
        Facet::Environment => 15,
        Facet::Surface => 16,
        Facet::ChangeSet => 17,
    }
}

impl Term {
    /// Returns the term that every event has.
    pub fn every() -> Self {
        Self::new(tag::EVERY, b"")
    }

    /// Returns whether this is [`Term::every`].
    pub fn is_every(&self) -> bool {
        self.tag == tag::EVERY
    }

    fn new(tag: u8, value: &[u8]) -> Self {
        Self { tag, value: value.into() }
    }

    fn of_value(facet: Facet, value: &str) -> Self {
        Self::new(tag_of(facet), value.as_bytes())
    }

    /// Returns the kind of the property; stable across versions.
    pub fn tag(&self) -> u8 {
        self.tag
    }

    /// Returns the value: at most 2 KiB, by the limits of the model.
    pub fn value(&self) -> &[u8] {
        &self.value
    }

    /// Returns the terms of an event with this content, each once, sorted; [`Term::every`] is the
    /// first.
    pub fn of(content: &NewEvent) -> Vec<Self> {
        Self::of_facets(&content.facets())
    }

    /// Returns the terms of a stored event, as [`Term::of`] does.
    pub fn of_stored(event: &AuditEvent) -> Vec<Self> {
        Self::of_facets(&event.facets())
    }

    fn of_facets(event: &FacetSource<'_>) -> Vec<Self> {
        let mut terms = vec![Self::every()];
        for facet in Facet::ALL {
            event.values(facet, |value| terms.push(Self::of_value(facet, value)));
        }
        let action = event.action.as_str();
        for (dot, _) in action.match_indices('.') {
            terms.push(Self::new(tag::ACTION_PREFIX, &action.as_bytes()[..=dot]));
        }
        terms.sort_unstable();
        terms.dedup();
        terms
    }

    /// Returns the clauses of `filter`: an event meets the conditions of the filter exactly if it has
    /// a term of each clause. The time range is not part of them.
    pub fn clauses_of(filter: &Filter) -> Vec<Vec<Self>> {
        let (kinds, ids) = (Facet::TargetType, Facet::TargetId);
        let of_one_target = filter.values(kinds).count() > 0 && filter.values(ids).count() > 0;
        let mut clauses = Vec::new();
        for facet in filter.facets() {
            clauses.push(match facet {
                Facet::TargetId if of_one_target => filter
                    .values(kinds)
                    .flat_map(|kind| filter.values(ids).map(move |id| pair::join(kind, id)))
                    .map(|target| Self::of_value(Facet::Target, &target))
                    .collect(),
                Facet::TargetType if of_one_target => continue,
                Facet::Action => filter.values(facet).map(Self::of_action_pattern).collect(),
                _ => filter.values(facet).map(|value| Self::of_value(facet, value)).collect(),
            });
        }
        if clauses.is_empty() {
            clauses.push(vec![Self::every()]);
        }
        clauses
    }

    fn of_action_pattern(pattern: &str) -> Self {
        match pattern.strip_suffix('*').filter(|prefix| prefix.ends_with('.')) {
            Some(prefix) => Self::new(tag::ACTION_PREFIX, prefix.as_bytes()),
            None => Self::new(tag::ACTION, pattern.as_bytes()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Actor;
    use proptest::prelude::*;

    fn event() -> impl Strategy<Value = NewEvent> {
        let name = || prop::sample::select(vec!["a", "b", "a.b", "a.b.c", "b.c"]);
        let target = (prop::option::of(name()), prop::option::of(name()));
        let email = prop::option::of(prop::sample::select(vec!["a", "A", "B"]));
        let actor = (prop::option::of(name()), email);
        (name(), actor, prop::collection::vec(target, 0..3)).prop_map(
            |(action, (id, email), targets)| {
                let mut event = NewEvent::new(action, Actor::system());
                event.actor.id = id.map(str::to_owned);
                event.actor.email = email.map(str::to_owned);
                for (kind, id) in targets {
                    let target = crate::Target {
                        kind: kind.map(str::to_owned),
                        id: id.map(str::to_owned),
                        name: Some("n".into()),
                    };
                    event.targets.push(target);
                }
                event
            },
        )
    }

    fn filter() -> impl Strategy<Value = Filter> {
        let facet = prop::sample::select(vec![
            Facet::Action,
            Facet::ActorId,
            Facet::ActorEmail,
            Facet::Involving,
            Facet::Target,
            Facet::TargetType,
            Facet::TargetId,
            Facet::Category,
        ]);
        let value = prop::sample::select(vec!["a", "b", "B", "a.b", "a.*", "b.*", "a=b", "b=a"]);
        prop::collection::vec((facet, value), 0..5).prop_map(|conditions| {
            conditions.into_iter().fold(Filter::new(), |filter, (f, v)| filter.with(f, v))
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(5_000))]

        #[test]
        fn the_terms_agree_with_the_reference(event in event(), filter in filter()) {
            let terms = Term::of(&event);
            let by_terms = Term::clauses_of(&filter)
                .iter()
                .all(|group| group.iter().any(|term| terms.contains(term)));
            prop_assert_eq!(by_terms, filter.matches_content(&event));
        }
    }
}
