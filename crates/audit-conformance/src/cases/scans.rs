//! The scan, argument by argument.

use audit_core::tree::NodeId;
use audit_core::{
    ErrorKind, EventQuery, FeedStart, Filter, Order, Position, Sequence, Timestamp, Total,
};

use crate::NewHarness;
use crate::model::Model;
use crate::samples::{At as _, at, event, events, mixed, new_log, sequence};
use crate::subject::{Subject, everything, refused};

pub(crate) fn obey_every_argument(new: NewHarness<'_>) {
    let subject = Subject::new(new);
    let log = new_log();
    let model = Model::new(subject.put(log, &mixed(12)));
    let filters = [Filter::new(), Filter::new().action("user.*"), Filter::new().actor_id("no one")];
    let between = Position { occurred_at: at(2), sequence: sequence(6) };
    let ends = [
        Position { occurred_at: Timestamp::MIN, sequence: Sequence::ZERO },
        Position { occurred_at: Timestamp::MAX, sequence: Sequence::MAX },
    ];
    let of_events = [0, 5, 11].map(|n| Position::of(&model.events[n]));
    let places = [between].into_iter().chain(ends).chain(of_events).map(Some);
    let places: Vec<_> = places.chain([None]).collect();
    for filter in &filters {
        for order in Order::ALL {
            for &after in &places {
                for bound in [None, Some(sequence(0)), Some(sequence(7)), Some(sequence(12))] {
                    for (offset, limit, total) in [
                        (0, 3, Total::Exact),
                        (0, 0, Total::Exact),
                        (0, 12, Total::Skip),
                        (2, 1, Total::Skip),
                        (2, 4, Total::Exact),
                        (12, 1, Total::Exact),
                        (Sequence::MAX.get(), 1_000, Total::Skip),
                    ] {
                        let mut scan = everything(log)
                            .filter(filter.clone())
                            .order(order)
                            .offset(offset)
                            .limit(limit)
                            .total(total);
                        (scan.after, scan.bound) = (after, bound);
                        let slice = subject.scan(scan.clone()).expect("a scan succeeds");
                        assert_eq!(slice, model.answer(&scan), "the answer to {scan:?}");
                    }
                }
            }
        }
    }
}

pub(crate) fn return_the_node_of_their_end(new: NewHarness<'_>) {
    let subject = Subject::new(new);
    let log = new_log();
    assert_eq!(subject.end(log, Sequence::ZERO), None, "no events have no end");
    subject.put(log, &mixed(100));
    let bounds = (1..=100).map(sequence);
    let nodes: Vec<_> = bounds.clone().filter_map(NodeId::identifying).collect();
    let nodes = subject.nodes(log, &nodes);
    assert!(nodes.iter().all(Option::is_some), "a log has the nodes of all its events");
    let ends: Vec<_> = bounds.map(|bound| subject.end(log, bound)).collect();
    assert_eq!(ends, nodes, "the end is the node that identifies the events up to the bound");
    subject.put(log, &mixed(3));
    let size = subject.head(log).size;
    let query = EventQuery::new(log).filter(Filter::new().action("none.such"));
    let feed = subject.feed(&query, FeedStart::Beginning).expect("a feed can be begun");
    let again = subject.feed(&query, FeedStart::After(size)).expect("a feed can be begun");
    assert_eq!(feed.token, again.token, "the end does not depend on what is found");
}

pub(crate) fn stop_at_the_byte_limit(new: NewHarness<'_>) {
    let subject = Subject::new(new);
    let log = new_log();
    // 20 events, of which every other is large.
    let large = |n| event(n).message("x".repeat(20_000));
    let placed: Vec<_> = (0..20).map(|n| if n % 2 == 0 { large(n) } else { event(n) }).collect();
    let placed = subject.put(log, &placed);
    let read = |bytes, limit| {
        let scan = everything(log).order(Order::Sequence);
        let scan = scan.bytes(bytes).limit(limit).total(Total::Exact);
        let slice = subject.scan(scan).expect("a scan succeeds");
        assert_eq!(slice.total, Some(20), "what matches is counted, whatever is returned");
        assert_eq!(slice.events, placed[..slice.events.len()], "the first events are returned");
        assert_eq!(slice.more, slice.events.len() < 20, "more match after the last returned");
        slice.events.len()
    };
    assert_eq!(read(0, 20), 1, "the first is returned however large it is");
    assert_eq!(read(1, 20), 1, "nothing is returned beyond the byte limit");
    assert_eq!(read(22_000, 20), 3, "the one that reaches the bytes is the last");
    assert_eq!(read(45_000, 20), 5, "the one that reaches the bytes is the last");
    assert_eq!(read(45_000, 2), 2, "the limit holds, too");
    assert_eq!(read(usize::MAX, 20), 20, "without such a bound, all are returned");

    let query = EventQuery::new(log).max_bytes(30_000).order(Order::OldestFirst);
    let mut seen = subject.walk(&query, 20);
    seen.sort_by_key(|event| event.sequence);
    assert_eq!(seen, placed, "a walk of short pages returns every event once");
    let feed = subject.feed(&query, FeedStart::Beginning).expect("a feed can be begun");
    assert!(!feed.caught_up, "a page that was cut short is not all there is");
    assert_eq!(subject.drain(&query, feed).0, placed, "a feed of short pages misses none");
}

pub(crate) fn beyond_the_end_fail(new: NewHarness<'_>) {
    let subject = Subject::new(new);
    let log = new_log();
    let bounded = |bound| everything(log).bound(bound);
    subject.scan(bounded(sequence(0))).expect("an empty log can be scanned up to nothing");
    refused(subject.scan(bounded(sequence(1))), ErrorKind::Behind, "a bound in an empty log");
    subject.put(log, &events(3));
    subject.put(new_log(), &events(9));
    subject.scan(bounded(sequence(3))).expect("a scan up to the end succeeds");
    for bound in [sequence(4), Sequence::MAX] {
        let error = refused(subject.scan(bounded(bound)), ErrorKind::Behind, "a bound beyond it");
        assert!(error.is_retryable(), "a retry can help: the copy may catch up");
    }
}

pub(crate) fn with_a_bound_never_change(new: NewHarness<'_>) {
    let mut subject = Subject::new(new);
    let log = new_log();
    subject.put(log, &mixed(10));
    let scans: Vec<_> = Order::ALL
        .into_iter()
        .map(|order| {
            everything(log)
                .filter(Filter::new().actor_id("u_1"))
                .order(order)
                .bound(sequence(8))
                .limit(4)
                .total(Total::Exact)
        })
        .collect();
    let read = |subject: &Subject| -> Vec<_> {
        scans.iter().map(|s| subject.scan(s.clone()).expect("a scan succeeds")).collect()
    };
    let before = read(&subject);
    for late in [event(-9), event(2), event(99), event(0).at(3)] {
        subject.put(log, &[late]);
        assert_eq!(read(&subject), before, "a bounded scan answers alike whatever is appended");
    }
    subject = subject.reopen();
    assert_eq!(read(&subject), before, "a bounded scan answers alike after a reopen");
}
