//! Blocking calls on each store, and where they are errors.

// A test that cannot set itself up fails.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::thread;

use audit_blocking::{BlockingExt as _, run};
use audit_core::{
    Actor, AuditContext, AuditStore, AuditStoreExt as _, ErrorKind, EventQuery, FeedStart, Log,
    NewEvent, Order, Result,
};
use audit_memory::MemoryStore;
use audit_sqlite::SqliteStore;
use tokio_rt as tokio;

const LOG: Log = Log::Platform;

fn event(action: &str) -> NewEvent {
    NewEvent::new(action, Actor::system())
}

/// Calls `test` with each store.
fn with_each_store(test: impl Fn(&Arc<dyn AuditStore>)) {
    let directory = tempfile::tempdir().unwrap();
    let stores: [Arc<dyn AuditStore>; 2] = [
        Arc::new(MemoryStore::new().unwrap()),
        Arc::new(SqliteStore::open(directory.path().join("audit.db")).unwrap()),
    ];
    for store in stores {
        test(&store);
    }
}

#[test]
fn every_call_returns_what_the_store_does() {
    with_each_store(|store| {
        let blocking = store.blocking();
        let context = AuditContext::new(Actor::user("u_7"));
        let first = context.sync_scope(|| blocking.record(LOG, NewEvent::here("a")?)).unwrap();
        let more = blocking.append(LOG, vec![event("b"), event("c")]).unwrap();
        assert_eq!(blocking.get(LOG, first.id).unwrap().actor, Actor::user("u_7"));
        assert_eq!(blocking.receipt_of(LOG, first.id).unwrap().leaf, first.leaf);
        assert_eq!(blocking.head(LOG).unwrap().size, more[1].sequence);
        assert_eq!(blocking.all_logs().unwrap(), [LOG]);
        let query = EventQuery::new(LOG).order(Order::Sequence).limit(2);
        assert_eq!(blocking.count(&query).unwrap(), 3);
        let page = blocking.page(&query).unwrap();
        let rest = blocking.next_page(&query, &page.next.unwrap()).unwrap();
        assert_eq!((page.events.len(), rest.events.len()), (2, 1));
        let walked = blocking.walk(query).collect::<Result<Vec<_>>>().unwrap();
        assert_eq!(walked.iter().map(|event| event.action.as_str()).collect::<String>(), "abc");
        assert_eq!(run(store.frontier(LOG)).unwrap().size().get(), 3);
    });
}

#[test]
fn a_thread_that_follows_sleeps_until_there_is_an_event() {
    with_each_store(|store| {
        let query = EventQuery::new(LOG);
        let page = store.blocking().feed(&query, FeedStart::Beginning).unwrap();
        let there = (Arc::clone(store), query.clone(), page.token);
        let waits = thread::spawn(move || there.0.blocking().wait_feed(&there.1, &there.2));
        store.blocking().record(LOG, event("a")).unwrap();
        let page = waits.join().unwrap().unwrap();
        assert_eq!(page.events.len(), 1);
        assert!(store.blocking().next_feed(&query, &page.token).unwrap().events.is_empty());
        let mut followed = store.blocking().follow(query, FeedStart::Beginning);
        assert_eq!(followed.next().unwrap().unwrap().action.as_str(), "a");
    });
}

#[test]
fn a_walk_ends_after_an_error() {
    let store = MemoryStore::new().unwrap();
    let mut walk = store.blocking().walk(EventQuery::new(LOG).limit(0));
    assert_eq!(walk.next().unwrap().unwrap_err().kind(), ErrorKind::Invalid);
    assert!(walk.next().is_none());
}

/// Checks that a call is an error, and has done nothing.
fn is_refused(store: &Arc<dyn AuditStore>) {
    let error = store.blocking().record(LOG, event("a")).unwrap_err();
    assert_eq!((error.kind(), error.field()), (ErrorKind::Invalid, Some("thread")));
    assert!(!error.is_retryable());
    let mut walk = store.blocking().walk(EventQuery::new(LOG));
    assert_eq!(walk.next().unwrap().unwrap_err().field(), Some("thread"));
}

#[test]
fn a_call_inside_async_code_is_an_error_and_not_a_panic() {
    with_each_store(|store| {
        futures_executor::block_on(async { is_refused(store) });
        for mut runtime in [
            tokio::runtime::Builder::new_current_thread(),
            tokio::runtime::Builder::new_multi_thread(),
        ] {
            let runtime = runtime.build().unwrap();
            runtime.block_on(async {
                is_refused(store);
                let spawned = Arc::clone(store);
                tokio::spawn(async move { is_refused(&spawned) }).await.unwrap();
                // On a thread of a runtime that may block, the runtime itself waits.
                let store = Arc::clone(store);
                let work = move || {
                    is_refused(&store);
                    tokio::runtime::Handle::current().block_on(store.count(&EventQuery::new(LOG)))
                };
                let counted = tokio::task::spawn_blocking(work).await.unwrap().unwrap();
                assert_eq!(counted, 0);
            });
        }
        store.blocking().record(LOG, event("a")).unwrap();
    });
}
