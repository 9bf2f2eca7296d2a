//! Prunings: what they remove, keep and record.

use std::thread;
use std::time::Duration;

use audit_core::tree::Tile;
use audit_core::{
    Action, AuditEvent, AuditStoreExt as _, ErrorKind, EventId, EventQuery, Facet, FeedStart,
    Filter, Head, Log, NewEvent, Order, Retention, Sequence, Target, Timestamp, Total,
};

use super::changes::{assert_attributed, attributed};
use crate::RetentionHarness;
use crate::harness::NewRetentionHarness;
use crate::model::Model;
use crate::samples::{at, event, event_with, events, full, mixed, new_log, sequence, values_of};
use crate::subject::{Subject, everything, refused};

const ORDERS: [Order; 4] = Order::ALL;

/// Returns the last number up to which whole tiles end.
fn whole_tiles(number: u64) -> u64 {
    number - number % Tile::WIDTH
}

impl Subject<dyn RetentionHarness> {
    /// Makes the log keep its newest `count` events, checks which are removed, and returns the
    /// model of the rest.
    pub(super) fn pruned(&self, log: Log, count: u64) -> Model {
        let mut model = Model { events: self.events(log), floor: self.head(log).pruned };
        let floor = self.keep_newest(log, count);
        model.prune(floor);
        let events = self.events(log);
        let (left, reserved) = events.split_at(model.events.len());
        assert!(left == model.events, "pruning removes the first events, and no other");
        assert!(
            (1..=2).contains(&reserved.len()),
            "pruning appends an event, and so does its rule"
        );
        assert_eq!(self.head(log).pruned, floor, "the head has the last pruned sequence");
        model.events.extend_from_slice(reserved);
        model
    }
}

pub(crate) fn remove_events_over_the_count(new: NewRetentionHarness<'_>) {
    let subject = Subject::new(new);
    for (count, kept, floor) in [
        (31, 1, 0), // with the event of the rule there are 32, of which one stays
        (32, 1, 32),
        (100, 1, 96),
        (100, 69, 32),
        (100, 70, 0),
        (100, 101, 0),
        (1_100, 40, 1_056),
        (1_100, 2_000, 0),
    ] {
        let log = new_log();
        let placed = subject.put(log, &events(count));
        let mut retention = Retention::default().max_events(kept);
        // Of two bounds, this is the one that removes more.
        if count % 2 == 0 {
            retention = retention.max_age(Duration::from_secs(86_400));
        }
        subject.set_retention(log, retention).expect("retention can be set");
        let pruned = subject.prune(log).expect("a log can be pruned");
        let removed = (pruned.events, pruned.floor.get());
        assert_eq!(removed, (floor, floor), "of {count} events {kept} are kept, by whole tiles");
        assert_eq!(subject.head(log).pruned.get(), floor, "the head has the last pruned sequence");
        let events = subject.events(log);
        let (left, reserved) = (&placed[usize::try_from(floor).unwrap()..], usize::from(floor > 0));
        assert!(events[..left.len()] == *left, "the newest events stay as they are");
        assert_eq!(events.len(), left.len() + 1 + reserved, "nothing else is added or removed");
    }
}

