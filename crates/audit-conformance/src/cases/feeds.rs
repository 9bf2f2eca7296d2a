//! A feed has no gaps: every later event, once, by sequence.

use std::thread;

use audit_core::{AuditEvent, ErrorKind, EventQuery, FeedStart, Filter, Order};

use crate::NewHarness;
use crate::model::Model;
use crate::samples::{event, events, mixed, new_log, sequence};
use crate::subject::{Subject, refused};

fn start(subject: &Subject, query: &EventQuery, start: FeedStart) -> audit_core::FeedPage {
    subject.feed(query, start).expect("a feed can be begun")
}

pub(crate) fn deliver_every_event_once_in_order(new: NewHarness<'_>) {
    let subject = Subject::new(new);
    for limit in [1, 2, 5, 1_000] {
        let log = new_log();
        let query = EventQuery::new(log).limit(limit).order(Order::NewestFirst).offset(3);
        let first = start(&subject, &query, FeedStart::Beginning);
        let (mut found, mut token) = subject.drain(&query, first);
        let mut expected = Vec::new();
        for round in 0..6 {
            expected.extend(subject.put(log, &mixed(round * 2)));
            subject.put(new_log(), &mixed(2));
            let page = subject.next_feed(&query, &token).expect("its token is accepted");
            assert!(page.events.len() <= limit, "a page of a feed holds at most its limit");
            let (events, next) = subject.drain(&query, page);
            found.extend(events);
            token = next;
            assert_eq!(found, expected, "a feed delivers every event once, by sequence");
        }
    }
}

pub(crate) fn have_a_token_when_empty(new: NewHarness<'_>) {
    let subject = Subject::new(new);
    let log = new_log();
    let query = EventQuery::new(log).filter(Filter::new().actor_id("u_1"));
    let mut token = start(&subject, &query, FeedStart::Beginning).token;
    for round in 0..3 {
        for _ in 0..2 {
            let page =
                subject.next_feed(&query, &token).expect("the token of an empty page is good");
            assert_eq!(page.events, [], "nothing new has come");
            assert!(page.caught_up, "a feed without news is caught up");
            token = page.token;
        }
        let placed = subject.put(log, &[event(round)]);
        let page = subject.next_feed(&query, &token).expect("the token of an empty page is good");
        assert_eq!(page.events, placed, "the token of an empty page delivers what comes next");
        token = page.token;
    }
}

pub(crate) fn select_by_filter(new: NewHarness<'_>) {
    let subject = Subject::new(new);
    let log = new_log();
    let filter = Filter::new().action("user.login.*").actor_id("u_2");
    let query = EventQuery::new(log).filter(filter.clone()).limit(2);
    let mut token = start(&subject, &query, FeedStart::Beginning).token;
    let (mut found, mut all) = (Vec::new(), Vec::new());
    for _ in 0..4 {
        all.extend(subject.put(log, &mixed(13)));
        let page = subject.next_feed(&query, &token).expect("its token is accepted");
        let (events, next) = subject.drain(&query, page);
        found.extend(events);
        token = next;
    }
    let expected = Model::new(all).all(&filter, Order::Sequence);
    assert!(!expected.is_empty(), "some events match");
    assert_eq!(found, expected, "a feed delivers exactly what matches");
}

pub(crate) fn go_on_after_a_reopen(new: NewHarness<'_>) {
    let mut subject = Subject::new(new);
    let log = new_log();
    let query = EventQuery::new(log).limit(2);
    let mut token = start(&subject, &query, FeedStart::Now).token;
    let (mut found, mut expected) = (Vec::new(), Vec::new());
    for round in 0..4 {
        expected.extend(subject.put(log, &mixed(round)));
        subject = subject.reopen();
        let page = subject.next_feed(&query, &token).expect("a token outlives a reopen");
        let (events, next) = subject.drain(&query, page);
        found.extend(events);
        token = next;
        assert_eq!(found, expected, "a feed goes on after a reopen");
    }
}

pub(crate) fn start_where_asked(new: NewHarness<'_>) {
    let subject = Subject::new(new);
    for (from, left_out) in [
        (FeedStart::Beginning, 0),
        (FeedStart::After(sequence(0)), 0),
        (FeedStart::After(sequence(4)), 4),
        (FeedStart::After(sequence(6)), 6),
        (FeedStart::Now, 6),
    ] {
        let log = new_log();
        let query = EventQuery::new(log);
        let placed = subject.put(log, &mixed(6));
        let page = start(&subject, &query, from);
        assert_eq!(page.events, placed[left_out..], "a feed begins where asked: {from:?}");
        let later = subject.put(log, &[event(1)]);
        let next = subject.next_feed(&query, &page.token).expect("its token is accepted");
        assert_eq!(next.events, later, "a feed goes on with what comes: {from:?}");
    }
}

pub(crate) fn report_when_they_are_caught_up(new: NewHarness<'_>) {
    let subject = Subject::new(new);
    let log = new_log();
    subject.put(log, &events(5));
    let query = EventQuery::new(log).limit(2);
    let mut page = start(&subject, &query, FeedStart::Beginning);
    let mut caught_up = vec![page.caught_up];
    while !page.caught_up && caught_up.len() < 9 {
        page = subject.next_feed(&query, &page.token).expect("its token is accepted");
        caught_up.push(page.caught_up);
    }
    assert_eq!(caught_up, [false, false, true], "a feed is caught up with the last event");
    let exact = start(&subject, &query.clone().limit(5), FeedStart::Beginning);
    assert!(exact.caught_up, "a full page with nothing after it is caught up");
    let beyond = subject.feed(&query, FeedStart::After(sequence(6)));
    refused(beyond, ErrorKind::Behind, "a feed that begins beyond the end of the log");
}

pub(crate) fn follow_several_writers(new: NewHarness<'_>) {
    const WRITERS: usize = 4;
    const ROUNDS: usize = 25;
    let subject = Subject::new(new);
    let log = new_log();
    let query = EventQuery::new(log).limit(7);
    let mut found: Vec<AuditEvent> = Vec::new();
    thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS)
            .map(|_| {
                scope.spawn(|| {
                    for _ in 0..ROUNDS {
                        subject.put(log, &mixed(2));
                    }
                })
            })
            .collect();
        let mut page = start(&subject, &query, FeedStart::Beginning);
        loop {
            let last_round = writers.iter().all(thread::ScopedJoinHandle::is_finished);
            let (events, token) = subject.drain(&query, page);
            found.extend(events);
            page = subject.next_feed(&query, &token).expect("its token is accepted");
            if last_round {
                let (events, _) = subject.drain(&query, page);
                found.extend(events);
                break;
            }
        }
    });
    let numbers: Vec<_> = found.iter().map(|event| event.sequence.get()).collect();
    let expected: Vec<_> = (1..=(WRITERS * ROUNDS * 2) as u64).collect();
    assert_eq!(
        numbers, expected,
        "a follower of several writers misses nothing, sees nothing twice"
    );
    assert!(found == subject.events(log), "a follower sees what the log holds");
}
