//! A token belongs to the history of its log: after an older copy is put back it is refused, or its
//! walk goes on as if nothing had happened.

use audit_core::{AuditEvent, Error, ErrorKind, EventQuery, FeedStart, Log, Order, Page, Token};

use crate::NewHarness;
use crate::samples::{mixed, new_log, sequence};
use crate::subject::{Subject, refused};

/// The events of the copy.
const COMMON: u64 = 13;
/// The events that were appended after the copy, and are lost.
const LOST: i64 = 11;

/// Returns a walk of each order.
fn walks(log: Log) -> impl Iterator<Item = EventQuery> {
    Order::ALL.into_iter().map(move |order| EventQuery::new(log).order(order).limit(3))
}

/// Returns the first two pages of a walk.
fn two_pages(subject: &Subject, query: &EventQuery) -> [Page; 2] {
    let first = subject.page(query);
    let token = first.next.as_ref().expect("a walk has a second page");
    let second = subject.next_page(query, token).expect("its own token is accepted");
    [first, second]
}

/// The tokens of walks, and of a feed.
struct Tokens {
    walks: Vec<(EventQuery, Token)>,
    feed: Vec<Token>,
}

/// Returns the tokens of walks that begin now, and of a feed after each of `events` and at its end.
fn issue(subject: &Subject, query: &EventQuery, events: &[AuditEvent]) -> Tokens {
    let walks = walks(query.log()).flat_map(|query| {
        let tokens = two_pages(subject, &query).into_iter().flat_map(|p| [p.next, p.previous]);
        tokens.flatten().map(move |token| (query.clone(), token)).collect::<Vec<_>>()
    });
    let at_the_end = subject.feed(query, FeedStart::Now).expect("a feed can be begun").token;
    let mut feed = subject.feed_tokens(query, events);
    feed.push(at_the_end);
    Tokens { walks: walks.collect(), feed }
}

pub(crate) fn that_are_lost_end_their_tokens(new: NewHarness<'_>) {
    let answer = Error::new(ErrorKind::HistoryChanged);
    // Longer than it was, as long, and shorter; pages end at odd and at even numbers. The longest
    // first: a broken store that does not refuse to wait has nothing to wait for there.
    for grown in [LOST + 8, LOST, 6, 1, 0] {
        let subject = Subject::new(new);
        let log = new_log();
        let query = EventQuery::new(log).limit(5);
        subject.put(log, &mixed(COMMON.cast_signed()));
        let Some(copy) = subject.copy() else { return };
        let lost = subject.put(log, &mixed(LOST));
        let tokens = issue(&subject, &query, &lost);
        let subject = subject.restore(copy);
        assert_eq!(subject.head(log).size.get(), COMMON, "the copy is put back");
        subject.put(log, &mixed(grown));
        let of_walks = tokens.walks.iter().map(|(query, token)| {
            let page = subject.next_page(query, token);
            refused(page, ErrorKind::HistoryChanged, "the token of a walk that saw lost events")
        });
        let of_feed = tokens.feed.iter().map(|token| {
            let page = subject.next_feed(&query, token);
            refused(page, ErrorKind::HistoryChanged, "the token of a feed that sent lost events")
        });
        for error in of_walks.chain(of_feed) {
            let same = format!("{error:?}{error}") == format!("{answer:?}{answer}");
            assert!(same, "each such token gets the same answer, not {error:?}");
        }
        let waited = subject.wait_feed(&query, &tokens.feed[0]);
        refused(waited, ErrorKind::HistoryChanged, "waiting with the token of lost events");
    }
}

pub(crate) fn in_common_keep_their_tokens(new: NewHarness<'_>) {
    let subject = Subject::new(new);
    let log = new_log();
    let query = EventQuery::new(log).limit(5);
    let common = subject.put(log, &mixed(COMMON.cast_signed()));
    let begun: Vec<_> = walks(log).map(|query| (two_pages(&subject, &query), query)).collect();
    let expected = begun.iter().map(|([first, _], query)| subject.rest(query, first.clone(), &[4]));
    let expected: Vec<_> = expected.collect();
    let Some(copy) = subject.copy() else { return };
    subject.put(log, &mixed(LOST));
    // Also of a page that the lost events followed already.
    let tokens = subject.feed_tokens(&query, &common);
    let subject = subject.restore(copy);
    let new_ones = subject.put(log, &mixed(2 * LOST));
    for (([first, second], query), expected) in begun.into_iter().zip(expected) {
        assert!(subject.rest(&query, first.clone(), &[4]) == expected, "a walk goes on");
        let token = second.previous.expect("a second page has a previous one");
        let back = subject.next_page(&query, &token).expect("a walk goes back");
        assert!(back.events == first.events, "a walk goes back as it came");
    }
    for (place, token) in tokens.iter().enumerate() {
        let page = subject.next_feed(&query, token).expect("a feed goes on");
        let (events, _) = subject.drain(&query, page);
        assert!(
            events.iter().eq(common[place + 1..].iter().chain(&new_ones)),
            "a feed sends every event after {}, once",
            sequence(place as u64 + 1)
        );
    }
}
