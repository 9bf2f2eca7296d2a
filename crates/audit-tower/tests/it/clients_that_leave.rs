//! Clients that hang up, handlers that panic, and services that are killed. Every change has its event.
//!
//! ```text
//! AUDIT_TOWER_HANG_UPS=10000 AUDIT_TOWER_KILLS=50 \
//!     cargo test --release -p audit-tower --test it clients_that_leave -- --nocapture
//! ```

use std::env;
use std::future::pending;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use audit_core::{Actor, AuditContext, AuditStoreExt as _, EventQuery, Filter, Log, NewEvent};
use audit_memory::MemoryStore;
use audit_sqlite::SqliteStore;
use audit_sqlite::rusqlite::Connection;
use audit_tower::{Audit, AuditLayer, NotRecorded};
use axum::Router;
use axum::extract::State;
use axum::http::{Method, StatusCode};
use axum::routing::{get, post};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex, OwnedMutexGuard};
use tower::ServiceExt as _;

use crate::common::{layer, list, outcomes, request};

async fn panics() -> StatusCode {
    std::panic::resume_unwind(Box::new(()))
}

#[tokio::test]
async fn a_request_that_is_dropped_or_panics_leaves_an_event_whose_outcome_is_unknown() {
    let waits = async |audit: Audit| {
        audit.record("waits").on_response()?;
        pending::<()>().await;
        Ok::<_, NotRecorded>(())
    };
    let records = async |audit: Audit| {
        audit.record("records").await?;
        pending::<()>().await;
        Ok::<_, NotRecorded>(())
    };
    let store = MemoryStore::new().unwrap();
    let router = Router::new()
        .route("/silent", post(pending::<()>).get(pending::<()>))
        .route("/waits", post(waits))
        .route("/records", post(records))
        .route("/panics", post(panics))
        .layer(layer(&store));
    for (method, path) in [
        (Method::POST, "/silent"),
        (Method::GET, "/silent"),
        (Method::POST, "/waits"),
        (Method::POST, "/records"),
    ] {
        let mut response = Box::pin(router.clone().oneshot(request(method, path)));
        assert!(futures_util::poll!(&mut response).is_pending());
    }
    let panicked = tokio::spawn(router.oneshot(request(Method::POST, "/panics"))).await;
    assert!(panicked.unwrap_err().is_panic());
    let expected = list(&[
        ("http.post", "unknown cancelled"),
        ("waits", "unknown cancelled"),
        ("records", "success"),
        ("http.post", "unknown panic"),
    ]);
    assert_eq!(outcomes(&store).await, expected);
}

/// A service that pays invoices in its own table, in its own transactions.
#[derive(Clone)]
struct Service {
    store: SqliteStore,
    writer: Arc<Mutex<Connection>>,
    next: Arc<AtomicU64>,
}

impl Service {
    fn open(path: &Path) -> Self {
        let store = SqliteStore::open(path).unwrap();
        let connection = Connection::open(path).unwrap();
        connection
            .execute_batch("CREATE TABLE IF NOT EXISTS paid (invoice INTEGER PRIMARY KEY)")
            .unwrap();
        let last = "SELECT coalesce(max(invoice), 0) FROM paid";
        let last: i64 = connection.query_row(last, [], |row| row.get(0)).unwrap();
        let next = Arc::new(AtomicU64::new(last.cast_unsigned() + 1));
        connection.busy_timeout(Duration::from_secs(30)).unwrap();
        Self { store, writer: Arc::new(Mutex::new(connection)), next }
    }

    fn router(&self) -> Router {
        let layer =
            AuditLayer::new(self.store.clone(), |_| Some(AuditContext::new(Actor::user("u_7"))));
        Router::new().route("/pay", post(pay)).layer(layer).with_state(self.clone())
    }
}

/// Rolls back what is not committed.
struct Transaction(OwnedMutexGuard<Connection>);

impl Drop for Transaction {
    fn drop(&mut self) {
        if !self.0.is_autocommit() {
            self.0.execute_batch("ROLLBACK").unwrap();
        }
    }
}

/// May be dropped at every `await`.
async fn pay(State(service): State<Service>) -> StatusCode {
    let transaction = Transaction(service.writer.lock_owned().await);
    let number = service.next.fetch_add(1, Ordering::Relaxed);
    transaction.0.execute_batch("BEGIN IMMEDIATE").unwrap();
    let invoice = i64::try_from(number).unwrap();
    transaction.0.execute("INSERT INTO paid VALUES (?)", [invoice]).unwrap();
    if number % 3 == 0 {
        tokio::task::yield_now().await;
    }
    let event = NewEvent::here("invoice.paid").unwrap().target("invoice", number.to_string());
    service.store.append_in(&transaction.0, Log::Platform, vec![event]).unwrap();
    if number % 5 == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    transaction.0.execute_batch("COMMIT").unwrap();
    drop(transaction);
    tokio::time::sleep(Duration::from_millis(number % 3)).await;
    StatusCode::NO_CONTENT
}

