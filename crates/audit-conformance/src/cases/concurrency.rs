//! Many callers at once.

use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use audit_core::{AuditStoreExt as _, ErrorKind, EventId, EventQuery, Log, Order, Receipt};

use crate::NewHarness;
use crate::samples::{event, events, mixed, new_log, redelivered};
use crate::subject::{SOON, SetOnDrop, Subject, everything, refused};

pub(super) const CALLERS: u64 = 8;

/// Runs `call` in [`CALLERS`] threads at once and returns what each returned.
pub(super) fn at_once<T: Send>(call: impl Fn(u64) -> T + Sync) -> Vec<T> {
    let barrier = std::sync::Barrier::new(usize::try_from(CALLERS).unwrap());
    thread::scope(|scope| {
        let spawn = |caller| {
            let (call, barrier) = (&call, &barrier);
            scope.spawn(move || {
                barrier.wait();
                call(caller)
            })
        };
        let threads: Vec<_> = (0..CALLERS).map(spawn).collect();
        threads.into_iter().map(|thread| thread.join().expect("a caller must not fail")).collect()
    })
}

pub(crate) fn writers_to_several_logs_lose_nothing(new: NewHarness<'_>) {
    let subject = Subject::new(new);
    let logs = [new_log(), new_log(), Log::Platform];
    let other = subject.with_other_handle();
    let placed = at_once(|caller| {
        let subject = if caller % 2 == 0 { &subject } else { &other };
        let batch = |round: usize| {
            let log = logs[(round + usize::try_from(caller).unwrap()) % logs.len()];
            subject.put(log, &mixed(1 + i64::try_from(round).unwrap() % 3))
        };
        (0..15).flat_map(batch).collect::<Vec<_>>()
    });
    let placed = placed.concat();
    for log in logs {
        let mut expected: Vec<_> = placed.iter().filter(|e| e.log == log).cloned().collect();
        expected.sort_unstable_by_key(|event| event.sequence);
        let numbers: Vec<_> = expected.iter().map(|event| event.sequence.get()).collect();
        let dense: Vec<_> = (1..=expected.len() as u64).collect();
        assert_eq!(numbers, dense, "concurrent appends are numbered 1, 2, 3 … without a gap");
        assert!(subject.events(log) == expected, "every acknowledged event is in its log");
        assert!(expected.is_sorted_by_key(|event| event.recorded_at), "time does not go back");
        let by_time = subject.walk(&EventQuery::new(log).order(Order::OldestFirst), 1_000);
        assert_eq!(by_time.len(), expected.len(), "every order has every event");
    }
}

pub(crate) fn readers_always_see_a_dense_prefix(new: NewHarness<'_>) {
    let subject = Subject::new(new);
    let log = new_log();
    let (done, reads) = (AtomicBool::new(false), AtomicU64::new(0));
    let last = at_once(|caller| {
        if caller < 3 {
            let _finished = SetOnDrop(&done);
            // On until there have been enough reads between the writes to see a batch that is not whole.
            let mut rounds = 0;
            while rounds < 20 || (rounds < 80 && reads.load(Ordering::Relaxed) < 200) {
                subject.put(log, &mixed(3));
                rounds += 1;
            }
            return rounds * 3;
        }
        let other = subject.with_other_handle();
        let mut seen = 0;
        loop {
            let last_round = done.load(Ordering::Relaxed);
            let head = other.head(log).size.get();
            assert!(head >= seen, "a log never shrinks");
            let scan = everything(log).order(Order::Sequence);
            let slice = other.scan(scan).expect("a scan succeeds");
            let numbers: Vec<_> = slice.events.iter().map(|e| e.sequence.get()).collect();
            let dense: Vec<_> = (1..=slice.bound.get()).collect();
            assert_eq!(numbers, dense, "a reader never sees n before n - 1");
            assert!(slice.bound.get() >= head, "a scan sees at least what the head reported");
            assert_eq!(slice.bound.get() % 3, 0, "a reader sees a batch whole or not at all");
            for event in slice.events.iter().rev().take(3) {
                other.get(log, event.id).expect("an event that a scan returned is found");
            }
            seen = slice.bound.get();
            reads.fetch_add(1, Ordering::Relaxed);
            if last_round {
                return 0;
            }
        }
    });
    assert_eq!(subject.head(log).size.get(), last.iter().sum::<u64>(), "nothing is lost");
}

