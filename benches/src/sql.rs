//! The limit: hand-written SQL for the same durable work.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use audit_core::{
    AuditEvent, EventId, Log, NewEvent, Sequence, Timestamp,
    backend::{PersonalData, PreparedEvent, StoredEvent},
};
use rusqlite::types::Value;
use rusqlite::{Connection, Params, Row, params_from_iter};

use crate::Result;

// These settings are the same as in our store. With SQLite's defaults the limit would append to a
// large log at three quarters of the rate, and a page by three filters would take nearly three
// times as long.

/// The page cache of the writer, negative because SQLite then counts in KiB.
const WRITE_CACHE_KIB: i64 = -32 << 10;
/// The page cache of the reader.
const READ_CACHE_KIB: i64 = -16 << 10;
/// The pages of the WAL at which it is written back.
const WAL_PAGES: i64 = 4_000;

/// A table with the events of several logs, in its own file.
#[derive(Debug)]
pub(crate) struct SqlLog {
    writer: Connection,
    reader: Connection,
    path: PathBuf,
    indexes: Indexes,
    /// The number and the size of each log, which a service would have to read.
    ends: HashMap<Log, (i64, u64)>,
}

/// The B-trees of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Indexes {
    /// Only those that a log needs: log and sequence, and the unique id.
    None,
    /// Also one for each filter, each in the order of a page.
    PerFilter,
}

/// A query in SQL.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    /// The column with the best index for it.
    pub(crate) index: &'static str,
    /// Its conditions, each beginning with ` AND `; the first parameter is number 2.
    pub(crate) clause: String,
    pub(crate) values: Vec<Value>,
}

/// An event as a row.
#[derive(Debug)]
pub(crate) struct SqlRow {
    event_key: i64,
    log: i64,
    id: EventId,
    occurred_at: Timestamp,
    stored: StoredEvent,
    change_set: Option<[u8; 16]>,
    facets: Vec<Option<String>>,
}

/// The columns with an index each. An index has no entry for events without a value.
pub(crate) const FACETS: [(&str, Facet); 13] = [
    ("action", |event| Some(event.action.as_str())),
    ("action_family", |event| Some(event.action.as_str().split_once('.')?.0)),
    ("category", |event| event.category.as_deref()),
    ("actor_kind", |event| Some(event.actor.kind.as_str())),
    ("actor_id", |event| event.actor.id.as_deref()),
    ("actor_email", |event| event.actor.email.as_deref()),
    ("target_type", |event| event.targets.first()?.kind.as_deref()),
    ("target_id", |event| event.targets.first()?.id.as_deref()),
    ("service", |event| event.scope.service.as_deref()),
    ("product", |event| event.scope.product.as_deref()),
    ("config", |event| event.scope.config.as_deref()),
    ("environment", |event| event.scope.environment.as_deref()),
    ("surface", |event| Some(event.scope.surface.as_ref()?.as_str())),
];

pub(crate) type Facet = fn(&NewEvent) -> Option<&str>;

/// Returns the value of an event in a column of [`FACETS`].
pub(crate) fn facet<'e>(column: &str, event: &'e NewEvent) -> Option<&'e str> {
    FACETS.iter().find(|(name, _)| *name == column).and_then(|(_, value)| value(event))
}

