//! The clients of SQLite, in one program and one file.

mod with_diesel;
mod with_rusqlite;
mod with_sea_orm;
mod with_sqlx;

use audit_sqlite::rusqlite::{self, Connection};
use audit_sqlite::{SqliteOptions, SqliteStore};
use compat_transactions::{Payment, Result, check, pay_with};

const CLIENTS: [&str; 5] = ["rusqlite", "rusqlite, numbered at once", "sqlx", "SeaORM", "Diesel"];

async fn pay(payment: &Payment) -> Result<()> {
    match &*payment.client {
        "rusqlite" => with_rusqlite::pay(payment),
        "sqlx" => with_sqlx::pay(payment).await,
        "SeaORM" => with_sea_orm::pay(payment).await,
        "Diesel" => with_diesel::pay(payment),
        _ => with_rusqlite::pay_at_once(payment),
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    if let Some(payment) = Payment::of_arguments()? {
        return pay(&payment).await;
    }
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("service.db");
    drop(SqliteStore::open(&path)?);
    let file = Connection::open(&path)?;
    file.execute("CREATE TABLE invoice (id TEXT PRIMARY KEY)", [])?;
    pay_with(&CLIENTS, &path.display().to_string())?;
    // Nobody but the reads takes in what is staged.
    let store =
        SqliteStore::open_with(&path, SqliteOptions::default().with_staging_interval(None))?;
    let count = "SELECT count(*) FROM invoice WHERE id = ?1";
    let count = async |invoice: &str| Ok(file.query_one(count, [invoice], |row| row.get(0))?);
    check(&CLIENTS, &store, count).await?;
    println!("SQLite {}: {} clients, both or neither", rusqlite::version(), CLIENTS.len());
    Ok(())
}
