//! A primary is killed under load, and its synchronous standby goes on.

use std::collections::HashMap;
use std::env;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use audit_core::{
    Actor, AuditStore as _, AuditStoreExt as _, EventId, EventQuery, FeedStart, Log, NewEvent,
    Order, OrganizationId, Page, Receipt, Result,
};
use audit_postgres::{PostgresOptions, PostgresStore};
use audit_postgres_server::{Database, Server};
use futures_executor::block_on;
use futures_util::future::join_all;
use uuid::Uuid;

use crate::cluster::{Cluster, Promoted};
use crate::common::open;

/// The number of failovers, unless [`FAILOVERS_VARIABLE`] sets another.
const FAILOVERS: usize = 1;
const FAILOVERS_VARIABLE: &str = "AUDIT_POSTGRES_FAILOVERS";
const CALLERS: u64 = 32;
/// The appends that are acknowledged before a primary is killed, and again after it.
const APPENDS: u64 = 20 * CALLERS;
/// Longer than a failover takes.
const TIMEOUT: Duration = Duration::from_secs(120);

fn logs() -> [Log; 2] {
    [Log::Platform, Log::organization(OrganizationId::from_uuid(Uuid::from_u128(7)))]
}

/// Callers that append one event at a time.
#[derive(Default)]
struct Load {
    acknowledged: Mutex<Vec<Acknowledged>>,
    /// How often a call failed, and was repeated by its caller.
    failures: AtomicU64,
    is_over: AtomicBool,
}

struct Acknowledged {
    log: Log,
    id: EventId,
    receipt: Receipt,
    at: Instant,
}

impl Load {
    fn run(&self, store: &PostgresStore) {
        block_on(join_all((0..CALLERS).map(|caller| self.call(store, caller))));
    }

    async fn call(&self, store: &PostgresStore, caller: u64) {
        while !self.is_over.load(Ordering::Relaxed) {
            let log = logs()[usize::from(caller.is_multiple_of(4))];
            let id = EventId::new();
            let event = NewEvent::new("task.step", Actor::user(format!("u_{caller}"))).id(id);
            let receipt = loop {
                match store.record(log, event.clone()).await {
                    Err(error) if error.is_retryable() => {
                        self.failures.fetch_add(1, Ordering::Relaxed);
                    }
                    receipt => break receipt.expect("it is recorded"),
                }
            };
            let acknowledged = Acknowledged { log, id, receipt, at: Instant::now() };
            self.acknowledged.lock().expect("no panic").push(acknowledged);
        }
    }

    /// Waits until this many more appends are acknowledged.
    fn wait_for(&self, more: u64) {
        let count = || self.acknowledged.lock().expect("no panic").len() as u64;
        let enough = count() + more;
        while count() < enough {
            thread::sleep(Duration::from_millis(5));
        }
    }
}

/// Repeats a read while the servers are away.
fn patiently<T>(mut read: impl FnMut() -> Result<T>) -> T {
    loop {
        match read() {
            Err(error) if error.is_retryable() => thread::sleep(Duration::from_millis(10)),
            found => return found.expect("it is read"),
        }
    }
}

/// Follows a log until it has delivered what was appended before `is_complete` was set, and returns the
/// sequences.
fn follow(store: &PostgresStore, log: Log, start: FeedStart, is_complete: &AtomicBool) -> Vec<u64> {
    let query = EventQuery::new(log).limit(200);
    let mut page = patiently(|| block_on(store.feed(&query, start)));
    let (mut found, mut is_last) = (Vec::new(), false);
    loop {
        found.extend(page.events.iter().map(|event| event.sequence.get()));
        if page.caught_up {
            if is_last {
                return found;
            }
            thread::sleep(Duration::from_millis(5));
        }
        is_last = is_complete.load(Ordering::Acquire);
        page = patiently(|| block_on(store.next_feed(&query, &page.token)));
    }
}

fn walk_of(log: Log) -> EventQuery {
    EventQuery::new(log).order(Order::Sequence).limit(100)
}

/// Continues a walk to its end, and returns the sequences of its events.
fn walk_on(store: &PostgresStore, log: Log, mut page: Page) -> Vec<u64> {
    let mut found = Vec::new();
    loop {
        found.extend(page.events.iter().map(|event| event.sequence.get()));
        let Some(next) = page.next else { return found };
        page = patiently(|| block_on(store.next_page(&walk_of(log), &next)));
    }
}

