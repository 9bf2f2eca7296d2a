//! Measures the cost of the HTTP layer: 64 connections on loopback, beside 64 tasks that call the
//! store in the same process, and beside a route that answers "hello".

use std::fmt;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use audit_core::{
    Actor, AuditStore as _, AuditStoreExt as _, EventQuery, NewApiKey, NewOrganization,
    OrganizationId, Role, TenantStore as _,
};
use audit_http::{ApiKeyAuthenticator, Contract, HttpOptions, ServeOptions};
use audit_sqlite::SqliteStore;
use axum::routing::get;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::proofs::time_of_cores;
use crate::rows::{micros, rate};
use crate::{Result, events};

const CONNECTIONS: usize = 64;
const EACH: Duration = Duration::from_secs(5);
/// The number of events of a page.
const PAGE: usize = 50;

/// Prints a line for each kind of request, and the memory of the process before and after.
pub(crate) fn run(directory: &Path, count: u64) -> Result<()> {
    let file = tempfile::Builder::new().prefix("audit-http").tempdir_in(directory)?;
    let store = SqliteStore::open(file.path().join("audit.db"))?;
    let runtime = tokio::runtime::Runtime::new()?;
    let (organization, secret) = runtime.block_on(prepare(&store, count))?;
    let server = Server::start(&runtime, &store)?;
    let base = format!("/v1/organizations/{organization}/events");
    let authorization = format!("Authorization: Bearer {secret}\r\n");
    let body = serde_json::to_string(&json!({
        "action": "invoice.paid",
        "actor": {"kind": "user", "id": "u_7", "email": "ana@acme.example", "ip": "203.0.113.9"},
        "targets": [{"type": "invoice", "id": "inv_9"}],
        "message": {"text": "Ana paid invoice 9"},
    }))?;
    let length = body.len();
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: x\r\n{authorization}\r\n");
    let post = format!(
        "POST {base} HTTP/1.1\r\nHost: x\r\n{authorization}Content-Type: application/json\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    );
    println!("{CONNECTIONS} connections or tasks, {count} events in the log at the start");
    let before = memory();
    for round in 1..=2 {
        println!(
            "round {round}: requests/s, and the processor time of each in µs, clients included"
        );
        let hello = server.load(&get("/hello"))?;
        println!("  a route that answers hello         {hello}");
        let key = server.load(&get("/v1/organizations"))?;
        println!("  the organization of the key        {key}");
        let page = server.load(&get(&format!("{base}?limit={PAGE}")))?;
        let own = runtime.block_on(pages(&store, organization))?;
        report("a page of 50", page, own, 0.85);
        let append = server.load(&post)?;
        let own = runtime.block_on(appends(&store, organization, &body))?;
        report("a durable append of one event", append, own, 0.6);
        println!("  memory: {before} kB at the start, {} kB now", memory());
    }
    Ok(())
}

/// Prints a line whose ratio should be at least `bar`.
fn report(what: &str, http: Load, own: Load, bar: f64) {
    let ratio = http.rate / own.rate;
    let holds = if ratio >= bar { "yes" } else { "NO" };
    println!("  {what:<34} {http}   in process {own}   ratio {ratio:.2}   bar {bar}   {holds}");
}

/// How fast requests are answered.
#[derive(Clone, Copy, Debug)]
struct Load {
    /// The answers in a second.
    rate: f64,
    /// The processor time of one, in microseconds.
    cost: f64,
}

/// Measures a load from its creation on.
struct Meter {
    begun: Instant,
    cores: Duration,
}

impl Meter {
    fn start() -> Result<Self> {
        Ok(Self { begun: Instant::now(), cores: time_of_cores()? })
    }

    fn stop(&self, answers: &AtomicU64) -> Result<Load> {
        let answers = answers.load(Ordering::Relaxed);
        let cores = time_of_cores()?.saturating_sub(self.cores);
        Ok(Load { rate: rate(answers, self.begun.elapsed()), cost: micros(cores) / answers as f64 })
    }
}

impl fmt::Display for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>9.0} {:>6.1}", self.rate, self.cost)
    }
}

async fn prepare(store: &SqliteStore, count: u64) -> Result<(OrganizationId, String)> {
    let by = || Actor::system().into();
    let organization = store.create_organization(NewOrganization::new("Acme"), by()).await?;
    let key = NewApiKey::new(organization.id, Role::Admin, "ana@acme.example");
    let (_, secret) = store.create_api_key(key, by()).await?;
    for first in (0..count).step_by(1_000) {
        let batch = events::events(first..count.min(first + 1_000));
        store.append(organization.id.into(), batch).await?;
    }
    Ok((organization.id, secret.expose().to_owned()))
}

