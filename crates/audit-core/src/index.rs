//! How a query is answered through an index: the terms of an event, and the walk over the lists
//! that a store keeps for each term. For those who write a store.
//!
//! A store keeps, for each [`Term`], which events have it. A filter is then a conjunction of unions
//! of such lists. What they are made of is the store's own affair: it implements [`Index`], and
//! [`select`] makes pages and totals of what that finds. A store whose lists are sorted positions
//! implements [`Cursor`] and leaves the walk to [`Join`].

use std::cmp::Ordering;

use crate::filter::FacetSource;
use crate::{
    AuditEvent, Facet, Filter, NewEvent, Order, Position, Result, Scan, Sequence, Timestamp, Total,
};

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

    /// The groups of terms that stand for `filter`: an event matches the conditions of the filter
    /// exactly if it has a term of each group. The time range is not part of it.
    pub fn groups_of(filter: &Filter) -> Vec<Vec<Self>> {
        let (kinds, ids) = (Facet::TargetType, Facet::TargetId);
        let of_one_target = filter.values(kinds).count() > 0 && filter.values(ids).count() > 0;
        let mut groups = Vec::new();
        for facet in filter.facets() {
            groups.push(match facet {
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
        if groups.is_empty() {
            groups.push(vec![Self::every()]);
        }
        groups
    }

    fn of_action_pattern(pattern: &str) -> Self {
        match pattern.strip_suffix('*').filter(|prefix| prefix.ends_with('.')) {
            Some(prefix) => Self::new(tag::ACTION_PREFIX, prefix.as_bytes()),
            None => Self::new(tag::ACTION, pattern.as_bytes()),
        }
    }
}

/// What is looked for in a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lookup {
    /// An event is wanted if it has a term of each group.
    pub groups: Vec<Vec<Term>>,
    /// In which order.
    pub order: Order,
    /// Among the first so many events of the log.
    pub bound: Sequence,
    /// But not these first ones, which retention has removed.
    pub floor: Sequence,
    /// The first instant that is wanted.
    pub earliest: Timestamp,
    /// The last instant that is wanted.
    pub latest: Timestamp,
    /// Only what comes behind this place.
    pub after: Option<Position>,
}

impl Lookup {
    /// What `scan` looks for; `None` where its time range is empty.
    fn of(scan: &Scan, bound: Sequence, floor: Sequence) -> Option<Self> {
        let earliest = scan.filter.first_instant();
        let latest = match scan.filter.end_instant() {
            Some(end) if end <= earliest => return None,
            Some(end) => end.saturating_add_micros(-1),
            None => Timestamp::MAX,
        };
        let groups = Term::groups_of(&scan.filter);
        let (order, after) = (scan.order, scan.after);
        Some(Self { groups, order, bound, floor, earliest, latest, after })
    }

    /// Whether an event at `position` is within the bound, the times, and behind the beginning.
    pub fn reaches(&self, position: &Position) -> bool {
        let behind = |after| self.order.compare(position, &after).is_gt();
        self.holds(position.sequence)
            && self.covers(position.occurred_at)
            && self.after.is_none_or(behind)
    }

    /// Whether the event of that number is wanted, as far as its number tells.
    pub fn holds(&self, sequence: Sequence) -> bool {
        self.floor < sequence && sequence <= self.bound
    }

    /// The number after which the events that are wanted come: the floor, or in the order of
    /// sequence the beginning if that is later.
    pub fn first_after(&self) -> Sequence {
        let after = self.after.filter(|_| self.order == Order::Sequence);
        after.map_or(self.floor, |after| after.sequence.max(self.floor))
    }

    /// The places by time between which all that is wanted lies, both included. In an order by
    /// time, what lies between them is behind the beginning.
    pub fn span(&self) -> (Position, Position) {
        let mut low = Position { occurred_at: self.earliest, sequence: Sequence::ZERO };
        let mut high = Position { occurred_at: self.latest, sequence: Sequence::MAX };
        let by_time = |a: &Position, b: &Position| Order::OldestFirst.compare(a, b);
        if let Some(after) = self.after {
            let next = successor(self.order, after);
            match self.order {
                Order::NewestFirst if by_time(&next, &high).is_lt() => high = next,
                Order::OldestFirst if by_time(&next, &low).is_gt() => low = next,
                _ => {}
            }
        }
        (low, high)
    }

    fn covers(&self, time: Timestamp) -> bool {
        self.earliest <= time && time <= self.latest
    }
}

/// The place right behind `position`.
fn successor(order: Order, position: Position) -> Position {
    let sequence = match order {
        Order::NewestFirst => position.sequence.previous(),
        Order::OldestFirst | Order::Sequence => position.sequence.next(),
    };
    Position { sequence, ..position }
}

/// What a store keeps so that events are found by their terms, for one log and one reader.
pub trait Index {
    /// The events found.
    type Found<'a>: Iterator<Item = Result<Sequence>>
    where
        Self: 'a;

    /// Looks for events: each one that is wanted, once, in order. An implementation finds them as
    /// they are asked for, since a page takes the first few of what may be many.
    fn find(&self, lookup: Lookup) -> Result<Self::Found<'_>>;

    /// How many events are wanted. A store that knows better than to look at each overrides this.
    fn count(&self, lookup: Lookup) -> Result<u64> {
        self.find(lookup)?.try_fold(0, |count, found| found.map(|_| count + 1))
    }
}

/// What a scan selects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    /// The events of the page, in the scan's order, at most its limit.
    pub sequences: Vec<Sequence>,
    /// Whether a further event matches after them.
    pub more: bool,
    /// How many match in all, where the scan asks for it.
    pub total: Option<u64>,
}

