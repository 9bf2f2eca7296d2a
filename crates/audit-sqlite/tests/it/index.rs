//! The index at realistic sizes: postings of all lengths, segments of all levels, early and late
//! events. It must find the same events as a check of every event.

use audit_core::{
    Actor, AuditEvent, AuditStore, AuditStoreExt, EventQuery, Filter, Log, NewEvent, Order,
    Position, Scope, Timestamp,
};
use audit_sqlite::SqliteStore;
use futures_executor::block_on;
use futures_util::TryStreamExt;

const EVENTS: u64 = 12_000;

fn time(seconds: u64) -> Timestamp {
    Timestamp::from_micros(1_700_000_000_000_000 + seconds.cast_signed() * 1_000_000).unwrap()
}

/// Scatters the number of an event.
fn scatter(number: u64) -> u64 {
    (number ^ (number >> 3)).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40
}

/// Makes an event with terms that nearly all events have, that many have, that some have, and that
/// only it has.
fn event(number: u64, seconds: u64) -> NewEvent {
    let random = scatter(number);
    let verb = ["viewed", "paid", "sent"][(random % 3) as usize];
    let environment = if random.is_multiple_of(20) { "staging" } else { "production" };
    let event =
        NewEvent::new(format!("invoice.{verb}"), Actor::user(format!("u_{}", random % 300)))
            .occurred_at(time(seconds))
            .target("invoice", format!("inv_{number}"))
            .scope(Scope::default().environment(environment));
    if number.is_multiple_of(1_000) { event.category("rare") } else { event }
}

fn filters() -> Vec<Filter> {
    let filter = Filter::new;
    vec![
        filter(),
        filter().action("invoice.paid"),
        filter().action("invoice.*"),
        filter().category("rare"),
        filter().target_id("inv_4711").target_id("inv_11999").target_id("inv_0"),
        filter().actor_id("u_7"),
        filter().actor_id("u_7").actor_id("u_8").action("invoice.sent"),
        filter().environment("staging").action("invoice.viewed"),
        filter().environment("production").action("invoice.*").actor_kind("user"),
        filter().environment("nowhere"),
        filter().during(time(3_000)..time(3_500)),
        filter().during(time(2_000)..time(9_000)).environment("staging"),
        filter().since(time(11_900)).action("invoice.paid"),
    ]
}

/// Fails unless the store finds the same events as a check of `events`, which are all events.
fn agrees(store: &SqliteStore, log: Log, events: &[AuditEvent]) {
    for filter in filters() {
        for order in Order::ALL {
            let mut expected: Vec<_> = events.iter().filter(|e| filter.matches(e)).collect();
            expected.sort_by(|a, b| order.compare(&Position::of(a), &Position::of(b)));
            let expected: Vec<_> = expected.iter().map(|event| event.sequence).collect();
            let query = EventQuery::new(log).filter(filter.clone()).order(order).limit(777);
            let walk = store.walk(query.clone()).map_ok(|event| event.sequence);
            let found: Vec<_> = block_on(walk.try_collect()).unwrap();
            assert!(found == expected, "{} of {}: {query:?}", found.len(), expected.len());
            let count = block_on(store.count(&query)).unwrap();
            assert_eq!(count, expected.len() as u64, "{query:?}");
        }
    }
}

fn fill(times: impl Fn(u64) -> u64) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("audit.db");
    let store = SqliteStore::open(&path).unwrap();
    let log = Log::Platform;
    let mut events: Vec<AuditEvent> = Vec::new();
    // Batches of many sizes, so that tails and segments have many sizes too.
    for size in [1, 300, 2, 900, 1_000, 3, 7].into_iter().cycle() {
        let first = events.len() as u64;
        let last = EVENTS.min(first + size);
        let batch = (first..last).map(|number| event(number, times(number))).collect();
        block_on(store.append(log, batch)).unwrap();
        let query = EventQuery::new(log).order(Order::Sequence).limit(1_000).offset(first);
        events.extend(block_on(store.page(&query)).unwrap().events);
        if last == EVENTS {
            break;
        }
    }
    agrees(&store, log, &events);
    // A walk continues unchanged although the index is merged meanwhile.
    let query =
        EventQuery::new(log).filter(Filter::new().environment("staging")).limit(50).with_total();
    let first = block_on(store.page(&query)).unwrap();
    for batch in 0..5 {
        let number = |n| EVENTS + batch * 1_000 + n;
        let batch = (0..1_000).map(|n| event(number(n), times(number(n)))).collect();
        block_on(store.append(log, batch)).unwrap();
    }
    let mut found: Vec<_> = first.events.iter().map(|event| event.sequence).collect();
    let mut next = first.next;
    while let Some(token) = next {
        let page = block_on(store.next_page(&query, &token)).unwrap();
        assert_eq!(page.total, first.total);
        found.extend(page.events.iter().map(|event| event.sequence));
        next = page.next;
    }
    let mut expected: Vec<_> =
        events.iter().filter(|e| e.scope.environment.as_deref() == Some("staging")).collect();
    expected.sort_by(|a, b| Order::NewestFirst.compare(&Position::of(a), &Position::of(b)));
    assert!(found.iter().eq(expected.iter().map(|event| &event.sequence)));
    assert_eq!(first.total, Some(expected.len() as u64));
}

#[test]
fn events_in_order() {
    fill(|number| number);
}

#[test]
fn events_of_which_some_are_late() {
    fill(
        |number| {
            if number % 50 == 0 { number - number.min(scatter(number) % 3_600) } else { number }
        },
    );
}

#[test]
fn events_the_newest_first() {
    fill(|number| 2 * EVENTS - number);
}

#[test]
fn events_in_no_order() {
    fill(|number| scatter(number) % EVENTS);
}

#[test]
fn events_of_one_instant() {
    fill(|_| 5_000);
}

#[test]
fn an_event_years_in_the_future_slows_no_other_page() {
    fill(|number| if number == 700 { 300_000_000 } else { number });
}

/// Events with many more terms than usual, so that segments reach their size in bytes first.
#[test]
fn events_of_many_targets() {
    let directory = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(directory.path().join("audit.db")).unwrap();
    let wide = |number: u64| {
        (0..60).fold(event(number, number), |event, target| {
            event.add_target(audit_core::Target::new("row", format!("{number}/{target}")))
        })
    };
    for first in (0..3_000).step_by(100) {
        block_on(store.append(Log::Platform, (first..first + 100).map(wide).collect())).unwrap();
    }
    for (id, count) in [("0/0", 1), ("2999/59", 1), ("1500/30", 1), ("3000/0", 0)] {
        let query = EventQuery::new(Log::Platform).filter(Filter::new().target("row", id));
        assert_eq!(block_on(store.count(&query)).unwrap(), count, "{id}");
        assert_eq!(block_on(store.page(&query)).unwrap().events.len() as u64, count, "{id}");
    }
}
