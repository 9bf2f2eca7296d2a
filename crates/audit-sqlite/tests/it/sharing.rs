//! Shared use of a store: writers and followers, dropped futures, readers with open snapshots.
//!
//! ```text
//! AUDIT_SQLITE_CANCELS=10000 cargo test --release -p audit-sqlite --test it cancelled -- --nocapture
//! AUDIT_SQLITE_FOLLOWED=100000 cargo test --release -p audit-sqlite --test it follower -- --nocapture
//! ```

use std::collections::BTreeSet;
use std::future::Future;
use std::path::Path;
use std::task::{Context, Poll, Waker};
use std::thread;

use crate::common::{assert_dense, recorded, times};
use audit_core::{
    Actor, AuditStore, AuditStoreExt, EventQuery, FeedStart, Filter, Log, NewEvent, Order,
    OrganizationId, Timestamp,
};
use audit_sqlite::SqliteStore;
use audit_sqlite::rusqlite::Connection;
use futures_executor::block_on;
use futures_util::{StreamExt, TryStreamExt};

fn login() -> NewEvent {
    NewEvent::new("user.login", Actor::user("u_1"))
}

/// Generates the same pseudo-random numbers in each run.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963);
        (self.0 >> 33) % end
    }
}

#[test]
fn cancelled_appends_are_carried_through() {
    const BATCH: usize = 3;
    let cancels = times("AUDIT_SQLITE_CANCELS", 1_000);
    let directory = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(directory.path().join("audit.db")).unwrap();
    let random = &mut Random(1);
    let event = |batch: usize, number: usize| {
        login().target("batch", batch.to_string()).message(format!("{number} of {batch}"))
    };
    let sent: Vec<Vec<NewEvent>> =
        (0..cancels).map(|batch| (0..BATCH).map(|number| event(batch, number)).collect()).collect();
    let mut begun = BTreeSet::new();
    for (number, batch) in sent.iter().enumerate() {
        let mut append = Box::pin(store.append(Log::Platform, batch.clone()));
        let mut context = Context::from_waker(Waker::noop());
        for _ in 0..random.below(4) {
            begun.insert(number);
            if let Poll::Ready(receipts) = append.as_mut().poll(&mut context) {
                assert_eq!(receipts.unwrap().len(), BATCH);
                break;
            }
            thread::sleep(std::time::Duration::from_micros(random.below(400)));
        }
        drop(append);
    }
    let last = login();
    block_on(store.record(Log::Platform, last.clone())).unwrap();
    let query = EventQuery::new(Log::Platform).order(Order::Sequence).limit(1_000);
    let mut events: Vec<_> = block_on(store.walk(query).try_collect()).unwrap();
    let numbers: Vec<_> = events.iter().map(|event| event.sequence.get()).collect();
    assert_dense(&numbers);
    assert!(events.pop().unwrap().has_content(&last));
    // The polled batches are recorded in order, each as it was sent.
    let mut done = BTreeSet::new();
    for recorded in events.chunks(BATCH) {
        let number = recorded[0].targets[0].id.as_ref().unwrap().parse().unwrap();
        let is_whole = recorded.len() == BATCH
            && recorded.iter().zip(&sent[number]).all(|(event, sent)| event.has_content(sent));
        assert!(is_whole, "batch {number} is not as it was sent: {recorded:?}");
        assert!(
            done.last().is_none_or(|before| *before < number),
            "batch {number} is out of order"
        );
        done.insert(number);
    }
    assert!(done == begun, "lost: {:?}, never polled: {:?}", &begun - &done, &done - &begun);
    let (all, done) = (sent.len(), done.len());
    println!("{all} dropped: {done} had been polled and are recorded completely, no other is");
}