struct Server {
    address: SocketAddr,
    clients: tokio::runtime::Runtime,
}

impl Server {
    /// Starts a server on the runtime of the service, and a thread for its clients.
    fn start(service: &tokio::runtime::Runtime, store: &SqliteStore) -> Result<Self> {
        let keys = ApiKeyAuthenticator::new(store.clone());
        let options = HttpOptions::default()
            .with_tenants(store.clone())
            .with_contracts(Contract::ALL)
            .with_rate_limit(u32::MAX)
            .with_organization_rate_limit(u32::MAX);
        let router = audit_http::router(store.clone(), keys, options)
            .route("/hello", get(|| async { "hello" }));
        let listener = service.block_on(TcpListener::bind("127.0.0.1:0"))?;
        let address = listener.local_addr()?;
        service.spawn(audit_http::serve(
            listener,
            router,
            ServeOptions::default(),
            std::future::pending(),
        ));
        let clients = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Self { address, clients })
    }

    /// Returns the number of answers to `request` per second.
    fn load(&self, request: &str) -> Result<Load> {
        let (answers, meter) = (Arc::new(AtomicU64::new(0)), Meter::start()?);
        let begun = meter.begun;
        self.clients.block_on(async {
            let mut tasks = tokio::task::JoinSet::new();
            for _ in 0..CONNECTIONS {
                tasks.spawn(ask(self.address, request.to_owned(), Arc::clone(&answers), begun));
            }
            while let Some(task) = tasks.join_next().await {
                task??;
            }
            Ok::<_, crate::BoxError>(())
        })?;
        meter.stop(&answers)
    }
}

/// Repeats a request on one connection.
async fn ask(
    address: SocketAddr,
    request: String,
    answers: Arc<AtomicU64>,
    begun: Instant,
) -> Result<()> {
    let mut stream = TcpStream::connect(address).await?;
    let (mut buffer, mut filled) = (vec![0; 1 << 20], 0);
    while begun.elapsed() < EACH {
        stream.write_all(request.as_bytes()).await?;
        loop {
            filled += stream.read(&mut buffer[filled..]).await?;
            if let Some(end) = end_of_answer(&buffer[..filled])? {
                filled -= end;
                break;
            }
        }
        answers.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}

/// Returns the length of the answer at the start of `bytes`, if it is complete. It must be a
/// success.
fn end_of_answer(bytes: &[u8]) -> Result<Option<usize>> {
    let Some(head) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { return Ok(None) };
    let text = std::str::from_utf8(&bytes[..head])?;
    if !text.starts_with("HTTP/1.1 20") {
        return Err(text.into());
    }
    let length = text.lines().find_map(|line| line.strip_prefix("content-length: "));
    let end = head + 4 + length.ok_or("an answer has no length")?.parse::<usize>()?;
    Ok((bytes.len() >= end).then_some(end))
}

/// Returns the pages per second that tasks of the same process read and write as JSON.
async fn pages(store: &SqliteStore, organization: OrganizationId) -> Result<Load> {
    tasks(store, move |store| async move {
        let page = store.page(&EventQuery::new(organization).limit(PAGE)).await?;
        Ok(serde_json::to_vec(&page.events)?.len())
    })
    .await
}

/// Returns the appends per second of tasks of the same process, each of an event read from JSON.
async fn appends(store: &SqliteStore, organization: OrganizationId, body: &str) -> Result<Load> {
    let body: Arc<str> = body.into();
    tasks(store, move |store| {
        let body = Arc::clone(&body);
        async move {
            let event = audit_core::NewEvent::from_json(body.as_bytes())?;
            let receipt = store.record(organization, event).await?;
            Ok(serde_json::to_vec(&receipt)?.len())
        }
    })
    .await
}

async fn tasks<F: Future<Output = Result<usize>> + Send + 'static>(
    store: &SqliteStore,
    work: impl Fn(SqliteStore) -> F + Clone + Send + 'static,
) -> Result<Load> {
    let (done, meter) = (Arc::new(AtomicU64::new(0)), Meter::start()?);
    let begun = meter.begun;
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..CONNECTIONS {
        let (done, work, store) = (Arc::clone(&done), work.clone(), store.clone());
        tasks.spawn(async move {
            while begun.elapsed() < EACH {
                if work(store.clone()).await.is_ok() {
                    done.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
    }
    while tasks.join_next().await.is_some() {}
    meter.stop(&done)
}

/// Returns the resident memory of this process in kB, server and clients together.
fn memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or_default()
}