pub(crate) fn one_event_from_all_sides_is_recorded_once(new: NewHarness<'_>) {
    let subject = Subject::new(new);
    let other = subject.with_other_handle();
    for round in 0..5 {
        let log = new_log();
        let batch = mixed(6);
        let receipts = at_once(|caller| {
            let subject = if caller % 2 == 0 { &subject } else { &other };
            let mut batch = batch.clone();
            // Some deliver the batch in parts and in another order.
            if caller % 3 == round % 3 {
                batch.reverse();
                let rest = batch.split_off(4);
                let mut receipts = subject.append(log, batch).expect("a redelivery succeeds");
                receipts.extend(subject.append(log, rest).expect("a redelivery succeeds"));
                return receipts;
            }
            subject.append(log, batch).expect("a redelivery succeeds")
        });
        assert_eq!(subject.head(log).size.get(), 6, "each event is recorded once");
        for event in &batch {
            let mut of_event: Vec<Receipt> =
                receipts.iter().flatten().filter(|r| r.id == event.id).copied().collect();
            assert_eq!(of_event.len() as u64, CALLERS, "everyone gets a receipt");
            of_event.sort_unstable_by_key(|receipt| receipt.redelivered);
            let first = of_event[0];
            assert!(!first.redelivered, "one of the deliveries is the first");
            let again = redelivered(first);
            assert!(of_event[1..].iter().all(|r| *r == again), "all others are redeliveries");
        }
    }
}

pub(crate) fn conflicts_at_once_have_one_winner(new: NewHarness<'_>) {
    let subject = Subject::new(new);
    for _ in 0..5 {
        let (log, id) = (new_log(), EventId::new());
        let results = at_once(|caller| {
            let own = event(1).id(id).metadata("caller", caller);
            let batch = vec![event(2), own.clone(), event(3)];
            (own, subject.append(log, batch))
        });
        let (won, lost): (Vec<_>, Vec<_>) = results.iter().partition(|(_, result)| result.is_ok());
        assert_eq!(won.len(), 1, "of different contents for one id, one is recorded");
        for (_, result) in lost {
            let kind = result.as_ref().map_err(audit_core::Error::kind);
            assert_eq!(kind, Err(ErrorKind::Conflict), "the others fail with a conflict");
        }
        assert_eq!(subject.head(log).size.get(), 3, "the batches of the others leave nothing");
        let found = subject.get(log, id).expect("the winner's event is there");
        assert!(found.has_content(&won[0].0), "the winner's content is recorded");
    }
}

pub(crate) fn dropped_appends_are_carried_through(new: NewHarness<'_>) {
    /// How often a future is polled before it is dropped, at most.
    const POLLS: u64 = 9;
    let subject = Subject::new(new);
    let log = new_log();
    let (mut begun, mut never_begun) = (Vec::new(), Vec::new());
    for round in 0..40 {
        let (batch, polls) = (events(4), round % (POLLS + 1));
        if round % 8 == 7 {
            subject.block_on(async { drop(subject.store().submit(log, batch.clone())) });
            begun.push(batch);
            continue;
        }
        let mut append = subject.store().append(log, batch.clone());
        for _ in 0..polls {
            if subject.poll(pin!(&mut append)).is_ready() {
                break;
            }
            thread::sleep(Duration::from_micros(round * 10));
        }
        drop(append);
        if polls == 0 {
            never_begun.push(batch);
        } else {
            begun.push(batch);
        }
        if round % 4 == 0 {
            subject.put(log, &events(4));
        }
    }
    for batch in &begun {
        let deadline = Instant::now() + SOON;
        let is_whole = || batch.iter().all(|event| subject.get(log, event.id).is_ok());
        while !is_whole() {
            let in_time = Instant::now() < deadline;
            assert!(in_time, "an append is carried through once it has been polled");
            thread::sleep(Duration::from_millis(1));
        }
        let receipts = subject.append(log, batch.clone()).expect("a redelivery succeeds");
        let in_a_row = receipts.windows(2).all(|pair| pair[0].sequence.next() == pair[1].sequence);
        assert!(in_a_row, "the events of a batch have successive numbers");
    }
    for event in never_begun.iter().flatten() {
        let found = subject.get(log, event.id);
        refused(found, ErrorKind::NotFound, "an append that was never polled records nothing");
    }
    let size = (begun.len() as u64 + 10) * 4;
    let numbers: Vec<_> = subject.events(log).iter().map(|e| e.sequence.get()).collect();
    assert_eq!(numbers, (1..=size).collect::<Vec<_>>(), "dropped appends leave no gap");
}
