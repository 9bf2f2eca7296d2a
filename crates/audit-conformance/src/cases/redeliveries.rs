//! Redeliveries: an event is recorded once, and another content under its id is a conflict.

use audit_core::{Actor, ErrorKind, Head, NewEvent, Timestamp};

use crate::NewHarness;
use crate::extremes::events_at_the_limits;
use crate::samples::{At as _, event, full, mixed, new_log, redelivered, sequence};
use crate::subject::{Subject, refused};
use crate::variants::{last_variants, variants};

pub(crate) fn are_recorded_once(new: NewHarness<'_>) {
    let mut subject = Subject::new(new);
    let log = new_log();
    let batch = mixed(4);
    let first = subject.append(log, batch.clone()).expect("an append must succeed");
    assert!(first.iter().all(|receipt| !receipt.redelivered), "new events are not redelivered");
    let again: Vec<_> = first.iter().copied().map(redelivered).collect();
    for _ in 0..2 {
        let receipts = subject.append(log, batch.clone()).expect("a redelivery succeeds");
        assert_eq!(receipts, again, "a redelivery returns the first receipts, marked");
        assert_eq!(subject.head(log).size.get(), 4, "a redelivery adds nothing");
        subject = subject.reopen();
    }
    let new = event(9);
    let part = vec![batch[2].clone(), new.clone(), batch[0].clone()];
    let receipts = subject.append(log, part).expect("a redelivery beside a new event succeeds");
    assert_eq!(receipts[0], again[2], "a redelivery returns the first receipt");
    assert_eq!((receipts[1].id, receipts[1].sequence), (new.id, sequence(5)));
    assert_eq!(receipts[2], again[0], "a redelivery returns the first receipt");
    assert_eq!(subject.events(log).len(), 5, "only the new event is added");
}

pub(crate) fn without_a_time_are_recorded_once(new: NewHarness<'_>) {
    let mut subject = Subject::new(new);
    let log = new_log();
    let mut untimed = full();
    untimed.occurred_at = None;
    let started = Timestamp::now();
    let first = subject.append(log, vec![untimed.clone()]).expect("an append must succeed")[0];
    let event = subject.get(log, first.id).expect("the event is found");
    let now = started..=Timestamp::now();
    assert!(now.contains(&event.occurred_at), "an event without a time occurs when it is appended");
    for _ in 0..2 {
        let timed = untimed.clone().occurred_at(event.occurred_at);
        for again in [untimed.clone(), timed] {
            let receipts = subject.append(log, vec![again]);
            let receipts = receipts.expect("a delivery without a time is a redelivery");
            assert_eq!(receipts, [redelivered(first)], "a redelivery returns the first receipt");
        }
        for other in [untimed.clone().at(7), untimed.clone().target("item", "other")] {
            refused(subject.append(log, vec![other]), ErrorKind::Conflict, "other content");
        }
        let found = subject.get(log, first.id).expect("the event is found");
        assert_eq!(found.occurred_at, event.occurred_at, "an event keeps its first time");
        subject = subject.reopen();
    }
}

pub(crate) fn of_other_content_conflict(new: NewHarness<'_>) {
    let subject = Subject::new(new);
    let log = new_log();
    let first = event(1).message("first").metadata("n", 1);
    let placed = subject.put(log, std::slice::from_ref(&first));
    let others = [
        first.clone().action("item.deleted"),
        first.clone().at(2),
        first.clone().actor(Actor::user("u_1").name("Ana")),
        first.clone().target("item", "other"),
        first.clone().message("second"),
        first.clone().metadata("n", 1.0),
        first.clone().reason(""),
    ];
    for other in others {
        let batch = vec![event(5), other, event(6)];
        let error = refused(subject.append(log, batch), ErrorKind::Conflict, "a taken id");
        assert_eq!(error.field(), Some("events[1].id"), "a conflict names the event");
        assert_eq!(subject.events(log), placed, "a conflict changes nothing");
    }
}

pub(crate) fn of_two_contents_in_a_batch_conflict(new: NewHarness<'_>) {
    let subject = Subject::new(new);
    let log = new_log();
    let first = event(1);
    let batch = vec![event(0), first.clone(), first.message("other")];
    let error = refused(subject.append(log, batch), ErrorKind::Conflict, "one id twice in a batch");
    assert_eq!(error.field(), Some("events[2].id"), "a conflict names the later event");
    assert_eq!(subject.head(log), Head::default(), "a conflict changes nothing");
}

pub(crate) fn compare_every_field(new: NewHarness<'_>) {
    let subject = Subject::new(new);
    compare(&subject, &full(), variants);
}

pub(crate) fn compare_the_last_value(new: NewHarness<'_>) {
    let subject = Subject::new(new);
    for event in events_at_the_limits() {
        compare(&subject, &event, last_variants);
    }
}

/// Requires that each variant of the event is another event, and the event itself is not.
fn compare(
    subject: &Subject,
    event: &NewEvent,
    variants: fn(&NewEvent) -> Vec<(String, NewEvent)>,
) {
    let log = new_log();
    let first = subject.append(log, vec![event.clone()]).expect("an append must succeed");
    for (place, other) in variants(event) {
        let promise = format!("another value of {place}");
        let error = refused(subject.append(log, vec![other]), ErrorKind::Conflict, &promise);
        assert_eq!(error.field(), Some("events[0].id"), "a conflict names the event");
    }
    let again = subject.append(log, vec![event.clone()]).expect("a redelivery succeeds");
    assert_eq!(again, [redelivered(first[0])], "the same content is a redelivery");
    assert_eq!(subject.head(log).size, sequence(1), "nothing is added");
}
