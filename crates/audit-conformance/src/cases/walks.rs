//! A walk is a snapshot: every event once, in order, whatever happens meanwhile.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use audit_core::limits::MAX_PAGE_EVENTS;
use audit_core::{
    AuditEvent, AuditStoreExt as _, ErrorKind, EventId, EventQuery, Filter, Log, NewEvent, Order,
    Position, Sequence, Token,
};
use futures_util::TryStreamExt as _;

use crate::NewHarness;
use crate::model::Model;
use crate::samples::{At as _, event, events, mixed, new_log};
use crate::subject::{SetOnDrop, Subject, refused};

const ORDERS: [Order; 4] = Order::ALL;

/// Long enough for another thread to append something.
const MOMENT: Duration = Duration::from_millis(100);

fn filters() -> [Filter; 2] {
    [Filter::new(), Filter::new().action("user.*").actor_id("u_2")]
}

pub(crate) fn return_every_event_once_in_order(new: NewHarness<'_>) {
    let subject = Subject::new(new);
    let log = new_log();
    let model = Model::new(subject.put(log, &mixed(50)));
    for order in ORDERS {
        for filter in filters() {
            let query = EventQuery::new(log).order(order).filter(filter.clone());
            for limit in [1, 2, 3, 7, 49, 50, 51, 1_000] {
                let found = subject.walk(&query, limit);
                assert_eq!(found, model.all(&filter, order), "{order:?}, pages of {limit}");
            }
        }
    }
}

pub(crate) fn are_snapshots(new: NewHarness<'_>) {
    let subject = Subject::new(new);
    for order in ORDERS {
        for filter in filters() {
            let log = new_log();
            let model = Model::new(subject.put(log, &mixed(20)));
            let query = EventQuery::new(log).order(order).filter(filter.clone()).limit(2);
            let first = subject.page(&query);
            assert_eq!(first.bound, model.size(), "a page has the size of its snapshot");
            let (mut found, mut next) = (first.events, first.next);
            while let Some(token) = next {
                // Times before, among, equal to and after those of the snapshot.
                let late = [-9, 0, 1, 2, 3, 4, 99].map(|second| mixed(2)[1].clone().at(second));
                subject.put(log, &late.map(|event| event.id(audit_core::EventId::new())));
                let page = subject.next_page(&query, &token).expect("its token is accepted");
                assert_eq!(page.bound, model.size(), "every page is of the same snapshot");
                found.extend(page.events);
                next = page.next;
            }
            assert_eq!(found, model.all(&filter, order), "{order:?}: a walk is a snapshot");
        }
    }
}

pub(crate) fn may_change_their_page_size(new: NewHarness<'_>) {
    let subject = Subject::new(new);
    let log = new_log();
    let model = Model::new(subject.put(log, &mixed(1_200)));
    for order in ORDERS {
        for sizes in [&[1, MAX_PAGE_EVENTS][..], &[MAX_PAGE_EVENTS, 1], &[3, 1, 250, 2, 700]] {
            let query = EventQuery::new(log).order(order).limit(5);
            let found = subject.rest(&query, subject.page(&query), sizes);
            let same = found == model.all(&Filter::new(), order);
            assert!(same, "{order:?}: a walk in pages of {sizes:?} returns every event once");
        }
    }
    for limit in [0, MAX_PAGE_EVENTS + 1] {
        let error = subject.try_page(&EventQuery::new(log).limit(limit));
        let error = refused(error, ErrorKind::Invalid, "a page size out of range");
        assert_eq!(error.field(), Some("limit"), "an error names the field at fault");
    }
}

pub(crate) fn go_on_after_a_reopen(new: NewHarness<'_>) {
    let mut subject = Subject::new(new);
    let log = new_log();
    subject.put(log, &mixed(12));
    for order in ORDERS {
        let query = EventQuery::new(log).order(order).limit(5);
        let first = subject.page(&query);
        let (mut found, mut next) = (first.events, first.next);
        while let Some(token) = next {
            subject.put(log, &mixed(3));
            subject = subject.reopen();
            let page = subject.next_page(&query, &token);
            let page = page.expect("a token outlives a reopen");
            found.extend(page.events);
            next = page.next;
        }
        let expected = Model::new(subject.events(log)).select(&Filter::new(), order, first.bound);
        assert_eq!(found, expected, "a walk goes on after a reopen");
    }
}

