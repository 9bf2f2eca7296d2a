//! Erasures at the limits: of the largest events, of many events, and of one more than allowed.

use audit_core::limits::{MAX_BATCH_EVENTS, MAX_FILTER_VALUES, MAX_TEXT_BYTES};
use audit_core::{
    AuditStoreExt as _, Erasure, ErrorKind, EventQuery, Facet, Filter, RetentionStoreExt as _,
};

use super::erasures::{EMAIL, by_user};
use crate::arbitrary::filters_by;
use crate::extremes::events_at_the_limits;
use crate::harness::NewRetentionHarness;
use crate::model::Model;
use crate::samples::{events, new_log, sequence};
use crate::subject::{Subject, officer, refused};

pub(crate) fn reach_many_events(new: NewRetentionHarness<'_>) {
    let subject = Subject::new(new);
    let log = new_log();
    let batch: Vec<_> = (0..2_600).map(|n| by_user(["u_1", "u_1", "u_2"][n % 3], 40)).collect();
    let placed = subject.put(log, &batch);
    let mut model = Model::new(placed);
    let expected = model.erase(|event| event.actor.id.as_deref() == Some("u_1"));
    let erased = subject.erase(log, Filter::new().actor_id("u_1")).expect("events can be erased");
    assert_eq!(erased, expected, "an erasure reaches all events, page after page");
    let events = subject.events(log);
    let (old, reserved) = events.split_at(batch.len());
    assert!(old == model.events, "all that match are erased, and nothing else");
    let stated: u64 = reserved.iter().map(Erasure::erased_count).sum();
    assert_eq!(stated, expected, "the events of it say how many, together");
    let set = reserved[0].change_set_id;
    let together = set.is_some() && reserved.iter().all(|event| event.change_set_id == set);
    assert!(together, "the events of one erasure have one change set");
    let query = EventQuery::new(log).filter(Filter::new().actor_email(EMAIL));
    let left = subject.block_on(subject.store().count(&query)).expect("events can be counted");
    assert_eq!(left, batch.len() as u64 - expected, "only the others are found");
    let most: Vec<_> = (1..=MAX_BATCH_EVENTS as u64).map(sequence).collect();
    let rest = subject.erase_events(log, most).expect("the most numbers are accepted");
    let rest_expected = events.iter().filter(|event| !event.erased).count() as u64;
    assert_eq!(rest, rest_expected, "one call takes as many numbers as one batch has events");
}

pub(crate) fn reach_the_last_value(new: NewRetentionHarness<'_>) {
    let mut subject = Subject::new(new);
    let log = new_log();
    let placed = subject.put(log, &events_at_the_limits());
    let numbers = placed.iter().map(|event| event.sequence).collect();
    let erased = subject.erase_events(log, numbers).expect("events can be erased");
    assert_eq!(erased, placed.len() as u64, "events at the limits are erased");
    let mut model = Model::new(placed.clone());
    model.erase(|_| true);
    for _ in 0..2 {
        let events = subject.events(log);
        assert!(events[..placed.len()] == model.events, "to the last value, and no more");
        for event in &placed {
            for facet in [Facet::ActorEmail, Facet::ActorIp, Facet::ActorId, Facet::TargetId] {
                for filter in filters_by(facet, event) {
                    let expected = events.iter().filter(|event| filter.matches(event)).count();
                    let query = EventQuery::new(log).filter(filter.clone());
                    let count = subject.block_on(subject.store().count(&query));
                    assert_eq!(count.ok(), Some(expected as u64), "{facet:?} after an erasure");
                }
            }
        }
        subject = subject.reopen();
    }
}

pub(crate) fn refuse_one_more_by_field(new: NewRetentionHarness<'_>) {
    let subject = Subject::new(new);
    let log = new_log();
    let placed = subject.put(log, &events(3));
    let too_many =
        (0..=MAX_FILTER_VALUES).map(|n| format!("u_{n}")).fold(Filter::new(), Filter::actor_id);
    let long = officer().reason("x".repeat(MAX_TEXT_BYTES + 1));
    for (erasure, by, field) in [
        (Erasure::matching(Filter::new()), officer(), "filter"),
        (Erasure::matching(too_many), officer(), "actorId"),
        (Erasure::Events(vec![placed[0].id; MAX_BATCH_EVENTS + 1]), officer(), "ids"),
        (Erasure::event_id(placed[0].id), long.clone(), "reason"),
        (Erasure::matching(Filter::new().actor_id("u_1")), long, "reason"),
    ] {
        let erased = subject.block_on(subject.store().erase(log, erasure, by));
        let error = refused(erased, ErrorKind::Invalid, field);
        assert_eq!(error.field(), Some(field), "an error names the field at fault");
    }
    let many = vec![sequence(1); MAX_BATCH_EVENTS + 1];
    let error = refused(subject.erase_events(log, many), ErrorKind::Invalid, "too many numbers");
    assert_eq!(error.field(), Some("sequences"), "too many numbers are named as such");
    assert_eq!(subject.events(log), placed, "a refused erasure changes nothing");
}
