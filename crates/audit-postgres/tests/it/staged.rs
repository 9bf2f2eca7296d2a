//! Events staged by clients that know nothing of the store, in SQL of their own.
//!
//! This program runs itself as the stores that are killed. The long run:
//!
//! ```text
//! AUDIT_POSTGRES_STAGING_KILLS=100 cargo test --release -p audit-postgres --test it staged -- --nocapture
//! ```

use std::collections::HashSet;
use std::env;
use std::process::{Child, Command, Stdio};
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use audit_core::{
    Action, Actor, AuditContext, AuditStore as _, AuditStoreExt as _, EntriesRequest, ErrorKind,
    EventId, EventQuery, Log, NewEvent, OrganizationId, RetentionStore as _, Staged, StagingStore,
};
use audit_postgres::{PostgresOptions, PostgresStore};
use audit_postgres_server::Database;
use futures_executor::block_on;
use uuid::Uuid;

use crate::client::StagingClient;
use crate::common::{database, open};
use crate::roles::url_of;

const KILLS: usize = 6;
const KILLS_VARIABLE: &str = "AUDIT_POSTGRES_STAGING_KILLS";
const URL: &str = "AUDIT_POSTGRES_STAGING_URL";

fn event(text: impl Into<String>) -> NewEvent {
    NewEvent::new("invoice.paid", Actor::user("u_7").name(text))
}

fn staged(log: Log, events: Vec<NewEvent>) -> Staged {
    Staged::new(log, events).unwrap()
}

/// A store that takes in nothing by itself.
fn quiet(database: &Database) -> PostgresStore {
    let options = PostgresOptions::default().with_staging_interval(None);
    block_on(PostgresStore::open_with(database.url(), options)).unwrap()
}

fn size(store: &PostgresStore, log: Log) -> u64 {
    block_on(store.head(log)).unwrap().size.get()
}

#[test]
fn rows_of_psql_are_checked_when_they_are_taken_in() {
    let database = database();
    let store = quiet(&database);
    let log = Log::organization(OrganizationId::new());
    let stage = |log: &str, id: u128, body: &str| {
        let id = Uuid::from_u128(id);
        let sql = format!("SELECT audit.stage('{log}', ARRAY['{id}'::uuid], ARRAY['{body}'])");
        database.sql(&sql).unwrap();
    };
    let good = r#"{"v":1,"event":{"action":"invoice.paid","actor":{"kind":"user","id":"ana"}}}"#;
    for name in ["platform", &log.to_string(), &log.to_string().to_uppercase()] {
        stage(name, 1, good);
        stage(name, 2, &good.replace("user", ""));
        stage(name, 3, "");
    }
    for (log, refused) in [(Log::Platform, 2), (log, 4)] {
        let events = block_on(store.page(&EventQuery::new(log))).unwrap().events;
        let (own, of_store): (Vec<_>, Vec<_>) = events.iter().partition(|event| !event.by_store);
        assert_eq!(own.len(), 1, "the event is recorded once");
        assert_eq!(own[0].id.as_uuid().as_u128(), 1);
        assert_eq!(own[0].actor.id.as_deref(), Some("ana"));
        assert!(of_store.iter().all(|event| event.action == Action::LOG_STAGED_REFUSED));
        let counts = of_store.iter().filter_map(|event| event.attributes.get("count"));
        assert_eq!(counts.map(|count| count.parse::<u64>().unwrap()).sum::<u64>(), refused);
    }
    let refused = block_on(store.refused(0, 10)).unwrap();
    assert_eq!(refused.len(), 6);
    let reasons =
        refused.iter().filter(|refused| refused.reason.contains("`body.event.actor.kind`"));
    assert_eq!(reasons.count(), 3);
    // An operator drops one, and stages another one again.
    let by = AuditContext::new(Actor::user("operator"));
    block_on(store.drop_refused(refused[0].number, by)).unwrap();
    block_on(store.restage(refused[1].number)).unwrap();
    assert_eq!(block_on(store.staged_counts()).unwrap().waiting, 1);
    block_on(store.take_in()).unwrap();
    let counts = block_on(store.staged_counts()).unwrap();
    assert_eq!((counts.waiting, counts.refused), (0, 5));
}

