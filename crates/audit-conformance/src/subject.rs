//! The store under test, as cases use it.

use std::fmt::Debug;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use crate::Store;
use audit_core::tree::NodeId;
use audit_core::{
    Actor, AuditContext, AuditEvent, EntriesRequest, Erasure, Error, ErrorKind, EventId,
    EventQuery, FeedPage, FeedStart, Filter, Head, Log, NewEvent, Order, Page, Pruned, Receipt,
    Result, Retention, RetentionStoreExt as _, Scan, ScanResult, Sequence, Token, Total,
    tree::{Frontier, LogEntry, NodeHash},
};
use futures_executor::block_on;

use crate::{Harness, NewHarness};

/// How long a case waits for what a store must do "soon".
pub(crate) const SOON: Duration = Duration::from_secs(5);

/// The store under test, with calls that block.
pub(crate) struct Subject {
    // Before the harness, which removes what the store left.
    store: Arc<dyn Store>,
    harness: Arc<dyn Harness>,
}

impl Subject {
    pub(crate) fn new(new: NewHarness<'_>) -> Self {
        let harness: Arc<dyn Harness> = new().into();
        Self { store: harness.open(), harness }
    }

    /// Closes the store and opens it again.
    pub(crate) fn reopen(self) -> Self {
        let Self { store, harness } = self;
        drop(store);
        Self { store: harness.open(), harness }
    }

    /// A second handle of the same store.
    pub(crate) fn other_handle(&self) -> Arc<dyn Store> {
        self.harness.open()
    }

    /// The same store through a second handle.
    pub(crate) fn with_other_handle(&self) -> Self {
        Self { store: self.other_handle(), harness: Arc::clone(&self.harness) }
    }

    /// A handle of the same store that keeps API keys.
    pub(crate) fn open_api_keys(&self) -> Arc<dyn Store> {
        self.harness.open_api_keys()
    }

    pub(crate) fn store(&self) -> &dyn Store {
        &*self.store
    }

    pub(crate) fn append(&self, log: Log, events: Vec<NewEvent>) -> Result<Vec<Receipt>> {
        block_on(self.store.append(log, events))
    }

    /// Appends and returns the events as the log must hold them.
    pub(crate) fn put(&self, log: Log, events: &[NewEvent]) -> Vec<AuditEvent> {
        let receipts = self.append(log, events.to_vec()).expect("an append must succeed");
        assert_eq!(receipts.len(), events.len(), "an append must return one receipt an event");
        let placed = receipts.iter().zip(events).map(|(receipt, event)| {
            AuditEvent::new(log, receipt.sequence, receipt.recorded_at, event.clone())
        });
        placed.collect()
    }

    pub(crate) fn get(&self, log: Log, id: EventId) -> Result<AuditEvent> {
        block_on(self.store.get(log, id))
    }

    pub(crate) fn head(&self, log: Log) -> Head {
        block_on(self.store.head(log)).expect("the head of any log must be readable")
    }

    pub(crate) fn scan(&self, scan: Scan) -> Result<ScanResult> {
        block_on(self.store.scan(scan))
    }

    pub(crate) fn frontier(&self, log: Log) -> Frontier {
        block_on(self.store.frontier(log)).expect("the edge of any log must be readable")
    }

    pub(crate) fn nodes(&self, log: Log, nodes: &[NodeId]) -> Vec<Option<NodeHash>> {
        block_on(self.store.nodes(log, nodes.to_vec())).expect("nodes must be readable")
    }

    pub(crate) fn try_entries(
        &self,
        log: Log,
        after: Sequence,
        limit: usize,
        bytes: usize,
    ) -> Result<Vec<LogEntry>> {
        block_on(
            self.store
                .entries(log, EntriesRequest::default().after(after).limit(limit).bytes(bytes)),
        )
    }

    /// Every event of `log` as it is kept, by sequence.
    pub(crate) fn entries(&self, log: Log) -> Vec<LogEntry> {
        let entries = self.try_entries(log, Sequence::ZERO, 1_000_000, usize::MAX);
        entries.expect("what is kept must be readable")
    }

    /// Erases the events that match, and returns how many that were.
    pub(crate) fn erase(&self, log: Log, filter: Filter) -> Result<u64> {
        let erased = block_on(self.store.erase(log, Erasure::matching(filter), officer()));
        erased.map(|erased| erased.events)
    }

    pub(crate) fn erase_events(&self, log: Log, sequences: Vec<Sequence>) -> Result<u64> {
        block_on(self.store.erase_events(log, sequences, officer()))
    }

    pub(crate) fn retention(&self, log: Log) -> Retention {
        block_on(self.store.retention(log)).expect("the retention of any log must be readable")
    }

    pub(crate) fn set_retention(&self, log: Log, retention: Retention) -> Result<()> {
        block_on(self.store.set_retention(log, retention, officer()))
    }

    pub(crate) fn prune(&self, log: Log) -> Result<Pruned> {
        block_on(self.store.prune(log, officer()))
    }

