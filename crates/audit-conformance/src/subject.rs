//! The store under test, as cases use it.

use std::fmt::Debug;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use audit_core::tree::{Frontier, LogEntry, NodeHash, NodeId};
use audit_core::{
    Actor, AuditContext, AuditEvent, AuditStore, AuditStoreExt as _, EntriesRequest, Erasure,
    Error, ErrorKind, EventId, EventQuery, FeedPage, FeedStart, Filter, FollowerStore, Head, Log,
    NewEvent, Order, Page, Pruned, Receipt, RefusedEvent, Result, Retention, RetentionStore,
    RetentionStoreExt as _, Scan, ScanResult, Sequence, Staged, StagedCounts, StagingStore, Token,
};
use futures_util::future::{Either, select};

use crate::opens::Opens;
use crate::timer::Timer;
use crate::{
    DamageHarness, FollowerHarness, Harness, NewHarness, Restore, RetentionHarness, StagingHarness,
    StagingTransaction,
};

/// How long a case waits for what a store must do "soon".
pub(crate) const SOON: Duration = Duration::from_secs(5);

/// One handle of the store under test, with calls that block.
pub(crate) struct Subject<H: Opens + ?Sized = dyn Harness> {
    // Before the harness, which removes what the store left.
    store: Arc<H::Store>,
    harness: Arc<H>,
}

/// How futures are run.
impl<H: Opens + ?Sized> Subject<H> {
    /// Returns the output of `future`.
    pub(crate) fn block_on<T: Send>(&self, future: impl Future<Output = T> + Send) -> T {
        let mut output = None;
        self.harness.block_on(Box::pin(async { output = Some(future.await) }));
        output.expect("`Harness::block_on` must run a future to its end")
    }

    /// Returns the output of `future`, or `None` if it takes longer than `limit`.
    pub(crate) fn within<T: Send>(
        &self,
        limit: Duration,
        future: impl Future<Output = T> + Send,
    ) -> Option<T> {
        self.block_on(async {
            match select(pin!(future), Timer::after(limit)).await {
                Either::Left((output, _)) => Some(output),
                Either::Right(_) => None,
            }
        })
    }

    /// Polls `future` once.
    pub(crate) fn poll<T: Send>(
        &self,
        mut future: Pin<&mut (impl Future<Output = T> + Send)>,
    ) -> Poll<T> {
        self.block_on(poll_fn(|_| {
            let mut context = Context::from_waker(Waker::noop());
            Poll::Ready(future.as_mut().poll(&mut context))
        }))
    }
}

impl<H: Opens + ?Sized> Subject<H> {
    pub(crate) fn new(new: NewHarness<'_, H>) -> Self {
        Self::of(new().into())
    }

    /// Opens a handle of the harness's store.
    pub(crate) fn of(harness: Arc<H>) -> Self {
        Self { store: harness.open_store(), harness }
    }

    /// Closes the store and opens it again.
    pub(crate) fn reopen(self) -> Self {
        let Self { store, harness } = self;
        drop(store);
        Self::of(harness)
    }

    /// Copies the store; `None` if the harness cannot.
    pub(crate) fn copy(&self) -> Option<Restore> {
        self.harness.copy()
    }

    /// Closes the store, puts a copy back, and opens it again.
    pub(crate) fn restore(self, copy: Restore) -> Self {
        let Self { store, harness } = self;
        drop(store);
        copy();
        Self { store: harness.open_store(), harness }
    }

    /// Opens a second handle of the same store.
    pub(crate) fn with_other_handle(&self) -> Self {
        Self::of(Arc::clone(&self.harness))
    }

    pub(crate) fn store(&self) -> &H::Store {
        &self.store
    }

    fn audit_store(&self) -> &dyn AuditStore {
        &self.store
    }

    pub(crate) fn append(&self, log: Log, events: Vec<NewEvent>) -> Result<Vec<Receipt>> {
        self.block_on(self.store.append(log, events))
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
        self.block_on(self.store.get(log, id))
    }

    pub(crate) fn head(&self, log: Log) -> Head {
        self.block_on(self.store.head(log)).expect("the head of any log must be readable")
    }

    /// Returns the result of a scan without its end, which [`Subject::end`] returns.
    pub(crate) fn scan(&self, scan: Scan) -> Result<ScanResult> {
        let mut result = self.block_on(self.store.scan(scan))?;
        result.end = None;
        Ok(result)
    }

