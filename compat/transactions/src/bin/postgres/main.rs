//! The clients of PostgreSQL, in one program and one database of a server that it starts.

mod with_diesel;
mod with_diesel_async;
mod with_psql;
mod with_sea_orm;
mod with_sqlx;
mod with_tokio_postgres;

use audit_postgres::{PostgresOptions, PostgresStore};
use audit_postgres_server::Server;
use compat_transactions::{Payment, Result, check, pay_with};

const CLIENTS: [&str; 6] = ["tokio-postgres", "sqlx", "SeaORM", "Diesel", "diesel-async", "psql"];

async fn pay(payment: &Payment) -> Result<()> {
    match &*payment.client {
        "tokio-postgres" => with_tokio_postgres::pay(payment).await,
        "sqlx" => with_sqlx::pay(payment).await,
        "SeaORM" => with_sea_orm::pay(payment).await,
        "Diesel" => with_diesel::pay(payment),
        "diesel-async" => with_diesel_async::pay(payment).await,
        _ => with_psql::pay(payment),
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    if let Some(payment) = Payment::of_arguments()? {
        return pay(&payment).await;
    }
    let database = Server::shared()?.database()?;
    // Nobody but the reads takes in what is staged.
    let options = PostgresOptions::default().with_staging_interval(None);
    let store = PostgresStore::open_with(database.url(), options).await?;
    database.sql("CREATE TABLE invoice (id text PRIMARY KEY)")?;
    pay_with(&CLIENTS, database.url())?;
    let count = async |invoice: &str| {
        let count = format!("SELECT count(*) FROM invoice WHERE id = '{invoice}'");
        Ok(database.sql(&count)?.parse()?)
    };
    check(&CLIENTS, &store, count).await?;
    println!(
        "PostgreSQL {}: {} clients, both or neither",
        database.sql("SHOW server_version")?,
        CLIENTS.len()
    );
    Ok(())
}
