//! The states of followers: kept, replaced only if they are as expected, and no part of a log.

use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::thread;

use audit_core::limits::{MAX_FOLLOWER_STATE_BYTES, MAX_LOGS_PAGE, MAX_NAME_BYTES};
use audit_core::{ErrorKind, Log, Violation};

use crate::FollowerHarness;
use crate::harness::NewFollowerHarness;
use crate::samples::{events, new_log};
use crate::subject::{Subject, refused};

pub(crate) fn keep_their_states(new: NewFollowerHarness<'_>) {
    let subject = Subject::new(new);
    let other = subject.with_other_handle();
    let log = new_log();
    assert_eq!(subject.state("f", log), None, "a new follower has no state");
    let (mut before, long) = (None, "x".repeat(70_000));
    for state in ["", "1", "{\"n\":2,\"é\":\"😀\"}", &long] {
        subject.replace("f", log, before, Some(state)).expect("a state is replaced");
        for handle in [&subject, &other] {
            assert_eq!(handle.state("f", log).as_deref(), Some(state), "every handle has it");
        }
        before = Some(state);
    }
    other.replace("f", log, before, None).expect("a state is removed");
    for handle in [&subject, &other] {
        assert_eq!(handle.state("f", log), None, "it is gone");
    }
}

pub(crate) fn replace_only_what_they_expect(new: NewFollowerHarness<'_>) {
    let subject = Subject::new(new);
    let log = new_log();
    let conflict = |before, after| {
        let replaced = subject.replace("f", log, before, after);
        refused(replaced, ErrorKind::Conflict, "the state is another");
    };
    conflict(Some(""), Some("2"));
    conflict(Some("1"), None);
    assert_eq!(subject.state("f", log), None, "a conflict changes nothing");
    subject.replace("f", log, None, None).expect("none stays none");
    subject.replace("f", log, None, Some("1")).expect("a state is set");
    conflict(None, Some("2"));
    conflict(None, None);
    conflict(Some("2"), Some("3"));
    conflict(Some("1 "), None);
    assert_eq!(subject.state("f", log).as_deref(), Some("1"), "a conflict changes nothing");
    subject.replace("f", log, Some("1"), Some("1")).expect("a state can stay the same");
    assert_eq!(subject.state("f", log).as_deref(), Some("1"));
}

pub(crate) fn of_other_names_and_logs_are_apart(new: NewFollowerHarness<'_>) {
    let subject = Subject::new(new);
    let logs = [Log::Platform, new_log(), new_log()];
    let names = ["f", "F", "f ", "é", "e\u{301}"];
    let text = |name: &str, log: Log| format!("{name} of {log}");
    for (name, log) in names.iter().flat_map(|name| logs.map(|log| (name, log))) {
        subject.replace(name, log, None, Some(&text(name, log))).expect("each is set");
    }
    let (name, log) = (names[1], logs[1]);
    subject.replace(name, log, Some(&text(name, log)), None).expect("one is removed");
    for (name, log) in names.iter().flat_map(|name| logs.map(|log| (*name, log))) {
        let expected = ((name, log) != (names[1], logs[1])).then(|| text(name, log));
        assert_eq!(subject.state(name, log), expected, "the others stay");
    }
}

pub(crate) fn change_no_log(new: NewFollowerHarness<'_>) {
    let subject = Subject::new(new);
    let (log, empty) = (new_log(), new_log());
    subject.put(log, &events(3));
    let before = (subject.head(log), subject.frontier(log));
    for of in [log, empty] {
        subject.replace("f", of, None, Some("1")).expect("a state is set");
        subject.replace("f", of, Some("1"), Some("2")).expect("a state is replaced");
    }
    assert_eq!((subject.head(log), subject.frontier(log)), before, "no event records it");
    let logs = subject.block_on(subject.store().logs(None, 10)).expect("logs are listed");
    assert_eq!(logs, [log], "a log without events is not listed");
}

pub(crate) fn are_listed_by_pages(new: NewFollowerHarness<'_>) {
    let subject = Subject::new(new);
    let mut logs: Vec<_> = (0..6).map(|_| new_log()).chain([Log::Platform]).collect();
    for log in &logs {
        subject.replace("f", *log, None, Some(&log.to_string())).expect("a state is set");
        subject.replace("g", *log, None, Some("of another")).expect("a state is set");
    }
    logs.sort_unstable();
    let gone = logs.remove(3);
    subject.replace("f", gone, Some(&gone.to_string()), None).expect("a state is removed");
    for limit in [1, 2, 6, 7] {
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let page = subject.states("f", after, limit).expect("they are listed");
            assert!(page.len() <= limit, "a page holds at most its limit");
            assert!(page.iter().all(|(log, _)| Some(*log) > after), "logs ascend");
            found.extend(page.iter().cloned());
            after = page.last().map(|(log, _)| *log);
            if page.len() < limit {
                break;
            }
        }
        let expected: Vec<_> = logs.iter().map(|log| (*log, log.to_string())).collect();
        assert_eq!(found, expected, "each once, by ascending log");
    }
    for limit in [0, MAX_LOGS_PAGE + 1] {
        let page = subject.states("f", None, limit);
        let error = refused(page, ErrorKind::Invalid, "a limit out of range");
        assert_eq!(error.field(), Some("limit"), "the error names the limit");
    }
}

