//! Appends: numbers, receipts, batches.

use std::pin::pin;
use std::time::Duration;

use audit_core::{Action, Actor, ErrorKind, Head, Log, NewEvent, Timestamp};

use crate::NewHarness;
use crate::samples::{event, events, mixed, new_log, sequence};
use crate::subject::{Subject, refused};

/// Long enough for a store to answer, if it does not wait for the append under way.
const MOMENT: Duration = Duration::from_millis(20);

pub(crate) fn survive_a_reopen(new: NewHarness<'_>) {
    let subject = Subject::new(new);
    let logs = [new_log(), Log::Platform];
    let placed = logs.map(|log| [&events(5)[..], &mixed(3)].map(|batch| subject.put(log, batch)));
    let heads = logs.map(|log| subject.head(log));
    let subject = subject.reopen();
    for ((log, placed), head) in logs.into_iter().zip(placed).zip(heads) {
        assert_eq!(subject.events(log), placed.concat(), "acknowledged events survive a reopen");
        assert_eq!(subject.head(log), head, "the head survives a reopen");
    }
    let later = subject.put(logs[0], &events(1));
    assert_eq!(later[0].sequence.get(), 9, "numbers go on where they were before a reopen");
}

pub(crate) fn are_numbered_densely_in_the_order_given(new: NewHarness<'_>) {
    let subject = Subject::new(new);
    let log = new_log();
    let mut expected = Vec::new();
    for (count, elsewhere) in [(1, new_log()), (3, new_log()), (2, new_log()), (7, new_log())] {
        let batch = mixed(count);
        let receipts = subject.append(log, batch.clone()).expect("an append must succeed");
        for (receipt, event) in receipts.iter().zip(&batch) {
            expected.push(event.id);
            let number = receipt.sequence.get();
            assert_eq!(number, expected.len() as u64, "a log numbers its events 1, 2, 3 …");
        }
        subject.put(elsewhere, &mixed(2));
    }
    let found: Vec<_> = subject.events(log).iter().map(|e| (e.sequence, e.id)).collect();
    let expected: Vec<_> = (1..).map(sequence).zip(expected).collect();
    assert_eq!(found, expected, "events are numbered in the order given");
}

pub(crate) fn refuse_reserved_actions(new: NewHarness<'_>) {
    let subject = Subject::new(new);
    let log = new_log();
    subject.put(log, &events(2));
    let head = subject.head(log);
    let of_store = [
        Action::LOG_ERASED,
        Action::LOG_PRUNED,
        Action::LOG_RETENTION_CHANGED,
        Action::LOG_STAGED_REFUSED,
        Action::LOG_REFUSED_DROPPED,
    ];
    for action in of_store {
        let reserved = event(3).action(action.clone());
        let error = refused(
            subject.append(log, vec![event(4), reserved]),
            ErrorKind::Invalid,
            "an event with a reserved action",
        );
        assert_eq!(error.field(), Some("events[1].action"), "the error names the action");
        assert_eq!(subject.head(log), head, "nothing of the batch is written");
        let like_it = event(5).action(format!("{action}.x"));
        let appended = subject.append(new_log(), vec![like_it]);
        appended.expect("an action that only begins like a reserved one is accepted");
    }
}

pub(crate) fn return_one_receipt_for_each_event(new: NewHarness<'_>) {
    let subject = Subject::new(new);
    let log = new_log();
    let [a, b, c] = [0, 1, 2].map(event);
    let batch = vec![a.clone(), b.clone(), a.clone(), c.clone(), b.clone()];
    let receipts = subject.append(log, batch).expect("an append must succeed");
    let found: Vec<_> = receipts.iter().map(|r| (r.id, r.sequence.get(), r.redelivered)).collect();
    let expected =
        [(a.id, 1, false), (b.id, 2, false), (a.id, 1, true), (c.id, 3, false), (b.id, 2, true)];
    assert_eq!(found, expected, "an append returns one receipt for each event, in order");
    assert_eq!(subject.head(log).size.get(), 3, "an event twice in a batch is one event");
}

pub(crate) fn of_nothing_do_nothing(new: NewHarness<'_>) {
    let subject = Subject::new(new);
    let log = new_log();
    let receipts = subject.append(log, Vec::new()).expect("an empty batch is accepted");
    assert_eq!(receipts, [], "an empty batch has no receipt");
    assert_eq!(subject.head(log), Head::default(), "an empty batch leaves the log empty");
    subject.put(log, &events(2));
    let head = subject.head(log);
    assert_eq!(subject.append(log, Vec::new()).expect("an empty batch is accepted"), []);
    assert_eq!(subject.head(log), head, "an empty batch leaves the log as it is");
}

