//! Tokens and positions below and above the floor, the last number that is pruned.

use audit_core::{
    AuditStoreExt as _, ErrorKind, EventId, EventQuery, FeedStart, Filter, Order, Position,
    Sequence, Token, Total,
};

use crate::RetentionHarness;
use crate::harness::NewRetentionHarness;
use crate::samples::{At as _, mixed, new_log, sequence};
use crate::subject::{SOON, Subject, everything, refused};

const ORDERS: [Order; 4] = Order::ALL;

impl Subject<dyn RetentionHarness> {
    /// Returns the tokens of a walk in pages of `limit`, each with its position.
    fn places(&self, query: &EventQuery) -> Vec<(Position, Token)> {
        let mut page = self.page(query);
        let mut places = Vec::new();
        while let Some(token) = page.next {
            places.push((Position::of(page.events.last().expect("it has a next page")), token));
            let (_, token) = places.last().unwrap();
            page = self.next_page(query, token).expect("a walk's own token is accepted");
        }
        places
    }

    /// Returns the tokens of a feed in pages of the query's size, each with its sequence.
    fn numbers(&self, query: &EventQuery) -> Vec<(Sequence, Token)> {
        let mut page = self.feed(query, FeedStart::Beginning).expect("a feed can be begun");
        let mut numbers = Vec::new();
        while !page.caught_up {
            let last = page.events.last().expect("a feed that is not caught up has events");
            numbers.push((last.sequence, page.token));
            let (_, token) = numbers.last().unwrap();
            page = self.next_feed(query, token).expect("a feed's own token is accepted");
        }
        numbers.push((self.head(query.log()).size, page.token));
        numbers
    }
}

pub(crate) fn end_the_tokens_below_them(new: NewRetentionHarness<'_>) {
    let mut subject = Subject::new(new);
    let log = new_log();
    let query = EventQuery::new(log).limit(5);
    subject.put(log, &mixed(90));
    let walks = ORDERS.map(|order| subject.places(&query.clone().order(order)));
    let feed = subject.numbers(&query);
    let floor = subject.pruned(log, 30).floor;
    assert_eq!(floor, sequence(32), "this case removes a tile");
    let gone = |what: &str| format!("a {what} below the floor");
    for _ in 0..2 {
        for (order, places) in ORDERS.into_iter().zip(&walks) {
            let query = query.clone().order(order);
            let below: Vec<_> = places.iter().filter(|(last, _)| last.sequence < floor).collect();
            assert!(below.len() > 3, "this case has walks below the floor");
            for (last, token) in below {
                let page = subject.next_page(&query.clone().limit(1_000), token);
                let error = refused(page, ErrorKind::Gone, &gone("walk"));
                assert!(!error.is_retryable(), "pruned events do not come back");
                let scan = everything(log).order(order).after(*last);
                refused(subject.scan(scan), ErrorKind::Gone, &gone("place"));
            }
        }
        for (_, token) in feed.iter().filter(|(last, _)| *last < floor) {
            refused(subject.next_feed(&query, token), ErrorKind::Gone, &gone("feed"));
            let waited = subject.within(SOON, subject.store().wait_feed(&query, token));
            refused(waited.expect("there is no wait"), ErrorKind::Gone, &gone("feed that waits"));
        }
        for after in [0, 1, 30, 31].map(sequence) {
            let page = subject.feed(&query, FeedStart::After(after));
            refused(page, ErrorKind::Gone, &gone("beginning of a feed"));
        }
        subject = subject.reopen();
    }
}

pub(crate) fn keep_the_walks_above_them(new: NewRetentionHarness<'_>) {
    let subject = Subject::new(new);
    for filter in [Filter::new(), Filter::new().actor_id("u_1"), Filter::new().action("user.*")] {
        for order in ORDERS {
            let log = new_log();
            let query =
                EventQuery::new(log).filter(filter.clone()).order(order).limit(3).with_total();
            subject.put(log, &mixed(90));
            let bound = subject.head(log).size;
            let places = subject.places(&query);
            let model = subject.pruned(log, 30);
            // Later events, with times before, among and after those of the walk.
            subject.put(
                log,
                &[-9, 0, 2, 4, 99].map(|second| mixed(1)[0].clone().id(EventId::new()).at(second)),
            );
            let above = places.iter().filter(|(last, _)| last.sequence >= model.floor);
            assert!(above.clone().count() > 3, "this case has walks above the floor");
            for (last, token) in above {
                let scan = everything(log).filter(filter.clone()).order(order).after(*last);
                let expected = model.answer(&scan.bound(bound).total(Total::Exact));
                let page = subject.next_page(&query, token);
                let page = page.expect("a walk above the floor goes on");
                assert_eq!(page.bound, bound, "a walk stays a snapshot");
                assert_eq!(page.total, expected.total, "its total counts the retained events");
                // A place that it comes to below the floor ends it, and only that.
                let (mut found, mut next) = (page.events, page.next);
                while let Some(token) = next {
                    let page = subject
                        .next_page(&query, &token)
                        .expect("a token above the floor is accepted");
                    found.extend(page.events);
                    next = page.next;
                }
                assert_eq!(found, expected.events, "{order:?}: a walk has all that is left");
            }
        }
    }
}

pub(crate) fn keep_the_feeds_above_them(new: NewRetentionHarness<'_>) {
    let subject = Subject::new(new);
    for filter in [Filter::new(), Filter::new().actor_id("u_1")] {
        let log = new_log();
        let query = EventQuery::new(log).filter(filter.clone()).limit(4);
        subject.put(log, &mixed(90));
        let tokens = subject.numbers(&query);
        let mut model = subject.pruned(log, 30);
        model.events.extend(subject.put(log, &mixed(7)));
        let expected = |after: Sequence| {
            let mut events = model.all(&filter, Order::Sequence);
            events.retain(|event| event.sequence > after);
            events
        };
        let starts = [32, 33, 60, 90].map(|after| (FeedStart::After(sequence(after)), after));
        for (start, after) in starts.into_iter().chain([(FeedStart::Beginning, 32)]) {
            let page = subject.feed(&query, start).expect("a feed can be begun at the floor");
            let (found, _) = subject.drain(&query, page);
            let all = expected(sequence(after));
            assert_eq!(found, all, "a feed begins where asked, or at the floor: {start:?}");
        }
        let above = tokens.into_iter().filter(|(last, _)| *last >= model.floor);
        let mut count = 0;
        for (last, token) in above {
            let page = subject.next_feed(&query, &token).expect("a feed above the floor goes on");
            let (found, _) = subject.drain(&query, page);
            assert_eq!(found, expected(last), "a feed delivers all that came after it");
            count += 1;
        }
        assert!(count > 3, "this case has feeds above the floor");
    }
}
