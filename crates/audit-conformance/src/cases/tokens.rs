//! A token is worth nothing elsewhere.

use audit_core::{
    Error, ErrorKind, EventQuery, FeedStart, Filter, Log, Order, OrganizationId, Timestamp, Token,
};

use crate::NewHarness;
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
