//! Erasures and prunings beside callers that append and read.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use audit_core::tree::Tile;
use audit_core::{
    Action, AuditEvent, Erasure, ErrorKind, EventQuery, FeedStart, Filter, Retention, Sequence,
};

use super::erasures::{EMAIL, by_user};
use crate::harness::NewRetentionHarness;
use crate::model::without_personal;
use crate::samples::{event, mixed, new_log};
use crate::subject::{SetOnDrop, Subject};

/// Long enough for another thread to append something.
const MOMENT: Duration = Duration::from_millis(100);

/// How long writers wait for a pruning at most: a broken store prunes nothing.
const PATIENCE: Duration = Duration::from_secs(2);

pub(crate) fn erasures_miss_nothing_beside_writers(new: NewRetentionHarness<'_>) {
    const WRITERS: usize = 2;
    let subject = Subject::new(new);
    let log = new_log();
    let filter = || Filter::new().actor_email(EMAIL);
    let (done, steps) = (AtomicBool::new(false), AtomicI64::new(1));
    let (mut erased, mut placed) = (0, Vec::new());
    thread::scope(|scope| {
        let finished = SetOnDrop(&done);
        let write = || {
            let mut placed = Vec::new();
            // On until there have been erasures between the writes, and not far ahead of them.
            for round in 0..400 {
                while round >= 10 * steps.load(Ordering::Relaxed) && !done.load(Ordering::Relaxed) {
                    thread::sleep(Duration::from_micros(100));
                }
                if round >= 20 && done.load(Ordering::Relaxed) {
                    break;
                }
                placed.extend(subject.put(log, &[by_user("u_7", round), event(round)]));
            }
            placed
        };
        let writers: Vec<_> = (0..WRITERS).map(|_| scope.spawn(write)).collect();
        for _ in 0..20 {
            // Something is appended between two erasures, unless the writers have finished.
            steps.fetch_add(1, Ordering::Relaxed);
            if !writers.iter().all(thread::ScopedJoinHandle::is_finished) {
                let size = subject.head(log).size;
                subject.within(MOMENT, subject.store().wait_for_append(log, size));
            }
            let size = subject.head(log).size;
            steps.fetch_add(1, Ordering::Relaxed);
            erased += subject.erase(log, filter()).expect("an erasure beside writers succeeds");
            let events = subject.events(log);
            let left = events.iter().take_while(|event| event.sequence <= size);
            let left = left.filter(|event| event.actor.email.is_some()).count();
            assert_eq!(left, 0, "every event from before an erasure is erased when it returns");
        }
        drop(finished);
        placed = writers.into_iter().flat_map(|w| w.join().expect("a writer succeeds")).collect();
    });
    erased += subject.erase(log, filter()).expect("events can be erased");
    let events = subject.events(log);
    let numbers = events.iter().map(|event| event.sequence.get());
    assert!(numbers.eq(1..=events.len() as u64), "no number is lost or given twice");
    let expected = placed.iter().filter(|event| event.actor.email.is_some()).count() as u64;
    assert_eq!(erased, expected, "each event is erased once");
    let stated: u64 = events.iter().map(Erasure::erased_count).sum();
    assert_eq!(stated, expected, "the log records each erasure");
    for event in placed {
        let found = &events[usize::try_from(event.sequence.get()).unwrap() - 1];
        let kept = if event.actor.email.is_some() { without_personal(&event) } else { event };
        assert_eq!(*found, kept, "an erasure beside writers removes personal data, and no more");
    }
    let tree = subject.tree(log);
    assert_eq!(subject.frontier(log).head(), tree.head(tree.size()), "the tree is the records'");
}

