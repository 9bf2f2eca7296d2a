//! Many callers at once.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Waker};
use std::thread;
use std::time::{Duration, Instant};

use audit_core::{
    Action, AuditStoreExt as _, ErrorKind, EventId, EventQuery, Log, NewOrganization, Order,
    OrganizationUpdate, Receipt, Scan,
};
use futures_executor::block_on;

use super::api_keys::{Keys, admin};
use super::organizations::endpoint;
use crate::NewHarness;
use crate::samples::{At as _, event, events, mixed, new_log, redelivered};
use crate::subject::{SOON, SetOnDrop, Subject, events_of, everything, refused};

const CALLERS: u64 = 8;

/// Runs `call` in [`CALLERS`] threads at once and returns what each returned.
fn at_once<T: Send>(call: impl Fn(u64) -> T + Sync) -> Vec<T> {
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
            // On until there have been enough reads between the writes to see what is not whole.
            let mut rounds = 0;
            while rounds < 20 || (rounds < 80 && reads.load(Ordering::Relaxed) < 200) {
                subject.put(log, &mixed(3));
                rounds += 1;
            }
            return rounds * 3;
        }
        let other = subject.other_handle();
        let mut seen = 0;
        loop {
            let last_round = done.load(Ordering::Relaxed);
            let head = block_on(other.head(log)).expect("a head is readable").size.get();
            assert!(head >= seen, "a log never shrinks");
            let scan = Scan { order: Order::Sequence, ..everything(log) };
            let slice = block_on(other.scan(scan)).expect("a scan succeeds");
            let numbers: Vec<_> = slice.events.iter().map(|e| e.sequence.get()).collect();
            let dense: Vec<_> = (1..=slice.bound.get()).collect();
            assert_eq!(numbers, dense, "a reader never sees n before n - 1");
            assert!(slice.bound.get() >= head, "a scan sees what the head has told");
            assert_eq!(slice.bound.get() % 3, 0, "a reader sees a batch whole or not at all");
            for event in slice.events.iter().rev().take(3) {
                block_on(other.get(log, event.id)).expect("what a scan has shown is found");
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
            assert_eq!(kind, Err(ErrorKind::Conflict), "the others are told of the conflict");
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
            drop(subject.store().submit(log, batch.clone()));
            begun.push(batch);
            continue;
        }
        let mut append = subject.store().append(log, batch.clone());
        let mut context = Context::from_waker(Waker::noop());
        for _ in 0..polls {
            if append.as_mut().poll(&mut context).is_ready() {
                break;
            }
            thread::sleep(Duration::from_micros(round * 10));
        }
        drop(append);
        if polls == 0 {
            never_begun.push(batch)
        } else {
            begun.push(batch)
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

pub(crate) fn updates_of_an_organization_lose_nothing(new: NewHarness<'_>) {
    let subject = Subject::new(new);
    let other = subject.with_other_handle();
    let id = subject.created(NewOrganization::new("Acme")).id;
    at_once(|caller| {
        let subject = if caller % 2 == 0 { &subject } else { &other };
        for round in 0..5 {
            let add = endpoint(&format!("{caller}-{round}"));
            let update = OrganizationUpdate::default().add_endpoint(add);
            subject.update(id, update).expect("concurrent updates succeed");
        }
    });
    let organization = subject.organization(id).expect("an organization is readable");
    let mut ids: Vec<_> = organization.private_endpoints.into_iter().map(|e| e.id).collect();
    ids.sort_unstable();
    let expected: Vec<_> =
        (0..CALLERS).flat_map(|c| (0..5).map(move |round| format!("{c}-{round}"))).collect();
    assert_eq!(ids, expected, "of two updates at once, neither is lost");
    let events = events_of(subject.store(), id.into());
    assert_eq!(events.len() as u64, 1 + CALLERS * 5, "each update leaves one event");
    let one_field = events[1..].iter().all(|event| event.change.diff.len() == 1);
    assert!(one_field, "each event tells the difference from what was there");
}

pub(crate) fn creations_of_one_organization_have_one_winner(new: NewHarness<'_>) {
    let subject = Subject::new(new);
    for _ in 0..3 {
        let new = NewOrganization::new("Acme");
        let id = new.id;
        let results = at_once(|caller| {
            let new = NewOrganization { name: format!("Acme {caller}"), ..new.clone() };
            subject.create(new, event(0).at(0).actor.into())
        });
        let won: Vec<_> = results.iter().flatten().collect();
        assert_eq!(won.len(), 1, "an id is given once");
        let conflicts = results.iter().filter_map(|result| result.as_ref().err());
        assert!(conflicts.clone().all(|error| error.kind() == ErrorKind::Conflict));
        let found = subject.organization(id).expect("the winner's organization is there");
        assert_eq!(found, *won[0], "the winner's organization is kept");
        assert_eq!(subject.head(id.into()).size.get(), 1, "only the winner leaves an event");
    }
}

pub(crate) fn revocations_of_one_key_leave_one_event(new: NewHarness<'_>) {
    let keys = Keys::new(new);
    let other = keys.with_other_handle();
    let id = keys.organization();
    for round in 1..=5 {
        let (key, _) = keys.created(id);
        let results = at_once(|caller| {
            let keys = if caller % 2 == 0 { &keys } else { &other };
            keys.revoked(key.id)
        });
        let found = keys.get(key.id).expect("a key is readable");
        assert!(found.revoked_at.is_some(), "the key is revoked");
        assert!(results.iter().all(|key| *key == found), "a key is revoked once");
        let events = 1 + round * 2;
        assert_eq!(keys.subject.sizes(id), [events; 2], "of many revocations one leaves an event");
    }
}

pub(crate) fn deletions_of_an_organization_end_the_creation_of_keys(new: NewHarness<'_>) {
    let keys = Keys::new(new);
    let other = keys.with_other_handle();
    for _ in 0..5 {
        let id = keys.organization();
        let results = at_once(|caller| {
            let keys = if caller % 2 == 0 { &keys } else { &other };
            if caller == 0 {
                keys.subject.delete(id).expect("an organization can be deleted");
                return None;
            }
            Some(keys.create(admin(id)))
        });
        let created = results.iter().flatten().filter(|result| result.is_ok()).count();
        let errors = results.iter().flatten().filter_map(|result| result.as_ref().err());
        let not_found = errors.map(audit_core::Error::kind).all(|kind| kind == ErrorKind::NotFound);
        assert!(not_found, "a key that comes too late has no organization");
        assert_eq!(keys.all(id).len(), created, "each key is kept or refused");
        let mut events = keys.subject.events(id.into());
        let last = events.pop().expect("the deletion leaves an event");
        assert_eq!(last.action, Action::ORGANIZATION_DELETED, "no key is created after it");
        assert_eq!(events.len(), 1 + created, "each key that is kept leaves an event");
    }
}