pub(crate) fn beyond_a_limit_are_refused_by_field(new: NewFollowerHarness<'_>) {
    let subject = Subject::new(new);
    let log = new_log();
    let (longest, state) = ("n".repeat(MAX_NAME_BYTES), "s".repeat(MAX_FOLLOWER_STATE_BYTES));
    subject.replace(&longest, log, None, Some(&state)).expect("the longest are kept");
    assert_eq!(subject.state(&longest, log), Some(state.clone()), "as they are");
    let too_long = |limit, actual| Violation::TooLong { limit, actual };
    let refuse = |follower: &str, state: &str, field, violation: Option<Violation>| {
        let replaced = subject.replace(follower, log, None, Some(state));
        let error = refused(replaced, ErrorKind::Invalid, "what is beyond a limit");
        assert_eq!(error.field(), Some(field), "the field is named");
        if let Some(violation) = violation {
            assert_eq!(error.violation(), Some(&violation), "and the limit");
        }
    };
    let (name, much) = (format!("{longest}n"), format!("{state}s"));
    refuse("", "", "follower", Some(Violation::Empty));
    refuse(&name, "", "follower", Some(too_long(MAX_NAME_BYTES, name.len())));
    refuse("f\0", "", "follower", None);
    refuse("f", &much, "state", Some(too_long(MAX_FOLLOWER_STATE_BYTES, much.len())));
    refuse("f", "a\0b", "state", None);
    assert_eq!(subject.state("f", log), None, "nothing is changed");
    for name in ["", &name, "f\n"] {
        let found = subject.block_on(subject.store().follower_state(name, log));
        refused(found, ErrorKind::Invalid, "a read of no name");
        refused(subject.states(name, None, 1), ErrorKind::Invalid, "a listing of no name");
    }
}

pub(crate) fn at_once_have_one_winner(new: NewFollowerHarness<'_>) {
    let subject = Subject::new(new);
    let log = new_log();
    let rounds: u32 = 10;
    subject.replace("f", log, None, Some("0")).expect("a state is set");
    let (won, highest) = (AtomicUsize::new(0), AtomicU32::new(0));
    thread::scope(|scope| {
        for writer in 0..4 {
            let handle: Subject<dyn FollowerHarness> = subject.with_other_handle();
            let (won, highest) = (&won, &highest);
            scope.spawn(move || {
                for round in 0..rounds {
                    let before = loop {
                        let least = highest.load(Ordering::SeqCst);
                        let state = handle.state("f", log).expect("there is one");
                        let reached = state.split(' ').next().and_then(|n| n.parse().ok());
                        let reached = reached.expect("a state that was set");
                        assert!(reached >= least, "a state went back");
                        highest.fetch_max(reached, Ordering::SeqCst);
                        match reached {
                            n if n == round => break state,
                            n if n > round => break String::new(),
                            _ => thread::yield_now(),
                        }
                    };
                    let after = format!("{} by {writer}", round + 1);
                    match handle.replace("f", log, Some(&before), Some(&after)) {
                        Ok(()) => drop(won.fetch_add(1, Ordering::Relaxed)),
                        Err(error) => assert_eq!(error.kind(), ErrorKind::Conflict, "{error}"),
                    }
                }
            });
        }
    });
    assert_eq!(won.into_inner(), rounds as usize, "one writer wins each round");
}

pub(crate) fn survive_a_reopen(new: NewFollowerHarness<'_>) {
    let subject = Subject::new(new);
    let log = new_log();
    subject.replace("f", log, None, Some("1")).expect("a state is set");
    subject.replace("f", log, Some("1"), Some("2")).expect("a state is replaced");
    subject.replace("g", log, None, Some("1")).expect("a state is set");
    subject.replace("g", log, Some("1"), None).expect("a state is removed");
    let subject = subject.reopen();
    assert_eq!(subject.state("f", log).as_deref(), Some("2"), "the last state is kept");
    assert_eq!(subject.state("g", log), None, "what was removed stays away");
}
