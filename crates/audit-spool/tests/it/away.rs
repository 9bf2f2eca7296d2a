//! Events that are recorded while the store is unavailable.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use audit_core::{
    Accepted, Actor, AuditEvent, AuditStore as _, AuditStoreExt as _, Error, ErrorKind, EventId,
    EventQuery, Log, NewEvent, Order, Recorder, Result, Timestamp,
};
use audit_memory::MemoryStore;
use audit_spool::{Spool, SpoolNotice, SpoolOptions};
use futures_executor::block_on;

const LOG: Log = Log::Platform;

/// A store that can be away.
#[derive(Clone, Debug)]
struct Door {
    store: MemoryStore,
    is_away: Arc<AtomicBool>,
    /// Whether it records, then says that it failed, and is away from then on.
    lies: Arc<AtomicBool>,
}

impl Door {
    fn new() -> Self {
        let store = MemoryStore::new().unwrap();
        Self { store, is_away: Arc::default(), lies: Arc::default() }
    }

    fn set_away(&self, is_away: bool) {
        self.is_away.store(is_away, Ordering::SeqCst);
    }

    /// Returns the events of the store, oldest first.
    fn events(&self) -> Vec<AuditEvent> {
        let query = EventQuery::new(LOG).order(Order::Sequence).limit(1_000);
        block_on(self.store.page(&query)).unwrap().events
    }

    fn actions(&self) -> Vec<String> {
        self.events().into_iter().map(|event| event.action.into()).collect()
    }
}

#[async_trait]
impl Recorder for Door {
    async fn accept(&self, log: Log, events: Vec<NewEvent>) -> Result<Accepted> {
        if self.is_away.load(Ordering::SeqCst) {
            return Err(Error::new(ErrorKind::Unavailable));
        }
        let receipts = self.store.append(log, events).await?;
        if self.lies.swap(false, Ordering::SeqCst) {
            self.set_away(true);
            return Err(Error::new(ErrorKind::Unavailable));
        }
        Ok(Accepted::Recorded(receipts))
    }
}

fn event(action: &str) -> NewEvent {
    NewEvent::new(action, Actor::user("u_7"))
}

fn accept(spool: &Spool, action: &str) -> Accepted {
    block_on(spool.accept(LOG, vec![event(action)])).unwrap()
}

/// Options with which a store that was away is not asked again in this test.
fn patient() -> SpoolOptions {
    SpoolOptions::default().with_retry_interval(Duration::from_secs(3600))
}

/// Options with which it is asked at once.
fn eager() -> SpoolOptions {
    SpoolOptions::default().with_retry_interval(Duration::from_millis(1))
}

