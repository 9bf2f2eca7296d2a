//! Erasures: what they remove, keep and record.

use audit_core::limits::MAX_FILTER_VALUES;
use audit_core::{
    Action, Actor, AuditEvent, AuditStoreExt as _, Erasure, ErrorKind, EventId, EventQuery, Facet,
    FeedStart, Filter, Head, Log, NewEvent, Order, Retention, RetentionStoreExt as _, Sequence,
};
use serde_json::json;

use super::changes::{assert_attributed, attributed};
use crate::RetentionHarness;
use crate::harness::NewRetentionHarness;
use crate::model::{Model, without_personal};
use crate::samples::{at, event, event_with, events, full, mixed, new_log, sequence, values_of};
use crate::subject::{Subject, officer, refused};

const ORDERS: [Order; 4] = Order::ALL;
pub(super) const EMAIL: &str = "ana@example.org";

/// Returns an event of an actor who has an e-mail address.
pub(super) fn by_user(id: &str, n: i64) -> NewEvent {
    event(n).actor(Actor::user(id).name("Ana").email(EMAIL))
}

impl Subject<dyn RetentionHarness> {
    /// Erases what `filter` matches, checks how many that were and what the log holds then, and
    /// returns the model of that.
    fn erased(&self, log: Log, placed: &[AuditEvent], filter: &Filter) -> Model {
        let mut model = Model::new(placed.to_vec());
        let expected = model.erase(|event| filter.matches(event));
        let erased = self.erase(log, filter.clone()).expect("events can be erased");
        assert_eq!(erased, expected, "an erasure says how many events it took: {filter:?}");
        let events = self.events(log);
        let (old, reserved) = events.split_at(placed.len());
        assert_eq!(old, model.events, "what matches is erased, and nothing else: {filter:?}");
        assert_eq!(reserved.len(), usize::from(expected > 0), "an erasure leaves an event");
        model.events.extend_from_slice(reserved);
        model
    }
}

pub(crate) fn remove_personal_data_from_every_read(new: NewRetentionHarness<'_>) {
    let subject = Subject::new(new);
    let log = new_log();
    let placed = subject.put(log, &[&[full(), event(1), full()][..], &mixed(9)].concat());
    let model = subject.erased(log, &placed, &Filter::new().actor_id("u_7"));
    assert_eq!(
        model.events.iter().filter(|event| event.erased).count(),
        2,
        "erased events are marked"
    );
    for event in &model.events {
        let found = subject.get(log, event.id).expect("an erased event is found by its id");
        assert_eq!(found, *event, "a look-up shows nothing personal");
    }
    for order in ORDERS {
        let query = EventQuery::new(log).order(order);
        let expected = model.all(&Filter::new(), order);
        assert_eq!(subject.walk(&query, 3), expected, "a walk shows nothing personal");
    }
    let query = EventQuery::new(log);
    let feed = subject.feed(&query, FeedStart::Beginning).expect("a feed can be begun");
    assert_eq!(feed.events, model.events, "a feed shows nothing personal");
    for (entry, event) in subject.entries(log).iter().zip(&model.events) {
        let stored = &entry.event;
        assert_eq!(stored.personal.is_none(), event.erased, "the part and its salt are gone");
        let opened = stored.decode().expect("an erased event is an event");
        assert_eq!(opened, *event, "the stored event is the event read");
        let record = String::from_utf8(stored.record.clone()).expect("a record is JSON");
        let kept = |value: &&&str| event.erased && record.contains(**value);
        let personal = [
            "Ana",
            EMAIL,
            "2001:db8",
            "Mozilla",
            "on call",
            "Acme",
            "March",
            "month",
            "Bruno",
            "bruno@",
            "192.0.2.9",
            "curl",
            "off duty",
            "Umbrella",
        ];
        assert_eq!(personal.iter().find(kept), None, "a record holds nothing personal");
    }
}

