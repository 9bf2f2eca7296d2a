//! Redeliveries of events whose personal data is erased.

use audit_core::{AuditEvent, ErrorKind, EventQuery, Filter, LeafHash};

use super::erasures::{EMAIL, by_user};
use crate::harness::NewRetentionHarness;
use crate::model::without_personal;
use crate::samples::{At as _, event, full, new_log, redelivered};
use crate::subject::{Subject, refused};
use crate::variants::variants;

pub(crate) fn return_the_first_receipts(new: NewRetentionHarness<'_>) {
    let subject = Subject::new(new);
    let log = new_log();
    let batch = vec![full(), by_user("u_7", 2), event(3)];
    let first = subject.append(log, batch.clone()).expect("an append must succeed");
    subject.erase(log, Filter::new().actor_id("u_7")).expect("events can be erased");
    let before = subject.events(log);
    let receipts = subject.append(log, batch.clone()).expect("a redelivery succeeds");
    let again: Vec<_> = first.into_iter().map(redelivered).collect();
    assert_eq!(receipts, again, "an erased event is known by its record: the first receipts");
    assert_eq!(subject.events(log), before, "a redelivery does not restore erased data");
    let kept = &subject.entries(log)[0].event;
    assert_eq!(
        LeafHash::of(&kept.record),
        receipts[0].leaf,
        "the receipt has the leaf of the stored record"
    );
    assert!(kept.personal.is_none(), "a redelivery does not restore erased data");
    let query = EventQuery::new(log).filter(Filter::new().actor_email(EMAIL));
    assert_eq!(subject.page(&query).events, [], "nor is it found again");
    for other in [batch[0].clone().category("other"), batch[1].clone().at(9)] {
        refused(subject.append(log, vec![other]), ErrorKind::Conflict, "another record");
    }
}

pub(crate) fn compare_what_they_kept(new: NewRetentionHarness<'_>) {
    let subject = Subject::new(new);
    let log = new_log();
    let first = subject.append(log, vec![full()]).expect("an append must succeed");
    let placed = subject.events(log).remove(0);
    subject.erase_events(log, vec![placed.sequence]).expect("events can be erased");
    let content = placed.clone().into_content();
    let kept = without_personal(&placed);
    for (place, other) in variants(&content) {
        let AuditEvent { sequence, recorded_at, .. } = placed;
        let same =
            without_personal(&AuditEvent::new(log, sequence, recorded_at, other.clone())) == kept;
        let result = subject.append(log, vec![other]);
        if same {
            let receipts = result.expect("what was erased is not compared");
            assert_eq!(receipts, [redelivered(first[0])], "{place} was erased");
        } else {
            refused(result, ErrorKind::Conflict, &format!("another value of {place}"));
        }
    }
    assert_eq!(subject.events(log)[0], kept, "a redelivery does not restore erased data");
}