pub(crate) fn prunings_lose_nothing_beside_writers_and_followers(new: NewRetentionHarness<'_>) {
    const WRITERS: usize = 2;
    let subject = Subject::new(new);
    let log = new_log();
    let rule = Retention::default().max_events(50);
    subject.set_retention(log, rule).expect("retention can be set");
    let query = EventQuery::new(log).limit(16);
    let begin = || subject.feed(&query, FeedStart::Beginning).expect("a feed can be begun");
    let (done, prunings) = (AtomicBool::new(false), AtomicU64::new(0));
    let (mut placed, mut appended) = (BTreeMap::new(), 0);
    let (mut followed, mut heads) = (Vec::<AuditEvent>::new(), Vec::new());
    thread::scope(|scope| {
        let finished = SetOnDrop(&done);
        let write = || {
            // On until there have been prunings between the writes, and not far ahead of them.
            let prunings = || prunings.load(Ordering::Relaxed);
            let rounds = (0..400).take_while(|round| *round < 40 || prunings() < 5);
            let end = Instant::now() + PATIENCE;
            let wait = |round: &u64| {
                while *round >= 80 * (prunings() + 1) && Instant::now() < end {
                    thread::sleep(Duration::from_micros(100));
                }
            };
            let rounds = rounds.inspect(wait);
            rounds.flat_map(|_| subject.put(log, &mixed(5))).collect::<Vec<_>>()
        };
        let writers: Vec<_> = (0..WRITERS).map(|_| scope.spawn(write)).collect();
        let pruner = scope.spawn(|| {
            let mut heads = Vec::new();
            while !done.load(Ordering::Relaxed) {
                heads.push(subject.frontier(log).head());
                let pruned = subject.prune(log).expect("pruning beside writers succeeds");
                prunings.fetch_add(pruned.events.min(1), Ordering::Relaxed);
                thread::sleep(Duration::from_millis(1));
            }
            // The writers may have been the faster ones.
            subject.prune(log).expect("pruning after the writers succeeds");
            heads
        });
        let (mut page, mut begun) = (begin(), true);
        loop {
            let last_round = writers.iter().all(thread::ScopedJoinHandle::is_finished);
            let after = followed.last().map_or(0, |event| event.sequence.get());
            if let Some(first) = page.events.first().map(|event| event.sequence.get()) {
                // A follower skips only events pruned before it read them, and got `Gone`.
                let skips = begun && first > after && (first - 1).is_multiple_of(Tile::WIDTH);
                let goes_on = first == after + 1 || skips;
                assert!(goes_on, "a follower goes on at {first} after {after}");
            }
            let numbers: Vec<_> = page.events.iter().map(|event| event.sequence.get()).collect();
            let dense = numbers.windows(2).all(|pair| pair[1] == pair[0] + 1);
            assert!(dense, "a follower sees no gap within a page: {numbers:?}");
            followed.append(&mut page.events);
            if last_round && page.caught_up {
                break;
            }
            let next = subject.next_feed(&query, &page.token);
            begun = matches!(&next, Err(error) if error.kind() == ErrorKind::Gone);
            let accepted = "a feed's own token is accepted, or its position is pruned";
            page = if begun { begin() } else { next.expect(accepted) };
        }
        drop(finished);
        for writer in writers {
            let events = writer.join().expect("an append beside pruning succeeds");
            appended += events.len();
            placed.extend(events.into_iter().map(|event| (event.sequence, event)));
        }
        heads = pruner.join().expect("pruning beside writers succeeds");
    });
    assert_eq!(placed.len(), appended, "no number is given twice");
    let head = subject.head(log);
    assert!(head.pruned > Sequence::ZERO, "this case removes something");
    let events = subject.events(log);
    let numbers = events.iter().map(|event| event.sequence.get());
    assert!(numbers.eq(head.pruned.get() + 1..=head.size.get()), "the retained events have no gap");
    for event in events.iter().chain(&followed) {
        if let Some(placed) = placed.get(&event.sequence) {
            assert_eq!(event, placed, "events are read as they were appended");
        } else {
            let reserved =
                [Action::LOG_RETENTION_CHANGED, Action::LOG_PRUNED].contains(&event.action);
            assert!(reserved, "the log holds only appended events and its own");
        }
    }
    assert_eq!(subject.frontier(log).size(), head.size, "the frontier covers all events");
    let old = heads.iter().filter(|old| old.size >= head.pruned).copied();
    subject.assert_grown(log, &old.collect::<Vec<_>>());
}