#[test]
fn arguments_that_cannot_be_staged_fail_the_statement() {
    let database = database();
    drop(open(&database));
    let client = StagingClient::connect(database.url());
    let one = "ARRAY['00000000-0000-0000-0000-000000000001'::uuid]";
    for (arguments, code) in [
        (format!("NULL, {one}, ARRAY['']"), "22023"),
        (format!("'platform', {one}, ARRAY['', '']"), "22023"),
        (format!("'platform', {one}, NULL"), "22023"),
        ("'platform', NULL, NULL".to_owned(), "22023"),
        (format!("'acme', {one}, ARRAY['']"), "22P02"),
        (format!("'platform', {one}, ARRAY[NULL]"), "23502"),
        ("'platform', ARRAY[NULL::uuid], ARRAY['']".to_owned(), "23502"),
    ] {
        let error = client.fails(&format!("SELECT audit.stage({arguments})"));
        assert_eq!(error.1, code, "{arguments}: {error:?}");
    }
    client.run("SELECT audit.stage('platform', '{}', '{}')");
    assert_eq!(client.number("SELECT count(*) FROM audit.staged"), 0);
}

#[test]
fn a_client_needs_no_right_but_to_execute_the_function() {
    let database = database();
    let store = quiet(&database);
    let role = format!("client_{}", database.name());
    let grants = format!(
        "CREATE ROLE {role} LOGIN; GRANT USAGE ON SCHEMA audit TO {role};
         GRANT CREATE ON SCHEMA public TO {role}"
    );
    database.sql(&grants).unwrap();
    let client = StagingClient::connect(&url_of(&database, &role));
    let call = "SELECT audit.stage('platform', '{}', '{}')";
    assert_eq!(client.fails(call).1, "42501", "the function is not for everyone");
    let function = "audit.stage(text, uuid[], text[])";
    database.sql(&format!("GRANT EXECUTE ON FUNCTION {function} TO {role}")).unwrap();
    // What the function calls is not what the client has put into its way.
    client.run(
        "CREATE TABLE staged (log bytea, id uuid, body text);
         CREATE FUNCTION uuid_send(uuid) RETURNS bytea LANGUAGE sql AS $$ SELECT ''::bytea $$;
         SET search_path = public, pg_catalog, audit",
    );
    let log = Log::organization(OrganizationId::new());
    client.stage(&staged(log, vec![event("a")]));
    for table in ["staged", "refused", "event", "store"] {
        for sql in [format!("TABLE audit.{table}"), format!("DELETE FROM audit.{table}")] {
            assert_eq!(client.fails(&sql).1, "42501", "{sql}");
        }
    }
    assert_eq!((size(&store, log), size(&store, Log::Platform)), (1, 0));
    drop(client);
    database.sql(&format!("DROP OWNED BY {role}; DROP ROLE {role}")).unwrap();
}

#[test]
fn a_log_that_is_damaged_stops_no_other() {
    let database = database();
    let store = quiet(&database);
    let client = StagingClient::connect(database.url());
    let logs = [(); 3].map(|()| Log::organization(OrganizationId::new()));
    for log in logs {
        block_on(store.record(log, event("first"))).unwrap();
    }
    let Log::Organization(id) = logs[1] else { panic!("a log of an organization") };
    let damage = "UPDATE audit.log SET frontier = '\\x00' WHERE log = uuid_send";
    database.sql(&format!("{damage}('{id}')")).unwrap();
    for _ in 0..3 {
        for log in logs {
            client.stage(&staged(log, vec![event("staged")]));
        }
    }
    let error = block_on(store.take_in()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    for log in [logs[0], logs[2]] {
        assert_eq!(size(&store, log), 4);
    }
    let counts = block_on(store.staged_counts()).unwrap();
    assert_eq!((counts.waiting, counts.refused), (3, 0), "its events wait until it is mended");
    let error = block_on(store.head(logs[1])).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "a read does not leave them out");
}

#[test]
fn a_store_for_reading_shows_what_was_taken_in() {
    let database = database();
    let store = quiet(&database);
    block_on(store.record(Log::Platform, event("a"))).unwrap();
    StagingClient::connect(database.url()).stage(&staged(Log::Platform, vec![event("b")]));
    let options = PostgresOptions::default().read_only();
    let reader = block_on(PostgresStore::open_with(database.url(), options)).unwrap();
    assert_eq!(size(&reader, Log::Platform), 1);
    assert_eq!(block_on(reader.take_in()).unwrap_err().kind(), ErrorKind::ReadOnly);
    assert_eq!(size(&store, Log::Platform), 2);
    assert_eq!(size(&reader, Log::Platform), 2);
}

