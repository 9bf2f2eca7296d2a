//! Feeds of a log from which retention removes events while they are read.

// A test that cannot set itself up fails.
#![allow(clippy::unwrap_used)]

use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use audit_core::backend::delegate;
use audit_core::{
    Actor, AuditContext, AuditStore, AuditStoreExt as _, ErrorKind, EventQuery, FeedStart, Log,
    NewEvent, Result, Retention, RetentionStore as _, Scan, ScanResult,
};
use audit_memory::MemoryStore;
use futures_executor::block_on;

const LOG: Log = Log::Platform;

/// Removes all events but the newest after the next scan, before its result is used.
#[derive(Debug)]
struct PrunesAfterScan {
    inner: MemoryStore,
    prunes: AtomicBool,
}

impl PrunesAfterScan {
    /// Opens a store with 100 events, of which retention keeps 30.
    fn new() -> Self {
        let inner = MemoryStore::new().unwrap();
        let events = (0..100).map(|_| NewEvent::new("a.b", Actor::system())).collect();
        block_on(inner.append(LOG, events)).unwrap();
        let keeps = Retention::default().max_events(30);
        block_on(inner.set_retention(LOG, keeps, by())).unwrap();
        Self { inner, prunes: AtomicBool::new(false) }
    }

    fn prune_after_the_next_scan(&self) {
        self.prunes.store(true, Ordering::Relaxed);
    }
}

fn by() -> AuditContext {
    AuditContext::new(Actor::system())
}

#[async_trait]
impl AuditStore for PrunesAfterScan {
    delegate!(inner: token_keys, append, get, head, logs);
    delegate!(inner: wait_for_append, frontier, nodes, entries);

    async fn scan(&self, scan: Scan) -> Result<ScanResult> {
        let result = self.inner.scan(scan).await;
        if self.prunes.swap(false, Ordering::Relaxed) {
            let pruned = self.inner.prune(LOG, by().into()).await?;
            assert_eq!(pruned.floor.get(), 64);
        }
        result
    }
}

#[test]
fn a_feed_begins_with_what_retention_keeps_while_it_is_begun() {
    let store = PrunesAfterScan::new();
    store.prune_after_the_next_scan();
    let query = EventQuery::new(LOG).limit(10);
    let page = block_on(store.feed(&query, FeedStart::Beginning)).unwrap();
    assert!(page.events.iter().map(|event| event.sequence.get()).eq(65..75));
}

#[test]
fn a_feed_whose_place_retention_removes_while_it_is_read_is_gone() {
    let store = PrunesAfterScan::new();
    let query = EventQuery::new(LOG).limit(10);
    let page = block_on(store.feed(&query, FeedStart::Beginning)).unwrap();
    store.prune_after_the_next_scan();
    let error = block_on(store.next_feed(&query, &page.token)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Gone);
}
