//! Checks that owners read in turn, whatever the others read, with one turn that ends at every row.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use audit_core::{
    Actor, AuditStore as _, AuditStoreExt as _, ErrorKind, EventQuery, Log, NewEvent,
    OrganizationId,
};
use futures_executor::block_on;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt as _, StreamExt as _};

use crate::{SqliteOptions, SqliteStore};

struct Fixture {
    store: SqliteStore,
    _directory: tempfile::TempDir,
}

impl Fixture {
    fn new() -> Self {
        Self::with_turns(1)
    }

    fn with_turns(turns: usize) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let options = SqliteOptions { turn: Duration::ZERO, ..SqliteOptions::default() };
        let store =
            SqliteStore::open_with(directory.path().join("audit.db"), options.with_readers(turns));
        Self { store: store.unwrap(), _directory: directory }
    }

    /// Creates a log of some events.
    fn log(&self, events: usize) -> Log {
        let log = Log::organization(OrganizationId::new());
        let event = |_| NewEvent::new("invoice.paid", Actor::user("u_7"));
        block_on(self.store.append(log, (0..events).map(event).collect())).unwrap();
        log
    }

    /// Takes the only turn. Returns when the read that has it has begun; it ends when the sender is
    /// dropped.
    fn take_turn(&self) -> (BoxFuture<'_, ()>, mpsc::Sender<()>) {
        let (release, released) = mpsc::channel::<()>();
        let (begin, begun) = mpsc::channel();
        let owner = Log::organization(OrganizationId::new());
        let read = self.store.shared.readers.read(owner, move |_| {
            begin.send(()).unwrap();
            let _ = released.recv();
            Ok(())
        });
        let mut read = read.map(Result::unwrap).boxed();
        assert!((&mut read).now_or_never().is_none());
        begun.recv().unwrap();
        (read, release)
    }

    /// Asks for a page of the whole log, and polls it once.
    fn page(&self, log: Log, name: &'static str) -> BoxFuture<'_, &'static str> {
        let query = EventQuery::new(log).limit(200);
        let mut page = async move {
            self.store.page(&query).await.unwrap();
            name
        }
        .boxed();
        assert!((&mut page).now_or_never().is_none());
        page
    }
}

#[test]
fn a_short_read_overtakes_the_long_ones_of_another_owner() {
    let fixture = Fixture::new();
    let (many, few) = (fixture.log(200), fixture.log(2));
    let (turn, release) = fixture.take_turn();
    let reads: FuturesUnordered<_> = (0..20).map(|_| fixture.page(many, "long")).collect();
    reads.push(fixture.page(few, "short"));
    drop(release);
    let order: Vec<_> = block_on(async {
        turn.await;
        reads.collect().await
    });
    assert_eq!(order[0], "short");
    assert_eq!(order.len(), 21);
}

#[test]
fn look_ups_wait_for_no_turn() {
    let fixture = Fixture::new();
    let log = fixture.log(1);
    let id = block_on(fixture.store.page(&EventQuery::new(log))).unwrap().events[0].id;
    let (turn, release) = fixture.take_turn();
    // All of these end while the only turn is taken and others wait for it.
    let waiting = fixture.page(log, "waits");
    let store = &fixture.store;
    assert_eq!(block_on(store.head(log)).unwrap().size.get(), 1);
    assert_eq!(block_on(store.get(log, id)).unwrap().id, id);
    let error = block_on(audit_core::TenantStore::organization(store, OrganizationId::new()));
    assert_eq!(error.unwrap_err().kind(), ErrorKind::NotFound);
    block_on(store.append(log, vec![NewEvent::new("invoice.paid", Actor::system())])).unwrap();
    drop(release);
    block_on(async {
        turn.await;
        waiting.await
    });
}

#[test]
fn a_read_ends_when_its_caller_leaves() {
    let fixture = Fixture::new();
    let log = fixture.log(1);
    let (begin, begun) = mpsc::channel();
    let (end, ended) = mpsc::channel();
    let mut read = fixture
        .store
        .shared
        .readers
        .read(log, move |snapshot| {
            begin.send(()).unwrap();
            let result = (0..10_000_000).try_for_each(|_| snapshot.pause());
            end.send(result).unwrap();
            Ok(())
        })
        .boxed();
    assert!((&mut read).now_or_never().is_none());
    begun.recv().unwrap();
    drop(read);
    assert_eq!(ended.recv().unwrap().unwrap_err().kind(), ErrorKind::Closed);
    assert_eq!(block_on(fixture.store.page(&EventQuery::new(log))).unwrap().events.len(), 1);
}

/// The reads of one owner that never ask whether their turns are over leave one to another owner, and
/// all of them end.
#[test]
fn one_owner_leaves_turns_to_others() {
    let fixture = Fixture::with_turns(4);
    let (many, few) = (fixture.log(1), fixture.log(1));
    let (release, released) = crossbeam_channel::bounded::<()>(0);
    let read = |_| {
        let released = released.clone();
        let read = fixture.store.shared.readers.read(many, move |_| {
            let _ = released.recv();
            Ok(())
        });
        let mut read = read.map(Result::unwrap).boxed();
        assert!((&mut read).now_or_never().is_none());
        read
    };
    let reads: FuturesUnordered<_> = (0..10).map(read).collect();
    let page = fixture.page(few, "page");
    let (answered, answer) = mpsc::channel();
    // Ends them if the page has to wait for them.
    let end = thread::spawn(move || {
        let in_time = answer.recv_timeout(Duration::from_secs(20)).is_ok();
        drop(release);
        in_time
    });
    block_on(page);
    answered.send(()).unwrap();
    assert!(end.join().unwrap());
    assert_eq!(block_on(reads.count()), 10);
}

/// More owners than threads, each with more reads than it can begin.
#[test]
fn reads_of_many_owners_all_end() {
    let fixture = Fixture::new();
    let logs: Vec<_> = (0..12).map(|_| fixture.log(20)).collect();
    let (turn, release) = fixture.take_turn();
    let reads = logs.iter().flat_map(|log| (0..5).map(|_| fixture.page(*log, "page")));
    let reads: FuturesUnordered<_> = reads.collect();
    drop(release);
    let ended = block_on(async {
        turn.await;
        reads.count().await
    });
    assert_eq!(ended, 60);
}
