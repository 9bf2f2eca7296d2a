//! A token is worth nothing elsewhere.

use audit_core::limits::MAX_FILTER_VALUES;
use audit_core::{
    Actor, Error, ErrorKind, EventQuery, Facet, FeedStart, Filter, Log, NewEvent, Order,
    OrganizationId, Timestamp, Token,
};
use proptest::collection::vec;
use proptest::prelude::Strategy;
use proptest::sample::select;
use proptest::{option, prop_assert_eq};

use crate::NewHarness;
use crate::property;
use crate::samples::{at, event, mixed, new_log};
use crate::subject::{Subject, refused};

/// A log, a query of it, and the tokens of a walk and of a feed that both have more to return.
struct Issued {
    query: EventQuery,
    walk: Token,
    feed: Token,
}

fn issue(subject: &Subject, query: EventQuery) -> Issued {
    subject.put(query.log(), &mixed(12));
    let query = query.limit(2);
    let walk = subject.page(&query).next.expect("a walk has a second page");
    let feed = subject.feed(&query, FeedStart::Beginning).expect("a feed can be begun").token;
    subject.next_page(&query, &walk).expect("its own token is accepted");
    subject.next_feed(&query, &feed).expect("its own token is accepted");
    Issued { query, walk, feed }
}

/// Requires that both refuse the token in the one way in which every token is refused.
fn refuse(subject: &Subject, query: &EventQuery, walk: &Token, feed: &Token, what: &str) {
    let answer = Error::new(ErrorKind::InvalidToken);
    for error in [
        refused(subject.next_page(query, walk), ErrorKind::InvalidToken, what),
        refused(subject.next_feed(query, feed), ErrorKind::InvalidToken, what),
    ] {
        let same = format!("{error:?}{error}") == format!("{answer:?}{answer}");
        assert!(same, "every refused token gets the same answer, not {error:?}");
    }
}

pub(crate) fn altered_are_refused(new: NewHarness<'_>) {
    let subject = Subject::new(new);
    let Issued { query, walk, feed } = issue(&subject, EventQuery::new(new_log()));
    let alter = |token: &Token, at: usize, with: char| {
        let mut text = token.as_str().to_owned();
        let old = text.remove(at);
        text.insert(at, if old == with { '~' } else { with });
        Token::new(text)
    };
    for position in 0..walk.as_str().len().min(feed.as_str().len()) {
        for with in ['A', 'B', '_', '9', '=', ' ', '\0', 'é'] {
            let [walk, feed] = [&walk, &feed].map(|token| alter(token, position, with));
            refuse(&subject, &query, &walk, &feed, "a token with an altered character");
        }
    }
    for cut in 1..walk.as_str().len() {
        let [walk, feed] = [&walk, &feed].map(|t| Token::new(&t.as_str()[cut..]));
        refuse(&subject, &query, &walk, &feed, "a token cut in front");
        let [walk, feed] = [&walk, &feed].map(|t| {
            let end = t.as_str().len().saturating_sub(cut);
            Token::new(&t.as_str()[..end])
        });
        refuse(&subject, &query, &walk, &feed, "a token cut at the end");
    }
    let longer = |token: &Token, more: &str| Token::new(format!("{token}{more}"));
    for more in ["A", "AAAA", "=", "\n", " "] {
        let [walk, feed] = [&walk, &feed].map(|token| longer(token, more));
        refuse(&subject, &query, &walk, &feed, "a token with something added");
    }
}

pub(crate) fn that_are_no_tokens_are_refused(new: NewHarness<'_>) {
    let subject = Subject::new(new);
    let Issued { query, .. } = issue(&subject, EventQuery::new(new_log()));
    for text in ["", "0", "null", "../..", "\0", "🦀", "AAAA", "====", &"A".repeat(60)] {
        let token = Token::new(text);
        refuse(&subject, &query, &token, &token, "a text that is no token");
    }
    let token = Token::new("A".repeat(1 << 20));
    refuse(&subject, &query, &token, &token, "a text of a megabyte");
}

