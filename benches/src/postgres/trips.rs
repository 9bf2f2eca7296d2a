//! Counts round trips: a proxy between a store and its server.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use audit_postgres_server::Database;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::runtime::{Builder, Runtime};
use tokio_postgres::config::Host;

use crate::Result;

/// How long an answer is on its way. What is sent together is sent within that time, so that no answer to
/// a part of it is counted as the end of a round trip.
const DELAY: Duration = Duration::from_millis(20);

/// The name of a server's socket.
const SOCKET: &str = ".s.PGSQL.5432";

/// A proxy before the server of a database.
#[derive(Debug)]
pub(crate) struct Proxy {
    trips: Arc<AtomicU64>,
    directory: TempDir,
    database: String,
    /// Drives the connections until it is dropped.
    _runtime: Runtime,
}

impl Proxy {
    pub(crate) fn start(database: &Database) -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let config: tokio_postgres::Config = database.url().parse()?;
        let Some(Host::Unix(server)) = config.get_hosts().first() else {
            return Err("the server has no socket".into());
        };
        let server = server.join(SOCKET);
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let trips = Arc::<AtomicU64>::default();
        let entered = runtime.enter();
        let listener = UnixListener::bind(directory.path().join(SOCKET))?;
        drop(entered);
        runtime.spawn(accept(listener, server, Arc::clone(&trips)));
        let database = database.name().to_owned();
        Ok(Self { trips, directory, database, _runtime: runtime })
    }

    /// Returns the URL of the database behind it.
    pub(crate) fn url(&self) -> String {
        let directory = self.directory.path().display();
        format!("host={directory} user=postgres dbname={}", self.database)
    }

    /// Returns the number of round trips so far.
    pub(crate) fn trips(&self) -> u64 {
        self.trips.load(Ordering::Relaxed)
    }
}

async fn accept(listener: UnixListener, server: PathBuf, trips: Arc<AtomicU64>) {
    while let Ok((client, _)) = listener.accept().await {
        let Ok(server) = UnixStream::connect(&server).await else { break };
        let (from_client, to_client) = client.into_split();
        let (from_server, to_server) = server.into_split();
        let is_answered = Arc::new(AtomicBool::new(true));
        let (trips, answered) = (Arc::clone(&trips), Arc::clone(&is_answered));
        tokio::spawn(copy(from_client, to_server, Duration::ZERO, move |bytes| {
            // Nobody waits for the end of a transaction that only read.
            let ends = bytes.windows(8).any(|bytes| bytes == b"ROLLBACK");
            if answered.swap(false, Ordering::Relaxed) && !ends {
                trips.fetch_add(1, Ordering::Relaxed);
            }
        }));
        tokio::spawn(copy(from_server, to_client, DELAY, move |_| {
            is_answered.store(true, Ordering::Relaxed);
        }));
    }
}

async fn copy(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    delay: Duration,
    seen: impl Fn(&[u8]),
) {
    let mut buffer = vec![0; 1 << 20];
    while let Ok(count) = from.read(&mut buffer).await {
        let Some(bytes) = buffer.get(..count).filter(|bytes| !bytes.is_empty()) else { break };
        tokio::time::sleep(delay).await;
        seen(bytes);
        if to.write_all(bytes).await.is_err() {
            break;
        }
    }
}
