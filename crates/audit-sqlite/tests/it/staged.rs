//! Events staged by clients that know nothing of the store, in SQL of their own.
//!
//! This program runs itself as the stores that are killed. The long run:
//!
//! ```text
//! AUDIT_SQLITE_STAGING_KILLS=100 cargo test --release -p audit-sqlite --test it staged -- --nocapture
//! ```

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use std::{fs, thread};

use audit_core::{
    Actor, AuditContext, AuditStore, AuditStoreExt, ErrorKind, EventId, EventQuery, Log, NewEvent,
    Order, OrganizationId, RetentionStore, Staged, StagingStore,
};
use audit_sqlite::rusqlite::{Connection, TransactionBehavior};
use audit_sqlite::{STAGE, STAGE_ALL, SqliteOptions, SqliteStore};
use futures_executor::block_on;

use crate::common::{begin, kill_after, path, report, this_program, times};

const KILLS: usize = 8;
const KILLS_VARIABLE: &str = "AUDIT_SQLITE_STAGING_KILLS";

fn event(text: impl Into<String>) -> NewEvent {
    NewEvent::new("invoice.paid", Actor::user("u_7").name(text))
}

fn client(path: &Path) -> Connection {
    let client = Connection::open(path).unwrap();
    client.busy_timeout(Duration::from_secs(60)).unwrap();
    client
}

fn stage(client: &Connection, log: Log, event: NewEvent) -> EventId {
    let staged = Staged::new(log, vec![event]).unwrap();
    let (id, body) = staged.rows().next().unwrap();
    client.execute(STAGE, (log.as_bytes(), id.as_bytes(), body)).unwrap();
    id
}

/// A store that takes in nothing by itself.
fn quiet(path: &Path) -> SqliteStore {
    let options = SqliteOptions::default().with_staging_interval(None);
    SqliteStore::open_with(path, options).unwrap()
}

#[test]
fn one_statement_stages_all_events_in_their_order() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("audit.db");
    let store = quiet(&path);
    let mut client = client(&path);
    let logs = [Log::Platform, OrganizationId::new().into()];
    let names = ["plain", "\"quoted\", a \\ and a line\nbreak", "nothing: \0", "\u{1f980} 日本"];
    let events = |count: usize| (0..count).map(|n| event(names[n % 4]).reason(n.to_string()));
    for log in logs {
        let staged = Staged::new(log, events(300).collect()).unwrap();
        let transaction = client.transaction().unwrap();
        assert_eq!(transaction.execute(STAGE_ALL, [staged.to_json()]).unwrap(), 300);
        transaction.commit().unwrap();
        let unwanted = Staged::new(log, events(2).collect()).unwrap();
        let transaction = client.transaction().unwrap();
        transaction.execute(STAGE_ALL, [unwanted.to_json()]).unwrap();
        transaction.rollback().unwrap();
        let query = EventQuery::new(log).order(Order::Sequence).limit(1_000);
        let found = block_on(store.page(&query)).unwrap().events;
        assert!(found.iter().map(|event| event.id).eq(staged.rows().map(|(id, _)| id)));
        for (n, event) in found.iter().enumerate() {
            assert_eq!(event.actor.name.as_deref(), Some(names[n % 4]));
            assert_eq!(event.reason.as_deref(), Some(&n.to_string()[..]));
        }
    }
    let none = Staged::new(Log::Platform, Vec::new()).unwrap();
    assert_eq!(client.execute(STAGE_ALL, [none.to_json()]).unwrap(), 0);
}