impl Selection {
    /// Reads the events selected, as many as have the bytes that `scan` asks for, by `read`, each of
    /// a [size](crate::StoredEvent::size); and says whether a further one matches after them.
    pub fn read<E>(
        &self,
        scan: &Scan,
        mut read: impl FnMut(Sequence) -> Result<E>,
        size: impl Fn(&E) -> usize,
    ) -> Result<(Vec<E>, bool)> {
        let mut events = Vec::new();
        let mut bytes = 0;
        for sequence in &self.sequences {
            if bytes > 0 && bytes >= scan.bytes {
                return Ok((events, true));
            }
            let event = read(*sequence)?;
            bytes += size(&event);
            events.push(event);
        }
        Ok((events, self.more))
    }
}

/// Answers `scan` from `index`, over the first `bound` events of the log, of which those up to
/// `floor` are [gone](crate::Head::pruned).
pub fn select<I: Index>(
    index: &I,
    scan: &Scan,
    bound: Sequence,
    floor: Sequence,
) -> Result<Selection> {
    let Some(lookup) = Lookup::of(scan, bound, floor) else {
        let total = (scan.total == Total::Exact).then_some(0);
        return Ok(Selection { sequences: Vec::new(), more: false, total });
    };
    // From the walk's beginning, whichever page this is; the order makes no difference.
    let whole = || Lookup { after: None, order: Order::OldestFirst, ..lookup.clone() };
    let mut sequences = Vec::new();
    let mut more = false;
    let mut passed = 0;
    for found in index.find(lookup.clone())? {
        let sequence = found?;
        if passed < scan.offset {
            passed += 1;
        } else if sequences.len() < scan.limit {
            sequences.push(sequence);
        } else {
            more = true;
            break;
        }
    }
    let total = match scan.total {
        Total::Skip => None,
        Total::Exact if scan.after.is_some() || more => Some(index.count(whole())?),
        Total::Exact => Some(passed + sequences.len() as u64),
    };
    Ok(Selection { sequences, more, total })
}

/// A reader of the list of one term.
pub trait Cursor {
    /// The first position at or after `from` in the cursor's order, of a sequence that the lookup
    /// [holds](Lookup::holds). Calls come with `from` never going back.
    fn seek(&mut self, from: Position) -> Result<Option<Position>>;
}