#[test]
fn many_logs_and_many_bytes_are_taken_in_by_several_steps() {
    let database = database();
    let store = quiet(&database);
    let client = StagingClient::connect(database.url());
    // More logs than a step locks, more rows than it takes of one, and more bytes than it takes at all.
    let sql = "INSERT INTO audit.staged (log, id, body)
        SELECT decode(md5(m::text), 'hex'), gen_random_uuid(), format(
            '{\"v\":1,\"event\":{\"action\":\"n%s\",\"actor\":{\"kind\":\"user\"}}}%s', n,
            repeat(' ', CASE m WHEN 600 THEN 1500000 ELSE 0 END))
        FROM generate_series(1, 600) m, generate_series(1, CASE m WHEN 1 THEN 2500 ELSE 20 END) n";
    client.run(sql);
    block_on(store.take_in()).unwrap();
    let counts = block_on(store.staged_counts()).unwrap();
    assert_eq!((counts.waiting, counts.refused), (0, 0));
    let md5 = |n: u32| {
        client.number(&format!("SELECT size FROM audit.log WHERE log = decode(md5('{n}'), 'hex')"))
    };
    assert_eq!((md5(1), md5(2), md5(600)), (2500, 20, 20));
    assert_eq!(client.number("SELECT count(*) FROM audit.event"), 2500 + 599 * 20);
    // In their order.
    let sql = "SELECT count(*) FROM audit.event WHERE record LIKE '%\"n' || sequence || '\"%'";
    assert_eq!(client.number(sql), 2500 + 599 * 20);
}

#[test]
fn an_append_takes_in_all_that_was_staged_before() {
    let database = database();
    let store = quiet(&database);
    let client = StagingClient::connect(database.url());
    let events = (0..2_200).map(|_| event("a")).collect();
    client.stage(&staged(Log::Platform, events));
    let receipt = block_on(store.record(Log::Platform, event("b"))).unwrap();
    assert_eq!(receipt.sequence.get(), 2_201);
}

#[test]
fn an_erased_event_leaves_nothing_in_the_queue() {
    const SECRET: &str = "Anastasia Wintergreen";
    let database = database();
    let store = quiet(&database);
    let client = StagingClient::connect(database.url());
    let long = event(SECRET).reason("x".repeat(30_000));
    client.stage(&staged(Log::Platform, vec![event(SECRET), long]));
    let size = block_on(store.head(Log::Platform)).unwrap().size;
    let sequences = (1..=size.get()).map(|n| n.try_into().unwrap()).collect();
    let by = AuditContext::new(Actor::user("officer"));
    block_on(store.erase_events(Log::Platform, sequences, by)).unwrap();
    client.run("CREATE EXTENSION IF NOT EXISTS pageinspect");
    let rows =
        "SELECT count(*) FROM generate_series(0, pg_relation_size('audit.staged') / 8192 - 1) p,
        heap_page_items(get_raw_page('audit.staged', p::int)) i WHERE i.t_data IS NOT NULL";
    assert_eq!(client.number(rows), 0, "no version of a row is left");
}