pub(crate) fn of_another_log_are_refused(new: NewHarness<'_>) {
    let subject = Subject::new(new);
    let logs = [Log::Platform, new_log(), new_log()];
    let issued = logs.map(|log| issue(&subject, EventQuery::new(log)));
    for (n, own) in issued.iter().enumerate() {
        for (m, other) in issued.iter().enumerate() {
            if n != m {
                refuse(&subject, &own.query, &other.walk, &other.feed, "another log's token");
            }
        }
    }
    let empty = EventQuery::new(OrganizationId::new());
    refuse(&subject, &empty, &issued[0].walk, &issued[0].feed, "a token in an empty log");
}

pub(crate) fn of_another_filter_are_refused(new: NewHarness<'_>) {
    let subject = Subject::new(new);
    let query = EventQuery::new(new_log()).filter(Filter::new().actor_id("u_1").since(at(0)));
    let Issued { query, walk, feed } = issue(&subject, query);
    for other in [
        Filter::new(),
        Filter::new().actor_id("u_1"),
        Filter::new().since(at(0)),
        Filter::new().actor_id("u_2").since(at(0)),
        Filter::new().actor_id("u_1").actor_id("u_2").since(at(0)),
        Filter::new().target_id("u_1").since(at(0)),
        Filter::new().actor_id("u_1").since(at(1)),
        Filter::new().actor_id("u_1").until(at(0)),
        Filter::new().actor_id("u_1").during(at(0)..Timestamp::MAX),
        Filter::new().actor_id("u_1").since(at(0)).action("user.*"),
    ] {
        let query = query.clone().filter(other);
        refuse(&subject, &query, &walk, &feed, "a token of another filter");
    }
}

pub(crate) fn of_a_filter_that_reads_alike_are_refused(new: NewHarness<'_>) {
    let subject = Subject::new(new);
    let ids = |ids: &[&str]| ids.iter().fold(Filter::new(), |f, id| f.actor_id(*id));
    let many = |last: &str| {
        let first = (0..MAX_FILTER_VALUES - 1).map(|n| format!("{n:03}"));
        first.chain([last.to_owned()]).fold(Filter::new(), Filter::actor_id)
    };
    let long = |last: &str| Filter::new().actor_id(format!("{}{last}", "x".repeat(1_000)));
    let pairs = [
        (ids(&["a", "b"]), ids(&["ab"])),
        (ids(&["a", "b"]), ids(&["a,b"])),
        (ids(&["a", "b"]), ids(&["a\", \"b"])),
        (ids(&["a", "b"]), ids(&["a\0b"])),
        (ids(&["a", "b"]), ids(&["a|b"])),
        (ids(&["a", "b"]), ids(&["a", "b", ""])),
        (ids(&["a", "bc"]), ids(&["ab", "c"])),
        (ids(&[""]), Filter::new()),
        (ids(&["a"]), Filter::new().actor_kind("a")),
        (ids(&["a"]).service("b"), ids(&["b"]).service("a")),
        (ids(&["a"]).service("bc"), ids(&["ab"]).service("c")),
        (ids(&["a"]), ids(&["A"])),
        (Filter::new().action("a.*"), Filter::new().action("a.")),
        (Filter::new().target("a", "b"), Filter::new().target_type("a").target_id("b")),
        (Filter::new().target("a", "b"), Filter::new().source("a", "b")),
        (Filter::new().source("a", "b"), Filter::new().source_system("a")),
        (many("998"), many("999")),
        (long("a"), long("b")),
        (Filter::new().since(at(0)), Filter::new().since(at(0)).until(at(9))),
        (
            Filter::new().since(at(0)),
            Filter::new().since(Timestamp::from_nanos(at(0).as_nanos() + 1)),
        ),
    ];
    for (a, b) in pairs {
        for (own, other) in [(&a, &b), (&b, &a)] {
            let query = EventQuery::new(new_log()).filter(own.clone());
            subject.put(query.log(), &[(); 3].map(|()| matching(own)));
            let Issued { query, walk, feed } = issue(&subject, query);
            let query = query.filter(other.clone());
            refuse(&subject, &query, &walk, &feed, &format!("a token of {own:?} for {other:?}"));
        }
    }
}

