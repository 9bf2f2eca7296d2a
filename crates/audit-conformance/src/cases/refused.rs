//! Staged events that cannot be taken in: set aside, recorded, and never silently gone.

use audit_core::limits::{MAX_REFUSED_PAGE, MAX_STAGED_BYTES};
use audit_core::{Action, ErrorKind, EventId, Log, NewEvent, RefusedEvent, Staged};

use crate::StagingHarness;
use crate::harness::NewStagingHarness;
use crate::samples::{event, events, new_log};
use crate::subject::{Subject, officer, refused};

const NO_EVENT: &str = r#"{"v":1,"event":{"action":"a"}}"#;

fn body_of(event: &NewEvent) -> String {
    let staged = Staged::new(Log::Platform, vec![event.clone()]).expect("it can be staged");
    staged.rows().next().expect("one event").1.to_owned()
}

/// Returns the number of refused events that the events of the store record in `log`.
fn recorded(subject: &Subject<dyn StagingHarness>, log: Log, action: &Action) -> u64 {
    let events = subject.events(log).into_iter().filter(|e| e.by_store && e.action == *action);
    let count = |count: Option<&str>| count.and_then(|count| count.parse().ok()).unwrap_or(0_u64);
    events.map(|event| count(event.attributes.get("count"))).sum()
}

/// Checks that exactly one event is refused, with this id and body, and returns it.
fn only_refused(subject: &Subject<dyn StagingHarness>, id: EventId, body: &str) -> RefusedEvent {
    let listed = subject.refused();
    assert_eq!(listed.len(), 1, "one event is set aside: {listed:?}");
    assert_eq!(subject.counts().refused, 1, "and counted");
    let refused = listed[0].clone();
    assert_eq!((refused.id, &refused.body[..]), (Some(id), body.as_bytes()), "as it was staged");
    refused
}

pub(crate) fn of_other_content_are_set_aside(new: NewStagingHarness<'_>) {
    let subject = Subject::new(new);
    let log = new_log();
    let first = subject.put(log, &[event(1)]).remove(0);
    let (before, other, after) = (event(2), event(3).id(first.id), event(4));
    subject.stage(log, &[before.clone(), other.clone(), after.clone()]);
    let ids: Vec<_> = subject.contents(log).iter().map(|event| event.id).collect();
    assert_eq!(ids, [first.id, before.id, after.id], "the others of the transaction are recorded");
    let found = subject.get(log, first.id).expect("the first event is there");
    assert_eq!(found, first, "the first event is not changed");
    let staged = body_of(&other);
    let listed = subject.refused();
    assert_eq!((listed.len(), subject.counts().refused), (1, 1), "one event is set aside");
    assert_eq!((listed[0].log, listed[0].id), (Some(log), Some(first.id)), "under its id");
    assert_eq!(listed[0].body, staged.as_bytes(), "as it was staged");
    assert!(!listed[0].reason.is_empty(), "with the reason");
    assert_eq!(recorded(&subject, log, &Action::LOG_STAGED_REFUSED), 1, "an event records it");
    // Two of one transaction that differ, and one that was taken in before.
    let (one, two) = (event(5), event(6));
    let mut transaction = subject.begin();
    transaction.stage(&Staged::new(log, vec![one.clone()]).expect("it can be staged"));
    transaction.stage(&Staged::new(log, vec![two.id(one.id)]).expect("it can be staged"));
    transaction.commit();
    assert!(subject.get(log, one.id).is_ok_and(|event| event.has_content(&one)), "the first wins");
    assert_eq!(subject.counts().refused, 2, "the second is set aside");
    assert_eq!(recorded(&subject, log, &Action::LOG_STAGED_REFUSED), 2, "each is recorded");
}

