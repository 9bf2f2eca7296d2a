//! Limits: the last value of each is kept and found, and one more is refused.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use audit_core::limits::{
    MAX_BATCH_BYTES, MAX_BATCH_EVENTS, MAX_EVENT_BYTES, MAX_FILTER_VALUES, MAX_LOGS_PAGE,
    MAX_PAGE_EVENTS,
};
use audit_core::{
    AuditStoreExt as _, ErrorKind, EventId, EventQuery, Facet, Filter, Head, Log, NewEvent, Order,
    Total, Violation,
};
use futures_util::future::join_all;
use uuid::Uuid;

use crate::NewHarness;
use crate::arbitrary::filters_by;
use crate::extremes::{broken_limits, events_at_the_limits, of_size};
use crate::model::Model;
use crate::samples::{event, event_with, events, new_log, values_of};
use crate::subject::{Subject, everything, refused};

pub(crate) fn keep_the_last_value(new: NewHarness<'_>) {
    let subject = Subject::new(new);
    let log = new_log();
    let placed = subject.put(log, &events_at_the_limits());
    for event in &placed {
        let found = subject.get(log, event.id).expect("an event at the limits is kept");
        assert!(found == *event, "an event at a limit is kept whole: {}", event.action);
    }
    assert!(subject.events(log) == placed, "an event at a limit is read whole");
}

pub(crate) fn find_the_last_value(new: NewHarness<'_>) {
    let subject = Subject::new(new);
    let log = new_log();
    let model = Model::new(subject.put(log, &events_at_the_limits()));
    let count = |filter: &Filter| {
        let query = EventQuery::new(log).filter(filter.clone());
        subject.block_on(subject.store().count(&query)).expect("events can be counted")
    };
    for event in &model.events {
        for facet in Facet::ALL {
            for filter in filters_by(facet, event) {
                let expected = model.events.iter().filter(|event| filter.matches(event)).count();
                assert_eq!(count(&filter), expected as u64, "each value is found: {filter:?}");
                let Some(other) = with_another_end(facet, &filter) else { continue };
                let expected = model.events.iter().filter(|event| other.matches(event)).count();
                assert_eq!(count(&other), expected as u64, "to its last byte: {other:?}");
            }
        }
    }
}

/// Returns the filter by the same value but for its last byte. Ids must keep their form.
fn with_another_end(facet: Facet, filter: &Filter) -> Option<Filter> {
    let value = filter.values(facet).next()?;
    let is_text = !matches!(facet, Facet::ChangeSet | Facet::Trace) && !value.ends_with('*');
    let start = value.strip_suffix(|last: char| last.is_ascii())?;
    is_text.then(|| Filter::new().with(facet, format!("{start}~")))
}

pub(crate) fn find_the_last_of_the_most_values(new: NewHarness<'_>) {
    let subject = Subject::new(new);
    let log = new_log();
    let last = |facet| match facet {
        Facet::ChangeSet => Uuid::from_u128(1_000).to_string(),
        Facet::Trace => format!("{:032x}", 1_000),
        _ => values_of(facet)[0].clone(),
    };
    // They sort before that one, whether as texts or as ids.
    let absent = |facet, n: usize| match facet {
        Facet::ChangeSet => Uuid::from_u128(n as u128 + 10).to_string(),
        Facet::Trace => format!("{:032x}", n + 10),
        Facet::Attribute | Facet::Source | Facet::Target => format!("{n:03}=1"),
        _ => format!("{n:03}"),
    };
    let batch: Vec<_> = Facet::ALL.iter().map(|facet| event_with(*facet, &last(*facet))).collect();
    let model = Model::new(subject.put(log, &batch));
    let check = |filter: Filter| {
        let query = EventQuery::new(log).filter(filter.clone()).with_total();
        let page = subject.page(&query);
        let expected = model.all(&filter, Order::NewestFirst);
        assert_eq!(page.total, Some(expected.len() as u64), "each of the most values counts");
        assert_eq!(page.events, expected, "each of the most values is looked for");
        assert!(!expected.is_empty(), "this case looks for the last value");
    };
    for facet in Facet::ALL {
        let rest =
            (1..MAX_FILTER_VALUES).fold(Filter::new(), |f, n| f.with(facet, absent(facet, n)));
        check(rest.clone().with(facet, last(facet)));
        let one_more = rest.with(facet, last(facet)).with(facet, absent(facet, MAX_FILTER_VALUES));
        let query = EventQuery::new(log).filter(one_more);
        let violation = Violation::TooMany { limit: MAX_FILTER_VALUES, actual: 101 };
        assert_invalid(subject.try_page(&query), facet.name(), &violation);
    }
    // The most pairs of a type and an id of one target.
    let target = event(0).target("zz", "zz");
    let log = new_log();
    subject.put(log, &[target]);
    let types = (1..10).fold(Filter::new().target_type("zz"), |f, n| f.target_type(n.to_string()));
    let pairs = (1..100).fold(types.target_id("zz"), |f, n| f.target_id(n.to_string()));
    let query = EventQuery::new(log).filter(pairs.clone());
    assert_eq!(subject.page(&query).events.len(), 1, "the last of the most pairs is looked for");
    let query = EventQuery::new(log).filter(pairs.target_type("one more"));
    let violation = Violation::TooMany { limit: 1_000, actual: 1_100 };
    assert_invalid(subject.try_page(&query), "targetId", &violation);
}

