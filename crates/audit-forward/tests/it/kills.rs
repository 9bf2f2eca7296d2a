//! Processes that are killed while they forward: nothing is lost, nothing comes out of order, and one batch of
//! a log is repeated at most.
//!
//! ```text
//! AUDIT_FORWARD_KILLS=200 cargo test --release -p audit-forward --test it kills -- --nocapture
//! ```

use std::collections::HashMap;
use std::env;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use audit_core::{FollowerStore, Log};
use audit_forward::{EndpointOptions, Forwarder, WebhookSink};
use audit_postgres::PostgresStore;
use audit_postgres_server::Server;
use audit_sqlite::SqliteStore;

use crate::common::{append, new_log, options};
use crate::receiver::{Answer, Receiver, SECRET};

const STORE: &str = "AUDIT_FORWARD_STORE";
const URL: &str = "AUDIT_FORWARD_URL";

/// Opens the store of a URL of PostgreSQL, or of the path of a file.
async fn open(store: &str) -> Arc<dyn FollowerStore> {
    if store.starts_with("postgres") {
        Arc::new(PostgresStore::open(store).await.unwrap())
    } else {
        Arc::new(SqliteStore::open(store).unwrap())
    }
}

/// The process of the next tests.
#[tokio::test]
#[ignore = "run by another test"]
async fn forwarding_process() {
    let Ok(store) = env::var(STORE) else { return };
    let store = open(&store).await;
    let endpoint = EndpointOptions::default().with_plain_text().with_private_addresses();
    let sink = WebhookSink::new(&env::var(URL).unwrap(), &endpoint).unwrap();
    let sink = Arc::new(sink.with_secret(SECRET.parse().unwrap()));
    let options = options().with_batch_events(10).unwrap();
    let forwarder = Forwarder::new(store).sink(options, sink).unwrap();
    forwarder.run(std::future::pending()).await.unwrap();
}

fn spawn(store: &str, url: &str) -> Child {
    Command::new(env::current_exe().unwrap())
        .args(["--exact", "kills::forwarding_process", "--ignored"])
        .env(STORE, store)
        .env(URL, url)
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

fn kills(default: usize) -> usize {
    env::var("AUDIT_FORWARD_KILLS").map_or(default, |text| text.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_or_out_of_order_whatever_is_killed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("audit.db");
    nothing_is_lost(path.to_str().unwrap(), kills(3)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_postgres_is_lost_or_out_of_order_whatever_is_killed() {
    let database = Server::shared().unwrap().database().unwrap();
    nothing_is_lost(database.url(), kills(1)).await;
}

async fn nothing_is_lost(place: &str, kills: usize) {
    let store = open(place).await;
    // It also fails at times, after it has taken the events.
    let decide = |_: &_, at| match at % 23 {
        5 => Answer::Status(500, String::new()),
        11 => Answer::AcceptAndFail,
        17 => Answer::AcceptAndCut,
        _ => Answer::Accept,
    };
    let receiver = Receiver::start(decide).await;
    let logs = [Log::Platform, new_log(), new_log()];
    let mut size = 0;
    for kill in 0..kills {
        for log in logs {
            append(&*store, log, 100).await;
        }
        size += 100;
        let mut process = spawn(place, &receiver.url());
        let seen = receiver.requests().len() + 3 + kill % 20;
        receiver.wait_until(|requests| requests.len() >= seen).await;
        process.kill().unwrap();
        process.wait().unwrap();
    }
    let mut process = spawn(place, &receiver.url());
    receiver.wait_for(&logs, size).await;
    process.kill().unwrap();
    process.wait().unwrap();
    let mut last = HashMap::<Log, (u64, u64, u64)>::new();
    let mut repeated = 0;
    for request in receiver.requests() {
        let (first, next, furthest) = last.entry(request.log).or_insert((1, 1, 1));
        let begin = request.sequences[0];
        let is_next = if request.is_taken { begin == *next } else { true };
        assert!(is_next || begin == *first, "{begin} after {first} to {next}");
        repeated += usize::from(!is_next);
        if request.is_taken {
            (*first, *next) = (begin, begin + request.sequences.len() as u64);
            *furthest = (*furthest).max(*next);
            assert!(request.sequences.iter().copied().eq(*first..*next));
        }
    }
    // The last one may have ended in the middle of a batch that it repeated.
    assert!(last.values().all(|(_, _, furthest)| *furthest == size + 1), "{last:?}");
    println!(
        "{kills} kills, {} events, none lost or out of order, {repeated} batches repeated",
        size * 3
    );
}
