//! Measures how fast events are forwarded to a receiver on this machine, how late they come, and what logs
//! cost that do not grow.
//!
//! ```text
//! cargo run --release -p audit-forward --example measure
//! ```

// A measurement that cannot be set up fails.
#![allow(clippy::unwrap_used)]

use std::error::Error;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use audit_core::{Actor, AuditStore, FollowerStore, Log, NewEvent, OrganizationId, Timestamp};
use audit_forward::{EndpointOptions, Forwarder, SinkOptions, WebhookSink};
use audit_sqlite::SqliteStore;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::time::sleep;

type Result<T, E = Box<dyn Error + Send + Sync>> = std::result::Result<T, E>;

const EVENTS: u64 = 100_000;

fn event(number: u64) -> NewEvent {
    NewEvent::new(
        "invoice.paid",
        Actor::user(format!("u_{}", number % 100)).email("ana@acme.example"),
    )
    .target("invoice", format!("inv_{number}"))
    .message("Ana paid an invoice")
    .occurred_at(Timestamp::now())
}

/// The deliveries that the receiver has seen.
#[derive(Debug, Default)]
struct Seen {
    events: AtomicU64,
    /// The longest time between the time of an event and its delivery, in microseconds.
    longest: AtomicU64,
}

/// Starts a receiver, which counts events and answers.
async fn receiver(seen: Arc<Seen>) -> Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}/", listener.local_addr()?);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(BufReader::new(stream), Arc::clone(&seen)));
        }
    });
    Ok(url)
}

async fn serve(mut stream: BufReader<tokio::net::TcpStream>, seen: Arc<Seen>) -> Result<()> {
    const OCCURRED: &str = "\"occurredAt\":\"";
    loop {
        let (mut length, mut line) = (0, String::new());
        while stream.read_line(&mut line).await? > 2 {
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length: ") {
                length = value.trim().parse()?;
            }
            line.clear();
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await?;
        let body = String::from_utf8(body)?;
        for (at, _) in body.match_indices(OCCURRED) {
            let time = body[at + OCCURRED.len()..].split('"').next().unwrap_or_default();
            let late = Timestamp::now().duration_since(time.parse()?).as_micros();
            seen.longest.fetch_max(u64::try_from(late)?, Ordering::Relaxed);
            seen.events.fetch_add(1, Ordering::Relaxed);
        }
        stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await?;
    }
}

/// Returns the processor time of this process.
fn cpu() -> Duration {
    let text = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<_> = text.rsplit(") ").next().unwrap_or_default().split(' ').collect();
    let ticks: u64 = [11, 12].iter().filter_map(|at| fields.get(*at)?.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}

/// Forwards the logs of `store` while `work` runs.
async fn forwarding<F: Future<Output = Result<()>>>(
    store: &SqliteStore,
    url: &str,
    work: F,
) -> Result<()> {
    let endpoint = EndpointOptions::default().with_plain_text().with_private_addresses();
    let sink = WebhookSink::new(url, &endpoint)?;
    let store: Arc<dyn FollowerStore> = Arc::new(store.clone());
    let forwarder = Forwarder::new(store).sink(SinkOptions::new("local")?, Arc::new(sink))?;
    let (end, ended) = oneshot::channel::<()>();
    let task = tokio::spawn(forwarder.run(async { drop(ended.await) }));
    work.await?;
    drop(end);
    task.await??;
    Ok(())
}

async fn wait_for(seen: &Seen, events: u64) -> Result<()> {
    while seen.events.load(Ordering::Relaxed) < events {
        sleep(Duration::from_millis(1)).await;
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let seen = Arc::new(Seen::default());
    let url = receiver(Arc::clone(&seen)).await?;

    let store = SqliteStore::open(directory.path().join("one.db"))?;
    for first in (0..EVENTS).step_by(1_000) {
        store.append(Log::Platform, (first..first + 1_000).map(event).collect()).await?;
    }
    let begun = Instant::now();
    forwarding(&store, &url, wait_for(&seen, EVENTS)).await?;
    let rate = f64::from(u32::try_from(EVENTS)?) / begun.elapsed().as_secs_f64();
    println!("one log, {EVENTS} events, batches of 100: {rate:.0} events/s");

    let lag = async {
        sleep(Duration::from_secs(2)).await; // until it is served
        seen.longest.store(0, Ordering::Relaxed);
        let mut ticks = tokio::time::interval(Duration::from_millis(10));
        for tick in 0..1_000 {
            ticks.tick().await;
            store.append(Log::Platform, (tick * 10..tick * 10 + 10).map(event).collect()).await?;
        }
        wait_for(&seen, EVENTS + 10_000).await
    };
    forwarding(&store, &url, lag).await?;
    let longest = Duration::from_micros(seen.longest.load(Ordering::Relaxed));
    println!("one log, 1,000 events/s for 10 s: delivered at most {longest:?} after they occurred");

    drop(store); // an open store has threads of its own
    let store = SqliteStore::open(directory.path().join("many.db"))?;
    for number in 0..1_000 {
        store.append(OrganizationId::new().into(), vec![event(number)]).await?;
    }
    let idle = async {
        wait_for(&seen, EVENTS + 10_000 + 1_000).await?;
        sleep(Duration::from_secs(5)).await;
        let (begun, before) = (Instant::now(), cpu());
        sleep(Duration::from_secs(20)).await;
        let share = cpu().saturating_sub(before).as_secs_f64() / begun.elapsed().as_secs_f64();
        println!("1,000 logs that do not grow: {:.2} % of a core", share * 100.0);
        Ok(())
    };
    forwarding(&store, &url, idle).await
}