/// The walk for a store that keeps, for each term, a sorted list of positions: the lists are read
/// side by side, each leaping to where the others are.
#[derive(Debug)]
pub struct Join<C> {
    groups: Vec<Union<C>>,
    lookup: Lookup,
    /// The last place that can be wanted.
    last: Position,
    /// Where to go on; `None` at the end.
    from: Option<Position>,
}

impl<C: Cursor> Join<C> {
    /// Begins the walk; `open` gives the reader of a term's list, in the order and within the
    /// bounds of the lookup.
    pub fn open(lookup: Lookup, mut open: impl FnMut(&Term) -> Result<C>) -> Result<Self> {
        let order = lookup.order;
        let mut member = |term: &Term| Ok(Member { cursor: open(term)?, head: Head::Unread });
        let groups = lookup
            .groups
            .iter()
            .map(|terms| {
                let members = terms.iter().map(&mut member).collect::<Result<_>>()?;
                Ok(Union { members, order })
            })
            .collect::<Result<_>>()?;
        let (low, high) = lookup.span();
        let (first, last) = match order {
            Order::NewestFirst => (high, low),
            Order::OldestFirst => (low, high),
            Order::Sequence => {
                let first = lookup.after.map_or(low, |after| successor(order, after));
                (first, Position { sequence: Sequence::MAX, ..high })
            }
        };
        Ok(Self { groups, lookup, last, from: Some(first) })
    }

    fn advance(&mut self) -> Result<Option<Sequence>> {
        let order = self.lookup.order;
        while let Some(from) = self.from {
            let Some(position) = self.meet(from)? else { break };
            // No event stands at an end of the numbers; on damaged lists, the walk ends there.
            self.from = Some(successor(order, position)).filter(|after| *after != position);
            // In an order by time the span is the range; by sequence, each time is looked at.
            if order != Order::Sequence || self.lookup.covers(position.occurred_at) {
                return Ok(Some(position.sequence));
            }
        }
        self.from = None;
        Ok(None)
    }

    fn ends_before(&self, position: &Position) -> bool {
        self.lookup.order.compare(position, &self.last) == Ordering::Greater
    }

    /// The first place at or after `from` where all groups meet.
    fn meet(&mut self, from: Position) -> Result<Option<Position>> {
        let mut candidate = from;
        let mut agreed = 0;
        // Each group in turn says where it could be; all must say the same.
        while let Some(group) = self.groups.get_mut(agreed) {
            let Some(position) = group.seek(candidate)? else { return Ok(None) };
            if self.ends_before(&position) {
                return Ok(None);
            }
            if agreed > 0 && position.sequence != candidate.sequence {
                // The first group goes on from there.
                agreed = 0;
            } else {
                agreed += 1;
            }
            candidate = position;
        }
        Ok((agreed > 0).then_some(candidate))
    }
}

impl<C: Cursor> Iterator for Join<C> {
    type Item = Result<Sequence>;

    fn next(&mut self) -> Option<Self::Item> {
        self.advance().transpose()
    }
}

/// The events that are in at least one member's list, in order.
#[derive(Debug)]
struct Union<C> {
    members: Vec<Member<C>>,
    order: Order,
}

#[derive(Debug)]
struct Member<C> {
    cursor: C,
    head: Head,
}

#[derive(Clone, Copy, Debug)]
enum Head {
    Unread,
    At(Position),
    End,
}

impl<C: Cursor> Union<C> {
    fn seek(&mut self, from: Position) -> Result<Option<Position>> {
        let mut least: Option<Position> = None;
        for Member { cursor, head } in &mut self.members {
            let stale = match head {
                Head::Unread => true,
                Head::At(at) => self.order.compare(at, &from) == Ordering::Less,
                Head::End => false,
            };
            if stale {
                *head = cursor.seek(from)?.map_or(Head::End, Head::At);
            }
            if let Head::At(at) = *head
                && least.is_none_or(|least| self.order.compare(&at, &least) == Ordering::Less)
            {
                least = Some(at);
            }
        }
        Ok(least)
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
            let by_terms = Term::groups_of(&filter)
                .iter()
                .all(|group| group.iter().any(|term| terms.contains(term)));
            prop_assert_eq!(by_terms, filter.matches_content(&event));
        }
    }
}