    /// Returns the end of a scan up to `bound`.
    pub(crate) fn end(&self, log: Log, bound: Sequence) -> Option<NodeHash> {
        let result = self.block_on(self.store.scan(Scan::new(log).bound(bound)));
        result.expect("a scan succeeds").end
    }

    pub(crate) fn frontier(&self, log: Log) -> Frontier {
        self.block_on(self.store.frontier(log)).expect("the frontier of any log must be readable")
    }

    pub(crate) fn nodes(&self, log: Log, nodes: &[NodeId]) -> Vec<Option<NodeHash>> {
        self.block_on(self.store.nodes(log, nodes.to_vec())).expect("nodes must be readable")
    }

    pub(crate) fn try_entries(
        &self,
        log: Log,
        after: Sequence,
        limit: usize,
        bytes: usize,
    ) -> Result<Vec<LogEntry>> {
        self.block_on(
            self.store
                .entries(log, EntriesRequest::default().after(after).limit(limit).bytes(bytes)),
        )
    }

    /// Returns every event of `log` as it is kept, by sequence.
    pub(crate) fn entries(&self, log: Log) -> Vec<LogEntry> {
        let entries = self.try_entries(log, Sequence::ZERO, 1_000_000, usize::MAX);
        entries.expect("stored events must be readable")
    }

    /// Returns every event of `log`, by sequence.
    pub(crate) fn events(&self, log: Log) -> Vec<AuditEvent> {
        let scan = everything(log).order(Order::Sequence);
        let result = self.scan(scan).expect("a log must be readable");
        assert!(!result.more, "nothing can match after the last event of a log");
        result.events
    }

    pub(crate) fn page(&self, query: &EventQuery) -> Page {
        self.try_page(query).expect("the first page must be readable")
    }

    pub(crate) fn try_page(&self, query: &EventQuery) -> Result<Page> {
        self.block_on(self.harness.page(self.audit_store(), query))
    }

    pub(crate) fn next_page(&self, query: &EventQuery, token: &Token) -> Result<Page> {
        self.block_on(self.harness.next_page(self.audit_store(), query, token))
    }

    /// Returns the events of a walk from `page` on, with pages of the sizes given in turn.
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

    /// Returns the events of a whole walk with pages of the query's size.
    pub(crate) fn walk(&self, query: &EventQuery, limit: usize) -> Vec<AuditEvent> {
        let query = query.clone().limit(limit);
        let page = self.page(&query);
        assert!(page.events.len() <= limit, "a page holds at most its limit");
        self.rest(&query, page, &[limit])
    }

    pub(crate) fn feed(&self, query: &EventQuery, start: FeedStart) -> Result<FeedPage> {
        self.block_on(self.harness.feed(self.audit_store(), query, start))
    }

    pub(crate) fn wait_feed(&self, query: &EventQuery, token: &Token) -> Result<FeedPage> {
        self.block_on(self.audit_store().wait_feed(query, token))
    }

    pub(crate) fn feed_tokens(&self, query: &EventQuery, events: &[AuditEvent]) -> Vec<Token> {
        let tokens = self.block_on(self.audit_store().feed_tokens(query, events));
        tokens.expect("events of the log have tokens")
    }

    pub(crate) fn next_feed(&self, query: &EventQuery, token: &Token) -> Result<FeedPage> {
        self.block_on(self.harness.next_feed(self.audit_store(), query, token))
    }

    /// Returns the events of a feed from `page` until it is caught up, and the token to continue with.
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

impl Subject<dyn RetentionHarness> {
    /// Erases the events that match, and returns how many that were.
    pub(crate) fn erase(&self, log: Log, filter: Filter) -> Result<u64> {
        let erased = self.block_on(self.store.erase(log, Erasure::matching(filter), officer()));
        erased.map(|erased| erased.events)
    }

    pub(crate) fn erase_events(&self, log: Log, sequences: Vec<Sequence>) -> Result<u64> {
        self.block_on(self.store.erase_events(log, sequences, officer()))
    }

    pub(crate) fn retention(&self, log: Log) -> Retention {
        self.block_on(self.store.retention(log)).expect("the retention of any log must be readable")
    }

    pub(crate) fn set_retention(&self, log: Log, retention: Retention) -> Result<()> {
        self.block_on(self.store.set_retention(log, retention, officer()))
    }

    pub(crate) fn prune(&self, log: Log) -> Result<Pruned> {
        self.block_on(self.store.prune(log, officer().into()))
    }