pub(crate) fn refuse_one_more_by_field(new: NewHarness<'_>) {
    let subject = Subject::new(new);
    let log = new_log();
    for (violation, events) in broken_limits() {
        for (field, bad) in events {
            let path = format!("events[1].{field}");
            let result = subject.append(log, vec![event(0), bad]);
            assert_invalid(result, path.trim_end_matches('.'), &violation);
        }
    }
    let many = vec![event(0); MAX_BATCH_EVENTS + 1];
    let violation = Violation::TooMany { limit: MAX_BATCH_EVENTS, actual: many.len() };
    assert_invalid(subject.append(log, many), "events", &violation);
    assert_eq!(subject.head(log), Head::default(), "a refused event changes nothing");
    for limit in [0, MAX_PAGE_EVENTS + 1] {
        let max = i64::try_from(MAX_PAGE_EVENTS).unwrap();
        let result = subject.try_page(&EventQuery::new(log).limit(limit));
        assert_invalid(result, "limit", &Violation::OutOfRange { min: 1, max });
    }
}

/// Requires an error that names the field and the rule, and that no retry helps.
fn assert_invalid<T: std::fmt::Debug>(
    result: audit_core::Result<T>,
    field: &str,
    violation: &Violation,
) {
    let error = refused(result, ErrorKind::Invalid, field);
    assert_eq!(error.field(), Some(field), "an error names the field at fault");
    assert_eq!(error.violation(), Some(violation), "an error names the rule for {field}");
    assert!(!error.is_retryable(), "bad input is bad the next time too");
}

pub(crate) fn keep_the_most_events_of_a_batch(new: NewHarness<'_>) {
    let subject = Subject::new(new);
    let other = subject.with_other_handle();
    for count in [1_025, MAX_BATCH_EVENTS] {
        let log = new_log();
        let is_done = AtomicBool::new(false);
        let (placed, seen) = thread::scope(|scope| {
            let reader = scope.spawn(|| {
                let mut seen = BTreeSet::new();
                while !is_done.load(Ordering::Relaxed) {
                    seen.insert(other.head(log).size.get());
                    let scan = everything(log).limit(0).total(Total::Exact);
                    seen.extend(other.scan(scan).expect("a scan succeeds").total);
                }
                seen
            });
            let placed = subject.append(log, events(i64::try_from(count).unwrap()));
            is_done.store(true, Ordering::Relaxed);
            (placed, reader.join().expect("a reader succeeds"))
        });
        let placed = placed.expect("the largest batch is kept");
        let whole = [0, count as u64];
        assert!(seen.iter().all(|size| whole.contains(size)), "a batch is seen whole: {seen:?}");
        assert_eq!(subject.head(log).size.get(), count as u64, "the largest batch is kept");
        let ids: Vec<_> = subject.events(log).iter().map(|event| event.id).collect();
        let given: Vec<_> = placed.iter().map(|receipt| receipt.id).collect();
        assert!(ids == given, "the largest batch is kept whole, in order");
    }
}

pub(crate) fn keep_the_most_bytes_of_a_batch(new: NewHarness<'_>) {
    let subject = Subject::new(new);
    let log = new_log();
    let large = of_size(MAX_EVENT_BYTES, &event(0));
    let fresh = |event: &NewEvent| event.clone().id(EventId::new());
    let batch: Vec<_> = (0..MAX_BATCH_BYTES / MAX_EVENT_BYTES).map(|_| fresh(&large)).collect();
    let more = [batch.clone(), vec![event(1)]].concat();
    let error = refused(subject.append(log, more), ErrorKind::Invalid, "too many bytes");
    assert_eq!(error.field(), Some("events"), "too many bytes are named as such");
    let is_named = |violation: &Violation| matches!(violation, Violation::TooLong { limit: MAX_BATCH_BYTES, actual } if *actual > MAX_BATCH_BYTES);
    assert!(error.violation().is_some_and(is_named), "the error names the limit: {error:?}");
    assert_eq!(subject.head(log), Head::default(), "a refused batch changes nothing");
    let last = batch[batch.len() - 1].clone();
    let receipts = subject.append(log, batch).expect("the largest batch is kept");
    let found = subject.get(log, last.id).expect("its last event is found");
    assert!(found.has_content(&last), "the last event of the largest batch is kept whole");
    assert_eq!(subject.head(log).size.get(), receipts.len() as u64, "each event is kept");
}

pub(crate) fn list_the_most_logs(new: NewHarness<'_>) {
    let subject = Subject::new(new);
    let mut logs: Vec<Log> = (0..=MAX_LOGS_PAGE).map(|_| new_log()).collect();
    let appends = logs.iter().map(|log| subject.store().append(*log, events(1)));
    for appended in subject.block_on(join_all(appends)) {
        appended.expect("an append must succeed");
    }
    logs.sort_unstable();
    let list = |after| subject.block_on(subject.store().logs(after, MAX_LOGS_PAGE));
    let page = list(None).expect("logs are listed");
    assert!(page == logs[..MAX_LOGS_PAGE], "the largest page of logs is full");
    let rest = list(page.last().copied()).expect("logs are listed");
    assert_eq!(rest, logs[MAX_LOGS_PAGE..], "the next page goes on after it");
}