#[test]
fn a_row_of_no_log_or_no_id_is_refused_too() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("audit.db");
    let store = quiet(&path);
    let client = client(&path);
    let staged = Staged::new(Log::Platform, vec![event("a")]).unwrap();
    let (id, body) = staged.rows().next().unwrap();
    client.execute(STAGE, (b"acme", id.as_bytes(), body)).unwrap();
    client.execute(STAGE, (b"", b"7", body)).unwrap();
    // A text need not be UTF-8.
    let cast = "INSERT INTO audit_staged (log, id, body) VALUES (x'', ?1, CAST(x'ff00' AS TEXT))";
    client.execute(cast, [id.as_bytes()]).unwrap();
    block_on(store.take_in()).unwrap();
    let refused = block_on(store.refused(0, 10)).unwrap();
    let reasons: Vec<_> = refused.iter().map(|refused| &refused.reason[..]).collect();
    assert_eq!(
        refused.iter().map(|refused| refused.log).collect::<Vec<_>>(),
        [None, Some(Log::Platform), Some(Log::Platform)]
    );
    assert_eq!(refused[1].id, None);
    assert_eq!(refused[2].body, [0xff, 0]);
    for (reason, field) in reasons.iter().zip(["`log`", "`id`", "`body`"]) {
        assert!(reason.contains(field), "{reason}");
    }
    let events = block_on(store.page(&EventQuery::new(Log::Platform))).unwrap().events;
    assert!(!events.is_empty() && events.iter().all(|event| event.by_store));
    block_on(store.drop_refused(refused[0].number, AuditContext::new(Actor::user("op")))).unwrap();
    assert_eq!(block_on(store.staged_counts()).unwrap().refused, 2);
}

#[test]
fn a_log_that_is_damaged_stops_no_other() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("audit.db");
    let store = quiet(&path);
    let client = client(&path);
    let logs = [(); 3].map(|()| Log::organization(OrganizationId::new()));
    for log in logs {
        block_on(store.record(log, event("first"))).unwrap();
    }
    let damage = "UPDATE audit_log SET frontier = x'00' WHERE name = ?1";
    client.execute(damage, [logs[1].as_bytes()]).unwrap();
    for _ in 0..3 {
        for log in logs {
            stage(&client, log, event("staged"));
        }
    }
    let error = block_on(store.take_in()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    for log in [logs[0], logs[2]] {
        assert_eq!(block_on(store.head(log)).unwrap().size.get(), 4);
    }
    let counts = block_on(store.staged_counts()).unwrap();
    assert_eq!((counts.waiting, counts.refused), (3, 0), "its events wait until it is mended");
    let error = block_on(store.head(logs[1])).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "a read does not leave them out");
}

#[test]
fn a_store_for_reading_shows_what_was_taken_in() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("audit.db");
    let store = quiet(&path);
    block_on(store.record(Log::Platform, event("a"))).unwrap();
    stage(&client(&path), Log::Platform, event("b"));
    let reader = SqliteStore::open_with(&path, SqliteOptions::default().read_only()).unwrap();
    assert_eq!(block_on(reader.head(Log::Platform)).unwrap().size.get(), 1);
    assert_eq!(block_on(store.head(Log::Platform)).unwrap().size.get(), 2);
    assert_eq!(block_on(reader.head(Log::Platform)).unwrap().size.get(), 2);
}

#[test]
fn what_is_staged_in_a_transaction_comes_before_what_is_numbered_in_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("audit.db");
    let store = quiet(&path);
    let mut client = client(&path);
    for commits in [false, true] {
        let behavior = TransactionBehavior::Immediate;
        let transaction = client.transaction_with_behavior(behavior).unwrap();
        let first = stage(&transaction, Log::Platform, event("a"));
        let receipts = store.append_in(&transaction, Log::Platform, vec![event("b")]).unwrap();
        assert_eq!(receipts[0].sequence.get(), 2);
        // An error leaves the transaction as it is, with what was staged.
        let conflict = event("c").id(first);
        let error = store.append_in(&transaction, Log::Platform, vec![conflict]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict);
        if commits {
            transaction.commit().unwrap();
        } else {
            transaction.rollback().unwrap();
        }
        let size = block_on(store.head(Log::Platform)).unwrap().size.get();
        assert_eq!(size, if commits { 2 } else { 0 });
    }
}