impl SqlLog {
    pub(crate) fn create(path: PathBuf, indexes: Indexes) -> Result<Self> {
        let writer = Connection::open(&path)?;
        writer.pragma_update(None, "journal_mode", "wal")?;
        writer.pragma_update(None, "synchronous", "full")?;
        writer.pragma_update(None, "cache_size", WRITE_CACHE_KIB)?;
        writer.pragma_update(None, "wal_autocheckpoint", WAL_PAGES)?;
        writer.set_prepared_statement_cache_capacity(64);
        let mut sql = String::from(
            "CREATE TABLE event (
                 event_key INTEGER PRIMARY KEY, -- log and sequence in one number
                 log INTEGER NOT NULL,
                 id BLOB NOT NULL,
                 record BLOB NOT NULL,
                 salt BLOB,
                 personal BLOB
             ) STRICT;
             CREATE UNIQUE INDEX by_id ON event (log, id);",
        );
        if indexes == Indexes::PerFilter {
            sql += "ALTER TABLE event ADD COLUMN occurred_at INTEGER NOT NULL DEFAULT 0;
                    CREATE INDEX by_time ON event (log, occurred_at);";
            let columns = FACETS.iter().map(|(facet, _)| (*facet, "TEXT"));
            // Each index ends with the primary key, which completes the order.
            let indexed =
                [("change_set", "BLOB")].into_iter().chain(columns).map(|(name, kind)| {
                    format!(
                        "ALTER TABLE event ADD COLUMN {name} {kind};
                     CREATE INDEX by_{name} ON event (log, {name}, occurred_at)
                         WHERE {name} IS NOT NULL;"
                    )
                });
            sql += &indexed.collect::<String>();
        }
        writer.execute_batch(&sql)?;
        let reader = Connection::open(&path)?;
        reader.pragma_update(None, "cache_size", READ_CACHE_KIB)?;
        reader.set_prepared_statement_cache_capacity(64);
        Ok(Self { writer, reader, path, indexes, ends: HashMap::new() })
    }

    /// Gives an event the next sequence of `log` and encodes it.
    pub(crate) fn encode(&mut self, log: Log, event: &NewEvent) -> Result<SqlRow> {
        let next = i64::try_from(self.ends.len())? + 1;
        let (number, size) = self.ends.entry(log).or_insert((next, 0));
        *size += 1;
        let sequence = Sequence::new(*size)?;
        let id = event.id;
        let change_set = event.change_set_id.map(|id| *id.as_bytes());
        let facets = match self.indexes {
            Indexes::None => Vec::new(),
            Indexes::PerFilter => {
                FACETS.iter().map(|(_, value)| value(event).map(str::to_owned)).collect()
            }
        };
        let prepared = PreparedEvent::new(event)?;
        let occurred_at = prepared.occurred_at();
        let stored = prepared.into_stored(log, sequence, Timestamp::now());
        let event_key = *number << 40 | sequence.as_i64();
        Ok(SqlRow { event_key, log: *number, id, occurred_at, stored, change_set, facets })
    }

    /// Writes rows in one transaction and returns when that is durable.
    pub(crate) fn write(&mut self, rows: &[SqlRow]) -> Result<()> {
        let sql = match self.indexes {
            Indexes::None => {
                "INSERT INTO event (event_key, log, id, record, salt, personal)
                 VALUES (?, ?, ?, ?, ?, ?)"
            }
            Indexes::PerFilter => {
                "INSERT INTO event VALUES
                 (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
            }
        };
        let transaction = self.writer.transaction()?;
        let mut insert = transaction.prepare_cached(sql)?;
        for row in rows {
            insert.raw_bind_parameter(1, row.event_key)?;
            insert.raw_bind_parameter(2, row.log)?;
            insert.raw_bind_parameter(3, row.id.as_bytes())?;
            insert.raw_bind_parameter(4, &row.stored.record)?;
            let personal = row.stored.personal.as_ref();
            insert.raw_bind_parameter(5, personal.map(|part| part.salt))?;
            insert.raw_bind_parameter(6, personal.map(|part| &part.bytes))?;
            if self.indexes == Indexes::PerFilter {
                insert.raw_bind_parameter(7, row.occurred_at.as_nanos())?;
                insert.raw_bind_parameter(8, row.change_set)?;
                for (at, facet) in row.facets.iter().enumerate() {
                    insert.raw_bind_parameter(9 + at, facet)?;
                }
            }
            insert.raw_execute()?;
        }
        drop(insert);
        Ok(transaction.commit()?)
    }

    /// Encodes events for the logs in turn and commits them. Returns the times of encoding and
    /// writing.
    pub(crate) fn commit(
        &mut self,
        logs: &[Log],
        events: Vec<NewEvent>,
    ) -> Result<(Duration, Duration)> {
        let start = Instant::now();
        let rows: Vec<_> = events
            .into_iter()
            .zip(logs.iter().cycle())
            .map(|(event, log)| self.encode(*log, &event))
            .collect::<Result<_>>()?;
        let encoding = start.elapsed();
        let start = Instant::now();
        self.write(&rows)?;
        Ok((encoding, start.elapsed()))
    }

    /// Returns the newest `limit` events of the first log that meet `ask`.
    pub(crate) fn page(&self, ask: &Ask, limit: usize) -> Result<Vec<AuditEvent>> {
        let mut events = Vec::with_capacity(limit);
        self.each(&page_sql(ask, limit), &ask.values, |event| events.push(event))?;
        Ok(events)
    }

    /// Returns the number of events of the first log that meet `ask`.
    pub(crate) fn count(&self, ask: &Ask) -> Result<u64> {
        let Ask { index, clause, values } = ask;
        let sql =
            format!("SELECT count(*) FROM event INDEXED BY by_{index} WHERE log = ?1{clause}");
        let count: i64 =
            self.reader.prepare_cached(&sql)?.query_row(of_first_log(values), |row| row.get(0))?;
        Ok(count.cast_unsigned())
    }

    /// Returns the query plan of a page.
    #[cfg(test)]
    pub(crate) fn plan(&self, ask: &Ask) -> Result<String> {
        let sql = format!("EXPLAIN QUERY PLAN {}", page_sql(ask, 50));
        let mut statement = self.reader.prepare(&sql)?;
        let steps = statement.query_map(of_first_log(&ask.values), |row| row.get(3))?;
        Ok(steps.collect::<rusqlite::Result<Vec<String>>>()?.join("; "))
    }

    /// Returns `true` if it has an index for each filter.
    pub(crate) fn has_filters(&self) -> bool {
        self.indexes == Indexes::PerFilter
    }

    /// Returns the number of events in all logs.
    pub(crate) fn len(&self) -> Result<u64> {
        let count: i64 =
            self.reader.query_row("SELECT count(*) FROM event", [], |row| row.get(0))?;
        Ok(count.cast_unsigned())
    }

    /// Reads every event of the first log, by sequence.
    pub(crate) fn export(&self, each: impl FnMut(AuditEvent)) -> Result<()> {
        let sql = "SELECT record, salt, personal FROM event
                   WHERE event_key BETWEEN ?1 << 40 AND (?1 + 1 << 40) - 1
                   ORDER BY event_key";
        self.each(sql, &[], each)
    }

    fn each(&self, sql: &str, values: &[Value], mut each: impl FnMut(AuditEvent)) -> Result<()> {
        let mut statement = self.reader.prepare_cached(sql)?;
        let mut rows = statement.query(of_first_log(values))?;
        while let Some(row) = rows.next()? {
            each(stored(row)?.decode()?);
        }
        Ok(())
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

fn page_sql(Ask { index, clause, .. }: &Ask, limit: usize) -> String {
    format!(
        "SELECT record, salt, personal FROM event INDEXED BY by_{index} WHERE log = ?1{clause}
         ORDER BY occurred_at DESC, event_key DESC LIMIT {limit}"
    )
}

fn of_first_log(values: &[Value]) -> impl Params {
    static FIRST_LOG: Value = Value::Integer(1);
    params_from_iter(std::iter::once(&FIRST_LOG).chain(values))
}

fn stored(row: &Row<'_>) -> rusqlite::Result<StoredEvent> {
    let personal = match (row.get(1)?, row.get(2)?) {
        (Some(salt), Some(bytes)) => Some(PersonalData::new(salt, bytes)),
        _ => None,
    };
    Ok(StoredEvent::new(row.get(0)?, personal))
}

/// Writes the WAL back and returns the size of the file at `path` in bytes.
pub(crate) fn bytes_on_disk(path: &Path) -> Result<u64> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(Duration::from_secs(30))?;
    let busy: i64 =
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
    if busy != 0 {
        return Err(format!("{} cannot be checkpointed", path.display()).into());
    }
    Ok(path.metadata()?.len())
}
