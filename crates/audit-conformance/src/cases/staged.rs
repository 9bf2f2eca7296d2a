//! Staged events: recorded with their transaction, once, in order.

use std::thread;
use std::time::{Duration, Instant};

use audit_core::{AuditStoreExt as _, ErrorKind, EventQuery, Log, NewEvent, Staged, Timestamp};

use crate::harness::NewStagingHarness;
use crate::samples::{event, events, full, new_log, sequence};
use crate::subject::{SOON, Subject, refused};

fn untimed() -> NewEvent {
    let mut event = event(1);
    event.occurred_at = None;
    event
}

pub(crate) fn are_recorded_when_their_transaction_commits(new: NewStagingHarness<'_>) {
    let subject = Subject::new(new);
    let other = subject.with_other_handle();
    for log in [new_log(), Log::Platform] {
        let mut sent = full();
        sent.submitted_by = Some("key_1".to_owned());
        let staged = [sent.clone(), event(2)];
        let mut transaction = subject.begin();
        transaction.stage(&Staged::new(log, staged.to_vec()).expect("sample events can be staged"));
        assert!(subject.events(log).is_empty(), "nothing is recorded before the commit");
        transaction.commit();
        for handle in [&subject, &other] {
            let found = handle.events(log);
            assert_eq!(found.len(), 2, "a staged event is recorded when its transaction commits");
            assert_eq!(found[0].submitted_by.as_deref(), Some("key_1"), "with who submitted it");
            for (event, staged) in found.iter().zip(&staged) {
                assert!(event.has_content(staged), "it comes back equal in every field: {event:?}");
                assert!(!event.by_store, "it is the caller's");
            }
        }
    }
}

pub(crate) fn are_never_recorded_when_it_rolls_back(new: NewStagingHarness<'_>) {
    let subject = Subject::new(new);
    let log = new_log();
    let staged = Staged::new(log, events(3)).expect("sample events can be staged");
    let mut transaction = subject.begin();
    transaction.stage(&staged);
    transaction.roll_back();
    let mut dropped = subject.begin();
    dropped.stage(&staged);
    drop(dropped);
    let kept = subject.stage(log, &[event(9)]);
    let found: Vec<_> = subject.events(log).iter().map(|event| event.id).collect();
    let kept: Vec<_> = kept.rows().map(|(id, _)| id).collect();
    assert_eq!(found, kept, "only what commits is recorded");
}

pub(crate) fn are_in_every_read_of_their_log(new: NewStagingHarness<'_>) {
    let subject = Subject::new(new);
    // Each read is the first after the commit.
    let fresh = || {
        let log = new_log();
        let staged = subject.stage(log, &[event(1)]);
        let id = staged.rows().next().expect("one event").0;
        (log, id)
    };
    let (log, id) = fresh();
    assert!(subject.get(log, id).is_ok(), "an event is looked up by its id");
    let (log, _) = fresh();
    assert_eq!(subject.head(log).size.get(), 1, "the head counts it");
    let (log, _) = fresh();
    assert_eq!(subject.events(log).len(), 1, "a scan finds it");
    let (log, _) = fresh();
    assert_eq!(subject.page(&EventQuery::new(log)).events.len(), 1, "a page holds it");
    let (log, _) = fresh();
    assert_eq!(subject.entries(log).len(), 1, "verification reads it");
    let (log, _) = fresh();
    assert_eq!(subject.frontier(log).size().get(), 1, "the tree has its leaf");
    let (log, _) = fresh();
    let logs = subject.block_on(subject.store().all_logs()).expect("logs can be listed");
    assert!(logs.contains(&log), "its log is listed");
    let (log, _) = fresh();
    let wait = subject.store().wait_for_append(log, sequence(0));
    let head = subject.within(SOON, wait).expect("a wait returns").expect("a wait succeeds");
    assert_eq!(head.size.get(), 1, "a wait returns for it");
}

pub(crate) fn keep_the_order_of_their_transaction(new: NewStagingHarness<'_>) {
    let subject = Subject::new(new);
    let logs = [new_log(), new_log(), Log::Platform];
    let mut expected = logs.map(|_| Vec::new());
    for round in 0..4 {
        let mut transaction = subject.begin();
        for n in 0..30 {
            // The ids do not rise with the order.
            let mut events = events(2);
            events.sort_by_key(|event| std::cmp::Reverse(event.id));
            let place = (n * 7 + round) % 3;
            let staged = Staged::new(logs[place], events).expect("sample events can be staged");
            transaction.stage(&staged);
            expected[place].extend(staged.rows().map(|(id, _)| id));
        }
        transaction.commit();
    }
    for (log, expected) in logs.into_iter().zip(expected) {
        let found: Vec<_> = subject.events(log).iter().map(|event| event.id).collect();
        assert_eq!(found, expected, "events keep the order in which they were staged");
        assert_eq!(subject.head(log).size.get(), expected.len() as u64, "numbered densely");
    }
}