pub(crate) fn keep_the_records_and_their_proofs(new: NewRetentionHarness<'_>) {
    let subject = Subject::new(new);
    let log = new_log();
    for n in 0..70 {
        subject.put(log, &[by_user(["u_1", "u_2"][n % 2], 0)]);
    }
    let (before, frontier) = (subject.entries(log), subject.frontier(log));
    subject.erase(log, Filter::new().actor_id("u_1")).expect("events can be erased");
    let after = subject.entries(log);
    assert_eq!(after.len(), 71, "an erasure leaves one event");
    for (before, after) in before.iter().zip(&after) {
        assert_eq!(before.sequence, after.sequence, "an erased event keeps its number");
        assert_eq!(before.leaf, after.leaf, "an erased event keeps its leaf");
        let same = before.event.record == after.event.record;
        assert!(same, "an erased event keeps its record to the byte");
        let intact = after.event.personal_is_intact().expect("a record is readable");
        assert_eq!(intact.is_none(), after.sequence.get() % 2 == 1, "of the others, all is left");
    }
    let tree = subject.tree(log);
    assert_eq!(frontier.head(), tree.head(70), "the root before is that of the records after");
    assert_eq!(subject.frontier(log).head(), tree.head(71), "the frontier grows by one event");
    subject.assert_proves(log, &tree, 0, &[1, 35, 64, 70, 71]);
}

pub(crate) fn select_by_each_condition(new: NewRetentionHarness<'_>) {
    let subject = Subject::new(new);
    let batch = [mixed(30), vec![full(), by_user("u_3", 9), full()]].concat();
    let many = (2..MAX_FILTER_VALUES + 2).map(|n| format!("u_{n}"));
    for filter in [
        Filter::new().actor_id("u_1"),
        Filter::new().actor_email(EMAIL),
        Filter::new().actor_email(EMAIL.to_uppercase()),
        Filter::new().involving("u_3"),
        Filter::new().target("item", "2"),
        Filter::new().target_id("inv_9"),
        Filter::new().during(at(1)..at(3)),
        Filter::new().since(at(9)),
        Filter::new().until(at(1)),
        Filter::new().action("user.login.*").actor_id("u_2"),
        Filter::new().actor_id("u_1").actor_id("u_3").target_type("item").since(at(2)),
        many.fold(Filter::new(), Filter::actor_id),
    ] {
        let log = new_log();
        let batch: Vec<_> = batch.iter().map(|e| e.clone().id(EventId::new())).collect();
        let placed = subject.put(log, &batch);
        let model = subject.erased(log, &placed, &filter);
        let erased = model.events.iter().filter(|event| event.erased).count();
        assert!(erased > 0 && erased < placed.len(), "some events match, and some do not");
    }
    let log = new_log();
    let mut model = Model::new(subject.put(log, &batch));
    let ids: Vec<_> = [3, 4, 31].map(|n| batch[n].id).to_vec();
    let erasure = |erasure| subject.block_on(subject.store().erase(log, erasure, officer()));
    let first = erasure(Erasure::event_id(ids[0])).expect("one event can be erased");
    let rest = erasure(Erasure::Events(ids.clone())).expect("events can be erased by their ids");
    assert_eq!((first.events, rest.events), (1, 2), "erased events are not erased again");
    model.erase(|event| ids.contains(&event.id));
    let left = &subject.events(log)[..batch.len()];
    assert_eq!(left, model.events, "the events of these ids are erased, and no other");
}