pub(crate) fn remove_events_over_the_age(new: NewRetentionHarness<'_>) {
    let subject = Subject::new(new);
    let age = Duration::from_secs(1);
    let by_age = Retention::default().max_age(age);
    // Of two bounds, the age is the one that removes more.
    let logs = [by_age, by_age.max_events(139)].map(|retention| (new_log(), retention));
    for (log, retention) in logs {
        // It matters when an event was recorded, not when it occurred.
        let old = events(70).into_iter().map(|event| event.occurred_at(Timestamp::MAX));
        subject.put(log, &old.collect::<Vec<_>>());
        subject.set_retention(log, retention).expect("retention can be set");
    }
    thread::sleep(age + Duration::from_millis(20));
    for (log, _) in logs {
        let young = events(70).into_iter().map(|event| event.occurred_at(Timestamp::MIN));
        subject.put(log, &young.collect::<Vec<_>>());
        let events = subject.events(log);
        let recorded_before = |time: Timestamp| {
            let limit = time.saturating_sub(age);
            whole_tiles(events.iter().filter(|event| event.recorded_at < limit).count() as u64)
        };
        // The store looks at its clock somewhere in between.
        let before = recorded_before(Timestamp::now());
        let floor = subject.prune(log).expect("a log can be pruned").floor.get();
        let after = recorded_before(Timestamp::now());
        assert_eq!(before, 64, "this case waits for some events to be too old");
        let is_right = (before..=after).contains(&floor);
        assert!(is_right, "events recorded too long ago are removed: {floor}");
        let first = usize::try_from(floor).unwrap();
        let left = &subject.events(log)[..events.len() - first];
        assert!(*left == events[first..], "younger events stay");
        let head = subject.head(log);
        assert_eq!(head.pruned.get(), floor, "the head has the last pruned sequence");
    }
}

pub(crate) fn leave_nothing_of_removed_events(new: NewRetentionHarness<'_>) {
    let mut subject = Subject::new(new);
    let log = new_log();
    let batch = [vec![full()], mixed(98), vec![full()]].concat();
    let placed = subject.put(log, &batch);
    let model = subject.pruned(log, 30);
    assert_eq!(model.floor, sequence(64), "this case removes two tiles");
    for _ in 0..2 {
        for event in &placed {
            let found = subject.get(log, event.id);
            if event.sequence > model.floor {
                assert_eq!(found.expect("retained events are found"), *event);
            } else {
                refused(found, ErrorKind::NotFound, "the id of an event that is gone");
            }
        }
        for order in ORDERS {
            for filter in [Filter::new(), Filter::new().actor_id("u_7"), Filter::new().until(at(2))]
            {
                let query = EventQuery::new(log).order(order).filter(filter.clone());
                let expected = model.all(&filter, order);
                assert_eq!(
                    subject.walk(&query, 7),
                    expected,
                    "a walk has the retained events: {filter:?}"
                );
                let count =
                    subject.block_on(subject.store().count(&query)).expect("it can be counted");
                assert_eq!(
                    count,
                    expected.len() as u64,
                    "a count counts the retained events: {filter:?}"
                );
            }
            for bound in [0, 1, 63, 64, 65, 100].map(sequence) {
                let scan = everything(log).order(order).bound(bound).total(Total::Exact);
                let slice = subject.scan(scan.clone()).expect("a scan succeeds");
                assert_eq!(
                    slice,
                    model.answer(&scan),
                    "a scan up to {bound} has the retained events"
                );
            }
        }
        let query = EventQuery::new(log);
        let feed = subject.feed(&query, FeedStart::Beginning).expect("a feed can be begun");
        assert_eq!(feed.events, model.events, "a feed begins with the first retained event");
        for after in [0, 1, 63, 64] {
            let entries = subject.try_entries(log, sequence(after), 1_000, usize::MAX);
            let entries = entries.expect("to begin below the floor is no fault");
            let numbers: Vec<_> = entries.iter().map(|entry| entry.sequence).collect();
            let expected: Vec<_> = model.events.iter().map(|event| event.sequence).collect();
            assert_eq!(numbers, expected, "only retained events are stored");
        }
        let first = subject.try_entries(log, sequence(3), 1, 1).expect("it is readable");
        assert_eq!(first[0].sequence, sequence(65), "the first that is left is read first");
        subject = subject.reopen();
    }
    // Nothing is left to know them by.
    let receipts = subject.append(log, batch[..2].to_vec()).expect("an append must succeed");
    let new = receipts.iter().all(|r| !r.redelivered && r.sequence > model.events[37].sequence);
    assert!(new, "an event whose first is gone is a new one");
}

