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
//! | 7 | actor IP | the address as recorded |
//! | 8 | on behalf of | one for each actor on whose behalf the actor acted: the id |
//! | 9 | session | one for each session of the actor and of those actors: the id |
//! | 10 | outcome | the result |
//! | 11 | severity | the severity |
//! | 12 | target | one for each target that has both: the pair of type and id |
//! | 13 | target type | one for each target: the type |
//! | 14 | target id | one for each target: the id |
//! | 15 | organization | the id of the organization that the event names |
//! | 16 | service | the service |
//! | 17 | product | the product |
//! | 18 | config | the config |
//! | 19 | environment | the environment |
//! | 20 | surface | the surface |
//! | 21 | change set | the UUID in lower case, with hyphens |
//! | 22 | request | the id |
//! | 23 | trace | the trace id in lower case |
//! | 24 | source system | the system |
//! | 25 | source | the pair of system and id |
//! | 26 | attribute | one for each attribute: the pair of key and value |
//!
//! A pair is its left text, in which `=` and `\` are escaped by `\`, then `=`, then its right text.
//!
//! An event has a term only for what it has: an absent field has none. The facet *involving* has no
//! terms of its own: an id is looked for as that of the actor, of an actor on whose behalf the actor
//! acted, and of a target.

use crate::query::{FacetSource, pair};
use crate::{AuditEvent, Facet, Filter, NewEvent};

/// A property of an event in the form in which stores index it: a tag and a value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Term {
    tag: u8,
    value: Box<[u8]>,
}

/// The tags that more than one place names. Stores keep all of these numbers: no number ever gets
/// another meaning.
mod tag {
    pub(super) const EVERY: u8 = 0;
    pub(super) const ACTION: u8 = 1;
    pub(super) const ACTION_PREFIX: u8 = 2;
    pub(super) const ACTOR_ID: u8 = 5;
    pub(super) const ON_BEHALF_OF: u8 = 8;
    pub(super) const TARGET: u8 = 12;
    pub(super) const TARGET_ID: u8 = 14;
}

/// Returns the tags of the terms of which an event with a value of the facet has one.
const fn tags_of(facet: Facet) -> &'static [u8] {
    match facet {
        Facet::Action => &[tag::ACTION],
        Facet::Category => &[3],
        Facet::ActorKind => &[4],
        Facet::ActorId => &[tag::ACTOR_ID],
        Facet::ActorEmail => &[6],
        Facet::ActorIp => &[7],
        Facet::OnBehalfOf => &[tag::ON_BEHALF_OF],
        Facet::Session => &[9],
        Facet::Involving => &[tag::ACTOR_ID, tag::ON_BEHALF_OF, tag::TARGET_ID],
        Facet::Outcome => &[10],
        Facet::Severity => &[11],
        Facet::Target => &[tag::TARGET],
        Facet::TargetType => &[13],
        Facet::TargetId => &[tag::TARGET_ID],
        Facet::Organization => &[15],
        Facet::Service => &[16],
        Facet::Product => &[17],
        Facet::Config => &[18],
        Facet::Environment => &[19],
        Facet::Surface => &[20],
        Facet::ChangeSet => &[21],
        Facet::Request => &[22],
        Facet::Trace => &[23],
        Facet::SourceSystem => &[24],
        Facet::Source => &[25],
        Facet::Attribute => &[26],
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

    /// Returns the terms of which an event with this value of the facet has one.
    fn of_value(facet: Facet, value: &str) -> impl Iterator<Item = Self> {
        tags_of(facet).iter().map(move |tag| Self::new(*tag, value.as_bytes()))
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

    /// Calls `visit` with the tag and the value of each term of an event with this content, but
    /// [`Term::every`], in no order. A term can come twice. For stores that keep a hash of a term, and
    /// need no copy of it.
    pub fn visit(content: &NewEvent, visit: impl FnMut(u8, &[u8])) {
        Self::visit_facets(&content.facets(), visit);
    }

    fn visit_facets(event: &FacetSource<'_>, mut visit: impl FnMut(u8, &[u8])) {
        for facet in Facet::ALL {
            // Values of several terms are those of other facets.
            if let [tag] = *tags_of(facet) {
                event.values(facet, |value| visit(tag, value.as_bytes()));
            }
        }
        let action = event.action.as_str();
        for (dot, _) in action.match_indices('.') {
            visit(tag::ACTION_PREFIX, &action.as_bytes()[..=dot]);
        }
    }

    fn of_facets(event: &FacetSource<'_>) -> Vec<Self> {
        let mut terms = vec![Self::every()];
        Self::visit_facets(event, |tag, value| terms.push(Self::new(tag, value)));
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
                    .map(|target| Self::new(tag::TARGET, target.as_bytes()))
                    .collect(),
                Facet::TargetType if of_one_target => continue,
                Facet::Action => filter.values(facet).map(Self::of_action_pattern).collect(),
                _ => filter.values(facet).flat_map(|value| Self::of_value(facet, value)).collect(),
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
