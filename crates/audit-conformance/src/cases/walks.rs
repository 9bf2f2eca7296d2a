//! A walk is a snapshot: every event once, in order, whatever happens meanwhile.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use audit_core::limits::MAX_PAGE_EVENTS;
use audit_core::{AuditStoreExt as _, ErrorKind, EventQuery, Filter, Log, Order};
use futures_util::TryStreamExt as _;

use crate::NewHarness;
use crate::model::Model;
use crate::samples::{At as _, event, events, mixed, new_log};
use crate::subject::{SetOnDrop, Subject, refused};

const ORDERS: [Order; 3] = [Order::NewestFirst, Order::OldestFirst, Order::Sequence];

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
