//! The retention of a log.

use std::time::Duration;

use audit_core::limits::MAX_TEXT_BYTES;
use audit_core::{Action, ErrorKind, Head, Log, Retention};
use serde_json::json;

use super::changes::{assert_attributed, attributed};
use crate::harness::NewRetentionHarness;
use crate::samples::{events, new_log, sequence};
use crate::subject::{Subject, officer, refused};

/// Of each field another value.
fn some() -> [Retention; 4] {
    let bounded = Retention::default().max_events(100).max_age(Duration::from_secs(86_400));
    [bounded, bounded.max_events(7), bounded.with_legal_hold(), Retention::default()]
}

pub(crate) fn keep_everything_by_default(new: NewRetentionHarness<'_>) {
    let subject = Subject::new(new);
    let log = new_log();
    let everything = Retention::default();
    let unbounded = (everything.max_events, everything.max_age_seconds, everything.legal_hold);
    assert_eq!(unbounded, (None, None, false), "the default keeps everything and holds nothing");
    assert_eq!(subject.retention(log), everything, "an empty log keeps everything");
    let placed = subject.put(log, &events(70));
    assert_eq!(subject.retention(log), everything, "a log keeps everything by default");
    let pruned = subject.prune(log).expect("a log can be pruned");
    assert_eq!((pruned.events, pruned.floor), (0, sequence(0)), "nothing is removed");
    assert_eq!(subject.events(log), placed, "everything is kept");
}

pub(crate) fn come_back_as_set(new: NewRetentionHarness<'_>) {
    let subject = Subject::new(new);
    let other = subject.with_other_handle();
    for log in [new_log(), Log::Platform] {
        let placed = subject.put(log, &events(40));
        for retention in some() {
            subject.set_retention(log, retention).expect("retention can be set");
            assert_eq!(subject.retention(log), retention, "retention comes back as set");
            assert_eq!(other.retention(log), retention, "every handle sees it");
        }
        let left = &subject.events(log)[..40];
        assert_eq!(left, placed, "setting retention removes nothing");
    }
}

pub(crate) fn record_each_change(new: NewRetentionHarness<'_>) {
    let subject = Subject::new(new);
    let log = new_log();
    let mut before = Retention::default();
    for (number, to) in (1..).zip(some()) {
        let set = subject.block_on(subject.store().set_retention(log, to, attributed()));
        set.expect("retention can be set");
        let events = subject.events(log);
        assert_eq!(events.len(), number, "each change leaves one event");
        let reserved = &events[number - 1];
        assert_eq!(reserved.action, Action::LOG_RETENTION_CHANGED, "the event says what was done");
        let fields = ["legalHold", "maxAgeSeconds", "maxEvents"];
        let of = |retention: Retention, field: &str| json!(retention).get(field).cloned();
        let differing = |field: &&str| of(before, field) != of(to, field);
        let diff = reserved.change.diff.iter().map(|c| (&*c.field, c.old.clone(), c.new.clone()));
        let expected = fields.into_iter().filter(differing);
        let expected = expected.map(|field| (field, of(before, field), of(to, field)));
        assert!(diff.eq(expected), "the event has the retention before and after");
        assert_attributed(reserved);
        before = to;
    }
    assert_eq!(subject.tree(log).size(), 4, "such events are part of the log as any other");
}

pub(crate) fn that_do_not_change_append_no_event(new: NewRetentionHarness<'_>) {
    let subject = Subject::new(new);
    let log = new_log();
    subject.set_retention(log, Retention::default()).expect("the default can be set");
    assert_eq!(subject.head(log), Head::default(), "the default in a new log is no change");
    for retention in some() {
        subject.set_retention(log, retention).expect("retention can be set");
        let head = subject.head(log);
        subject.set_retention(log, retention).expect("it can be set again");
        assert_eq!(subject.head(log), head, "what does not change leaves no event");
        assert_eq!(subject.retention(log), retention, "and stays as it is");
    }
}

pub(crate) fn beyond_a_bound_are_refused_by_field(new: NewRetentionHarness<'_>) {
    let subject = Subject::new(new);
    let log = new_log();
    let kept = Retention::default().max_events(9);
    subject.set_retention(log, kept).expect("retention can be set");
    let head = subject.head(log);
    let long = officer().reason("x".repeat(MAX_TEXT_BYTES + 1));
    for (retention, by, field) in [
        (kept.max_events(0), officer(), "maxEvents"),
        (kept.max_events(u64::MAX), officer(), "maxEvents"),
        (kept.max_age(Duration::ZERO), officer(), "maxAgeSeconds"),
        (kept.max_age(Duration::from_millis(999)), officer(), "maxAgeSeconds"),
        (kept.max_age(Duration::from_secs(u64::MAX)), officer(), "maxAgeSeconds"),
        (kept.max_events(8), long, "reason"),
    ] {
        let set = subject.block_on(subject.store().set_retention(log, retention, by));
        let error = refused(set, ErrorKind::Invalid, field);
        assert_eq!(error.field(), Some(field), "an error names the field at fault");
        assert_eq!(subject.retention(log), kept, "a refused change changes nothing");
        assert_eq!(subject.head(log), head, "a refused change appends no event");
    }
    let longest = Duration::from_secs(i64::MAX.cast_unsigned());
    let most = kept.max_events(i64::MAX.cast_unsigned()).max_age(longest);
    subject.set_retention(log, most).expect("the bounds themselves are accepted");
    assert_eq!(subject.retention(log), most, "the bounds themselves are kept");
    let pruned = subject.prune(log).expect("a log can be pruned");
    assert_eq!(pruned.events, 0, "nothing is as old as the longest age");
}

pub(crate) fn of_two_logs_are_apart(new: NewRetentionHarness<'_>) {
    let subject = Subject::new(new);
    let logs = [new_log(), new_log(), Log::Platform, new_log()];
    for (log, retention) in logs.into_iter().zip(some()) {
        subject.set_retention(log, retention).expect("retention can be set");
    }
    for (log, retention) in logs.into_iter().zip(some()) {
        assert_eq!(subject.retention(log), retention, "each log has a retention of its own");
        let reserved = u64::from(retention != Retention::default());
        assert_eq!(subject.head(log).size.get(), reserved, "and records only its own changes");
    }
}

pub(crate) fn survive_a_reopen(new: NewRetentionHarness<'_>) {
    let mut subject = Subject::new(new);
    let logs = [new_log(), Log::Platform];
    for retention in some() {
        for log in logs {
            subject.set_retention(log, retention).expect("retention can be set");
        }
        subject = subject.reopen();
        for log in logs {
            assert_eq!(subject.retention(log), retention, "retention survives a reopen");
        }
    }
}
