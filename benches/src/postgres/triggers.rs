//! Measures the triggers that capture the changes of a table.

use std::time::{Duration, Instant};

use audit_postgres::PostgresStore;
use audit_postgres_server::Server;
use futures_executor::block_on;
use tokio::runtime::Builder;

use crate::postgres::sides::row;
use crate::postgres::sql::connect;
use crate::rows::{Bar, Row, median};
use crate::{BoxError, Result};

/// The number of rounds in which the tables take turns.
const ROUNDS: u64 = 5;
const ROWS: u64 = 100_000;

/// A table without triggers, and the same with them.
const TABLES: [&str; 3] = ["bare", "plain", "masked"];

/// Measures an UPDATE of many rows of a captured table, beside the same of one that is not captured.
pub(crate) fn bulk(server: &Server) -> Result<Vec<Row>> {
    let database = server.database()?;
    // The tables alone are needed: what takes the events in would use the same cores.
    drop(block_on(PostgresStore::open(database.url()))?);
    for table in TABLES {
        database.sql(&format!(
            "CREATE TABLE {table} (id bigint PRIMARY KEY, name text, email text,
                 amount numeric(12, 2), n int, at timestamptz, note text);
             INSERT INTO {table} SELECT i, 'name ' || i, i || '@acme.example', i / 7.0, i, now(),
                 repeat('x', 40) FROM generate_series(1, {ROWS}) i"
        ))?;
    }
    database.sql("SELECT audit.capture('plain')")?;
    database.sql(r#"SELECT audit.capture('masked', '{"mask": ["email", "note"]}')"#)?;
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let client = runtime.block_on(connect(database.url()))?;
    let mut times = [(); 3].map(|()| Vec::new());
    for _ in 0..ROUNDS {
        for (table, times) in TABLES.iter().zip(&mut times) {
            database.sql("TRUNCATE audit.staged")?;
            database.sql(&format!("VACUUM {table}"))?;
            let update =
                format!("UPDATE {table} SET amount = amount + 1, email = email || '.example'");
            let start = Instant::now();
            let changed = runtime.block_on(client.execute(&update, &[]))?;
            times.push(millis(start.elapsed()));
            let staged: u64 = database.sql("SELECT count(*) FROM audit.staged")?.parse()?;
            if changed != ROWS || staged != if *table == "bare" { 0 } else { ROWS } {
                return Err(format!("{changed} rows were changed, {staged} staged").into());
            }
        }
    }
    let [bare, plain, masked] = times.map(median);
    let captured = |how: &str, time| {
        let work = format!("an UPDATE of {ROWS} rows, captured{how}, beside the UPDATE alone");
        row(&work, "ms", time).limit(bare).bar(Some(Bar::AtMost(8.0)))
    };
    let mut rows = vec![captured("", plain), captured(" with two masks", masked)];
    rows.extend(single(&database, &client, &runtime)?);
    Ok(rows)
}

/// Measures an UPDATE of one row.
fn single(
    database: &audit_postgres_server::Database,
    client: &tokio_postgres::Client,
    runtime: &tokio::runtime::Runtime,
) -> Result<Vec<Row>> {
    const UPDATES: i64 = 500;
    database.sql("TRUNCATE audit.staged")?;
    let mut times = [(); 3].map(|()| Vec::new());
    let run = async {
        client.batch_execute("SET synchronous_commit = off").await?;
        let mut updates = Vec::new();
        for table in TABLES {
            let update = format!("UPDATE {table} SET n = n + 1 WHERE id = $1");
            updates.push(client.prepare(&update).await?);
        }
        for id in 1..=UPDATES {
            for (update, times) in updates.iter().zip(&mut times) {
                let start = Instant::now();
                client.execute(update, &[&id]).await?;
                times.push(1e3 * millis(start.elapsed()));
            }
        }
        Ok::<_, BoxError>(())
    };
    runtime.block_on(run)?;
    let [bare, plain, masked] = times.map(median);
    let captured = |how: &str, time| {
        let work = format!("an UPDATE of a row, not durable, captured{how}, beside it alone");
        row(&work, "µs", time).limit(bare)
    };
    Ok(vec![captured("", plain), captured(" with two masks", masked)])
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