pub(crate) fn record_the_removed_range(new: NewRetentionHarness<'_>) {
    let subject = Subject::new(new);
    let log = new_log();
    subject.put(log, &[events(100), vec![full()]].concat());
    let retention = Retention::default().max_events(30);
    subject.set_retention(log, retention).expect("retention can be set");
    for (numbers, removed) in [("1-64", 64), ("65-128", 64)] {
        let pruned = subject.block_on(subject.store().prune(log, attributed().into()));
        let pruned = pruned.expect("a log can be pruned");
        assert_eq!(pruned.events, removed, "pruning says how many events it has removed");
        let reserved = subject.events(log).pop().expect("pruning leaves an event");
        assert_eq!(reserved.sequence, subject.head(log).size, "it is the last of the log");
        assert_eq!(reserved.action, Action::LOG_PRUNED, "the event says what was done");
        let target = Target::new("events", numbers);
        assert_eq!(reserved.targets, [target], "the event says which events are gone");
        assert_attributed(&reserved);
        let again = subject.prune(log).expect("a log can be pruned");
        assert_eq!((again.events, again.floor), (0, pruned.floor), "nothing is left to remove");
        subject.put(log, &events(60));
    }
}

pub(crate) fn of_nothing_append_no_event(new: NewRetentionHarness<'_>) {
    let subject = Subject::new(new);
    let (empty, log) = (new_log(), new_log());
    let nothing = |log: Log, what: &str| {
        let head = subject.head(log);
        for _ in 0..2 {
            let pruned = subject.prune(log).expect("a log can be pruned");
            assert_eq!(
                (pruned.events, pruned.floor),
                (0, head.pruned),
                "{what}: nothing is removed"
            );
            assert_eq!(subject.head(log), head, "{what}: that leaves no event");
        }
    };
    nothing(empty, "an empty log");
    assert_eq!(subject.head(empty), Head::default(), "an empty log stays empty");
    subject.put(log, &events(62));
    nothing(log, "a log that keeps everything");
    for kept in [100, 63, 34] {
        let retention = Retention::default().max_events(kept);
        subject.set_retention(log, retention).expect("retention can be set");
        nothing(log, "less than a tile");
    }
    let day = Retention::default().max_age(Duration::from_secs(86_400));
    subject.set_retention(log, day).expect("retention can be set");
    nothing(log, "events of today");
    assert_eq!(subject.keep_newest(log, 1), sequence(64), "this case removes something in the end");
    nothing(log, "a pruned log");
}

pub(crate) fn keep_totals_exact(new: NewRetentionHarness<'_>) {
    let mut subject = Subject::new(new);
    let log = new_log();
    let with = |facet: Facet| values_of(facet).map(|value| event_with(facet, &value));
    let facets: Vec<_> = Facet::ALL.into_iter().flat_map(with).collect();
    // Each value on both sides of the floor, and times in no order on either.
    let batch = [facets.clone(), mixed(60), facets.into_iter().map(fresh).collect(), mixed(12)];
    subject.put(log, &batch.concat());
    for kept in [64, 33] {
        let model = subject.pruned(log, kept);
        let values = Facet::ALL.into_iter().flat_map(|facet| {
            values_of(facet).map(|value| Filter::new().with(facet, value)).into_iter()
        });
        let pair = Filter::new().target_type("item").target_id("1").during(at(0)..at(3));
        let more = [Filter::new(), Filter::new().action("user.*"), pair];
        for filter in values.chain(more) {
            for order in ORDERS {
                let expected = model.all(&filter, order);
                let query = EventQuery::new(log).filter(filter.clone()).order(order).with_total();
                for offset in [0, 1, expected.len() / 2, expected.len()] {
                    let page = subject.page(&query.clone().limit(3).offset(offset as u64));
                    let total = Some(expected.len() as u64);
                    assert_eq!(page.total, total, "a total counts the retained events: {filter:?}");
                    let part: Vec<_> = expected.iter().skip(offset).take(3).cloned().collect();
                    assert_eq!(page.events, part, "an offset skips retained events: {filter:?}");
                }
            }
        }
        subject = subject.reopen();
    }
}