/// Returns an event that `filter` matches by the first value of each condition.
fn matching(filter: &Filter) -> NewEvent {
    let time = filter.first_instant().max(at(0));
    let mut event = NewEvent::new("a.b", Actor::user("u")).occurred_at(time);
    for facet in filter.facets() {
        let value = filter.values(facet).next().unwrap_or_default();
        let (left, right) = value.split_once('=').unwrap_or((value, "1"));
        match facet {
            Facet::Action if value == "a." => event = event.action("a."),
            Facet::ActorId => event.actor.id = Some(value.to_owned()),
            Facet::ActorKind => event.actor.kind = value.to_owned().into(),
            Facet::Service => event.scope.service = Some(value.to_owned()),
            Facet::Product => event.scope.product = Some(value.to_owned()),
            Facet::Category => event.category = Some(value.to_owned()),
            Facet::Request => event.request.id = Some(value.to_owned()),
            Facet::Target | Facet::TargetType => event = event.target(left, right),
            Facet::TargetId => event = event.target("a", left),
            Facet::Source | Facet::SourceSystem => event = event.source(left, right),
            _ => {}
        }
    }
    assert!(filter.matches_content(&event), "an event that {filter:?} matches");
    event
}

/// A query as tokens are bound to it.
#[derive(Clone, Debug, PartialEq)]
struct Asked {
    log: usize,
    filter: Filter,
    order: Order,
    audience: &'static str,
}

/// Few values, of which one is often two others joined, or the value of another facet.
fn asked() -> impl Strategy<Value = Asked> {
    let facets =
        vec![Facet::ActorId, Facet::Service, Facet::Product, Facet::Category, Facet::Request];
    let values = vec!["a", "b", "ab", "ba", "", "a,b", "a\0b", "a\"b", "serviceb"];
    let conditions = vec((select(facets), vec(select(values), 1..3)), 0..3);
    let range = (option::of(0_i64..3), option::of(3_i64..6));
    let audiences = select(vec!["", "a", "ab", "b"]);
    (0_usize..2, conditions, range, select(Order::ALL.to_vec()), audiences).prop_map(
        |(log, conditions, (since, until), order, audience)| {
            let mut filter = Filter::new();
            for (facet, values) in conditions {
                filter = values.into_iter().fold(filter, |filter, value| filter.with(facet, value));
            }
            if let Some(second) = since {
                filter = filter.since(at(second));
            }
            if let Some(second) = until {
                filter = filter.until(at(second));
            }
            Asked { log, filter, order, audience }
        },
    )
}

/// Returns filters that read like this one if the values of a condition are joined.
fn alike(filter: &Filter) -> Vec<Filter> {
    let joined = |joint: &str, of: Facet| {
        filter.facets().fold(Filter::new(), |joined, facet| {
            let values: Vec<_> = filter.values(facet).collect();
            if facet == of {
                return joined.with(facet, values.join(joint));
            }
            values.into_iter().fold(joined, |joined, value| joined.with(facet, value))
        })
    };
    let joints = ["", ",", "|", "\0", "\", \""];
    filter.facets().flat_map(|facet| joints.map(|joint| joined(joint, facet))).collect()
}

