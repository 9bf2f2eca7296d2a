//! Our store and the limits, on one server.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use audit_core::{AuditStore as _, Log, NewEvent};
use audit_postgres::{PostgresOptions, PostgresStore};
use audit_postgres_server::{Database, Server, ServerOptions};
use futures_executor::block_on;
use tokio::runtime::{Builder, Runtime};
use tokio_postgres::Client;

use crate::Result;
use crate::events;
use crate::postgres::sql::{PgLog, connect};
use crate::rows::Row;
use crate::sql::Indexes;

/// Our store and the limits, all with events of the same logs.
#[derive(Debug)]
pub(crate) struct PgSides {
    pub(crate) logs: Vec<Log>,
    pub(crate) ours: Arc<PostgresStore>,
    /// The database of our store.
    pub(crate) database: Database,
    /// Asks the server how it is. A program started for it would take longer than what is measured.
    monitor: Monitor,
    /// Without an index for any filter.
    pub(crate) plain: PgLog,
    /// With a B-tree for each filter.
    pub(crate) indexed: PgLog,
    /// The number of the next event, which no side has yet.
    next: u64,
}

/// Starts a durable server. The WAL is large enough that no checkpoint falls into a row: the next one
/// would write every page a second time, on whichever side it hits.
pub(crate) fn start() -> Result<Server> {
    let server = ServerOptions::new()
        .setting("shared_buffers", "1GB")
        .setting("max_wal_size", "16GB")
        .setting("checkpoint_timeout", "1h")
        .start()?;
    for setting in ["fsync", "synchronous_commit", "full_page_writes"] {
        let value = server.sql(&format!("SHOW {setting}"))?;
        if value != "on" {
            return Err(format!("{setting} is {value}").into());
        }
    }
    Ok(server)
}

/// Opens our store as a service without a pooler would.
pub(crate) fn open(url: &str) -> Result<PostgresStore> {
    let options = PostgresOptions::default().with_prepared_statements();
    Ok(block_on(PostgresStore::open_with(url, options))?)
}

/// Does the same without the task that looks for staged events.
pub(crate) fn open_alone(url: &str) -> Result<PostgresStore> {
    let options = PostgresOptions::default().with_prepared_statements().with_staging_interval(None);
    Ok(block_on(PostgresStore::open_with(url, options))?)
}

impl PgSides {
    /// Creates empty sides.
    pub(crate) fn create(server: &Server, logs: u64) -> Result<Self> {
        let database = server.database()?;
        let monitor = Monitor::connect(&database)?;
        Ok(Self {
            monitor,
            logs: (0..logs).map(events::log).collect(),
            ours: Arc::new(open(database.url())?),
            database,
            plain: PgLog::create(server, Indexes::None)?,
            indexed: PgLog::create(server, Indexes::PerFilter)?,
            next: 0,
        })
    }

    /// Returns the numbers of the next `count` events, which no side has yet.
    pub(crate) fn take(&mut self, count: u64) -> Range<u64> {
        let first = self.next;
        self.next += count;
        first..self.next
    }

    /// Appends events and returns when they are durable.
    pub(crate) fn append(&self, log: Log, events: Vec<NewEvent>) -> Result<()> {
        block_on(self.ours.append(log, events))?;
        Ok(())
    }

    /// Waits until our store does nothing any more beside the appends.
    pub(crate) fn settle(&self) -> Result<()> {
        let sql = "SELECT count(*) FROM pg_stat_activity
                   WHERE datname = current_database() AND pid <> pg_backend_pid()
                       AND state <> 'idle'";
        // A task that has just ended one transaction may begin another.
        let mut idle = 0;
        while idle < 3 {
            idle = if self.monitor.ask(sql)? == 0 { idle + 1 } else { 0 };
            thread::sleep(Duration::from_micros(500));
        }
        Ok(())
    }

    /// Returns the position of the server in its WAL, in bytes.
    pub(crate) fn wal(&self) -> Result<f64> {
        Ok(self.monitor.ask("SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint")? as f64)
    }

    /// Brings the statistics of the planner up to date.
    pub(crate) fn analyze(&self) -> Result<()> {
        for database in [&self.database, &self.plain.database, &self.indexed.database] {
            database.sql("VACUUM ANALYZE")?;
        }
        Ok(())
    }

    /// Fails unless our store and the limits have these numbers of events.
    pub(crate) fn check(&self, expected: [u64; 3]) -> Result<()> {
        let size = |log: &Log| Ok(block_on(self.ours.head(*log))?.size.get());
        let ours = self.logs.iter().map(size).sum::<Result<u64>>()?;
        let found = [ours, self.plain.len()?, self.indexed.len()?];
        if found == expected {
            return Ok(());
        }
        Err(format!("the sides have {found:?} events, expected {expected:?}").into())
    }
}

/// Returns the size of all tables and indexes of a database that are not the system's, in bytes.
pub(crate) fn bytes_on_disk(database: &Database) -> Result<f64> {
    let sql = "SELECT sum(pg_total_relation_size(c.oid)) FROM pg_class c
               JOIN pg_namespace n ON n.oid = c.relnamespace
               WHERE c.relkind = 'r' AND n.nspname IN ('audit', 'public')";
    Ok(database.sql(sql)?.parse()?)
}

/// A connection that asks for numbers.
struct Monitor {
    runtime: Runtime,
    client: Client,
}

impl fmt::Debug for Monitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Monitor")
    }
}

impl Monitor {
    fn connect(database: &Database) -> Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let client = runtime.block_on(connect(database.url()))?;
        Ok(Self { runtime, client })
    }

    fn ask(&self, sql: &str) -> Result<i64> {
        Ok(self.runtime.block_on(self.client.query_one(sql, &[]))?.get(0))
    }
}

pub(crate) fn row(work: &str, unit: &'static str, ours: f64) -> Row {
    Row::new(format!("postgres: {work}"), unit, ours)
}
