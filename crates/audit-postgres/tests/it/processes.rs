//! Several processes append at once.

use std::env;
use std::process::{Command, Stdio};

use audit_core::{
    Actor, AuditStore as _, AuditStoreExt as _, EventId, EventQuery, Filter, Log, NewEvent, Order,
    OrganizationId, Timestamp,
};
use audit_postgres::PostgresStore;
use futures_executor::block_on;
use futures_util::future::join_all;
use uuid::Uuid;

use crate::common::{database, open};

const URL: &str = "AUDIT_POSTGRES_TEST_URL";
const NAME: &str = "AUDIT_POSTGRES_TEST_NAME";
const PROCESSES: usize = 4;
/// The callers of a process, and the appends of each.
const CALLERS: u64 = 8;
const APPENDS: u64 = 25;

fn logs() -> [Log; 2] {
    [Log::Platform, Log::organization(OrganizationId::from_uuid(Uuid::from_u128(7)))]
}

/// The events of all processes are the same in part: `shared` has one id in each.
fn events(process: &str, caller: u64, number: u64) -> Vec<NewEvent> {
    let shared = format!("{caller} {number}");
    vec![
        NewEvent::new("task.step", Actor::user(format!("process_{process}"))),
        NewEvent::new("task.shared", Actor::user("shared"))
            .id(EventId::derived(Uuid::nil(), shared.as_bytes()))
            .occurred_at(Timestamp::from_nanos(7)),
    ]
}

#[test]
#[ignore = "run by the other test, in processes of its own"]
fn append_beside_others() {
    let variable = |name| env::var(name).expect("this process is started by another test");
    let store = block_on(PostgresStore::open(&variable(URL))).expect("the store opens");
    let process = variable(NAME);
    block_on(join_all((0..CALLERS).map(async |caller| {
        for number in 0..APPENDS {
            for log in logs() {
                let receipts = store.append(log, events(&process, caller, number)).await;
                assert_eq!(receipts.expect("it is recorded").len(), 2);
            }
        }
    })));
}

#[test]
fn several_processes_number_densely_and_know_each_others_events() {
    let database = database();
    drop(open(&database));
    let child = |process: usize| {
        Command::new(env::current_exe().expect("a program has a path"))
            .args(["--exact", "processes::append_beside_others", "--ignored"])
            .env(URL, database.url())
            .env(NAME, process.to_string())
            .stdout(Stdio::null())
            .spawn()
            .expect("this program can be started again")
    };
    let children: Vec<_> = (0..PROCESSES).map(child).collect();
    for mut child in children {
        assert!(child.wait().expect("it ends").success());
    }
    let store = open(&database);
    let own = CALLERS * APPENDS;
    for log in logs() {
        let size = store_size(&store, log);
        assert_eq!(size, own * PROCESSES as u64 + own, "nothing is lost, and nothing is twice");
        let query = EventQuery::new(log).order(Order::Sequence).limit(1_000);
        let mut events = Vec::new();
        let mut page = block_on(store.page(&query)).expect("it is read");
        loop {
            events.append(&mut page.events);
            let Some(next) = page.next else { break };
            page = block_on(store.next_page(&query, &next)).expect("it is read");
        }
        assert!(events.iter().map(|event| event.sequence.get()).eq(1..=size), "there is no gap");
        let counts = (0..PROCESSES).map(|process| (format!("process_{process}"), own));
        for (actor, expected) in counts.chain([("shared".to_owned(), own)]) {
            let query = EventQuery::new(log).filter(Filter::new().actor_id(actor));
            assert_eq!(block_on(store.count(&query)).expect("it is counted"), expected);
        }
    }
}

fn store_size(store: &PostgresStore, log: Log) -> u64 {
    block_on(store.head(log)).expect("it is read").size.get()
}