pub(crate) fn of_any_other_query_are_refused(new: NewHarness<'_>) {
    let subject = Subject::new(new);
    let promise = "a token is accepted for the query it was issued for, and for no other";
    property::check(promise, 32, &(asked(), vec(asked(), 12)), |(own, others)| {
        let logs = [new_log(), new_log()];
        let query = |asked: &Asked| {
            let query = EventQuery::new(logs[asked.log]).filter(asked.filter.clone());
            query.order(asked.order).audience(asked.audience).limit(2)
        };
        subject.put(logs[own.log], &[(); 3].map(|()| matching(&own.filter)));
        let walk = subject.page(&query(&own)).next.expect("three events match");
        let feed = subject.feed(&query(&own), FeedStart::Beginning).expect("a feed begins").token;
        let alike = alike(&own.filter).into_iter().map(|filter| Asked { filter, ..own.clone() });
        // Those that differ in one thing are the likeliest to be taken for it.
        let others = others.into_iter().flat_map(|other| {
            [
                Asked { log: other.log, ..own.clone() },
                Asked { filter: other.filter.clone(), ..own.clone() },
                Asked { order: other.order, ..own.clone() },
                Asked { audience: other.audience, ..own.clone() },
                other,
            ]
        });
        for other in others.chain(alike) {
            let page = subject.next_page(&query(&other), &walk).map(drop);
            let expected = if other == own { Ok(()) } else { Err(ErrorKind::InvalidToken) };
            prop_assert_eq!(page.map_err(|e| e.kind()), expected, "a walk, {:?}", other);
            let is_own = Asked { order: own.order, ..other.clone() } == own;
            let page = subject.next_feed(&query(&other), &feed).map(drop);
            let expected = if is_own { Ok(()) } else { Err(ErrorKind::InvalidToken) };
            prop_assert_eq!(page.map_err(|e| e.kind()), expected, "a feed, {:?}", other);
        }
        Ok(())
    });
}

pub(crate) fn of_another_order_are_refused(new: NewHarness<'_>) {
    let subject = Subject::new(new);
    let log = new_log();
    let orders = Order::ALL;
    for issued_for in orders {
        let Issued { query, walk, feed } = issue(&subject, EventQuery::new(log).order(issued_for));
        for order in orders {
            let query = query.clone().order(order);
            if order != issued_for {
                let page = subject.next_page(&query, &walk);
                refused(page, ErrorKind::InvalidToken, "a token of another order");
            }
            let page = subject.next_feed(&query, &feed);
            assert!(page.is_ok(), "a feed has but one order");
        }
    }
}

pub(crate) fn of_another_endpoint_are_refused(new: NewHarness<'_>) {
    let subject = Subject::new(new);
    let log = new_log();
    for (own, other) in [("", "a"), ("a", ""), ("a", "b"), ("events", "activities"), ("a", "A")] {
        let Issued { query, walk, feed } = issue(&subject, EventQuery::new(log).audience(own));
        let query = query.audience(other);
        refuse(&subject, &query, &walk, &feed, "a token of another endpoint");
    }
}

pub(crate) fn of_another_kind_are_refused(new: NewHarness<'_>) {
    let subject = Subject::new(new);
    // By sequence, where walk and feed have the same order.
    let query = EventQuery::new(new_log()).order(Order::Sequence);
    let Issued { query, walk, feed } = issue(&subject, query);
    refuse(&subject, &query, &feed, &walk, "a walk's token in a feed, or the reverse");
}

pub(crate) fn of_another_store_are_refused(new: NewHarness<'_>) {
    let [subject, other] = [(); 2].map(|()| Subject::new(new));
    let query = EventQuery::new(new_log());
    let own = issue(&subject, query.clone());
    let foreign = issue(&other, query);
    refuse(&subject, &own.query, &foreign.walk, &foreign.feed, "another store's token");
    refuse(&other, &own.query, &own.walk, &own.feed, "another store's token");
}

pub(crate) fn are_good_with_every_handle(new: NewHarness<'_>) {
    let subject = Subject::new(new);
    let Issued { query, walk, feed } = issue(&subject, EventQuery::new(new_log()));
    let expected = subject.next_page(&query, &walk).expect("its own token is accepted");
    let other = subject.with_other_handle();
    let page = other.next_page(&query, &walk).expect("a token is good with every handle");
    assert_eq!(page.events, expected.events, "every handle continues the same walk");
    other.put(query.log(), &[event(1)]);
    other.next_feed(&query, &feed).expect("a token is good with every handle");
    drop(subject);
    let other = other.reopen();
    let page = other.next_page(&query, &walk).expect("a token outlives a reopen");
    assert_eq!(page.events, expected.events, "a walk goes on after a reopen");
}