    /// Makes the log keep its newest `count` events, as far as whole tiles go, and returns the
    /// number of the last that is gone.
    pub(crate) fn keep_newest(&self, log: Log, count: u64) -> Sequence {
        let retention = Retention::default().max_events(count);
        self.set_retention(log, retention).expect("retention can be set");
        self.prune(log).expect("a log can be pruned").floor
    }
}

impl Subject<dyn StagingHarness> {
    /// Begins a transaction of another client.
    pub(crate) fn begin(&self) -> Box<dyn StagingTransaction> {
        self.harness.begin()
    }

    /// Stages events in a transaction of their own, which commits.
    pub(crate) fn stage(&self, log: Log, events: &[NewEvent]) -> Staged {
        let staged = Staged::new(log, events.to_vec()).expect("sample events can be staged");
        let mut transaction = self.begin();
        transaction.stage(&staged);
        transaction.commit();
        staged
    }

    /// Stages one row in a transaction of its own, which commits.
    pub(crate) fn stage_row(&self, log: Log, id: EventId, body: &str) {
        let mut transaction = self.begin();
        transaction.stage_row(log, id, body);
        transaction.commit();
    }

    /// Returns the events of `log` without those of the store.
    pub(crate) fn contents(&self, log: Log) -> Vec<AuditEvent> {
        self.events(log).into_iter().filter(|event| !event.by_store).collect()
    }

    pub(crate) fn receipt_of(&self, log: Log, id: EventId) -> Result<Receipt> {
        self.block_on(self.audit_store().receipt_of(log, id))
    }

    pub(crate) fn counts(&self) -> StagedCounts {
        self.block_on(self.store.staged_counts()).expect("staged events can be counted")
    }

    pub(crate) fn refused(&self) -> Vec<RefusedEvent> {
        self.block_on(self.store.refused(0, 1_000)).expect("refused events can be listed")
    }
}

impl Subject<dyn FollowerHarness> {
    pub(crate) fn state(&self, follower: &str, log: Log) -> Option<String> {
        self.block_on(self.store.follower_state(follower, log)).expect("a state is readable")
    }

    pub(crate) fn states(
        &self,
        follower: &str,
        after: Option<Log>,
        limit: usize,
    ) -> Result<Vec<(Log, String)>> {
        self.block_on(self.store.follower_states(follower, after, limit))
    }

    pub(crate) fn replace(
        &self,
        follower: &str,
        log: Log,
        before: Option<&str>,
        after: Option<&str>,
    ) -> Result<()> {
        let [before, after] = [before, after].map(|state| state.map(str::to_owned));
        self.block_on(self.store.replace_follower_state(follower, log, before, after))
    }
}

impl<H: Opens + ?Sized> Subject<H> {
    /// Lets the harness close the store, and returns it.
    pub(crate) fn close(self) -> Closed<H> {
        Closed(self.harness)
    }
}

/// A harness none of whose handles is open.
pub(crate) struct Closed<H: Opens + ?Sized>(Arc<H>);

impl Closed<dyn DamageHarness> {
    pub(crate) fn damage(&self, log: Log, damage: &str) {
        self.0.damage(log, damage);
    }
}

impl Closed<dyn StagingHarness> {
    pub(crate) fn begin(&self) -> Box<dyn StagingTransaction> {
        self.0.begin()
    }
}

impl<H: Opens + ?Sized> Closed<H> {
    pub(crate) fn open(self) -> Subject<H> {
        Subject::of(self.0)
    }
}

/// On whose behalf cases erase and prune; no sample event is theirs.
pub(crate) fn officer() -> AuditContext {
    AuditContext::new(Actor::user("officer").name("Otto")).reason("as the law asks")
}

/// Returns the scan of all of `log`.
pub(crate) fn everything(log: Log) -> Scan {
    Scan::new(log).limit(1_000_000)
}

/// Returns the error of a call that must fail with `kind`.
#[track_caller]
pub(crate) fn refused<T: Debug>(result: Result<T>, kind: ErrorKind, promise: &str) -> Error {
    match result {
        Err(error) if error.kind() == kind => error,
        other => panic!("{promise}: expected {kind:?}, got {other:?}"),
    }
}

/// Sets a flag when it is dropped, so that other threads end also when this one fails.
pub(crate) struct SetOnDrop<'a>(pub(crate) &'a AtomicBool);

impl Drop for SetOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
