//! Waiting for an event that has yet to come.

use std::pin::pin;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use audit_core::{AuditStoreExt as _, EventQuery, FeedStart, Head, Log, Sequence};
use futures_util::future::join_all;

use crate::NewHarness;
use crate::samples::{event, events, new_log, sequence};
use crate::subject::{SOON, Subject};

/// Long enough for a wait to have begun, and to have returned too early.
const MOMENT: Duration = Duration::from_millis(50);

fn wait(subject: &Subject, log: Log, after: Sequence) -> Head {
    let head = subject.within(SOON, subject.store().wait_for_append(log, after));
    head.expect("a wait must return soon after an append").expect("a wait succeeds")
}

pub(crate) fn return_at_once_for_what_is_there(new: NewHarness<'_>) {
    let subject = Subject::new(new);
    let log = new_log();
    subject.put(log, &events(3));
    for beyond in 0..3 {
        let head = wait(&subject, log, sequence(beyond));
        assert_eq!(head, subject.head(log), "a wait returns the head");
    }
}

pub(crate) fn wake_for_an_append(new: NewHarness<'_>) {
    let subject = Subject::new(new);
    let log = new_log();
    for size in 0..3 {
        thread::scope(|scope| {
            let waiters: Vec<_> =
                (0..3).map(|_| scope.spawn(|| wait(&subject, log, sequence(size)))).collect();
            thread::sleep(MOMENT / 5);
            subject.put(log, &events(1));
            for waiter in waiters {
                let head = waiter.join().expect("an append must wake every wait");
                assert_eq!(head, subject.head(log), "a wait returns the head after the append");
            }
        });
    }
    // Several waits of one task, of which one is dropped unfinished.
    let head = subject.head(log).size;
    assert!(subject.within(MOMENT / 5, subject.store().wait_for_append(log, head)).is_none());
    let waits = join_all((0..1_000).map(|_| subject.store().wait_for_append(log, head)));
    thread::scope(|scope| {
        scope.spawn(|| {
            thread::sleep(MOMENT / 5);
            subject.put(log, &events(1));
        });
        assert!(subject.within(SOON, waits).is_some(), "an append must wake every wait");
    });
}

pub(crate) fn wake_for_an_append_by_another_handle(new: NewHarness<'_>) {
    let subject = Subject::new(new);
    let log = new_log();
    let other = subject.with_other_handle();
    thread::scope(|scope| {
        let waiter = scope.spawn(|| wait(&other, log, Sequence::ZERO));
        thread::sleep(MOMENT / 5);
        subject.put(log, &events(2));
        let head = waiter.join().expect("an append by another handle must wake a wait");
        assert_eq!(head, subject.head(log), "a wait returns the head after the append");
    });
}

pub(crate) fn sleep_while_other_logs_grow(new: NewHarness<'_>) {
    let subject = Subject::new(new);
    let (log, other) = (new_log(), new_log());
    subject.put(log, &events(2));
    // In one thread, so that the result does not depend on which thread runs when.
    let mut wait = pin!(subject.store().wait_for_append(log, sequence(2)));
    assert!(
        subject.within(MOMENT / 5, wait.as_mut()).is_none(),
        "a wait sleeps until an event comes"
    );
    subject.put(other, &events(5));
    subject.append(log, Vec::new()).expect("an empty batch is accepted");
    assert!(subject.within(MOMENT, wait.as_mut()).is_none(), "a wait sleeps while other logs grow");
    subject.put(log, &events(1));
    let head =
        subject.within(SOON, wait).expect("an append must wake a wait").expect("a wait succeeds");
    assert_eq!(head, subject.head(log), "a wait returns the head after the append");
}

pub(crate) fn return_what_came_to_a_feed(new: NewHarness<'_>) {
    let subject = Subject::new(new);
    let log = new_log();
    let query = EventQuery::new(log);
    let mut token = subject.feed(&query, FeedStart::Now).expect("a feed can be begun").token;
    for round in 0..3 {
        let page = thread::scope(|scope| {
            let waiter =
                scope.spawn(|| subject.within(SOON, subject.store().wait_feed(&query, &token)));
            thread::sleep(MOMENT / 5);
            let placed = subject.put(log, &[event(round)]);
            let page = waiter.join().expect("a wait does not panic");
            let page = page.expect("an append must wake a feed").expect("a feed is readable");
            assert_eq!(page.events, placed, "a feed that waited returns what came");
            page
        });
        token = page.token;
    }
    let first = subject.block_on(subject.store().feed(&query, FeedStart::After(sequence(2))));
    let token = first.expect("a feed can be begun").token;
    let more = subject.put(log, &events(2));
    let page = subject.within(SOON, subject.store().wait_feed(&query, &token));
    let page = page.expect("a wait returns at once for what is there").expect("it is readable");
    assert_eq!(page.events, more, "a feed that need not wait returns what came");
}

pub(crate) fn miss_no_append(new: NewHarness<'_>) {
    const ROUNDS: u64 = 250;
    const WAITERS: u64 = 4;
    let subject = Subject::new(new);
    let log = new_log();
    let barrier = Barrier::new(usize::try_from(WAITERS).unwrap() + 1);
    let is_wrong = AtomicBool::new(false);
    // Nobody panics between two barriers, where the others would wait for ever.
    let rounds = |each: &dyn Fn(u64) -> bool| {
        for round in 0..ROUNDS {
            barrier.wait();
            if !each(round) {
                is_wrong.store(true, Ordering::SeqCst);
            }
            barrier.wait();
            if is_wrong.load(Ordering::SeqCst) {
                break;
            }
        }
    };
    thread::scope(|scope| {
        for waiter in 0..WAITERS {
            let (subject, rounds) = (&subject, &rounds);
            scope.spawn(move || {
                rounds(&|round| {
                    // They begin before, during and after the append.
                    (0..(round * 37 + waiter * 101) % 400).for_each(|_| std::hint::spin_loop());
                    let wait = subject.store().wait_for_append(log, sequence(round));
                    let head = subject.within(SOON, wait).and_then(Result::ok);
                    head.is_some_and(|head| head.size == sequence(round + 1))
                });
            });
        }
        rounds(&|round| subject.append(log, vec![event(i64::try_from(round).unwrap())]).is_ok());
    });
    let is_right = !is_wrong.into_inner();
    assert!(is_right, "a wait that begins while an append is under way returns the head after it");
}
