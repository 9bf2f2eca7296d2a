//! One program, one file, one SQLite: rusqlite, sqlx, SeaORM and Diesel each pay an invoice in a
//! transaction, and the audit store records it. Fails unless everyone finds all that was written.

use std::error::Error;
use std::path::Path;

use audit_core::{Actor, AuditStoreExt as _, EventQuery, Filter, Log, NewEvent};
use audit_sqlite::SqliteStore;
use audit_sqlite::rusqlite::{self, TransactionBehavior};
use diesel::{Connection as _, RunQueryDsl as _};
use sea_orm::{ConnectionTrait as _, TransactionTrait as _};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("service.db");
    let store = SqliteStore::open(&path)?;
    rusqlite::Connection::open(&path)?.execute("CREATE TABLE invoice (id TEXT PRIMARY KEY)", [])?;

    with_rusqlite(&store, &path)?;
    with_sqlx(&path).await?;
    store.record(Log::Platform, paid("sqlx")).await?;
    with_sea_orm(&path).await?;
    store.record(Log::Platform, paid("sea_orm")).await?;
    with_diesel(&path)?;
    store.record(Log::Platform, paid("diesel")).await?;

    for name in ["rusqlite", "sqlx", "sea_orm", "diesel"] {
        let paid = Filter::new().target_type("invoice").target_id(name);
        let recorded = EventQuery::new(Log::Platform).filter(paid);
        assert_eq!(store.count(&recorded).await?, 1, "{name}");
    }
    println!("SQLite {}: 4 invoices, 4 events", rusqlite::version());
    Ok(())
}

fn paid(invoice: &str) -> NewEvent {
    NewEvent::new("invoice.paid", Actor::user("u_7")).target("invoice", invoice)
}

/// Both or neither: the event is recorded in the transaction that pays the invoice.
fn with_rusqlite(store: &SqliteStore, path: &Path) -> Result<()> {
    let mut connection = rusqlite::Connection::open(path)?;
    for commits in [false, true] {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute("INSERT INTO invoice VALUES ('rusqlite')", [])?;
        store.append_in(&transaction, Log::Platform, vec![paid("rusqlite")])?;
        if commits {
            transaction.commit()?;
        }
    }
    Ok(())
}

async fn with_sqlx(path: &Path) -> Result<()> {
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path);
    let pool = sqlx::SqlitePool::connect_with(options).await?;
    let mut transaction = pool.begin().await?;
    sqlx::query("INSERT INTO invoice VALUES ('sqlx')").execute(&mut *transaction).await?;
    transaction.commit().await?;
    let invoices = sqlx::query_scalar::<_, i64>("SELECT count(*) FROM invoice");
    assert_eq!(invoices.fetch_one(&pool).await?, 2);
    pool.close().await;
    Ok(())
}

async fn with_sea_orm(path: &Path) -> Result<()> {
    let database = sea_orm::Database::connect(format!("sqlite://{}", path.display())).await?;
    let transaction = database.begin().await?;
    transaction.execute_unprepared("INSERT INTO invoice VALUES ('sea_orm')").await?;
    transaction.commit().await?;
    database.close().await?;
    Ok(())
}

fn with_diesel(path: &Path) -> Result<()> {
    let path = path.to_str().ok_or("the path is not UTF-8")?;
    let mut connection = diesel::SqliteConnection::establish(path)?;
    connection.transaction(|connection| {
        diesel::sql_query("INSERT INTO invoice VALUES ('diesel')").execute(connection).map(drop)
    })?;
    let count = diesel::dsl::sql::<diesel::sql_types::BigInt>("count(*) FROM invoice");
    assert_eq!(diesel::select(count).get_result::<i64>(&mut connection)?, 4);
    Ok(())
}
