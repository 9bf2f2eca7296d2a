//! Erasure reaches every byte of the files.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::Path;

use audit_core::{
    Actor, AuditContext, AuditStore, AuditStoreExt, DamagedEvent, EntriesRequest, Erasure,
    ErrorKind, EventQuery, FeedStart, Filter, Log, NewEvent, OrganizationId,
    RetentionStoreExt as _, Sequence,
};
use audit_sqlite::rusqlite::Connection;
use audit_sqlite::{SqliteOptions, SqliteStore};
use futures_executor::block_on;

/// Returns the number of subjects to erase; the long run has 1,000.
fn subjects() -> usize {
    std::env::var("AUDIT_SQLITE_SUBJECTS").map_or(200, |n| n.parse().unwrap())
}

/// Returns a text that occurs nowhere else.
fn mark(subject: usize) -> String {
    format!("<subject-{subject}-of-all>")
}

fn event(subject: usize, number: usize) -> NewEvent {
    let mark = mark(subject);
    let actor = Actor::user(format!("u_{subject}"))
        .email(format!("{mark}@acme.example"))
        .name(&mark)
        .ip(format!("{mark}.ip"));
    NewEvent::new("invoice.paid", actor)
        .target("invoice", format!("inv_{number}"))
        // Texts of all sizes, some longer than a page.
        .message(format!("{mark} {}", "x".repeat(number * 37 % 900)))
        .reason(format!("{mark} {}", "y".repeat(if number.is_multiple_of(40) { 9_000 } else { 0 })))
        .metadata("customer", mark)
}

/// Returns every file of the store, with its bytes.
fn bytes(directory: &Path) -> Vec<(String, Vec<u8>)> {
    let files = fs::read_dir(directory).unwrap().map(|file| file.unwrap());
    files
        .map(|file| (file.file_name().into_string().unwrap(), fs::read(file.path()).unwrap()))
        .collect()
}

/// Returns the sealing keys, by their numbers.
fn keys(path: &Path) -> HashMap<i64, Vec<u8>> {
    let connection = Connection::open(path).unwrap();
    let mut statement = connection.prepare("SELECT id, key FROM audit_sealing_key").unwrap();
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    rows.map(Result::unwrap).collect()
}

/// Appends to many logs in turns, so that SQLite often splits pages and moves rows.
#[test]
fn nothing_of_a_subject_is_left_in_any_file() {
    const LOGS: usize = 20;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("audit.db");
    let store = SqliteStore::open(&path).unwrap();
    let logs: Vec<Log> = (0..LOGS).map(|_| OrganizationId::new().into()).collect();
    let subjects = subjects();
    for round in 0..4 {
        for (number, log) in logs.iter().enumerate() {
            // Each subject has some events in each log. The last subject is not erased.
            let of_round = (0..=subjects)
                .filter(|subject| (subject + round) % LOGS == number || subject + 1 > subjects);
            let events = of_round.map(|subject| event(subject, subject + round)).collect();
            block_on(store.append(*log, events)).unwrap();
        }
    }
    let frontiers: Vec<_> =
        logs.iter().map(|log| block_on(store.frontier(*log)).unwrap()).collect();
    let records = |log: &Log| {
        let all = block_on(
            store.entries(*log, EntriesRequest::default().after(Sequence::ZERO).limit(usize::MAX)),
        )
        .unwrap();
        all.into_iter().map(|entry| entry.event.record).collect::<Vec<_>>()
    };
    let before: Vec<_> = logs.iter().map(records).collect();

    // Erases all subjects but the last, by e-mail.
    let old = keys(&path);
    let mut erased = 0;
    for log in &logs {
        for chunk in (0..subjects).collect::<Vec<_>>().chunks(50) {
            let filter = chunk.iter().fold(Filter::new(), |filter, subject| {
                filter.actor_email(format!("{}@acme.example", mark(*subject)))
            });
            let by = AuditContext::new(Actor::system()).reason("asked for");
            let done = block_on(store.erase(*log, Erasure::matching(filter), by)).unwrap();
            erased += done.events;
        }
    }
    assert_eq!(erased, subjects as u64 * 4);
    let new = keys(&path);
    let is_gone = |(id, key): &(i64, Vec<u8>)| new[id] != *key;
    let gone: HashSet<_> = old.into_iter().filter(is_gone).map(|(_, key)| key).collect();
    // Enough sealing keys were overwritten for the erased events.
    assert!(gone.len() as u64 * 32 >= erased && gone.len() >= LOGS);

    // Run while the store is open, and after it is closed.
    let assert_erased = || {
        let kept = mark(subjects).into_bytes();
        for (name, bytes) in bytes(directory.path()) {
            for (at, _) in bytes.windows(9).enumerate().filter(|(_, w)| *w == b"<subject-") {
                assert!(bytes[at..].starts_with(&kept), "{name}: a text is left at {at}");
            }
            let key = bytes.windows(32).find(|found| gone.contains(*found));
            assert_eq!(key, None, "{name}: a key is left");
        }
    };
    assert_erased();
    for (number, log) in logs.iter().enumerate() {
        let head = block_on(store.head(*log)).unwrap();
        let after = records(log);
        // The events about the erasure come after the others, whose records are unchanged.
        assert_eq!(after[..before[number].len()], before[number]);
        assert_eq!(head.size.get(), after.len() as u64);
        let frontier = block_on(store.frontier(*log)).unwrap();
        assert!(frontier.size() > frontiers[number].size());
        let kept = format!("{}@acme.example", mark(subjects));
        let kept = EventQuery::new(*log).filter(Filter::new().actor_email(kept));
        assert_eq!(block_on(store.count(&kept)).unwrap(), 4);
        assert!(!block_on(store.page(&kept)).unwrap().events[0].erased);
    }
    drop(store);
    assert_erased();
    println!("{subjects} subjects, {erased} events in {LOGS} logs: no text and no key left");
}