pub(crate) fn that_are_no_events_are_set_aside(new: NewStagingHarness<'_>) {
    let subject = Subject::new(new);
    let sample = event(1);
    let good = body_of(&sample);
    let action = r#""action":"item.updated""#;
    assert!(good.contains(action));
    let white = " ".repeat(MAX_STAGED_BYTES);
    let bad = [
        (String::new(), "body"),
        ("null".to_owned(), "body"),
        (NO_EVENT.to_owned(), "body.event"),
        (good.replace("\"v\":1", "\"v\":99"), "body.v"),
        (good.replace(action, r#""action":"""#), "body.event.action"),
        (good.replace(action, r#""action":"log.erased""#), "body.event.action"),
        (good.replace(action, r#""action":"a","colour":1"#), "body.event.colour"),
        (format!("{good}{white}"), "body"),
        // Its id is not that of its row.
        (good.clone(), "body.event.id"),
    ];
    let log = new_log();
    for (n, (body, field)) in (1..).zip(bad) {
        let id = EventId::new();
        let body = match field {
            "body.event.id" => body,
            _ => body.replace(&sample.id.to_string(), &id.to_string()),
        };
        subject.stage_row(log, id, &body);
        subject.head(log);
        assert!(subject.contents(log).is_empty(), "what is no event is not recorded: {body:.80}");
        let refused = subject.refused().pop().expect("it is set aside");
        assert_eq!((refused.log, refused.id), (Some(log), Some(id)), "under its id");
        assert_eq!(refused.body, body.as_bytes(), "as it was staged");
        let field = format!("`{field}`");
        assert!(refused.reason.contains(&field), "{field} is named by {}", refused.reason);
        assert_eq!(subject.counts().refused, n, "each is counted");
        assert_eq!(recorded(&subject, log, &Action::LOG_STAGED_REFUSED), n, "each is recorded");
    }
}

pub(crate) fn do_not_stop_other_logs(new: NewStagingHarness<'_>) {
    let subject = Subject::new(new);
    let (poisoned, healthy) = (new_log(), new_log());
    let mut transaction = subject.begin();
    for _ in 0..20 {
        transaction.stage_row(poisoned, EventId::new(), NO_EVENT);
        for log in [healthy, poisoned] {
            transaction.stage(&Staged::new(log, events(1)).expect("sample events can be staged"));
        }
    }
    transaction.commit();
    subject.block_on(subject.store().take_in()).expect("the others can be taken in");
    for log in [healthy, poisoned] {
        assert_eq!(subject.contents(log).len(), 20, "what is no event stops no other");
    }
    assert_eq!(subject.events(healthy).len(), 20, "nothing is recorded in another log");
    assert_eq!(recorded(&subject, poisoned, &Action::LOG_STAGED_REFUSED), 20, "all are recorded");
    let counts = subject.counts();
    assert_eq!((counts.waiting, counts.refused), (0, 20), "all are set aside");
}

pub(crate) fn are_listed_by_pages(new: NewStagingHarness<'_>) {
    let subject = Subject::new(new);
    let log = new_log();
    let ids: Vec<_> = (0..5).map(|_| EventId::new()).collect();
    for id in &ids {
        subject.stage_row(log, *id, NO_EVENT);
        subject.head(log);
    }
    let (mut found, mut after) = (Vec::new(), 0);
    loop {
        let page = subject.block_on(subject.store().refused(after, 2)).expect("they are listed");
        assert!(page.len() <= 2, "a page holds at most its limit");
        let Some(last) = page.last() else { break };
        assert!(page.iter().all(|refused| refused.number > after), "numbers rise");
        after = last.number;
        found.extend(page.into_iter().filter_map(|refused| refused.id));
    }
    assert_eq!(found, ids, "each is listed once, the oldest first");
    for limit in [0, MAX_REFUSED_PAGE + 1] {
        let page = subject.block_on(subject.store().refused(0, limit));
        let error = refused(page, ErrorKind::Invalid, "a limit out of range");
        assert_eq!(error.field(), Some("limit"), "the error names the limit");
    }
}

pub(crate) fn can_be_staged_again(new: NewStagingHarness<'_>) {
    let subject = Subject::new(new);
    let log = new_log();
    let id = EventId::new();
    subject.stage_row(log, id, NO_EVENT);
    subject.head(log);
    let first = only_refused(&subject, id, NO_EVENT);
    let restage = |number| subject.block_on(subject.store().restage(number));
    restage(first.number).expect("a refused event can be staged again");
    subject.head(log);
    let again = only_refused(&subject, id, NO_EVENT);
    assert_ne!(again.number, first.number, "a number is not used again");
    refused(restage(first.number), ErrorKind::NotFound, "a number that is gone");
    assert_eq!(recorded(&subject, log, &Action::LOG_STAGED_REFUSED), 2, "each refusal is recorded");
}

pub(crate) fn can_be_dropped(new: NewStagingHarness<'_>) {
    let subject = Subject::new(new);
    let log = new_log();
    let ids = [EventId::new(), EventId::new()];
    for id in ids {
        subject.stage_row(log, id, NO_EVENT);
    }
    subject.head(log);
    let listed = subject.refused();
    assert_eq!(listed.len(), 2, "both are set aside");
    let drop_it = |number| subject.block_on(subject.store().drop_refused(number, officer()));
    drop_it(listed[0].number).expect("a refused event can be dropped");
    assert_eq!(only_refused(&subject, ids[1], NO_EVENT), listed[1], "the other stays");
    refused(drop_it(listed[0].number), ErrorKind::NotFound, "a number that is gone");
    assert_eq!(recorded(&subject, log, &Action::LOG_REFUSED_DROPPED), 1, "an event records it");
    let event = subject.events(log).pop().expect("the event of the drop");
    assert_eq!(event.actor.id.as_deref(), Some("officer"), "with who dropped it");
    assert_eq!(event.targets[0].id, Some(ids[0].to_string()), "and what");
}

pub(crate) fn are_kept_over_a_reopen(new: NewStagingHarness<'_>) {
    let subject = Subject::new(new);
    let log = new_log();
    let id = EventId::new();
    subject.stage_row(log, id, NO_EVENT);
    subject.head(log);
    let before = only_refused(&subject, id, NO_EVENT);
    let subject = subject.close().open();
    assert_eq!(only_refused(&subject, id, NO_EVENT), before, "a refused event is kept");
    assert_eq!(recorded(&subject, log, &Action::LOG_STAGED_REFUSED), 1, "and recorded once");
}