/// Returns the same content as another event.
fn fresh(event: NewEvent) -> NewEvent {
    event.id(EventId::new())
}

pub(crate) fn keep_proofs_valid(new: NewRetentionHarness<'_>) {
    let mut subject = Subject::new(new);
    let log = new_log();
    for batch in events(300).chunks(43) {
        subject.put(log, batch);
    }
    let mut tree = subject.tree(log);
    for kept in [290, 150, 43, 1] {
        let floor = subject.keep_newest(log, kept);
        let known = tree.size();
        let reserved =
            subject.entries(log).into_iter().filter(|entry| entry.sequence.get() > known);
        reserved.for_each(|entry| tree.push(&entry.event));
        let frontier = subject.frontier(log);
        assert_eq!(
            frontier.head(),
            tree.head(tree.size()),
            "the frontier covers every event ever appended"
        );
        let names = tree.complete();
        for (id, hash) in names.iter().zip(subject.nodes(log, &names)) {
            let needed = hash.is_some() || id.is_retained(floor);
            let expected = tree.node(*id).filter(|_| needed);
            assert_eq!(hash, expected, "{id:?}, pruned up to {floor}");
        }
        let chosen = |size: &u64| (size + 1) % Tile::WIDTH < 3 || size.is_multiple_of(9);
        let sizes = (floor.get()..=tree.size()).filter(chosen).chain([tree.size()]);
        subject.assert_proves(log, &tree, floor.get(), &sizes.collect::<Vec<_>>());
        subject = subject.reopen();
    }
}

pub(crate) fn continue_the_numbers(new: NewRetentionHarness<'_>) {
    let mut subject = Subject::new(new);
    let log = new_log();
    subject.put(log, &events(64));
    let mut model = subject.pruned(log, 1);
    assert_eq!(model.floor, sequence(64), "this case removes all there was");
    for count in [1, 5, 40] {
        let size = model.size();
        let (placed, again) = (subject.put(log, &mixed(count)), event(7));
        let numbers = placed.iter().map(|event| event.sequence.get());
        assert!(numbers.eq(size.get() + 1..=size.get() + placed.len() as u64), "numbers go on");
        model.events.extend(placed);
        let first = subject.append(log, vec![again.clone()]).expect("an append must succeed")[0];
        let second = subject.append(log, vec![again.clone()]).expect("a redelivery succeeds")[0];
        assert!(second.redelivered && second.leaf == first.leaf, "redeliveries are recognised");
        model.events.push(AuditEvent::new(log, first.sequence, first.recorded_at, again));
        assert_eq!(subject.events(log), model.events, "a log goes on after pruning");
        let times = model.events.is_sorted_by_key(|event| event.recorded_at);
        assert!(times, "the recorded time does not go back");
        subject = subject.reopen();
    }
}

pub(crate) fn keep_the_log_listed(new: NewRetentionHarness<'_>) {
    let mut subject = Subject::new(new);
    let mut logs = [new_log(), new_log(), new_log()];
    logs.sort_unstable();
    for log in logs {
        subject.put(log, &mixed(70));
    }
    for count in [30, 1] {
        assert!(subject.keep_newest(logs[1], count) > Sequence::ZERO, "events are removed");
        assert_eq!(subject.logs(2), logs, "a pruned log is listed");
    }
    let untouched = new_log();
    subject.retention(untouched);
    subject.prune(untouched).expect("a log without events can be pruned");
    assert_eq!(subject.logs(2), logs, "pruning makes no log");
    subject = subject.reopen();
    assert_eq!(subject.logs(2), logs, "a pruned log is listed after a reopen");
}