#[test]
fn an_erasure_waits_for_readers_and_can_be_called_again() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("audit.db");
    let options = SqliteOptions::default();
    let store = SqliteStore::open_with(&path, options).unwrap();
    block_on(store.append(Log::Platform, vec![event(1, 1)])).unwrap();
    // A reader keeps its snapshot open.
    let reader = Connection::open(&path).unwrap();
    reader.execute_batch("BEGIN; SELECT count(*) FROM audit_event;").unwrap();
    let by = || AuditContext::new(Actor::system());
    let of = || Erasure::matching(Filter::new().actor_id("u_1"));
    let error = block_on(store.erase(Log::Platform, of(), by())).unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Pending, true));
    // New reads see the event erased, and appends still work.
    let page = block_on(store.page(&EventQuery::new(Log::Platform))).unwrap();
    assert!(page.events.iter().any(|event| event.erased));
    block_on(store.append(Log::Platform, vec![event(2, 2)])).unwrap();
    reader.execute_batch("COMMIT").unwrap();
    let again = block_on(store.erase(Log::Platform, of(), by())).unwrap();
    assert_eq!(again.events, 0);
    for (name, bytes) in bytes(directory.path()) {
        let mark = mark(1).into_bytes();
        assert!(!bytes.windows(mark.len()).any(|window| window == mark), "{name}");
    }
    let feed = block_on(store.feed(&EventQuery::new(Log::Platform), FeedStart::Beginning)).unwrap();
    assert_eq!(feed.events.len(), 3);
}

#[test]
fn appends_go_on_while_an_erasure_waits_for_a_reader() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("audit.db");
    let store = SqliteStore::open(&path).unwrap();
    block_on(store.append(Log::Platform, vec![event(0, 0), event(1, 1)])).unwrap();
    let reader = Connection::open(&path).unwrap();
    reader.execute_batch("BEGIN; SELECT count(*) FROM audit_event;").unwrap();
    let erased = std::thread::scope(|scope| {
        let erasure = scope.spawn(|| {
            let filter = Filter::new().actor_id("u_0");
            let by = AuditContext::new(Actor::system());
            block_on(store.erase(Log::Platform, Erasure::matching(filter), by))
        });
        let committed = Sequence::new(2).unwrap();
        block_on(store.wait_for_append(Log::Platform, committed)).unwrap();
        for number in 0..20 {
            block_on(store.record(OrganizationId::new(), event(2, number))).unwrap();
        }
        assert!(!erasure.is_finished(), "the erasure waits for the reader");
        reader.execute_batch("COMMIT").unwrap();
        erasure.join().unwrap()
    });
    assert_eq!(erased.unwrap().events, 1);
}

#[test]
fn a_damaged_event_does_not_keep_the_others_from_being_erased() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("audit.db");
    let store = SqliteStore::open(&path).unwrap();
    block_on(store.append(Log::Platform, (0..9).map(|n| event(n % 2, n)).collect())).unwrap();
    let damage = |column, sequence| {
        let sql =
            format!("UPDATE audit_event SET {column} = x'7b' WHERE event_key & 255 = {sequence}");
        assert_eq!(Connection::open(&path).unwrap().execute(&sql, []).unwrap(), 1);
    };
    damage("record", 3); // of the subject 0
    damage("personal", 5); // of the subject 0; what cannot be decrypted counts as erased
    let by = AuditContext::new(Actor::system());
    let of_subject = Erasure::matching(Filter::new().actor_id("u_0"));
    let erased = block_on(store.erase(Log::Platform, of_subject.clone(), by.clone())).unwrap();
    assert_eq!(erased.events, 3);
    assert_eq!(erased.damaged, [DamagedEvent::Sequence(Sequence::new(3).unwrap())]);
    let entries = block_on(store.entries(Log::Platform, EntriesRequest::default())).unwrap();
    let left: Vec<_> = entries.iter().filter(|entry| entry.event.personal.is_some()).collect();
    let left: Vec<_> = left.iter().map(|entry| entry.sequence.get()).collect();
    assert_eq!(left, [2, 3, 4, 6, 8, 10]);
    // The index still had the terms of what cannot be decrypted.
    assert_eq!(block_on(store.reindex(Log::Platform)).unwrap().len(), 1);
    assert_eq!(block_on(store.check_derived(Log::Platform)).unwrap(), []);
    // Those that are named are reported, too.
    let first = block_on(store.record(Log::Platform, event(0, 20))).unwrap();
    damage("record", first.sequence.get());
    let named = Erasure::Events(vec![first.id]);
    let erased = block_on(store.erase(Log::Platform, named, by)).unwrap();
    assert_eq!((erased.events, erased.damaged), (0, vec![DamagedEvent::Id(first.id)]));
}