pub(crate) fn come_before_a_later_append(new: NewStagingHarness<'_>) {
    let subject = Subject::new(new);
    let log = new_log();
    for round in 0..3 {
        subject.stage(log, &events(2));
        subject.stage(new_log(), &events(1));
        let receipts = subject.append(log, events(1)).expect("an append must succeed");
        let number = receipts[0].sequence.get();
        assert_eq!(number, 3 * (round + 1), "what was staged before an append comes before it");
    }
    // Also before one that is refused.
    let taken = subject.events(log)[0].clone();
    subject.stage(log, &events(1));
    let other = event(8).id(taken.id);
    refused(subject.append(log, vec![other]), ErrorKind::Conflict, "other content");
    assert_eq!(subject.events(log).len(), 10, "what was staged is recorded nevertheless");
}

pub(crate) fn are_recorded_once(new: NewStagingHarness<'_>) {
    let subject = Subject::new(new);
    let log = new_log();
    let (timed, untimed) = (event(3), untimed());
    let both = [timed.clone(), untimed.clone()];
    // In one transaction, in two, before and after they are taken in, and appended, too.
    let mut transaction = subject.begin();
    for _ in 0..2 {
        transaction.stage(&Staged::new(log, both.to_vec()).expect("sample events can be staged"));
    }
    transaction.commit();
    subject.stage(log, &both);
    assert_eq!(subject.events(log).len(), 2, "staged twice is recorded once");
    subject.stage(log, &both);
    let receipts = subject.append(log, both.to_vec()).expect("a redelivery is no error");
    assert!(receipts.iter().all(|receipt| receipt.redelivered), "appended after it was staged");
    let appended = subject.put(log, &events(2));
    subject.stage(log, &[appended[0].clone().into_content()]);
    assert_eq!(subject.events(log).len(), 4, "staged after it was appended is recorded once");
    // The same id in another log is another event.
    let elsewhere = new_log();
    subject.stage(elsewhere, &both);
    assert_eq!(subject.events(elsewhere).len(), 2, "each log has its own ids");
    assert!(subject.refused().is_empty(), "a redelivery is not refused");
}

pub(crate) fn occur_when_they_were_staged(new: NewStagingHarness<'_>) {
    let subject = Subject::new(new);
    let log = new_log();
    let exact = Timestamp::from_nanos(1_700_000_000_123_456_789);
    let before = Timestamp::now();
    let staged = Staged::new(log, vec![untimed(), event(2).occurred_at(exact)]);
    let after = Timestamp::now();
    let mut transaction = subject.begin();
    transaction.stage(&staged.expect("sample events can be staged"));
    thread::sleep(Duration::from_millis(2));
    transaction.commit();
    let events = subject.events(log);
    let time = events[0].occurred_at;
    assert!(time >= before && time <= after, "an event without a time occurs when it is staged");
    assert_eq!(events[1].occurred_at, exact, "a time is kept to the nanosecond");
}

pub(crate) fn have_receipts(new: NewStagingHarness<'_>) {
    let subject = Subject::new(new);
    let log = new_log();
    subject.put(log, &events(2));
    let content = event(7);
    subject.stage(log, std::slice::from_ref(&content));
    let receipt = subject.receipt_of(log, content.id).expect("a staged event has a receipt");
    assert_eq!(receipt.sequence.get(), 3, "the receipt has its number");
    let entry = subject.entries(log).pop().expect("three events");
    assert_eq!((receipt.leaf, receipt.redelivered), (entry.leaf, false), "and its leaf");
    let again = subject.append(log, vec![content]).expect("a redelivery is no error");
    assert_eq!((again[0].leaf, again[0].recorded_at), (receipt.leaf, receipt.recorded_at));
    let unknown = subject.receipt_of(log, event(1).id);
    refused(unknown, ErrorKind::NotFound, "an event that nobody staged");
}

/// Waits until nothing waits to be taken in. Counting takes in nothing.
fn wait_until_taken_in(subject: &Subject<dyn crate::StagingHarness>) {
    let start = Instant::now();
    while subject.counts().waiting > 0 {
        assert!(start.elapsed() < SOON, "a store takes in what is staged by itself");
        thread::sleep(Duration::from_millis(2));
    }
}