pub(crate) fn clear_the_index(new: NewRetentionHarness<'_>) {
    let mut subject = Subject::new(new);
    let log = new_log();
    let batch: Vec<_> = (0..40).map(|n| by_user(["u_1", "u_2", "u_3"][n % 3], 40)).collect();
    let mut placed = subject.put(log, &batch);
    for gone in ["u_1", "u_3"] {
        let model = subject.erased(log, &placed, &Filter::new().actor_id(gone));
        for filter in [
            Filter::new().actor_email(EMAIL),
            Filter::new().actor_email(EMAIL).actor_id(gone),
            Filter::new().actor_email(EMAIL).actor_id("u_2"),
            Filter::new().actor_id(gone),
        ] {
            for order in ORDERS {
                let expected = model.all(&filter, order);
                let query = EventQuery::new(log).filter(filter.clone()).order(order).limit(4);
                let page = subject.page(&query.clone().with_total());
                assert_eq!(page.total, Some(expected.len() as u64), "a total: {filter:?}");
                let found = subject.walk(&query, 4);
                assert_eq!(found, expected, "a filter finds only what is not erased: {filter:?}");
            }
            let query = EventQuery::new(log).filter(filter.clone());
            let feed = subject.feed(&query, FeedStart::Beginning).expect("a feed can be begun");
            let expected = model.all(&filter, Order::Sequence);
            assert_eq!(feed.events, expected, "a feed delivers what is not erased: {filter:?}");
            let count =
                subject.block_on(subject.store().count(&query)).expect("events can be counted");
            assert_eq!(count, expected.len() as u64, "a count leaves out what is erased");
        }
        placed = model.events;
        subject = subject.reopen();
    }
}

pub(crate) fn keep_totals_exact(new: NewRetentionHarness<'_>) {
    let mut subject = Subject::new(new);
    let log = new_log();
    let with = |facet: Facet| values_of(facet).map(|value| event_with(facet, &value));
    let batch = [Facet::ALL.into_iter().flat_map(with).collect(), mixed(40), vec![full(), full()]];
    let mut placed = subject.put(log, &batch.concat());
    for erased in [
        Filter::new().actor_email(values_of(Facet::ActorEmail)[0].clone()),
        Filter::new().target("item", "1"),
        Filter::new().actor_email(EMAIL),
    ] {
        let model = subject.erased(log, &placed, &erased);
        let values = Facet::ALL.into_iter().flat_map(|facet| {
            values_of(facet).map(|value| Filter::new().with(facet, value)).into_iter()
        });
        let more = [Filter::new(), Filter::new().action("user.*"), Filter::new().actor_id("u_7")];
        let pair = Filter::new().target_type("item").target_id("1").during(at(0)..at(3));
        for (filter, order) in values.chain(more).chain([pair]).zip(ORDERS.into_iter().cycle()) {
            let expected = model.all(&filter, order);
            let query = EventQuery::new(log).filter(filter.clone()).order(order).with_total();
            for offset in [0, 1, expected.len()] {
                let page = subject.page(&query.clone().limit(3).offset(offset as u64));
                let total = Some(expected.len() as u64);
                assert_eq!(page.total, total, "a total is exact after an erasure: {filter:?}");
                let part: Vec<_> = expected.iter().skip(offset).take(3).cloned().collect();
                assert_eq!(page.events, part, "an offset is exact after an erasure: {filter:?}");
            }
            assert_eq!(subject.walk(&query, 1_000), expected, "all that match: {filter:?}");
        }
        placed = model.events;
        subject = subject.reopen();
    }
}

