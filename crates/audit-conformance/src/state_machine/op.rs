//! The operations, and how they are drawn: few distinct values, so that events tie and filters hit.

use std::fmt;
use std::time::Duration;

use audit_core::limits::MAX_PAGE_EVENTS;
use audit_core::{
    Actor, EventId, Facet, Filter, NewEvent, Order, Surface, Target, Timestamp, Total,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use uuid::Uuid;

use crate::samples::at;

/// One operation. An [`Index`] picks one of what there is then.
#[derive(Clone, Debug)]
pub(super) enum Op {
    Append {
        log: Which,
        events: Vec<Draft>,
    },
    /// Appends `count` events like this one, at some seconds in turn.
    Fill {
        log: Which,
        event: Box<NewEvent>,
        count: u8,
    },
    Begin {
        log: Which,
        filter: Filter,
        order: Order,
        limit: usize,
        offset: u64,
        total: Total,
    },
    Continue {
        walk: Index,
        limit: usize,
        total: Total,
    },
    GoBack {
        walk: Index,
        limit: usize,
        total: Total,
    },
    Feed {
        log: Which,
        filter: Filter,
        limit: usize,
        after: Option<Index>,
    },
    ContinueFeed {
        feed: Index,
        limit: usize,
    },
    Count {
        log: Which,
        filter: Filter,
    },
    IndexQuery {
        log: Which,
        event: Index,
    },
    Erase {
        log: Which,
        filter: Filter,
    },
    Prune {
        log: Which,
        keep: u64,
    },
    Reopen,
    Misuse {
        walk: Index,
        how: Misuse,
    },
}

/// One of a player's two logs.
#[derive(Clone, Copy, Debug)]
pub(super) enum Which {
    First,
    Second,
}

/// An event to append.
#[derive(Clone)]
pub(super) enum Draft {
    New(Box<NewEvent>),
    /// One that the log holds, once more.
    Again(Index),
    /// The id of one that the log holds, with other content.
    Clash(Index),
    /// One that breaks a limit.
    Bad,
}

impl fmt::Debug for Draft {
    /// Returns an event in its JSON form, which leaves out what is not set.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::New(event) => f.write_str(&serde_json::to_string(event).unwrap_or_default()),
            Self::Again(index) => write!(f, "Again({index:?})"),
            Self::Clash(index) => write!(f, "Clash({index:?})"),
            Self::Bad => f.write_str("Bad"),
        }
    }
}

/// How a token is used where it is worth nothing.
#[derive(Clone, Debug)]
pub(super) enum Misuse {
    Alter { at: Index, with: char },
    OtherLog,
    OtherFilter,
    OtherOrder,
    OtherEndpoint,
    OtherKind,
}

pub(super) fn op() -> impl Strategy<Value = Op> {
    let total = || select(vec![Total::Skip, Total::Exact]);
    let offset = prop_oneof![12 => Just(0), 2 => 0_u64..20, 1 => Just(u64::from(u32::MAX))];
    prop_oneof![
        8 => (log(), vec(draft(), 0..16))
            .prop_map(|(log, events)| Op::Append { log, events }),
        1 => (log(), event(), 20_u8..60)
            .prop_map(|(log, event, count)| Op::Fill { log, event: Box::new(event), count }),
        6 => (log(), filter(), order(), page_size(), offset, total()).prop_map(
            |(log, filter, order, limit, offset, total)| {
                Op::Begin { log, filter, order, limit, offset, total }
            }
        ),
        16 => (any::<Index>(), page_size(), total())
            .prop_map(|(walk, limit, total)| Op::Continue { walk, limit, total }),
        6 => (any::<Index>(), page_size(), total())
            .prop_map(|(walk, limit, total)| Op::GoBack { walk, limit, total }),
        2 => (log(), filter(), page_size(), option::of(any::<Index>()))
            .prop_map(|(log, filter, limit, after)| Op::Feed { log, filter, limit, after }),
        5 => (any::<Index>(), page_size())
            .prop_map(|(feed, limit)| Op::ContinueFeed { feed, limit }),
        1 => (log(), filter()).prop_map(|(log, filter)| Op::Count { log, filter }),
        1 => (log(), any::<Index>()).prop_map(|(log, event)| Op::IndexQuery { log, event }),
        1 => (log(), erased()).prop_map(|(log, filter)| Op::Erase { log, filter }),
        2 => (log(), select(vec![1, 9, 40, 70])).prop_map(|(log, keep)| Op::Prune { log, keep }),
        1 => Just(Op::Reopen),
        2 => (any::<Index>(), misuse()).prop_map(|(walk, how)| Op::Misuse { walk, how }),
    ]
}

fn log() -> impl Strategy<Value = Which> {
    prop_oneof![3 => Just(Which::First), 1 => Just(Which::Second)]
}

fn order() -> impl Strategy<Value = Order> {
    select(Order::ALL.to_vec())
}

/// Mostly small, so that walks have many pages.
fn page_size() -> impl Strategy<Value = usize> {
    prop_oneof![8 => 1_usize..4, 2 => 1..=MAX_PAGE_EVENTS, 1 => Just(MAX_PAGE_EVENTS)]
}