pub(crate) fn continue_where_they_ended(new: NewRetentionHarness<'_>) {
    let subject = Subject::new(new);
    let log = new_log();
    let mut floor = 0;
    for (count, kept) in [(50, 40), (30, 40), (40, 40), (1, 200), (64, 5), (200, 1), (3, 1)] {
        subject.put(log, &mixed(count));
        let before = subject.retention(log);
        let size = subject.head(log).size.get() + u64::from(before.max_events != Some(kept));
        let expected = whole_tiles(size.saturating_sub(kept)).max(floor);
        let mut model = Model { events: subject.events(log), floor: sequence(floor) };
        let reached = subject.keep_newest(log, kept);
        assert_eq!(reached.get(), expected, "pruning goes as far as the rule says, never back");
        model.prune(reached);
        let events = subject.events(log);
        assert!(events.starts_with(&model.events), "each time the next events go, and no other");
        let head = subject.head(log);
        assert_eq!(head.pruned.get(), expected, "the head has the last pruned sequence");
        let numbers = events.iter().map(|event| event.sequence.get());
        assert!(numbers.eq(expected + 1..=head.size.get()), "the retained events have no gap");
        floor = expected;
    }
}

pub(crate) fn are_forbidden_under_a_legal_hold(new: NewRetentionHarness<'_>) {
    let mut subject = Subject::new(new);
    let (log, other) = (new_log(), new_log());
    subject.put(log, &events(100));
    subject.put(other, &events(100));
    let held = Retention::default().max_events(1).with_legal_hold();
    subject.set_retention(log, held).expect("a log can be held");
    let before = (subject.entries(log), subject.head(log));
    for _ in 0..2 {
        refused(subject.prune(log), ErrorKind::LegalHold, "pruning under a legal hold");
        assert!(before == (subject.entries(log), subject.head(log)), "nothing changes then");
        subject = subject.reopen();
    }
    assert_eq!(subject.keep_newest(other, 1), sequence(96), "a hold is one log's own");
    subject.put(log, &events(1));
    subject.set_retention(log, held.without_legal_hold()).expect("a hold can be lifted");
    let pruned = subject.prune(log).expect("the hold is lifted");
    assert_eq!(pruned.floor, sequence(96), "the rule applies again once the hold is lifted");
}

pub(crate) fn do_not_change_other_logs(new: NewRetentionHarness<'_>) {
    let subject = Subject::new(new);
    let logs = [new_log(), Log::Platform, new_log(), new_log()];
    let batch = mixed(70);
    for log in logs {
        subject.put(log, &batch);
    }
    for (n, log) in logs.into_iter().enumerate().take(3) {
        let rest = &logs[n + 1..];
        let state = |log: &Log| (subject.entries(*log), subject.head(*log), subject.events(*log));
        let before: Vec<_> = rest.iter().map(state).collect();
        let floor = subject.pruned(log, 6).floor;
        assert_eq!(floor, sequence(64), "this case removes two tiles");
        let after: Vec<_> = rest.iter().map(state).collect();
        assert!(before == after, "other logs keep all of the same events");
        for log in rest {
            let found = subject.get(*log, batch[0].id);
            assert!(found.is_ok(), "another log's event of the same id is found still");
            let query = EventQuery::new(*log).with_total();
            assert_eq!(subject.page(&query).total, Some(70), "another log's total is its own");
        }
    }
}

pub(crate) fn survive_a_reopen(new: NewRetentionHarness<'_>) {
    let mut subject = Subject::new(new);
    let log = new_log();
    for round in 0..3 {
        subject.put(log, &mixed(60));
        let model = subject.pruned(log, 30 - round);
        let state = |subject: &Subject<dyn RetentionHarness>| {
            (subject.head(log), subject.frontier(log), subject.entries(log), subject.retention(log))
        };
        let before = state(&subject);
        subject = subject.reopen();
        assert!(state(&subject) == before, "pruned events stay pruned");
        assert_eq!(subject.events(log), model.events, "retained events stay");
        assert_eq!(subject.with_other_handle().events(log), model.events, "every handle sees it");
        let query = EventQuery::new(log).filter(Filter::new().actor_id("u_1"));
        let count = subject.block_on(subject.store().count(&query)).expect("events can be counted");
        let expected = model.all(&Filter::new().actor_id("u_1"), Order::Sequence).len() as u64;
        assert_eq!(count, expected, "pruned events are not counted again");
    }
}
