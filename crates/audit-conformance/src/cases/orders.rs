//! The orders in which a log is read.

use audit_core::{EventQuery, Order};

use crate::NewHarness;
use crate::samples::{event, new_log};
use crate::subject::Subject;

pub(crate) fn break_ties_by_sequence(new: NewHarness<'_>) {
    check(new, &[5, 5, 5, 5], [&[4, 3, 2, 1], &[1, 2, 3, 4], &[1, 2, 3, 4]]);
    check(new, &[5, 7, 5, 7], [&[4, 2, 3, 1], &[1, 3, 2, 4], &[1, 2, 3, 4]]);
}

pub(crate) fn place_late_events_by_their_time(new: NewHarness<'_>) {
    check(new, &[3, 1, 2], [&[1, 3, 2], &[2, 3, 1], &[1, 2, 3]]);
    check(new, &[-4, 9, -5, 0], [&[2, 4, 1, 3], &[3, 1, 4, 2], &[1, 2, 3, 4]]);
}

pub(crate) fn follow_the_sequence(new: NewHarness<'_>) {
    check(new, &[9, 8, 7, 7, 8], [&[1, 5, 2, 4, 3], &[3, 4, 2, 5, 1], &[1, 2, 3, 4, 5]]);
}

/// Appends one event for each second, and expects the sequences newest first, oldest first, and by
/// sequence.
fn check(new: NewHarness<'_>, seconds: &[i64], expected: [&[u64]; 3]) {
    let subject = Subject::new(new);
    let log = new_log();
    for &second in seconds {
        subject.put(log, &[event(second)]);
    }
    let orders = Order::ALL;
    for (order, expected) in orders.into_iter().zip(expected) {
        for limit in [1, 2, 100] {
            let found = subject.walk(&EventQuery::new(log).order(order), limit);
            let numbers: Vec<_> = found.iter().map(|event| event.sequence.get()).collect();
            assert_eq!(numbers, expected, "{order:?} of seconds {seconds:?}");
        }
    }
}
