//! The limit: hand-written SQL for the same durable work.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;

use audit_core::{
    AuditEvent, Log, NewEvent, Sequence, Timestamp,
    backend::{PersonalData, PreparedEvent, StoredEvent},
};
use audit_postgres_server::{Database, Server};
use rusqlite::types::Value;
use tokio::runtime::{Builder, Runtime};
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, NoTls, Row, Statement};
use uuid::Uuid;

use crate::sql::{Ask, FACETS, Indexes};
use crate::{BoxError, Result};

const SALT: usize = 16;

/// A table with the events of several logs, in its own database.
pub(crate) struct PgLog {
    runtime: Runtime,
    client: Client,
    indexes: Indexes,
    insert: Statement,
    /// The statements for reads, by their text.
    prepared: RefCell<HashMap<String, Statement>>,
    /// The size of each log, which a service would have to read.
    ends: HashMap<Log, i64>,
    pub(crate) database: Database,
}

impl fmt::Debug for PgLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PgLog").field("indexes", &self.indexes).finish_non_exhaustive()
    }
}

/// The types and names of the columns that every table has.
const COLUMNS: [(&str, Type); 6] = [
    ("log", Type::UUID_ARRAY),
    ("sequence", Type::INT8_ARRAY),
    ("occurred_at", Type::INT8_ARRAY),
    ("id", Type::UUID_ARRAY),
    ("record", Type::TEXT_ARRAY),
    ("personal", Type::BYTEA_ARRAY),
];

/// The same as the table of our store has: rows of up to 8 KiB have no second table.
const CREATE: &str = "CREATE TABLE event (
         log uuid NOT NULL, sequence bigint NOT NULL, occurred_at bigint NOT NULL, id uuid NOT NULL,
         record text NOT NULL, personal bytea, PRIMARY KEY (log, sequence), UNIQUE (id, log)
     ) WITH (toast_tuple_target = 8160);
     ALTER TABLE event ALTER personal SET STORAGE EXTERNAL;
     CREATE TABLE head (log uuid PRIMARY KEY, size bigint NOT NULL) WITH (fillfactor = 50);";

/// Events as columns.
#[derive(Debug, Default)]
pub(crate) struct Columns {
    log: Vec<Uuid>,
    sequence: Vec<i64>,
    occurred_at: Vec<i64>,
    id: Vec<Uuid>,
    record: Vec<String>,
    personal: Vec<Option<Vec<u8>>>,
    change_set: Vec<Option<Uuid>>,
    facets: Vec<Vec<Option<String>>>,
}

impl PgLog {
    pub(crate) fn create(server: &Server, indexes: Indexes) -> Result<Self> {
        let database = server.database()?;
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let url = database.url().to_owned();
        let (client, insert) = runtime.block_on(async {
            let client = connect(&url).await?;
            client.batch_execute(CREATE).await?;
            if indexes == Indexes::PerFilter {
                client.batch_execute(&filters()).await?;
            }
            let insert = client.prepare(&insert_sql(indexes)).await?;
            Ok::<_, BoxError>((client, insert))
        })?;
        let (prepared, ends) = (RefCell::default(), HashMap::new());
        Ok(Self { runtime, client, indexes, insert, prepared, ends, database })
    }

    /// Gives events the next sequences of `log` and encodes them.
    pub(crate) fn encode(&mut self, log: Log, events: Vec<NewEvent>) -> Result<Columns> {
        let mut columns = Columns::default();
        let size = self.ends.entry(log).or_default();
        for event in events {
            *size += 1;
            columns.push(log, *size, &event, self.indexes)?;
        }
        Ok(columns)
    }

    /// Writes rows by one statement and returns when they are durable.
    pub(crate) fn write(&self, columns: &Columns) -> Result<()> {
        let values = columns.values(self.indexes);
        self.runtime.block_on(self.client.execute(&self.insert, &values))?;
        Ok(())
    }

    /// Returns the newest `limit` events of a log that meet `ask`.
    pub(crate) fn page(&self, log: Log, ask: &Ask, limit: usize) -> Result<Vec<AuditEvent>> {
        let sql = format!(
            "SELECT record, personal FROM event WHERE log = $1{}
             ORDER BY occurred_at DESC, sequence DESC LIMIT {limit}",
            dollars(&ask.clause)
        );
        let rows = self.ask(&sql, log, ask)?;
        rows.iter().map(|row| Ok(stored(row).decode()?)).collect()
    }

    /// Returns the number of events of a log that meet `ask`.
    pub(crate) fn count(&self, log: Log, ask: &Ask) -> Result<u64> {
        let sql = format!("SELECT count(*) FROM event WHERE log = $1{}", dollars(&ask.clause));
        let rows = self.ask(&sql, log, ask)?;
        Ok(rows.first().ok_or("no row")?.get::<_, i64>(0).cast_unsigned())
    }

    /// Returns the number of events in all logs.
    pub(crate) fn len(&self) -> Result<u64> {
        let row =
            self.runtime.block_on(self.client.query_one("SELECT count(*) FROM event", &[]))?;
        Ok(row.get::<_, i64>(0).cast_unsigned())
    }