fn files(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn what_a_store_takes_is_not_spooled() {
    let (door, directory) = (Door::new(), tempfile::tempdir().unwrap());
    let spool = Spool::open(directory.path(), door.clone()).unwrap();
    assert!(accept(&spool, "a").is_recorded());
    assert_eq!((spool.pending(), files(directory.path())), (0, vec!["lock".to_owned()]));
}

#[test]
fn what_waits_is_recorded_once_in_order_when_the_store_is_back_and_its_file_is_deleted() {
    let (door, directory) = (Door::new(), tempfile::tempdir().unwrap());
    let spool = Spool::open_with(directory.path(), door.clone(), eager()).unwrap();
    accept(&spool, "e000");
    door.set_away(true);
    let before = Timestamp::now();
    for number in 1..450 {
        assert_eq!(accept(&spool, &format!("e{number:03}")), Accepted::Spooled);
    }
    let after = Timestamp::now();
    assert_eq!(spool.pending(), 449);
    assert_eq!(door.actions(), ["e000"]);
    door.set_away(false);
    block_on(spool.drained());
    let expected: Vec<_> = (0..450).map(|number| format!("e{number:03}")).collect();
    assert_eq!(door.actions(), expected);
    assert!(door.events()[1..].iter().all(|event| (before..=after).contains(&event.occurred_at)));
    assert!(accept(&spool, "last").is_recorded());
    drop(spool);
    assert_eq!(files(directory.path()), ["lock"]);
}

#[test]
fn later_events_wait_behind_earlier_ones_of_their_log_also_after_a_restart() {
    let (door, directory) = (Door::new(), tempfile::tempdir().unwrap());
    let spool = Spool::open_with(directory.path(), door.clone(), patient()).unwrap();
    door.set_away(true);
    accept(&spool, "first");
    door.set_away(false);
    assert_eq!(accept(&spool, "second"), Accepted::Spooled);
    let other = Log::organization(audit_core::OrganizationId::new());
    let accepted = block_on(spool.accept(other, vec![event("other")])).unwrap();
    assert!(accepted.is_recorded(), "another log does not wait");
    drop(spool);
    let spool = Spool::open_with(directory.path(), door.clone(), eager()).unwrap();
    block_on(spool.drained());
    assert_eq!(door.actions(), ["first", "second"]);
}

#[test]
fn an_event_that_the_store_took_and_did_not_confirm_is_recorded_once() {
    let (door, directory) = (Door::new(), tempfile::tempdir().unwrap());
    let spool = Spool::open_with(directory.path(), door.clone(), eager()).unwrap();
    door.lies.store(true, Ordering::SeqCst);
    assert_eq!(accept(&spool, "a"), Accepted::Spooled);
    // A job that is delivered twice while the store is away.
    let twice = event("b");
    for _ in 0..2 {
        block_on(spool.accept(LOG, vec![twice.clone()])).unwrap();
    }
    assert_eq!(spool.pending(), 2);
    door.set_away(false);
    block_on(spool.drained());
    assert_eq!(door.actions(), ["a", "b"]);
}

#[test]
fn an_event_whose_id_is_taken_is_recorded_under_another() {
    let (door, directory) = (Door::new(), tempfile::tempdir().unwrap());
    let spool = Spool::open_with(directory.path(), door.clone(), eager()).unwrap();
    let id = EventId::new();
    block_on(spool.accept(LOG, vec![event("taken").id(id)])).unwrap();
    door.set_away(true);
    accept(&spool, "before");
    block_on(spool.accept(LOG, vec![event("conflict").id(id), event("beside")])).unwrap();
    door.set_away(false);
    block_on(spool.drained());
    assert_eq!(door.actions(), ["taken", "before", "conflict", "beside"]);
    let conflict = door.events().remove(2);
    assert_eq!(conflict.attributes.get("spool.conflict"), Some(&*id.to_string()));
}

#[test]
fn the_fault_of_an_event_is_the_callers() {
    let (door, directory) = (Door::new(), tempfile::tempdir().unwrap());
    let spool = Spool::open(directory.path(), door.clone()).unwrap();
    for is_away in [false, true] {
        door.set_away(is_away);
        let error = block_on(spool.accept(LOG, vec![event("a*")])).unwrap_err();
        assert_eq!(error.field(), Some("events[0].action"));
    }
    assert_eq!(spool.pending(), 0);
}

#[test]
fn a_full_spool_refuses_and_says_so() {
    let (door, directory) = (Door::new(), tempfile::tempdir().unwrap());
    let notices = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&notices);
    let options = patient().with_max_events(2).on_notice(move |notice| {
        noted.lock().unwrap().push(match notice {
            SpoolNotice::Spooled { error, .. } => format!("spooled {}", error.is_some()),
            SpoolNotice::Full { error, .. } => format!("full {:?}", error.kind()),
            _ => return,
        });
    });
    let spool = Spool::open_with(directory.path(), door.clone(), options).unwrap();
    door.set_away(true);
    accept(&spool, "a");
    accept(&spool, "b");
    let error = block_on(spool.accept(LOG, vec![event("c")])).unwrap_err();
    assert!(error.is_retryable());
    assert_eq!(spool.pending(), 2);
    assert_eq!(*notices.lock().unwrap(), ["spooled true", "spooled false", "full Overloaded"]);
}

#[test]
fn one_process_has_a_spool() {
    let (door, directory) = (Door::new(), tempfile::tempdir().unwrap());
    let spool = Spool::open(directory.path(), door.clone()).unwrap();
    let error = Spool::open(directory.path(), door.clone()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Busy);
    drop(spool);
    assert!(Spool::open(directory.path(), door).is_ok());
}