pub(crate) fn record_who_submitted_them(new: NewHarness<'_>) {
    let subject = Subject::new(new);
    let log = new_log();
    let sent = [event(0).submitted_by("key_1"), event(1).submitted_by("key_2"), event(2)];
    let placed = subject.put(log, &sent);
    let by: Vec<_> = placed.iter().map(|event| event.submitted_by.as_deref()).collect();
    assert_eq!(by, [Some("key_1"), Some("key_2"), None]);
    assert_eq!(subject.events(log), placed, "an event says who submitted it");
    assert!(placed.iter().all(|event| !event.by_store), "no event of a caller is the store's");
    // Sent again with another credential, it is the same event, and keeps the first.
    for (sent, first) in sent.into_iter().zip(&placed) {
        let receipts = subject.append(log, vec![sent.submitted_by("key_3")]);
        let receipts = receipts.expect("a redelivery is accepted");
        assert!(receipts[0].redelivered && receipts[0].sequence == first.sequence);
    }
    assert_eq!(subject.events(log), placed, "a redelivery changes nothing");
}

pub(crate) fn are_all_or_nothing(new: NewHarness<'_>) {
    let subject = Subject::new(new);
    let log = new_log();
    let placed = subject.put(log, &events(2));
    let taken = placed[0].clone().into_content().message("other");
    for (last, kind) in
        [(NewEvent::new("", Actor::system()), ErrorKind::Invalid), (taken, ErrorKind::Conflict)]
    {
        let batch = [events(6), vec![last]].concat();
        let lost: Vec<_> = batch[..6].iter().map(|event| event.id).collect();
        refused(subject.append(log, batch), kind, "a batch with a bad event");
        assert_eq!(subject.events(log), placed, "a refused batch leaves no event");
        for id in lost {
            refused(subject.get(log, id), ErrorKind::NotFound, "an event of a refused batch");
        }
    }
}

pub(crate) fn are_seen_whole_or_not_at_all(new: NewHarness<'_>) {
    let subject = Subject::new(new);
    let log = new_log();
    for _ in 0..10 {
        let mut append = pin!(subject.store().append(log, events(4)));
        // Looks at the log wherever the append pauses.
        for _ in 0..100 {
            if subject.poll(append.as_mut()).is_ready() {
                break;
            }
            // A store may let a reader wait for the append, which does not go on meanwhile.
            if let Some(head) = subject.within(MOMENT, subject.store().head(log)) {
                let size = head.expect("a head is readable").size.get();
                assert_eq!(size % 4, 0, "a reader sees a batch whole or not at all");
            }
        }
    }
    assert_eq!(subject.head(log).size.get() % 4, 0, "a log holds whole batches");
}

pub(crate) fn never_record_a_time_that_goes_back(new: NewHarness<'_>) {
    let mut subject = Subject::new(new);
    let log = new_log();
    let hour = Duration::from_secs(3_600);
    let from = Timestamp::now().saturating_sub(hour);
    for round in 0..4 {
        let far = [event(0).occurred_at(Timestamp::MAX), event(1).occurred_at(Timestamp::MIN)];
        subject.put(log, &far);
        subject.put(log, &mixed(3));
        if round == 1 {
            subject = subject.reopen();
        }
    }
    let events = subject.events(log);
    let to = Timestamp::now().saturating_add(hour);
    let in_order = events.is_sorted_by_key(|event| event.recorded_at);
    assert!(in_order, "a recorded time is never earlier than that of the event before");
    let by_the_clock = events.iter().all(|event| (from..to).contains(&event.recorded_at));
    assert!(by_the_clock, "the store's own clock says when an event was recorded");
    let last = events.last().expect("events were appended").recorded_at;
    assert_eq!(subject.head(log).recorded_at, last, "the head has the last recorded time");
}

pub(crate) fn keep_the_same_id_in_two_logs_apart(new: NewHarness<'_>) {
    let subject = Subject::new(new);
    let first = event(1).message("here");
    let second = event(2).id(first.id).message("there");
    let logs = [new_log(), new_log(), Log::Platform];
    let contents = [&first, &second, &first];
    let placed = std::array::from_fn::<_, 3, _>(|n| {
        subject.put(logs[n], std::slice::from_ref(contents[n])).remove(0)
    });
    for (log, event) in logs.into_iter().zip(placed) {
        assert_eq!(event.sequence.get(), 1, "the same id in another log is another event");
        let found = subject.get(log, event.id).expect("each log has its own event of the id");
        assert_eq!(found, event, "each log returns its own event of an id");
    }
}

pub(crate) fn need_no_organization(new: NewHarness<'_>) {
    let subject = Subject::new(new);
    let log = new_log();
    let result = subject.append(log, events(1));
    assert!(result.is_ok(), "no organization of the log's id need exist: {result:?}");
    assert_eq!(subject.events(log).len(), 1);
}

pub(crate) fn are_seen_by_every_handle(new: NewHarness<'_>) {
    let subject = Subject::new(new);
    let log = new_log();
    let other = subject.with_other_handle();
    let mut placed = Vec::new();
    for round in 0..3 {
        placed.extend(subject.put(log, &[event(round)]));
        assert_eq!(other.events(log), placed, "another handle sees an append at once");
        let receipts = other.append(log, vec![event(round + 10)]);
        let receipt = receipts.expect("another handle can append")[0];
        let found = subject.get(log, receipt.id).expect("an append is seen at once");
        assert_eq!(found.sequence, receipt.sequence);
        let head = other.head(log);
        assert_eq!(subject.head(log), head, "every handle sees the same head");
        placed.push(found);
    }
    assert_eq!(subject.events(log), placed, "handles append to one and the same log");
}