pub(crate) fn record_how_many_and_not_whose(new: NewRetentionHarness<'_>) {
    let subject = Subject::new(new);
    let log = new_log();
    let subjects = [full(), full(), full()];
    subject.put(log, &subjects);
    let erasure = Erasure::matching(Filter::new().actor_email(EMAIL).target_id("inv_9"));
    subject
        .block_on(subject.store().erase(log, erasure, attributed()))
        .expect("events can be erased");
    let entry = subject.entries(log).pop().expect("an erasure leaves an event");
    let reserved = subject.events(log).pop().expect("an erasure leaves an event");
    assert_eq!(
        (entry.sequence, reserved.sequence),
        (sequence(4), sequence(4)),
        "it leaves one event"
    );
    assert_eq!(reserved.action, Action::LOG_ERASED, "the event says what was done");
    assert_eq!(Erasure::erased_count(&reserved), 3, "the event says how many events were erased");
    assert_attributed(&reserved);
    let record = String::from_utf8(entry.event.record).expect("a record is JSON");
    let text = format!("{record} {}", json!(reserved));
    let ids = subjects.iter().map(|event| event.id.to_string());
    let values = ["u_7", EMAIL, "Ana", "2001:db8", "Mozilla", "inv_9", "Acme", "org_7", "\"4711\""];
    let whose = values.map(str::to_owned).into_iter().chain(ids).find(|v| text.contains(v));
    assert_eq!(whose, None, "the event does not say whose events were erased");
    let erased =
        subject.block_on(subject.store().erase(log, Erasure::event_id(reserved.id), officer()));
    assert_eq!(erased.expect("it can be erased itself").events, 1);
    let reserved = subject.get(log, reserved.id).expect("an erased event is found by its id");
    assert_eq!(Erasure::erased_count(&reserved), 3, "the count is in the record");
}

pub(crate) fn of_nothing_append_no_event(new: NewRetentionHarness<'_>) {
    let subject = Subject::new(new);
    let log = new_log();
    let of_ana = Filter::new().actor_id("u_7");
    let none = |what: &str| {
        let head = subject.head(log);
        let erased = subject.erase(log, of_ana.clone()).expect("nothing can be erased");
        assert_eq!(erased, 0, "{what}: nothing is erased");
        for numbers in [vec![], vec![sequence(1)]] {
            let erased = subject.erase_events(log, numbers).expect("nothing can be erased");
            assert_eq!(erased, 0, "{what}: nothing is erased");
        }
        assert_eq!(subject.head(log), head, "{what}: that leaves no event");
    };
    none("an empty log");
    assert_eq!(subject.head(log), Head::default(), "an empty log stays empty");
    subject.put(log, &[full(), event(1), full()]);
    let erased = subject.erase(log, Filter::new().actor_id("nobody")).expect("nobody matches");
    assert_eq!(erased, 0, "nobody is erased");
    assert_eq!(subject.head(log).size, sequence(3), "that leaves no event");
    let erased = subject.erase(log, of_ana.clone()).expect("events can be erased");
    assert_eq!(erased, 2, "an erasure says how many events it took");
    assert_eq!(subject.head(log).size, sequence(4), "that leaves one event");
    none("erased again");
}

pub(crate) fn ignore_unknown_numbers(new: NewRetentionHarness<'_>) {
    let subject = Subject::new(new);
    let log = new_log();
    let placed = subject.put(log, &events(70));
    let numbers = [0, 5, 71, 5, 99, 2, Sequence::MAX.get()].map(sequence).to_vec();
    let erased = subject.erase_events(log, numbers).expect("unknown numbers are passed over");
    assert_eq!(erased, 2, "each event is erased once, whatever else is asked for");
    let events = subject.events(log);
    assert_eq!(Erasure::erased_count(&events[70]), 2, "the event counts only those");
    let at = [events[1].clone(), events[4].clone()];
    let expected = [&placed[1], &placed[4]].map(without_personal);
    assert_eq!(at, expected, "the events of these numbers are erased");
    assert_eq!(events.iter().filter(|event| event.erased).count(), 2, "and no other");
    let floor = subject.keep_newest(log, 10);
    let size = subject.head(log).size.get();
    let all = (1..=size).map(sequence).collect();
    let erased = subject.erase_events(log, all).expect("pruned numbers are passed over");
    assert_eq!(erased, size - floor.get(), "pruned events are not counted as erased");
    let numbers = vec![sequence(1), sequence(2)];
    let erased = subject.erase_events(new_log(), numbers).expect("a log may be empty");
    assert_eq!(erased, 0, "an empty log holds no number");
}