    /// Makes the log keep its newest `count` events, as far as whole tiles go, and returns the
    /// number of the last that is gone.
    pub(crate) fn keep_newest(&self, log: Log, count: u64) -> Sequence {
        let retention = Retention::default().max_events(count);
        self.set_retention(log, retention).expect("retention can be set");
        self.prune(log).expect("a log can be pruned").floor
    }

    /// Every event of `log`, by sequence.
    pub(crate) fn events(&self, log: Log) -> Vec<AuditEvent> {
        events_of(self.store(), log)
    }

    pub(crate) fn page(&self, query: &EventQuery) -> Page {
        self.try_page(query).expect("the first page must be readable")
    }

    pub(crate) fn try_page(&self, query: &EventQuery) -> Result<Page> {
        self.harness.page(self.store(), query)
    }

    pub(crate) fn next_page(&self, query: &EventQuery, token: &Token) -> Result<Page> {
        self.harness.next_page(self.store(), query, token)
    }

    /// The events of a walk from `page` on, with pages of the sizes given in turn.
    pub(crate) fn rest(&self, query: &EventQuery, page: Page, sizes: &[usize]) -> Vec<AuditEvent> {
        let (mut events, mut next) = (page.events, page.next);
        let mut sizes = sizes.iter().cycle();
        while let Some(token) = next {
            let limit = *sizes.next().expect("at least one page size");
            let page = self.next_page(&query.clone().limit(limit), &token);
            let page = page.expect("a walk's own token must be accepted");
            assert!(page.events.len() <= limit, "a page holds at most its limit");
            assert!(!page.events.is_empty(), "a token promised that more events match");
            events.extend(page.events);
            next = page.next;
        }
        events
    }

    /// The events of a whole walk with pages of the query's size.
    pub(crate) fn walk(&self, query: &EventQuery, limit: usize) -> Vec<AuditEvent> {
        let query = query.clone().limit(limit);
        let page = self.page(&query);
        assert!(page.events.len() <= limit, "a page holds at most its limit");
        self.rest(&query, page, &[limit])
    }

    pub(crate) fn feed(&self, query: &EventQuery, start: FeedStart) -> Result<FeedPage> {
        self.harness.feed(self.store(), query, start)
    }

    pub(crate) fn next_feed(&self, query: &EventQuery, token: &Token) -> Result<FeedPage> {
        self.harness.next_feed(self.store(), query, token)
    }

    /// What a feed delivers from `page` until it is caught up, and the token with which it goes on.
    pub(crate) fn drain(&self, query: &EventQuery, page: FeedPage) -> (Vec<AuditEvent>, Token) {
        let FeedPage { mut events, mut token, mut caught_up, .. } = page;
        while !caught_up {
            let page = self.next_feed(query, &token).expect("a feed's own token is accepted");
            let stuck = page.events.is_empty() && !page.caught_up;
            assert!(!stuck, "a feed that is not caught up must deliver something");
            events.extend(page.events);
            (token, caught_up) = (page.token, page.caught_up);
        }
        (events, token)
    }
}

/// On whose behalf cases erase and prune; no sample event is theirs.
pub(crate) fn officer() -> AuditContext {
    AuditContext::new(Actor::user("officer").name("Otto")).reason("as the law asks")
}

/// Every event of `log`, by sequence.
pub(crate) fn events_of(store: &dyn Store, log: Log) -> Vec<AuditEvent> {
    let scan = Scan { order: Order::Sequence, ..everything(log) };
    let slice = block_on(store.scan(scan)).expect("a log must be readable");
    assert!(!slice.more, "nothing can match behind the last event of a log");
    slice.events
}

/// The scan of all of `log`.
pub(crate) fn everything(log: Log) -> Scan {
    Scan {
        log,
        filter: audit_core::Filter::new(),
        order: Order::default(),
        after: None,
        bound: None,
        offset: 0,
        limit: 1_000_000,
        bytes: usize::MAX,
        total: Total::Skip,
    }
}

/// The error of a call that must fail with `kind`.
#[track_caller]
pub(crate) fn refused<T: Debug>(result: Result<T>, kind: ErrorKind, promise: &str) -> Error {
    match result {
        Err(error) if error.kind() == kind => error,
        other => panic!("{promise}: expected {kind:?}, got {other:?}"),
    }
}

/// The output of `future`, or `None` if it takes longer than `limit`.
pub(crate) fn within<F: Future>(limit: Duration, future: F) -> Option<F::Output> {
    struct Unpark(Thread);

    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }

    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let deadline = Instant::now() + limit;
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return Some(output);
        }
        thread::park_timeout(deadline.checked_duration_since(Instant::now())?);
    }
}

/// Sets a flag when it is dropped, so that other threads end also when this one fails.
pub(crate) struct SetOnDrop<'a>(pub(crate) &'a AtomicBool);

impl Drop for SetOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