#[test]
fn staged_events_outlive_the_processes_that_take_them_in() {
    const CLIENTS: usize = 64;
    let kills = env::var(KILLS_VARIABLE).map_or(KILLS, |kills| kills.parse().unwrap());
    let clients = if kills > KILLS { CLIENTS } else { CLIENTS / 8 };
    let database = database();
    drop(open(&database));
    database.sql("CREATE TABLE invoice (id uuid PRIMARY KEY)").unwrap();
    let logs = [Log::Platform, Log::organization(OrganizationId::new())];
    let (is_over, taken_in) = (AtomicBool::new(false), AtomicUsize::new(0));
    let begin = Barrier::new(clients + 1);
    let committed: Vec<Vec<EventId>> = thread::scope(|scope| {
        let caller = |n: usize| {
            let (database, is_over, begin) = (&database, &is_over, &begin);
            move || {
                let client = StagingClient::connect(database.url());
                begin.wait();
                let (mut ids, mut round) = (Vec::new(), 0);
                while !is_over.load(Ordering::Relaxed) {
                    round += 1;
                    client.run("BEGIN");
                    let both = staged(logs[n % 2], vec![event("a"), event("b")]);
                    client.stage(&both);
                    let both: Vec<_> = both.rows().map(|(id, _)| id).collect();
                    client.run(&format!(
                        "INSERT INTO invoice VALUES ('{}'), ('{}')",
                        both[0], both[1]
                    ));
                    thread::sleep(Duration::from_millis(20));
                    if round % 5 == 0 {
                        client.run("ROLLBACK");
                    } else {
                        client.run("COMMIT");
                        ids.extend(both);
                    }
                }
                ids
            }
        };
        let callers: Vec<_> = (0..clients).map(|n| scope.spawn(caller(n))).collect();
        begin.wait();
        let watcher = StagingClient::connect(database.url());
        let events = || watcher.number("SELECT coalesce(sum(size), 0)::bigint FROM audit.log");
        for kill in 0..kills {
            let before = events();
            let mut sequencer = sequencer(&database);
            // Not before it works, and then at some moment.
            let start = Instant::now();
            while events() == before && start.elapsed() < Duration::from_secs(60) {
                thread::sleep(Duration::from_millis(2));
            }
            taken_in.fetch_add(usize::from(events() > before), Ordering::Relaxed);
            thread::sleep(Duration::from_micros(700 * (kill as u64 % 37)));
            sequencer.kill().unwrap();
            sequencer.wait().unwrap();
        }
        is_over.store(true, Ordering::Relaxed);
        callers.into_iter().map(|caller| caller.join().unwrap()).collect()
    });
    assert_eq!(taken_in.into_inner(), kills, "each process took in something before it was killed");
    let store = quiet(&database);
    let mut all = 0;
    for (n, log) in logs.into_iter().enumerate() {
        let request = EntriesRequest::default().limit(usize::MAX);
        let entries = block_on(store.entries(log, request)).unwrap();
        assert!(entries.iter().map(|entry| entry.sequence.get()).eq(1..=entries.len() as u64));
        let found: Vec<_> =
            entries.into_iter().map(|entry| entry.event.decode().unwrap().id).collect();
        all += found.len();
        for ids in committed.iter().skip(n).step_by(2) {
            let own: HashSet<_> = ids.iter().collect();
            let own: Vec<_> = found.iter().filter(|id| own.contains(id)).copied().collect();
            assert_eq!(&own, ids, "each committed event once, in the order of its client");
        }
    }
    let count = committed.iter().map(Vec::len).sum::<usize>();
    let invoices = StagingClient::connect(database.url()).number("SELECT count(*) FROM invoice");
    assert_eq!((all, invoices.unsigned_abs()), (count, count as u64), "both or neither");
    println!(
        "{kills} kills of a process that takes in, {clients} callers, {all} events staged and \
         committed: 0 lost, 0 twice"
    );
}

fn sequencer(database: &Database) -> Child {
    Command::new(env::current_exe().unwrap())
        .args(["--exact", "staged::sequencer_process", "--ignored"])
        .env(URL, database.url())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Runs in the other process: takes in what is staged, by its task, by reads and by appends.
#[test]
#[ignore = "run by another test, in its own process"]
fn sequencer_process() {
    let store = block_on(PostgresStore::open(&env::var(URL).unwrap())).unwrap();
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(120) {
        size(&store, Log::Platform);
        thread::sleep(Duration::from_millis(3));
    }
}

#[test]
fn several_processes_take_in_the_same_logs() {
    let database = database();
    drop(open(&database));
    let mut processes = [sequencer(&database), sequencer(&database)];
    let store = open(&database);
    let client = StagingClient::connect(database.url());
    let logs = [Log::Platform, Log::organization(OrganizationId::new())];
    let mut sent = [const { Vec::new() }; 2];
    for round in 0..60_usize {
        client.run("BEGIN");
        for (log, sent) in logs.into_iter().zip(&mut sent) {
            let staged = staged(log, vec![event("a"), event("b")]);
            client.stage(&staged);
            sent.extend(staged.ids());
        }
        client.run("COMMIT");
        if round % 3 == 0 {
            let next = 2 * (round as u64 + 1);
            assert_eq!(size(&store, logs[round % 2]), next, "a read sees what was committed");
        }
    }
    for (log, sent) in logs.into_iter().zip(sent) {
        let request = EntriesRequest::default().limit(usize::MAX);
        let entries = block_on(store.entries(log, request)).unwrap();
        let found = entries.into_iter().map(|entry| *entry.event.decode().unwrap().id.as_uuid());
        assert_eq!(found.collect::<Vec<_>>(), sent);
    }
    for process in &mut processes {
        process.kill().unwrap();
        process.wait().unwrap();
    }
}
