//! The term: a property of an event in the form in which stores index it.

use crate::query::FacetSource;
use crate::{AuditEvent, Facet, Filter, NewEvent};

/// A property that an event has or has not, in the form in which stores index it: what kind of
/// property, and its value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Term {
    tag: u8,
    value: Box<[u8]>,
}

/// What a term is of. Stores keep these numbers: none is ever given another meaning.
mod tag {
    pub(super) const EVERY: u8 = 0;
    pub(super) const ACTION: u8 = 1;
    pub(super) const ACTION_PREFIX: u8 = 2;
    pub(super) const CATEGORY: u8 = 3;
    pub(super) const ACTOR_KIND: u8 = 4;
    pub(super) const ACTOR_ID: u8 = 5;
    pub(super) const ACTOR_EMAIL: u8 = 6;
    pub(super) const TARGET_TYPE: u8 = 7;
    pub(super) const TARGET_ID: u8 = 8;
    pub(super) const TARGET: u8 = 9;
    pub(super) const ORGANIZATION: u8 = 10;
    pub(super) const SERVICE: u8 = 11;
    pub(super) const PRODUCT: u8 = 12;
    pub(super) const CONFIG: u8 = 13;
    pub(super) const ENVIRONMENT: u8 = 14;
    pub(super) const SURFACE: u8 = 15;
    pub(super) const CHANGE_SET: u8 = 16;
}

fn tag_of(facet: Facet) -> u8 {
    match facet {
        Facet::Action => tag::ACTION,
        Facet::Category => tag::CATEGORY,
        Facet::ActorKind => tag::ACTOR_KIND,
        Facet::ActorId => tag::ACTOR_ID,
        Facet::ActorEmail => tag::ACTOR_EMAIL,
        Facet::TargetType => tag::TARGET_TYPE,
        Facet::TargetId => tag::TARGET_ID,
        Facet::Organization => tag::ORGANIZATION,
        Facet::Service => tag::SERVICE,
        Facet::Product => tag::PRODUCT,
        Facet::Config => tag::CONFIG,
        Facet::Environment => tag::ENVIRONMENT,
        Facet::Surface => tag::SURFACE,
        Facet::ChangeSet => tag::CHANGE_SET,
    }
}

impl Term {
    /// The term that every event has.
    pub fn every() -> Self {
        Self::new(tag::EVERY, b"")
    }

    /// Whether this is [`Term::every`].
    pub fn is_every(&self) -> bool {
        self.tag == tag::EVERY
    }

    fn new(tag: u8, value: &[u8]) -> Self {
        Self { tag, value: value.into() }
    }

    /// The term for a target that has both this type and this id.
    fn target(kind: &str, id: &str) -> Self {
        let length = (kind.len() as u64).to_be_bytes();
        Self::new(tag::TARGET, &[&length, kind.as_bytes(), id.as_bytes()].concat())
    }

    /// A number for the kind of property; stable across versions.
    pub fn tag(&self) -> u8 {
        self.tag
    }

    /// The value. At most some 1,300 bytes, by the bounds of the model.
    pub fn value(&self) -> &[u8] {
        &self.value
    }

    /// The terms of an event with this content, each once, sorted; [`Term::every`] is the first.
    pub fn of(content: &NewEvent) -> Vec<Self> {
        Self::of_facets(&content.facets())
    }

    /// The terms of a stored event, as [`Term::of`] gives them.
    pub fn of_stored(event: &AuditEvent) -> Vec<Self> {
        Self::of_facets(&event.facets())
    }

    fn of_facets(event: &FacetSource<'_>) -> Vec<Self> {
        let mut terms = vec![Self::every()];
        for facet in Facet::ALL {
            event.values(facet, |value| terms.push(Self::new(tag_of(facet), value.as_bytes())));
        }
        let action = event.action.as_str();
        for (dot, _) in action.match_indices('.') {
            terms.push(Self::new(tag::ACTION_PREFIX, &action.as_bytes()[..=dot]));
        }
        for target in event.targets {
            if let (Some(kind), Some(id)) = (&target.kind, &target.id) {
                terms.push(Self::target(kind, id));
            }
        }
        terms.sort_unstable();
        terms.dedup();
        terms
    }

    /// The clauses of terms that stand for `filter`: an event matches the conditions of the filter
    /// exactly if it has a term of each clause. The time range is not part of it.
    pub fn clauses_of(filter: &Filter) -> Vec<Vec<Self>> {
        let (kinds, ids) = (Facet::TargetType, Facet::TargetId);
        let of_one_target = filter.values(kinds).count() > 0 && filter.values(ids).count() > 0;
        let mut clauses = Vec::new();
        for facet in filter.facets() {
            clauses.push(match facet {
                Facet::TargetId if of_one_target => filter
                    .values(kinds)
                    .flat_map(|kind| filter.values(ids).map(move |id| Self::target(kind, id)))
                    .collect(),
                Facet::TargetType if of_one_target => continue,
                Facet::Action => filter.values(facet).map(Self::of_action_pattern).collect(),
                _ => filter
                    .values(facet)
                    .map(|value| Self::new(tag_of(facet), value.as_bytes()))
                    .collect(),
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
        (name(), prop::option::of(name()), prop::collection::vec(target, 0..3)).prop_map(
            |(action, id, targets)| {
                let mut event = NewEvent::new(action, Actor::system());
                event.actor.id = id.map(str::to_owned);
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
            Facet::TargetType,
            Facet::TargetId,
            Facet::Category,
        ]);
        let value = prop::sample::select(vec!["a", "b", "a.b", "a.*", "a.b.*", "b.*", "*"]);
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
