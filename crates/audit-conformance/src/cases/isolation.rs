//! Logs are apart, and with them tenants: no call reads two of them.

use audit_core::{
    AuditStoreExt as _, ErrorKind, EventId, EventQuery, Facet, FeedStart, Filter, Log, Order,
};

use crate::NewHarness;
use crate::samples::{event, event_with, mixed, new_log, values_of};
use crate::subject::{Subject, refused};

pub(crate) fn never_see_each_others_events(new: NewHarness<'_>) {
    let subject = Subject::new(new);
    let logs = [new_log(), new_log(), new_log(), Log::Platform];
    // The same contents, so that the events differ only by the log.
    let contents: Vec<_> = Facet::ALL
        .into_iter()
        .flat_map(|facet| values_of(facet).map(|value| event_with(facet, &value)))
        .chain(mixed(12))
        .collect();
    for (round, log) in logs.into_iter().cycle().take(8).enumerate() {
        let half = contents.len() / 2;
        let part = if round < 4 { &contents[..half] } else { &contents[half..] };
        subject.put(log, part);
    }
    for log in logs {
        let expected = contents.len();
        let in_own_log = |events: &[audit_core::AuditEvent]| events.iter().all(|e| e.log == log);
        assert_eq!(subject.head(log).size.get(), expected as u64, "a log counts its own events");
        for order in Order::ALL {
            let query = EventQuery::new(log).order(order).with_total();
            assert_eq!(subject.page(&query).total, Some(expected as u64), "a total is a log's own");
            let events = subject.walk(&query, 7);
            assert_eq!(events.len(), expected, "a walk returns a log's own events");
            assert!(in_own_log(&events), "a walk returns no other log's event");
        }
        for facet in Facet::ALL {
            let [value, _] = values_of(facet);
            let events =
                subject.page(&EventQuery::new(log).filter(Filter::new().with(facet, value)));
            assert_eq!(events.events.len(), 1, "{} finds a log's own event", facet.name());
            assert!(in_own_log(&events.events), "a filter finds no other log's event");
        }
        let feed = subject.feed(&EventQuery::new(log).limit(1_000), FeedStart::Beginning);
        let feed = feed.expect("a feed can be begun").events;
        assert_eq!(feed.len(), expected, "a feed delivers a log's own events");
        assert!(in_own_log(&feed), "a feed delivers no other log's event");
        for content in &contents {
            let event = subject.get(log, content.id).expect("each log holds an event of the id");
            assert_eq!(event.log, log, "a look-up returns the log's own event");
        }
    }
    let query = EventQuery::new(new_log()).with_total();
    let page = subject.page(&query);
    assert_eq!((page.events.len(), page.total), (0, Some(0)), "a log without events is empty");
    assert_eq!(subject.block_on(subject.store().count(&query)).expect("it can be counted"), 0);
}

pub(crate) fn cannot_look_up_each_others_ids(new: NewHarness<'_>) {
    let subject = Subject::new(new);
    let logs = [new_log(), new_log(), Log::Platform];
    let placed = logs.map(|log| subject.put(log, &mixed(3)));
    for (n, log) in logs.into_iter().enumerate() {
        let unknown = refused(subject.get(log, EventId::new()), ErrorKind::NotFound, "no such id");
        for (m, events) in placed.iter().enumerate() {
            for event in events {
                let found = subject.get(log, event.id);
                if n == m {
                    assert_eq!(found.expect("a log's own event is found"), *event);
                    continue;
                }
                let error = refused(found, ErrorKind::NotFound, "another log's id");
                let same = format!("{error:?}") == format!("{unknown:?}");
                assert!(same, "the error is the same whether another log holds the id");
            }
        }
    }
}

pub(crate) fn are_not_touched_by_each_others_conflicts(new: NewHarness<'_>) {
    let subject = Subject::new(new);
    let (log, other) = (new_log(), new_log());
    let first = event(1);
    let placed = subject.put(log, std::slice::from_ref(&first));
    let elsewhere = subject.put(other, &[event(2).id(first.id)]);
    let conflicting = first.clone().message("other");
    for log in [log, other] {
        let result = subject.append(log, vec![conflicting.clone()]);
        refused(result, ErrorKind::Conflict, "a taken id");
    }
    let receipts = subject.append(log, vec![first]).expect("a redelivery succeeds");
    assert!(receipts[0].redelivered, "a redelivery is recognised by its own log");
    assert_eq!(subject.events(log), placed, "another log's event changes nothing here");
    assert_eq!(subject.events(other), elsewhere, "this log's event changes nothing there");
}