#[test]
fn a_follower_beside_sixteen_writers_misses_nothing() {
    const WRITERS: usize = 16;
    const LOGS: usize = 4;
    let each = times("AUDIT_SQLITE_FOLLOWED", 3_200) / WRITERS;
    let directory = tempfile::tempdir().unwrap();
    let store = &SqliteStore::open(directory.path().join("audit.db")).unwrap();
    let logs: Vec<Log> = (0..LOGS).map(|_| OrganizationId::new().into()).collect();
    let all = each * WRITERS / LOGS;
    thread::scope(|scope| {
        let followers: Vec<_> = logs
            .iter()
            .map(|log| {
                let filter = Filter::new().action("user.*");
                let query = EventQuery::new(*log).filter(filter).limit(50);
                scope.spawn(move || {
                    let events = store.follow(query, FeedStart::Beginning).take(all);
                    block_on(events.try_collect::<Vec<_>>()).unwrap()
                })
            })
            .collect();
        for writer in 0..WRITERS {
            let log = logs[writer % LOGS];
            scope.spawn(move || {
                for _ in 0..each {
                    block_on(store.record(log, login())).unwrap();
                }
            });
        }
        for follower in followers {
            let events = follower.join().unwrap();
            let numbers: Vec<_> = events.iter().map(|event| event.sequence.get()).collect();
            assert_dense(&numbers);
            assert_eq!(numbers.len(), all);
        }
    });
    println!("{WRITERS} writers, {LOGS} logs, {} events followed: each once, in order", all * LOGS);
}

fn wal_bytes(path: &Path) -> u64 {
    let mut wal = path.as_os_str().to_owned();
    wal.push("-wal");
    std::fs::metadata(wal).map_or(0, |wal| wal.len())
}

/// Returns a megabyte of events.
fn large_batch() -> Vec<NewEvent> {
    (0..100).map(|_| login().message("x".repeat(10_000))).collect()
}

#[test]
fn a_long_walk_keeps_the_wal_short() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("audit.db");
    let store = SqliteStore::open(&path).unwrap();
    block_on(store.append(Log::Platform, large_batch())).unwrap();
    let walk = store.walk(EventQuery::new(Log::Platform).limit(1));
    let mut walk = std::pin::pin!(walk);
    let mut longest = 0;
    for _ in 0..80 {
        assert!(block_on(walk.next()).unwrap().is_ok());
        block_on(store.append(Log::Platform, large_batch())).unwrap();
        longest = longest.max(wal_bytes(&path));
    }
    assert_eq!(block_on(walk.count()), 20, "the rest of the first hundred");
    // 80 MB were written through the WAL.
    assert!(longest < 50 << 20, "{longest}");
}

#[test]
fn an_open_snapshot_blocks_no_append_and_the_wal_shrinks_after_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("audit.db");
    let store = SqliteStore::open(&path).unwrap();
    block_on(store.append(Log::Platform, large_batch())).unwrap();
    let mut connection = Connection::open(&path).unwrap();
    let count = |connection: &Connection| -> i64 {
        connection.query_row("SELECT count(*) FROM audit_event", [], |row| row.get(0)).unwrap()
    };
    let transaction = connection.transaction().unwrap();
    assert_eq!(count(&transaction), 100);
    for _ in 0..60 {
        block_on(store.append(Log::Platform, large_batch())).unwrap();
    }
    assert_eq!(count(&transaction), 100, "the snapshot does not change");
    let kept = wal_bytes(&path);
    assert!(kept > 50 << 20, "{kept}: the WAL does not hold the snapshot");
    drop(transaction);
    for _ in 0..60 {
        block_on(store.append(Log::Platform, large_batch())).unwrap();
    }
    assert!(wal_bytes(&path) < kept, "{} of {kept}", wal_bytes(&path));
    assert_eq!(recorded(&store, Log::Platform).len(), 12_100);
}

#[test]
fn a_clock_that_goes_back_does_not_change_the_order() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("audit.db");
    let store = SqliteStore::open(&path).unwrap();
    block_on(store.record(Log::Platform, login())).unwrap();
    // As if the clock had been an hour ahead until now.
    let ahead = Timestamp::now().saturating_add(std::time::Duration::from_secs(3_600));
    let sql = "UPDATE audit_log SET recorded_at = ?1";
    Connection::open(&path).unwrap().execute(sql, [ahead.as_nanos()]).unwrap();
    let early = Timestamp::now().saturating_sub(std::time::Duration::from_secs(7_200));
    let receipt = block_on(store.record(Log::Platform, login().occurred_at(early))).unwrap();
    assert_eq!((receipt.sequence.get(), receipt.recorded_at), (2, ahead));
    let events = |order| {
        let page = block_on(store.page(&EventQuery::new(Log::Platform).order(order))).unwrap();
        page.events.iter().map(|event| event.sequence.get()).collect::<Vec<_>>()
    };
    assert_eq!(events(Order::OldestFirst), [2, 1]);
    assert_eq!(events(Order::NewestFirst), [1, 2]);
    assert_eq!(events(Order::Sequence), [1, 2]);
}