#[test]
fn an_erased_event_leaves_nothing_of_what_was_staged() {
    const SECRET: &str = "Anastasia Wintergreen";
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("audit.db");
    let store = SqliteStore::open(&path).unwrap();
    let client = client(&path);
    for n in 0..200 {
        stage(&client, Log::Platform, event(format!("{SECRET} {n}")).reason("x".repeat(n * 40)));
    }
    let size = block_on(store.head(Log::Platform)).unwrap().size;
    let sequences = (1..=size.get()).map(|n| n.try_into().unwrap()).collect();
    let by = AuditContext::new(Actor::user("officer"));
    block_on(store.erase_events(Log::Platform, sequences, by)).unwrap();
    drop((client, store));
    for file in fs::read_dir(&directory).unwrap() {
        let bytes = fs::read(file.unwrap().path()).unwrap();
        let found = bytes.windows(SECRET.len()).any(|window| window == SECRET.as_bytes());
        assert!(!found, "a name is left after its erasure");
    }
}

#[test]
fn staged_events_outlive_the_processes_that_take_them_in() {
    const CLIENTS: usize = 3;
    let kills = times(KILLS_VARIABLE, KILLS);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("service.db");
    drop(SqliteStore::open(&path).unwrap());
    let connection = client(&path);
    connection.execute("CREATE TABLE invoice (id BLOB PRIMARY KEY)", []).unwrap();
    let logs = [Log::Platform, Log::organization(OrganizationId::new())];
    let is_over = AtomicBool::new(false);
    let committed: Vec<Vec<EventId>> = thread::scope(|scope| {
        let stager = |n: usize| {
            let (path, is_over) = (&path, &is_over);
            move || {
                let mut client = client(path);
                let (mut ids, mut round) = (Vec::new(), 0);
                while !is_over.load(Ordering::Relaxed) {
                    round += 1;
                    let transaction =
                        client.transaction_with_behavior(TransactionBehavior::Immediate).unwrap();
                    let both = [(); 2].map(|()| stage(&transaction, logs[n % 2], event("a")));
                    for id in both {
                        let sql = "INSERT INTO invoice VALUES (?1)";
                        transaction.execute(sql, [id.as_bytes()]).unwrap();
                    }
                    if round % 5 == 0 {
                        transaction.rollback().unwrap();
                    } else {
                        transaction.commit().unwrap();
                        ids.extend(both);
                    }
                    thread::sleep(Duration::from_millis(1));
                }
                ids
            }
        };
        let clients: Vec<_> = (0..CLIENTS).map(|n| scope.spawn(stager(n))).collect();
        let mut taken_in = 0;
        for kill in 0..kills {
            let delay = Duration::from_millis(40 + 7 * (kill as u64 % 10));
            taken_in += kill_after(this_program("staged::sequencer", &path), delay).len();
        }
        is_over.store(true, Ordering::Relaxed);
        assert!(taken_in > 0, "no process ran long enough to take in anything");
        clients.into_iter().map(|client| client.join().unwrap()).collect()
    });
    let store = SqliteStore::open(&path).unwrap();
    let mut all = 0;
    for (n, log) in logs.into_iter().enumerate() {
        let request = audit_core::EntriesRequest::default().limit(usize::MAX);
        let entries = block_on(store.entries(log, request)).unwrap();
        let found: Vec<_> =
            entries.into_iter().map(|entry| entry.event.decode().unwrap().id).collect();
        all += found.len();
        for ids in committed.iter().skip(n).step_by(2) {
            let own: Vec<_> = found.iter().filter(|id| ids.contains(id)).copied().collect();
            assert_eq!(&own, ids, "each committed event once, in the order of its client");
        }
    }
    let invoices: i64 =
        connection.query_row("SELECT count(*) FROM invoice", [], |row| row.get(0)).unwrap();
    let count = committed.iter().map(Vec::len).sum::<usize>();
    assert_eq!((all, invoices.unsigned_abs()), (count, count as u64), "both or neither");
    println!("{kills} kills of a process that takes in, {all} events staged, all recorded once");
}

/// Runs in the other process: takes in what is staged, by its thread, by reads and by appends, and
/// reports the sizes that it sees.
#[test]
#[ignore = "run by another test, in its own process"]
fn sequencer() {
    let store = SqliteStore::open(path()).unwrap();
    begin();
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(60) {
        report(block_on(store.head(Log::Platform)).unwrap().size);
        thread::sleep(Duration::from_millis(3));
    }
}