/// Requires that a log is what was acknowledged, dense and each event once. `before` is its size before
/// the load.
fn check(store: &PostgresStore, log: Log, before: u64, acknowledged: &[Acknowledged]) {
    let query = walk_of(log).limit(1_000);
    let mut found = HashMap::new();
    let mut page = block_on(store.page(&query)).expect("it is read");
    let size = page.bound.get();
    loop {
        for event in page.events {
            let new = found.insert(event.id, (event.sequence, event.recorded_at)).is_none();
            assert!(new, "{} is twice", event.id);
            assert_eq!(event.sequence.get(), found.len() as u64, "the log has a gap");
        }
        let Some(next) = page.next else { break };
        page = block_on(store.next_page(&query, &next)).expect("it is read");
    }
    assert_eq!(found.len() as u64, size);
    let own = acknowledged.iter().filter(|of| of.log == log);
    assert_eq!(size - before, own.clone().count() as u64, "an event is lost or twice");
    for Acknowledged { id, receipt, .. } in own {
        assert_eq!(found.get(id), Some(&(receipt.sequence, receipt.recorded_at)), "{id}");
    }
}

/// Kills the primary of a cluster under load, and returns its successor and how long it could not be
/// written.
fn fail_over(cluster: Cluster, database: &Database, load: &Load) -> (Server, Duration) {
    let options = PostgresOptions::default().with_timeout(TIMEOUT);
    let opened = block_on(PostgresStore::open_with(&cluster.url(database), options));
    let store = opened.expect("the store opens");
    let sizes = logs().map(|log| block_on(store.head(log)).expect("it is read").size);
    let is_complete = AtomicBool::new(false);
    let (Promoted { primary, killed_at, promotion_at }, followed) = thread::scope(|scope| {
        let callers = scope.spawn(|| load.run(&store));
        let (store, is_complete) = (&store, &is_complete);
        let follow = |log, size| {
            scope.spawn(move || follow(store, log, FeedStart::After(size), is_complete))
        };
        let followers = [follow(logs()[0], sizes[0]), follow(logs()[1], sizes[1])];
        load.wait_for(APPENDS);
        let begun = logs().map(|log| block_on(store.page(&walk_of(log))).expect("it is read"));
        let promoted = cluster.fail_over();
        load.wait_for(APPENDS);
        load.is_over.store(true, Ordering::Relaxed);
        callers.join().expect("no panic");
        for (log, page) in logs().into_iter().zip(begun) {
            let bound = page.bound.get();
            assert!(walk_on(store, log, page).into_iter().eq(1..=bound), "the walk goes on");
        }
        is_complete.store(true, Ordering::Release);
        (promoted, followers.map(|follower| follower.join().expect("no panic")))
    });
    let acknowledged = load.acknowledged.lock().expect("no panic");
    for ((log, before), followed) in logs().into_iter().zip(sizes).zip(followed) {
        check(&store, log, before.get(), &acknowledged);
        let after = before.get() + followed.len() as u64;
        assert!(followed.into_iter().eq(before.get() + 1..=after), "the feed goes on");
        assert_eq!(block_on(store.head(log)).expect("it is read").size.get(), after);
    }
    let writable_at = acknowledged.iter().map(|of| of.at).filter(|at| *at > promotion_at).min();
    (primary, writable_at.expect("the load goes on") - killed_at)
}

#[test]
fn a_standby_has_all_that_was_acknowledged_and_goes_on() {
    let failovers =
        env::var(FAILOVERS_VARIABLE).map_or(FAILOVERS, |text| text.parse().expect("a number"));
    let mut primary = Server::start().expect("a server");
    let database = primary.database().expect("a database");
    drop(open(&database));
    let (mut outages, mut acknowledged, mut failures) = (Vec::new(), 0, 0);
    for _ in 0..failovers {
        let load = Load::default();
        let (successor, outage) = fail_over(Cluster::of(primary), &database, &load);
        primary = successor;
        outages.push(outage);
        acknowledged += load.acknowledged.into_inner().expect("no panic").len();
        failures += load.failures.into_inner();
    }
    outages.sort();
    println!(
        "{failovers} failovers, {acknowledged} appends acknowledged, none lost, none twice; \
         {failures} calls failed and were repeated; from kill to writable {:.2?}, at most {:.2?}",
        outages[outages.len() / 2],
        outages[outages.len() - 1],
    );
}
