//! How a query is answered through an index: the terms of an event, and the walk over the lists
//! that a store keeps for each term. For those who write a store.
//!
//! A store keeps, for each [`Term`], the positions of the events that have it. A filter is then a
//! conjunction of unions of such lists, and [`select`] walks them side by side, each list leaping
//! to where the others are. What the lists are made of is the store's own affair: it implements
//! [`Index`] and [`Cursor`].

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

/// The lists of one log, as one reader sees them.
pub trait Index {
    /// A reader of one list.
    type Cursor<'a>: Cursor
    where
        Self: 'a;

    /// Opens the list of `term` for a walk in `order` over the events up to `bound`.
    fn cursor<'a>(&'a self, term: &Term, order: Order, bound: Sequence)
    -> Result<Self::Cursor<'a>>;

    /// How many events of the list occurred from `first` to `last`, both ends included, and have a
    /// sequence of at most `bound`.
    fn count(&self, term: &Term, first: Timestamp, last: Timestamp, bound: Sequence)
    -> Result<u64>;
}

/// A reader of the list of one term.
pub trait Cursor {
    /// The first position at or after `from` in the cursor's order, of sequence at most the
    /// cursor's bound. Calls come with `from` never going back.
    fn seek(&mut self, from: Position) -> Result<Option<Position>>;
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

/// Answers `scan` from the lists of `index`, over the first `bound` events of the log.
pub fn select<I: Index>(index: &I, scan: &Scan, bound: Sequence) -> Result<Selection> {
    let Some(span) = Span::of(scan) else {
        let total = (scan.total == Total::Exact).then_some(0);
        return Ok(Selection { sequences: Vec::new(), more: false, total });
    };
    let mut sequences = Vec::new();
    let mut more = false;
    let first = scan.after.map_or(span.first, |after| span.clip(successor(scan.order, after)));
    let mut walk = Join::open(index, scan, bound, &span, first)?;
    let mut passed = 0;
    while let Some(position) = walk.next()? {
        if passed < scan.offset {
            passed += 1;
        } else if sequences.len() < scan.limit {
            sequences.push(position.sequence);
        } else {
            more = true;
            break;
        }
    }
    let total = match scan.total {
        Total::Skip => None,
        // From the walk's beginning, whichever page this is.
        Total::Exact if scan.after.is_some() || more => Some(count(index, scan, bound)?),
        Total::Exact => Some(passed + sequences.len() as u64),
    };
    Ok(Selection { sequences, more, total })
}

/// How many events match the scan's filter.
fn count<I: Index>(index: &I, scan: &Scan, bound: Sequence) -> Result<u64> {
    // Which order makes no difference; in one by time the filter's range is one run of a list.
    let scan = Scan { order: Order::OldestFirst, ..scan.clone() };
    let Some(span) = Span::of(&scan) else { return Ok(0) };
    if let [group] = &*Term::groups_of(&scan.filter)
        && let [term] = &**group
    {
        return index.count(term, span.first.occurred_at, span.last.occurred_at, bound);
    }
    let mut walk = Join::open(index, &scan, bound, &span, span.first)?;
    let mut count = 0;
    while walk.next()?.is_some() {
        count += 1;
    }
    Ok(count)
}

/// The place right behind `position`.
fn successor(order: Order, position: Position) -> Position {
    let sequence = match order {
        Order::NewestFirst => position.sequence.previous(),
        Order::OldestFirst | Order::Sequence => position.sequence.next(),
    };
    Position { sequence, ..position }
}

/// The first and last place that a scan can reach.
struct Span {
    order: Order,
    first: Position,
    last: Position,
}

impl Span {
    /// `None` where the filter's time range is empty.
    fn of(scan: &Scan) -> Option<Self> {
        let earliest = scan.filter.first_instant();
        let latest = match scan.filter.end_instant() {
            Some(end) if end <= earliest => return None,
            Some(end) => end.saturating_add_micros(-1),
            None => Timestamp::MAX,
        };
        let low = Position { occurred_at: earliest, sequence: Sequence::ZERO };
        let high = Position { occurred_at: latest, sequence: Sequence::MAX };
        let (first, last) = match scan.order {
            Order::NewestFirst => (high, low),
            Order::OldestFirst | Order::Sequence => (low, high),
        };
        Some(Self { order: scan.order, first, last })
    }

    fn clip(&self, position: Position) -> Position {
        match self.order.compare(&position, &self.first) {
            Ordering::Less => self.first,
            _ => position,
        }
    }

    fn ends_before(&self, position: &Position) -> bool {
        self.order.compare(position, &self.last) == Ordering::Greater
    }
}

/// The events that are in every group's union, in order.
struct Join<'s, C> {
    groups: Vec<Union<C>>,
    span: &'s Span,
    filter: &'s Filter,
    /// Where to go on; `None` at the end.
    from: Option<Position>,
}

impl<'s, C: Cursor> Join<'s, C> {
    fn open<'i, I: Index<Cursor<'i> = C>>(
        index: &'i I,
        scan: &'s Scan,
        bound: Sequence,
        span: &'s Span,
        first: Position,
    ) -> Result<Self> {
        let order = scan.order;
        let open = |term: &Term| {
            Ok(Member { cursor: index.cursor(term, order, bound)?, head: Head::Unread })
        };
        let groups = Term::groups_of(&scan.filter)
            .iter()
            .map(|terms| {
                let members = terms.iter().map(open).collect::<Result<_>>()?;
                Ok(Union { members, order })
            })
            .collect::<Result<_>>()?;
        Ok(Self { groups, span, filter: &scan.filter, from: Some(first) })
    }

    fn next(&mut self) -> Result<Option<Position>> {
        let order = self.span.order;
        while let Some(from) = self.from {
            let Some(position) = self.meet(from)? else { break };
            // No event stands at an end of the numbers; on damaged lists, the walk ends there.
            self.from = Some(successor(order, position)).filter(|after| *after != position);
            // In an order by time the span is the range; by sequence, each time is looked at.
            if order != Order::Sequence || self.filter.covers(position.occurred_at) {
                return Ok(Some(position));
            }
        }
        self.from = None;
        Ok(None)
    }

    /// The first place at or after `from` where all groups meet.
    fn meet(&mut self, from: Position) -> Result<Option<Position>> {
        let Some((driver, others)) = self.groups.split_first_mut() else { return Ok(None) };
        let mut candidate = match driver.seek(from)? {
            Some(position) if !self.span.ends_before(&position) => position,
            _ => return Ok(None),
        };
        let mut agreed = 0;
        while let Some(group) = others.get_mut(agreed) {
            let Some(position) = group.seek(candidate)? else { return Ok(None) };
            if position.sequence == candidate.sequence {
                agreed += 1;
                continue;
            }
            candidate = match driver.seek(position)? {
                Some(position) if !self.span.ends_before(&position) => position,
                _ => return Ok(None),
            };
            agreed = 0;
        }
        Ok(Some(candidate))
    }
}

/// The events that are in at least one member's list, in order.
struct Union<C> {
    members: Vec<Member<C>>,
    order: Order,
}

struct Member<C> {
    cursor: C,
    head: Head,
}

#[derive(Clone, Copy)]
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