pub(crate) fn end_without_a_token(new: NewHarness<'_>) {
    let subject = Subject::new(new);
    let log = new_log();
    for order in ORDERS {
        let page = subject.page(&EventQuery::new(log).order(order));
        let empty = (page.events.is_empty(), page.next, page.bound.get());
        assert_eq!(empty, (true, None, 0), "an empty log is one empty page");
    }
    subject.put(log, &events(6));
    for (limit, has_more) in [(5, true), (6, false), (7, false)] {
        let page = subject.page(&EventQuery::new(log).limit(limit));
        assert_eq!(page.next.is_some(), has_more, "a token says that more match: {limit} of 6");
    }
    let query = EventQuery::new(log).limit(3);
    let token = subject.page(&query).next.expect("three of six are left");
    let last = subject.next_page(&query, &token).expect("its token is accepted");
    assert_eq!((last.events.len(), last.next), (3, None), "the last full page has no token");
    let nothing = EventQuery::new(log).filter(Filter::new().actor_id("no one"));
    assert_eq!(subject.page(&nothing).next, None, "a walk of nothing is over at once");
}

pub(crate) fn hold_while_others_append(new: NewHarness<'_>) {
    let subject = Subject::new(new);
    let log = new_log();
    subject.put(log, &mixed(30));
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let _finished = SetOnDrop(&done);
        let write = |writer| {
            let (subject, done) = (&subject, &done);
            scope.spawn(move || {
                let rounds = (0..300).take_while(|_| !done.load(Ordering::Relaxed));
                for round in rounds {
                    subject.put(log, &[event(round % 5), event(-round), event(round + writer)]);
                }
            })
        };
        let writers = [0, 1].map(write);
        for order in ORDERS {
            let query = EventQuery::new(log).order(order).limit(3);
            let first = subject.page(&query);
            let (mut found, mut next) = (first.events, first.next);
            while let Some(token) = next {
                // Something is appended between two pages, unless the writers have finished.
                if !writers.iter().all(thread::ScopedJoinHandle::is_finished) {
                    let head = subject.head(log).size;
                    subject.within(MOMENT, subject.store().wait_for_append(log, head));
                }
                let page = subject.next_page(&query.clone().limit(11), &token);
                let page = page.expect("its token is accepted");
                found.extend(page.events);
                next = page.next;
            }
            // The log only grows, so that its first events can be read afterwards.
            let model = Model::new(subject.events(log));
            let expected = model.select(&Filter::new(), order, first.bound);
            assert!(found == expected, "{order:?}: a walk holds while others append");
        }
    });
}

pub(crate) fn stream_the_same_events(new: NewHarness<'_>) {
    let subject = Subject::new(new);
    for log in [new_log(), Log::Platform] {
        let model = Model::new(subject.put(log, &mixed(25)));
        for (order, filter) in ORDERS.into_iter().zip(filters().into_iter().cycle()) {
            let query = EventQuery::new(log).order(order).filter(filter.clone()).limit(4);
            let found: Vec<_> = subject
                .block_on(subject.store().walk(query).try_collect())
                .expect("a walk can be read as a stream");
            assert_eq!(found, model.all(&filter, order), "a stream is the whole walk");
        }
    }
}

pub(crate) fn go_back_as_they_came(new: NewHarness<'_>) {
    let subject = Subject::new(new);
    let log = new_log();
    let large = |event: NewEvent| event.message("x".repeat(2_000));
    let batch = mixed(40).into_iter().enumerate();
    let batch = batch.map(|(n, event)| if n % 3 == 0 { large(event) } else { event });
    let model = Model::new(subject.put(log, &batch.collect::<Vec<_>>()));
    for order in Order::ALL {
        for filter in filters() {
            let all = model.all(&filter, order);
            for (limit, bytes) in [(1, usize::MAX), (7, usize::MAX), (7, 3_000), (40, usize::MAX)] {
                let query = EventQuery::new(log).order(order).filter(filter.clone());
                let query = query.limit(limit).max_bytes(bytes).with_total();
                let mut page = subject.page(&query);
                assert_eq!(page.previous, None, "nothing comes before the first page");
                while let Some(token) = &page.next {
                    page = subject.next_page(&query, token).expect("its token is accepted");
                }
                let mut found = page.events.clone();
                while let Some(token) = &page.previous {
                    page = subject.next_page(&query, token).expect("its token is accepted");
                    assert!((1..=limit).contains(&page.events.len()), "at most the limit");
                    assert_eq!(page.total, Some(all.len() as u64), "every page has the total");
                    found.splice(..0, page.events.clone());
                }
                assert_eq!(found, all, "{order:?}: a walk goes back as it came");
                let again = subject.rest(&query, page, &[limit]);
                assert_eq!(again, all, "{order:?}: from there it goes forward again");
            }
        }
    }
    let query = EventQuery::new(log).offset(5).limit(2);
    let token = subject.page(&query).previous.expect("the offset left out five");
    let page = subject.next_page(&query, &token).expect("its token is accepted");
    let all = model.all(&Filter::new(), Order::NewestFirst);
    assert_eq!(page.events, all[3..5], "what an offset left out comes before");
}

