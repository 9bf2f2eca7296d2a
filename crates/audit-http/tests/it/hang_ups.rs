//! Clients that disconnect while their request is handled. Every change that a handler made has its
//! event, whether or not the client waited for the response.
//!
//! ```text
//! AUDIT_HTTP_HANG_UPS=10000 cargo test --release -p audit-http --test it hang_ups -- --nocapture
//! ```

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use audit_core::{Actor, AuditStoreExt as _, EventQuery, Filter, Log, NewEvent};
use audit_sqlite::SqliteStore;
use audit_sqlite::rusqlite::Connection;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

/// The number of clients that send requests at once.
const CLIENTS: u64 = 16;

#[derive(Clone)]
struct Service {
    store: SqliteStore,
    /// The number of paid invoices.
    changes: Arc<AtomicU64>,
    /// The number of handlers that ran to their end.
    answered: Arc<AtomicU64>,
}

async fn pay(State(service): State<Service>) -> StatusCode {
    service.changes.fetch_add(1, Ordering::Relaxed);
    let event = NewEvent::new("invoice.paid", Actor::user("u_7"));
    let recorded = service.store.submit(Log::Platform, vec![event]).await;
    service.answered.fetch_add(1, Ordering::Relaxed);
    if recorded.is_ok() { StatusCode::NO_CONTENT } else { StatusCode::SERVICE_UNAVAILABLE }
}

/// Sends requests, and waits up to 8 ms for the response to each, or not at all.
async fn client(address: std::net::SocketAddr, number: u64, requests: u64) {
    let mut random = number;
    for _ in 0..requests {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(number);
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"POST /pay HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        let patience = Duration::from_micros(250 * ((random >> 33) % 32));
        let _ = tokio::time::timeout(patience, stream.read_u8()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn leave_no_change_without_its_event() {
    let requests = std::env::var("AUDIT_HTTP_HANG_UPS").map_or(480, |n| n.parse().unwrap());
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("audit.db");
    let service = Service {
        store: SqliteStore::open(&path).unwrap(),
        changes: Arc::default(),
        answered: Arc::default(),
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new().route("/pay", post(pay)).with_state(service.clone());
    let (stop, stopped) = oneshot::channel::<()>();
    let shutdown = async { stopped.await.unwrap_or(()) };
    // It drops the handler of a client that disconnects; `audit_http::serve` does not for every way
    // to disconnect.
    let server = axum::serve(listener, router).with_graceful_shutdown(shutdown);
    let server = tokio::spawn(server.into_future());

    // Another writer, so that appends take as long as they do on a slow disk.
    let done = Arc::new(AtomicBool::new(false));
    let is_done = Arc::clone(&done);
    let other = std::thread::spawn(move || {
        let connection = Connection::open(path).unwrap();
        connection.busy_timeout(Duration::from_secs(30)).unwrap();
        while !is_done.load(Ordering::Relaxed) {
            connection.execute_batch("BEGIN IMMEDIATE").unwrap();
            std::thread::sleep(Duration::from_millis(4));
            connection.execute_batch("COMMIT").unwrap();
            std::thread::sleep(Duration::from_millis(2));
        }
    });
    let clients = (1..=CLIENTS).map(|n| tokio::spawn(client(address, n, requests / CLIENTS)));
    for client in clients.collect::<Vec<_>>() {
        client.await.unwrap();
    }
    done.store(true, Ordering::Relaxed);
    other.join().unwrap();
    stop.send(()).unwrap();
    server.await.unwrap().unwrap();

    // Appends through one handle are written in their order: all before this one are.
    let last = NewEvent::new("service.stopped", Actor::system());
    service.store.record(Log::Platform, last).await.unwrap();
    let paid = EventQuery::new(Log::Platform).filter(Filter::new().action("invoice.paid"));
    let events = service.store.count(&paid).await.unwrap();
    let changes = service.changes.load(Ordering::Relaxed);
    let answered = service.answered.load(Ordering::Relaxed);
    assert_eq!(events, changes, "a change has no event");
    assert!(answered < changes, "no handler was dropped, so the test proves nothing");
    println!(
        "{requests} requests: {changes} changes, {events} events; {} handlers were dropped",
        changes - answered
    );
}