    fn ask(&self, sql: &str, log: Log, ask: &Ask) -> Result<Vec<Row>> {
        let statement = self.statement(sql)?;
        let log = uuid_of(log);
        let values: Vec<Box<dyn ToSql + Sync>> = ask.values.iter().map(boxed).collect();
        let mut parameters: Vec<&(dyn ToSql + Sync)> = vec![&log];
        parameters.extend(values.iter().map(|value| &**value));
        Ok(self.runtime.block_on(self.client.query(&statement, &parameters))?)
    }

    fn statement(&self, sql: &str) -> Result<Statement> {
        if let Some(statement) = self.prepared.borrow().get(sql) {
            return Ok(statement.clone());
        }
        let statement = self.runtime.block_on(self.client.prepare(sql))?;
        self.prepared.borrow_mut().insert(sql.to_owned(), statement.clone());
        Ok(statement)
    }
}

/// Connects to a database. Must be called on a runtime, which then drives the connection.
pub(crate) async fn connect(url: &str) -> Result<Client> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

/// Adds a column and a B-tree for each filter. Each index ends with the sequence, which completes the
/// order.
fn filters() -> String {
    let columns = [("change_set", "uuid")].into_iter();
    let columns = columns.chain(FACETS.iter().map(|(facet, _)| (*facet, "text")));
    let indexed = columns.map(|(name, kind)| {
        format!(
            "ALTER TABLE event ADD COLUMN {name} {kind};
             CREATE INDEX by_{name} ON event (log, {name}, occurred_at, sequence)
                 WHERE {name} IS NOT NULL;"
        )
    });
    let by_time = "CREATE INDEX by_time ON event (log, occurred_at, sequence);";
    by_time.to_owned() + &indexed.collect::<String>()
}

fn insert_sql(indexes: Indexes) -> String {
    let mut types = vec!["uuid", "int8", "int8", "uuid", "text", "bytea"];
    if indexes == Indexes::PerFilter {
        types.push("uuid");
        types.extend(FACETS.iter().map(|_| "text"));
    }
    let arrays = types.iter().zip(1..).map(|(name, number)| format!("${number}::{name}[]"));
    format!("INSERT INTO event SELECT * FROM unnest({})", arrays.collect::<Vec<_>>().join(", "))
}

/// Returns a clause with parameters as PostgreSQL writes them.
fn dollars(clause: &str) -> String {
    clause.replace('?', "$")
}

fn boxed(value: &Value) -> Box<dyn ToSql + Sync> {
    match value {
        Value::Integer(number) => Box::new(*number),
        Value::Text(text) => Box::new(text.clone()),
        _ => Box::new(None::<i64>),
    }
}

pub(crate) fn uuid_of(log: Log) -> Uuid {
    Uuid::from_slice(log.as_bytes()).unwrap_or_default()
}

impl Columns {
    /// Encodes an event as a row.
    pub(crate) fn push(
        &mut self,
        log: Log,
        size: i64,
        event: &NewEvent,
        indexes: Indexes,
    ) -> Result<()> {
        if indexes == Indexes::PerFilter {
            self.change_set.push(event.change_set_id.map(|id| *id.as_uuid()));
            self.facets.resize(FACETS.len(), Vec::new());
            for (column, (_, value)) in self.facets.iter_mut().zip(&FACETS) {
                column.push(value(event).map(str::to_owned));
            }
        }
        let id = *event.id.as_uuid();
        let prepared = PreparedEvent::new(event)?;
        self.occurred_at.push(prepared.occurred_at().as_nanos());
        let stored = prepared.into_stored(log, Sequence::try_from(size)?, Timestamp::now());
        self.log.push(uuid_of(log));
        self.sequence.push(size);
        self.id.push(id);
        self.record.push(String::from_utf8(stored.record)?);
        self.personal.push(stored.personal.map(|part| [&part.salt[..], &part.bytes].concat()));
        Ok(())
    }

    fn values(&self, indexes: Indexes) -> Vec<&(dyn ToSql + Sync)> {
        let mut values: Vec<&(dyn ToSql + Sync)> = vec![
            &self.log,
            &self.sequence,
            &self.occurred_at,
            &self.id,
            &self.record,
            &self.personal,
        ];
        debug_assert_eq!(values.len(), COLUMNS.len());
        if indexes == Indexes::PerFilter {
            values.push(&self.change_set);
            values.extend(self.facets.iter().map(|column| column as &(dyn ToSql + Sync)));
        }
        values
    }

    /// Returns the values of the only row, but for its sequence.
    pub(crate) fn only(&self) -> [&(dyn ToSql + Sync); 5] {
        [&self.log[0], &self.occurred_at[0], &self.id[0], &self.record[0], &self.personal[0]]
    }
}

fn stored(row: &Row) -> StoredEvent {
    let record: String = row.get(0);
    let personal: Option<&[u8]> = row.get(1);
    let split = personal.and_then(|bytes| bytes.split_first_chunk::<SALT>());
    let personal = split.map(|(salt, bytes)| PersonalData::new(*salt, bytes.to_vec()));
    StoredEvent::new(record.into_bytes(), personal)
}
