//! Attempts: what began and how it ended, whatever dies between them.

// A test that cannot set itself up fails.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use audit_core::{
    Action, Actor, Attempt, AuditEvent, AuditStoreExt as _, EventQuery, Filter, Log, NewEvent,
    Outcome, OutcomeResult,
};
use audit_memory::MemoryStore;
use futures_executor::block_on;
use futures_util::TryStreamExt as _;

const LOG: Log = Log::Platform;

fn event() -> NewEvent {
    NewEvent::new("invoice.paid", Actor::user("u_7")).target("invoice", "inv_9")
}

fn begin(store: &MemoryStore) -> Attempt {
    block_on(Attempt::begin(store, LOG, event())).unwrap()
}

fn unfinished(store: &MemoryStore, older_than: Duration) -> Vec<Attempt> {
    block_on(Attempt::unfinished(store, LOG, older_than).try_collect()).unwrap()
}

fn paid(store: &MemoryStore) -> Vec<AuditEvent> {
    let query = EventQuery::new(LOG).filter(Filter::new().action("invoice.paid"));
    block_on(store.page(&query)).unwrap().events
}

#[test]
fn one_event_has_what_was_done_and_how_it_ended() {
    let store = MemoryStore::new().unwrap();
    let attempt = begin(&store);
    assert!(paid(&store).is_empty());
    let begun = block_on(store.page(&EventQuery::new(LOG))).unwrap().events.remove(0);
    assert_eq!((begun.action, begun.targets), (Action::ATTEMPT_BEGUN, event().targets));
    let id = attempt.begun().to_string();
    block_on(attempt.clone().end(&store, Outcome::failure().code("declined"))).unwrap();
    block_on(attempt.end(&store, Outcome::failure().code("declined"))).unwrap(); // again
    let [ended] = paid(&store).try_into().unwrap();
    assert_eq!(ended.outcome, Some(Outcome::failure().code("declined")));
    assert_eq!(ended.targets, event().targets);
    assert_eq!(ended.attributes.iter().collect::<Vec<_>>(), [("attempt.begun", &*id)]);
    assert!(unfinished(&store, Duration::ZERO).is_empty());
}

#[test]
fn what_never_ended_is_found_and_closed_as_unknown_once() {
    let store = MemoryStore::new().unwrap();
    let (lost, ended) = (begin(&store), begin(&store));
    block_on(ended.end(&store, Outcome::success())).unwrap();
    assert!(unfinished(&store, Duration::from_secs(60)).is_empty(), "it may still be under way");
    // Another process, which only has the log.
    assert_eq!(unfinished(&store, Duration::ZERO), [lost]);
    assert_eq!(block_on(Attempt::sweep(&store, LOG, Duration::ZERO)).unwrap(), 1);
    assert_eq!(block_on(Attempt::sweep(&store, LOG, Duration::ZERO)).unwrap(), 0);
    let outcomes: Vec<_> = paid(&store).into_iter().map(|event| event.outcome.unwrap()).collect();
    assert_eq!(outcomes, [Outcome::new("unknown").code("unfinished"), Outcome::success()]);
}

#[test]
fn an_attempt_that_ends_after_the_sweep_is_not_lost() {
    let store = MemoryStore::new().unwrap();
    let late = begin(&store);
    assert_eq!(block_on(Attempt::sweep(&store, LOG, Duration::ZERO)).unwrap(), 1);
    let end = |event: NewEvent| event.outcome(Outcome::success()).attribute("receipt", "r_1");
    block_on(late.clone().end_with(&store, end)).unwrap();
    block_on(late.end_with(&store, end)).unwrap();
    let results: Vec<_> =
        paid(&store).into_iter().map(|event| event.outcome.unwrap().result).collect();
    assert_eq!(results, [OutcomeResult::SUCCESS, OutcomeResult::UNKNOWN]);
}

#[test]
fn an_effect_does_not_begin_if_its_first_event_is_refused() {
    let store = MemoryStore::new().unwrap();
    let event = event().target("invoice", "x".repeat(2_000));
    let error = block_on(Attempt::begin(&store, LOG, event)).unwrap_err();
    assert_eq!(error.field(), Some("targets[1].id"));
    let error = block_on(Attempt::begin(&store, LOG, self::event().action("a*"))).unwrap_err();
    assert_eq!(error.field(), Some("action"));
    assert!(block_on(store.page(&EventQuery::new(LOG))).unwrap().events.is_empty());
}