pub(crate) fn go_back_within_their_snapshot(new: NewHarness<'_>) {
    let subject = Subject::new(new);
    for order in Order::ALL {
        let log = new_log();
        let model = Model::new(subject.put(log, &mixed(20)));
        let query = EventQuery::new(log).order(order).limit(3);
        let mut page = subject.page(&query);
        while let Some(token) = &page.next {
            page = subject.next_page(&query, token).expect("its token is accepted");
        }
        let mut found = page.events.clone();
        while let Some(token) = &page.previous {
            let late = [-9, 0, 1, 2, 3, 4, 99].map(|second| event(0).at(second));
            subject.put(log, &late);
            page = subject.next_page(&query, token).expect("its token is accepted");
            assert_eq!(page.bound, model.size(), "every page is of the same snapshot");
            found.splice(..0, page.events.clone());
        }
        let all = model.all(&Filter::new(), order);
        assert_eq!(found, all, "{order:?}: a walk goes back within its snapshot");
    }
}

pub(crate) fn begin_around_an_event(new: NewHarness<'_>) {
    let subject = Subject::new(new);
    let log = new_log();
    let model = Model::new(subject.put(log, &mixed(30)));
    for order in Order::ALL {
        for filter in filters() {
            let all = model.all(&filter, order);
            for anchor in [0, 1, 14, 28, 29].map(|n| &model.events[n]) {
                for limit in [1, 4, 7, 1_000] {
                    let query = EventQuery::new(log).order(order).filter(filter.clone());
                    let query = query.limit(limit);
                    let page = subject.page(&query.clone().around(anchor.sequence));
                    let same = subject.page(&query.clone().around(anchor.id)).events;
                    assert_eq!(page.events, same, "an id and its sequence are one event");
                    assert_eq!(page.events.len(), limit.min(all.len()), "the page is full");
                    let has_anchor = page.events.contains(anchor);
                    assert_eq!(has_anchor, filter.matches(anchor), "the event is on the page");
                    let place = Position::of(anchor);
                    let side = |e: &&AuditEvent| order.compare(&Position::of(e), &place).is_lt();
                    let (before, after) = (
                        all.iter().filter(side).count(),
                        all.iter().filter(|event| !side(event)).count(),
                    );
                    let found = page.events.iter().filter(side).count();
                    let half = (limit / 2).min(before);
                    let fill = limit.saturating_sub(after).min(before);
                    assert_eq!(found, half.max(fill), "as many before as after, if there are");
                    // Both tokens go on from there.
                    let first = page.previous.clone();
                    let mut whole = subject.rest(&query, page, &[limit]);
                    let mut previous = first;
                    while let Some(token) = previous {
                        let page = subject.next_page(&query, &token);
                        let page = page.expect("its token is accepted");
                        whole.splice(..0, page.events);
                        previous = page.previous;
                    }
                    assert_eq!(whole, all, "{order:?}: a walk goes both ways");
                }
            }
        }
    }
    let query = EventQuery::new(log);
    let unknown = [
        query.clone().around(EventId::new()),
        query.clone().around(Sequence::ZERO),
        query.clone().around(model.size().next()),
    ];
    for query in unknown {
        refused(subject.try_page(&query), ErrorKind::NotFound, "a page around no event");
    }
    let both = subject.try_page(&query.around(model.size()).offset(1));
    let error = refused(both, ErrorKind::Invalid, "an offset from an event");
    assert_eq!(error.field(), Some("offset"), "an error names the field at fault");
}

pub(crate) fn go_back_by_tokens_of_their_own(new: NewHarness<'_>) {
    let subject = Subject::new(new);
    let log = new_log();
    subject.put(log, &mixed(12));
    let query = EventQuery::new(log).order(Order::Sequence).limit(4);
    let token = subject.page(&query).next.expect("a walk has a second page");
    let page = subject.next_page(&query, &token).expect("its token is accepted");
    let previous = page.previous.expect("a second page has a first");
    for other in [
        EventQuery::new(new_log()).order(Order::Sequence),
        query.clone().order(Order::SequenceReversed),
        query.clone().filter(Filter::new().actor_id("u_1")),
        query.clone().audience("other"),
    ] {
        let page = subject.next_page(&other, &previous);
        refused(page, ErrorKind::InvalidToken, "the previous token of another query");
    }
    let feed = subject.next_feed(&query, &previous);
    refused(feed, ErrorKind::InvalidToken, "a walk's previous token in a feed");
    let mut altered = previous.as_str().to_owned();
    // The kind alone: the token of the next page at the same position.
    altered.replace_range(..2, &token.as_str()[..2]);
    let page = subject.next_page(&query, &Token::new(altered));
    refused(page, ErrorKind::InvalidToken, "a token whose direction was altered");
}