pub(crate) fn are_taken_in_though_nobody_reads(new: NewStagingHarness<'_>) {
    let subject = Subject::new(new);
    let logs: Vec<_> = (0..20).map(|_| new_log()).collect();
    let before = subject.counts();
    assert_eq!((before.waiting, before.refused), (0, 0), "nothing is staged at first");
    for _ in 0..2 {
        let mut transaction = subject.begin();
        for log in &logs {
            transaction.stage(&Staged::new(*log, events(3)).expect("sample events can be staged"));
        }
        transaction.commit();
        wait_until_taken_in(&subject);
    }
    // Asked for, it is done when the call returns.
    subject.stage(logs[0], &events(1));
    subject.block_on(subject.store().take_in()).expect("staged events can be taken in");
    assert_eq!(subject.counts().waiting, 0, "what is asked for is done");
    for (n, log) in logs.into_iter().enumerate() {
        assert_eq!(subject.events(log).len(), if n == 0 { 7 } else { 6 }, "nothing is lost");
    }
}

pub(crate) fn are_taken_in_after_a_reopen(new: NewStagingHarness<'_>) {
    let subject = Subject::new(new);
    let log = new_log();
    subject.put(log, &events(1));
    let closed = subject.close();
    let mut transaction = closed.begin();
    transaction.stage(&Staged::new(log, events(4)).expect("sample events can be staged"));
    transaction.commit();
    let subject = closed.open();
    wait_until_taken_in(&subject);
    assert_eq!(subject.events(log).len(), 5, "what was staged while the store was closed is there");
}

pub(crate) fn wake_a_feed(new: NewStagingHarness<'_>) {
    let subject = Subject::new(new);
    let log = new_log();
    subject.put(log, &events(1));
    let wait = subject.store().wait_for_append(log, sequence(1));
    let head = thread::scope(|scope| {
        scope.spawn(|| {
            thread::sleep(Duration::from_millis(10));
            subject.stage(new_log(), &events(1));
            subject.stage(log, &events(2));
        });
        subject.within(SOON, wait)
    });
    let head = head.expect("a staged event wakes a feed").expect("a wait succeeds");
    assert!(head.size.get() > 1, "a feed returns for a staged event");
    assert_eq!(subject.head(log).size.get(), 3, "which is not the last of its transaction");
}

pub(crate) fn of_several_clients_lose_nothing(new: NewStagingHarness<'_>) {
    const CLIENTS: usize = 4;
    const ROUNDS: i64 = 15;
    let subject = Subject::new(new);
    let other = subject.with_other_handle();
    let logs = [new_log(), new_log()];
    let staged: Vec<Vec<_>> = thread::scope(|scope| {
        let client = |client: usize| {
            let (subject, other) = (&subject, &other);
            move || {
                let mut ids = Vec::new();
                for round in 0..ROUNDS {
                    let log = logs[(client + usize::try_from(round).expect("few")) % 2];
                    let staged = subject.stage(log, &events(2));
                    ids.extend(staged.rows().map(|(id, _)| (log, id)));
                    let handle = if client.is_multiple_of(2) { subject } else { other };
                    match round % 3 {
                        0 => drop(handle.put(log, &events(1))),
                        1 => {
                            let id = ids[ids.len() - 1].1;
                            assert!(handle.get(log, id).is_ok(), "a client reads its own writes");
                        }
                        _ => {}
                    }
                }
                ids
            }
        };
        let clients: Vec<_> = (0..CLIENTS).map(|n| scope.spawn(client(n))).collect();
        clients.into_iter().map(|client| client.join().expect("a client ends")).collect()
    });
    for log in logs {
        let events = subject.events(log);
        let numbers: Vec<_> = events.iter().map(|event| event.sequence.get()).collect();
        assert_eq!(numbers, (1..=events.len() as u64).collect::<Vec<_>>(), "a log is dense");
        let mut found: Vec<_> = events.iter().map(|event| event.id).collect();
        for ids in &staged {
            let own: Vec<_> = ids.iter().filter(|(of, _)| *of == log).map(|(_, id)| *id).collect();
            let in_log: Vec<_> = found.iter().filter(|id| own.contains(id)).copied().collect();
            assert_eq!(in_log, own, "each client's events are there once, in their order");
        }
        found.sort();
        found.dedup();
        assert_eq!(found.len(), events.len(), "no event is there twice");
    }
}
