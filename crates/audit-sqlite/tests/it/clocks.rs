//! A clock that is wrong: what is recorded, and what is kept.

use std::path::Path;
use std::time::Duration;

use audit_core::{
    Actor, AuditContext, AuditEvent, AuditStore as _, AuditStoreExt as _, ErrorKind, EventQuery,
    Log, NewEvent, Order, OrganizationId, Pruning, Retention, RetentionStore as _, Timestamp,
};
use audit_merkle::VerifyExt as _;
use audit_sqlite::SqliteStore;
use audit_sqlite::rusqlite::Connection;
use futures_executor::block_on;

const LOG: Log = Log::Platform;
const DAY: Duration = Duration::from_secs(86_400);

fn by() -> AuditContext {
    AuditContext::new(Actor::system())
}

fn append(store: &SqliteStore, log: Log, count: usize) {
    let events = (0..count).map(|_| NewEvent::new("a", Actor::user("u"))).collect();
    block_on(store.append(log, events)).unwrap();
}

fn last(store: &SqliteStore, log: Log) -> AuditEvent {
    let query = EventQuery::new(log).order(Order::SequenceReversed).limit(1);
    block_on(store.page(&query)).unwrap().events.remove(0)
}

/// Sets the time at which every log recorded last: the same as to set the clock.
fn set_recorded_at(path: &Path, time: Timestamp) {
    let connection = Connection::open(path).unwrap();
    connection.execute("UPDATE audit_log SET recorded_at = ?1", [time.as_nanos()]).unwrap();
}

#[test]
fn a_leap_of_the_clock_is_not_recorded_and_is_counted() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("audit.db");
    let store = SqliteStore::open(&path).unwrap();
    append(&store, LOG, 3);
    // The last event is of January 2024, so that the clock is more than two years ahead.
    let past: Timestamp = "2024-01-02T03:04:05Z".parse().unwrap();
    set_recorded_at(&path, past);
    append(&store, LOG, 2);
    let other = OrganizationId::new().into();
    append(&store, other, 1);
    for log in [LOG, other] {
        let event = last(&store, log);
        assert_eq!(event.recorded_at, past, "the time of the last event");
        assert!(event.clock_reading.unwrap() > past.saturating_add(730 * DAY));
    }
    // A year of silence is none; and another log that was in use confirms any clock.
    set_recorded_at(&path, Timestamp::now().saturating_sub(400 * DAY));
    append(&store, LOG, 1);
    assert_eq!(last(&store, LOG).clock_reading, None);
    let sql = "UPDATE audit_log SET recorded_at = 0 WHERE name <> x''";
    Connection::open(&path).unwrap().execute(sql, []).unwrap();
    append(&store, other, 1);
    assert_eq!(last(&store, other).clock_reading, None, "the platform's log confirms the clock");

    // A clock that goes back by more than a minute.
    let ahead = Timestamp::now().saturating_add(Duration::from_secs(3_600));
    set_recorded_at(&path, ahead);
    append(&store, LOG, 1);
    let event = last(&store, LOG);
    assert_eq!(event.recorded_at, ahead);
    assert!(event.clock_reading.unwrap() < ahead);
    let report = block_on(store.verify(LOG).into_future()).unwrap();
    assert_eq!((report.clock_faults, report.is_intact()), (3, true), "{report}");
    assert!(report.to_string().contains("3 events were recorded with a wrong clock"), "{report}");
}

#[test]
fn a_clock_years_ahead_prunes_nothing_by_age_unless_it_is_trusted() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("audit.db");
    let store = SqliteStore::open(&path).unwrap();
    // The events claim to be of 1971, and are kept by when they were recorded.
    let events = (0..100)
        .map(|_| NewEvent::new("a", Actor::user("u")).occurred_at(Timestamp::from_nanos(1 << 55)));
    block_on(store.append(LOG, events.collect())).unwrap();
    let kept = Retention::default().max_age(30 * DAY);
    block_on(store.set_retention(LOG, kept, by())).unwrap();
    assert_eq!(block_on(store.prune(LOG, by().into())).unwrap().events, 0);
    // Every event was recorded three years before now: the clock is three years ahead.
    let past = Timestamp::now().saturating_sub(1_095 * DAY);
    let connection = Connection::open(&path).unwrap();
    let sql = "UPDATE audit_event SET record = CAST(json_set(CAST(record AS TEXT),
         '$.recordedAt', ?1) AS BLOB)";
    connection.execute(sql, [past.to_string()]).unwrap();
    set_recorded_at(&path, past);
    let before = block_on(store.head(LOG)).unwrap();
    let error = block_on(store.prune(LOG, by().into())).unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::ClockAhead, false));
    assert_eq!(block_on(store.head(LOG)).unwrap(), before, "nothing was changed");
    let pruning = Pruning::from(by()).trusting_the_clock();
    assert_eq!(block_on(store.prune(LOG, pruning)).unwrap().events, 96);
}
