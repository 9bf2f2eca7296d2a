//! A network between a store and its server that can swallow what is sent.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::{io, thread};

use audit_postgres_server::Database;
use tempfile::TempDir;
use tokio_postgres::config::Host;

const SOCKET: &str = ".s.PGSQL.5432";

/// A proxy before the server of a database. It accepts connections until the process ends.
pub(crate) struct Proxy {
    directory: TempDir,
    database: String,
    is_silent: Arc<AtomicBool>,
}

impl Proxy {
    pub(crate) fn before(database: &Database) -> Self {
        let config: tokio_postgres::Config = database.url().parse().expect("a URL");
        let [Host::Unix(server)] = config.get_hosts() else { panic!("the server has a socket") };
        let directory = tempfile::tempdir().expect("a directory");
        let listener = UnixListener::bind(directory.path().join(SOCKET)).expect("a socket");
        let is_silent = Arc::<AtomicBool>::default();
        let (server, is_silent_there) = (server.join(SOCKET), Arc::clone(&is_silent));
        thread::spawn(move || {
            for client in listener.incoming() {
                let _ = client.and_then(|client| connect(client, &server, &is_silent_there));
            }
        });
        Self { directory, database: database.name().to_owned(), is_silent }
    }

    /// Returns the URL of the database behind it.
    pub(crate) fn url(&self) -> String {
        let directory: PathBuf = self.directory.path().into();
        format!("host={} user=postgres dbname={}", directory.display(), self.database)
    }

    /// Swallows all that is sent from now on, or no longer.
    pub(crate) fn set_silent(&self, is_silent: bool) {
        self.is_silent.store(is_silent, Ordering::SeqCst);
    }
}

fn connect(client: UnixStream, server: &Path, is_silent: &Arc<AtomicBool>) -> io::Result<()> {
    let server = UnixStream::connect(server)?;
    for (from, to) in [(client.try_clone()?, server.try_clone()?), (server, client)] {
        let is_silent = Arc::clone(is_silent);
        thread::spawn(move || {
            let _ = copy(&from, &to, &is_silent);
            // Both ends see the end of either.
            let _ = from.shutdown(std::net::Shutdown::Both);
            let _ = to.shutdown(std::net::Shutdown::Both);
        });
    }
    Ok(())
}

fn copy(mut from: &UnixStream, mut to: &UnixStream, is_silent: &AtomicBool) -> io::Result<()> {
    let (mut buffer, mut has_swallowed) = (vec![0; 1 << 16], false);
    loop {
        let count = from.read(&mut buffer)?;
        if count == 0 {
            return Ok(());
        }
        // What was swallowed is lost, and so is all that follows.
        has_swallowed |= is_silent.load(Ordering::SeqCst);
        if !has_swallowed {
            to.write_all(&buffer[..count])?;
        }
    }
}