/// Returns the invoices in the table, and those of the events.
async fn both(path: &Path) -> (Vec<String>, Vec<String>) {
    let store = SqliteStore::open(path).unwrap();
    let connection = Connection::open(path).unwrap();
    let mut rows = connection.prepare("SELECT invoice FROM paid").unwrap();
    let rows = rows.query_map([], |row| Ok(row.get::<_, i64>(0)?.to_string())).unwrap();
    let mut changes: Vec<_> = rows.map(Result::unwrap).collect();
    let query = EventQuery::new(Log::Platform).filter(Filter::new().action("invoice.paid"));
    let events = store.walk(query.limit(1_000));
    let mut paid: Vec<String> = futures_util::TryStreamExt::try_collect::<Vec<_>>(events)
        .await
        .unwrap()
        .into_iter()
        .map(|event| event.targets[0].id.clone().unwrap())
        .collect();
    changes.sort();
    paid.sort();
    (changes, paid)
}

const CLIENTS: u64 = 16;

/// Sends requests, each without waiting for the response to the one before for longer than `patience`
/// allows, and counts the answers.
async fn client(
    address: SocketAddr,
    number: u64,
    requests: u64,
    patience: fn(u64) -> Duration,
    answers: Arc<AtomicU64>,
) {
    let mut random = number;
    for _ in 0..requests {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(number);
        let Ok(mut stream) = TcpStream::connect(address).await else { break };
        if stream.write_all(b"POST /pay HTTP/1.1\r\nHost: x\r\n\r\n").await.is_err() {
            break;
        }
        let answer = tokio::time::timeout(patience(random >> 33), stream.read_u8()).await;
        answers.fetch_add(u64::from(matches!(answer, Ok(Ok(_)))), Ordering::Relaxed);
    }
}

/// Lets clients send requests until they have sent all or the service is gone.
async fn clients(
    address: SocketAddr,
    requests: u64,
    patience: fn(u64) -> Duration,
    answers: Arc<AtomicU64>,
) {
    let each = requests / CLIENTS;
    let clients = (1..=CLIENTS)
        .map(|n| tokio::spawn(client(address, n, each, patience, Arc::clone(&answers))));
    for client in clients.collect::<Vec<_>>() {
        client.await.unwrap();
    }
}

fn times(variable: &str, usual: u64) -> u64 {
    env::var(variable).map_or(usual, |text| text.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_are_events_although_clients_hang_up() {
    let requests = times("AUDIT_TOWER_HANG_UPS", 480);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("audit.db");
    let service = Service::open(&path);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let shutdown = async { stopped.await.unwrap_or(()) };
    let server = axum::serve(listener, service.router()).with_graceful_shutdown(shutdown);
    let server = tokio::spawn(server.into_future());
    let answers = Arc::new(AtomicU64::new(0));
    let patience = |random| Duration::from_micros(500 * (random % 32));
    clients(address, requests, patience, Arc::clone(&answers)).await;
    let answers = answers.load(Ordering::Relaxed);
    stop.send(()).unwrap();
    server.await.unwrap().unwrap();
    drop(service);
    let (changes, events) = both(&path).await;
    assert_eq!(changes, events);
    assert!(answers < requests, "no client hung up, so the test proves nothing");
    println!("{requests} requests, {answers} answered: {} changes and events", changes.len());
}

const PATH: &str = "AUDIT_TOWER_PATH";

/// The service of the next test, in its own process.
#[tokio::test]
#[ignore = "run by another test"]
async fn service() {
    let Some(path) = env::var_os(PATH) else { return };
    let service = Service::open(Path::new(&path));
    let router = service.router().route("/health", get(|| async {}));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("\nlistening {}", listener.local_addr().unwrap());
    axum::serve(listener, router).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_are_events_when_the_service_is_killed() {
    let kills = times("AUDIT_TOWER_KILLS", 2);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("audit.db");
    let answers = Arc::new(AtomicU64::new(0));
    for kill in 0..kills {
        let mut process = Command::new(env::current_exe().unwrap())
            .args(["--exact", "clients_that_leave::service", "--ignored", "--nocapture"])
            .env(PATH, &path)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let address = lines.map_while(Result::ok).find_map(|line| {
            line.strip_prefix("listening ").map(|address| address.parse().unwrap())
        });
        let enough = answers.load(Ordering::Relaxed) + 5 + kill % 20;
        let patience = |_| Duration::from_secs(60);
        let load = clients(address.unwrap(), 100_000, patience, Arc::clone(&answers));
        let load = tokio::spawn(load);
        while answers.load(Ordering::Relaxed) < enough {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        process.kill().unwrap();
        process.wait().unwrap();
        load.await.unwrap();
        let (changes, events) = both(&path).await;
        assert_eq!(changes, events, "after {} kills", kill + 1);
        assert!(changes.len() as u64 >= answers.load(Ordering::Relaxed));
    }
    println!("{kills} kills, {answers:?} requests answered, changes and events equal each time");
}
