//! Looking up one event, and the end of a log.

use audit_core::{ErrorKind, EventId, Head, Log};

use crate::NewHarness;
use crate::samples::{events, full, mixed, new_log};
use crate::subject::{Subject, refused};

pub(crate) fn find_every_event(new: NewHarness<'_>) {
    let subject = Subject::new(new);
    let log = new_log();
    let placed = subject.put(log, &[mixed(20), vec![full()]].concat());
    for event in placed {
        let found = subject.get(log, event.id).expect("every event is found by its id");
        assert_eq!(found, event, "the event of the id is returned");
    }
}

pub(crate) fn of_an_unknown_id_are_not_found(new: NewHarness<'_>) {
    let subject = Subject::new(new);
    let log = new_log();
    let unknown = || subject.get(log, EventId::new());
    refused(unknown(), ErrorKind::NotFound, "an id in an empty log");
    subject.put(log, &events(3));
    refused(unknown(), ErrorKind::NotFound, "an id that the log does not hold");
}

pub(crate) fn of_an_empty_log_give_the_default_head(new: NewHarness<'_>) {
    let subject = Subject::new(new);
    for log in [new_log(), Log::Platform] {
        assert_eq!(subject.head(log), Head::default(), "an empty log has the default head");
    }
    subject.put(new_log(), &events(1));
    assert_eq!(subject.head(new_log()), Head::default(), "another log's events do not count");
}

pub(crate) fn of_the_head_follow_each_append(new: NewHarness<'_>) {
    let subject = Subject::new(new);
    let log = new_log();
    for size in [1, 2, 5] {
        let last = subject.put(log, &mixed(size)).pop().expect("a batch is not empty");
        let expected = Head::new(last.sequence, last.recorded_at);
        assert_eq!(subject.head(log), expected, "the head is that of the last event");
    }
}