fn draft() -> impl Strategy<Value = Draft> {
    prop_oneof![
        40 => event().prop_map(|event| Draft::New(Box::new(event))),
        4 => any::<Index>().prop_map(Draft::Again),
        1 => any::<Index>().prop_map(Draft::Clash),
        1 => Just(Draft::Bad),
    ]
}

fn time() -> impl Strategy<Value = Timestamp> {
    let ends = select(vec![Timestamp::MIN, Timestamp::MAX]);
    prop_oneof![12 => (0_i64..5).prop_map(at), 1 => (-1_000_i64..1_000).prop_map(at), 1 => ends]
}

const ACTIONS: [&str; 5] = ["user", "user.login", "user.login.failed", "item.updated", "user."];
const WORDS: [&str; 3] = ["1", "2", "\0"];

fn word() -> impl Strategy<Value = &'static str> {
    select(WORDS.to_vec())
}

fn event() -> impl Strategy<Value = NewEvent> {
    let target = (option::of(word()), option::of(word())).prop_map(|(kind, id)| {
        let mut target = Target::named("some");
        (target.kind, target.id) = (kind.map(str::to_owned), id.map(str::to_owned));
        target
    });
    let actor = (select(vec!["user", "api"]), option::of(word()), option::of(word()));
    let actor = (actor, option::of(word()), option::of(word()));
    let scope = (option::of(word()), option::of(word()));
    // Two events that shrink to one id would conflict, which the model rules out.
    let id = any::<u128>().prop_map(|id| EventId::from_uuid(Uuid::from_u128(id))).no_shrink();
    (id, time(), select(ACTIONS.to_vec()), actor, vec(target, 0..3), scope).prop_map(
        |(id, time, action, ((kind, actor, email), ip, principal), targets, (product, surface))| {
            let mut event = NewEvent::new(action, Actor::new(kind)).id(id).occurred_at(time);
            event.actor.id = actor.map(str::to_owned);
            event.actor.email = email.map(str::to_owned);
            event.actor.ip = ip.map(str::to_owned);
            event.actor.on_behalf_of = principal.map(|id| Box::new(Actor::user(id)));
            event.targets = targets;
            event.scope.product = product.map(str::to_owned);
            event.scope.surface = surface.map(Surface::new);
            event
        },
    )
}

/// Returns a filter with a condition, so that it may be erased by; not so wide that nothing is left.
fn erased() -> impl Strategy<Value = Filter> {
    let of_person = select(vec![
        Facet::ActorEmail,
        Facet::ActorId,
        Facet::ActorIp,
        Facet::Involving,
        Facet::TargetId,
    ]);
    let second = option::weighted(0.7, (0_i64..5).prop_map(at));
    (of_person, word(), second).prop_map(|(facet, value, second)| {
        let filter = Filter::new().with(facet, value);
        match second {
            Some(second) => filter.during(second..second.saturating_add(Duration::from_nanos(1))),
            None => filter,
        }
    })
}

/// Returns a filter whose values events are likely to have.
fn filter() -> impl Strategy<Value = Filter> {
    let action = select([&ACTIONS[..], &["user.*", "user.login.*", "item.*"]].concat());
    let words = select(vec![
        Facet::ActorId,
        Facet::ActorEmail,
        Facet::ActorIp,
        Facet::OnBehalfOf,
        Facet::Involving,
        Facet::TargetType,
        Facet::TargetId,
        Facet::Product,
        Facet::Surface,
    ]);
    let pairs = select(vec!["1=1", "1=2", "2=1", "2=2", "1=\0"]);
    let condition = prop_oneof![
        action.prop_map(|value| (Facet::Action, value)),
        select(vec!["user", "api", "none"]).prop_map(|value| (Facet::ActorKind, value)),
        (words, word()),
        pairs.prop_map(|pair| (Facet::Target, pair)),
    ]
    .boxed();
    let range = (option::weighted(0.2, time()), option::weighted(0.2, time()));
    let conditions = prop_oneof![3 => vec(condition.clone(), 0..2), 1 => vec(condition, 2..5)];
    (conditions, range).prop_map(|(conditions, (since, until))| {
        let mut filter = conditions.into_iter().fold(Filter::new(), |f, (k, v)| f.with(k, v));
        if let Some(since) = since {
            filter = filter.since(since);
        }
        // A range that ends before it begins is refused; that has a case of its own.
        if let Some(until) = until {
            filter = filter.until(until.max(since.unwrap_or(Timestamp::MIN)));
        }
        filter
    })
}

fn misuse() -> impl Strategy<Value = Misuse> {
    prop_oneof![
        4 => (any::<Index>(), any::<char>()).prop_map(|(at, with)| Misuse::Alter { at, with }),
        1 => select(vec![
            Misuse::OtherLog,
            Misuse::OtherFilter,
            Misuse::OtherOrder,
            Misuse::OtherEndpoint,
            Misuse::OtherKind,
        ]),
    ]
}