pub(crate) fn of_unknown_ids_are_not_found(new: NewRetentionHarness<'_>) {
    let subject = Subject::new(new);
    let (log, other) = (new_log(), new_log());
    let placed = subject.put(log, &events(3));
    let elsewhere = subject.put(other, &events(1));
    for unknown in [EventId::new(), elsewhere[0].id] {
        let erasure = Erasure::Events(vec![placed[0].id, unknown]);
        let erased = subject.block_on(subject.store().erase(log, erasure, officer()));
        refused(erased, ErrorKind::NotFound, "an id that the log does not hold");
        assert_eq!(subject.events(log), placed, "nothing is erased then");
    }
    assert_eq!(subject.events(other), elsewhere, "nor in the log that holds the id");
}

pub(crate) fn are_forbidden_under_a_legal_hold(new: NewRetentionHarness<'_>) {
    let mut subject = Subject::new(new);
    let (log, other) = (new_log(), new_log());
    subject.put(log, &[full(), event(1), full()]);
    subject.put(other, &[full()]);
    let of_ana = || Filter::new().actor_id("u_7");
    let held = Retention::default().with_legal_hold();
    subject.set_retention(log, held).expect("a log can be held");
    let before = (subject.entries(log), subject.head(log));
    for _ in 0..2 {
        refused(
            subject.erase(log, of_ana()),
            ErrorKind::LegalHold,
            "an erasure under a legal hold",
        );
        let erased = subject.erase_events(log, vec![sequence(1)]);
        refused(erased, ErrorKind::LegalHold, "an erasure by number under a legal hold");
        assert!(before == (subject.entries(log), subject.head(log)), "nothing changes then");
        subject = subject.reopen();
    }
    let erased = subject.erase(other, of_ana()).expect("another log is not held");
    assert_eq!(erased, 1, "a hold is one log's own");
    subject.set_retention(log, held.without_legal_hold()).expect("a hold can be lifted");
    let erased = subject.erase(log, of_ana()).expect("the hold is lifted");
    assert_eq!(erased, 2, "nothing was lost under the hold");
}

pub(crate) fn do_not_change_other_logs(new: NewRetentionHarness<'_>) {
    let subject = Subject::new(new);
    let logs = [new_log(), new_log(), Log::Platform];
    let batch = [vec![full(), by_user("u_7", 1)], mixed(6)].concat();
    let placed = logs.map(|log| subject.put(log, &batch));
    for (n, log) in logs.into_iter().enumerate() {
        let of_others: Vec<_> = logs[n + 1..].iter().map(|log| subject.entries(*log)).collect();
        subject.erased(log, &placed[n], &Filter::new().actor_email(EMAIL));
        for (log, before) in logs[n + 1..].iter().zip(of_others) {
            assert!(subject.entries(*log) == before, "other logs keep all of the same events");
            let query = EventQuery::new(*log).filter(Filter::new().actor_email(EMAIL)).with_total();
            assert_eq!(subject.page(&query).total, Some(2), "other logs find all of them");
        }
    }
}

pub(crate) fn survive_a_reopen(new: NewRetentionHarness<'_>) {
    let subject = Subject::new(new);
    let log = new_log();
    let placed = subject.put(log, &[full(), by_user("u_7", 2), event(3)]);
    let model = subject.erased(log, &placed, &Filter::new().actor_id("u_7"));
    let (frontier, entries) = (subject.frontier(log), subject.entries(log));
    let subject = subject.reopen();
    assert_eq!(subject.events(log), model.events, "erased events stay erased");
    assert!(subject.entries(log) == entries, "erased events stay erased as stored");
    assert_eq!(subject.frontier(log), frontier, "the frontier survives a reopen");
    let query = EventQuery::new(log).filter(Filter::new().actor_email(EMAIL)).with_total();
    assert_eq!(subject.page(&query).total, Some(0), "erased events are not found again");
    let again = subject.erase(log, Filter::new().actor_id("u_7")).expect("nothing is left");
    assert_eq!(again, 0, "erased events are not erased again");
    assert_eq!(subject.with_other_handle().events(log), model.events, "every handle sees it");
}
