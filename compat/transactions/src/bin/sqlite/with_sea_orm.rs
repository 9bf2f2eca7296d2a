//! SeaORM.

use audit_sqlite::STAGE;
use sea_orm::{ConnectionTrait as _, Database, DbBackend, Statement, TransactionTrait as _, Value};

use compat_transactions::{Payment, Result};

pub(crate) async fn pay(payment: &Payment) -> Result<()> {
    let staged = payment.staged()?;
    let database = Database::connect(format!("sqlite://{}", payment.database)).await?;
    let transaction = database.begin().await?;
    let run = |sql: &str, values: Vec<Value>| {
        let statement = Statement::from_sql_and_values(DbBackend::Sqlite, sql, values);
        transaction.execute_raw(statement)
    };
    run("INSERT INTO invoice VALUES (?1)", vec![(&*payment.invoice).into()]).await?;
    for (id, body) in staged.rows() {
        let log = staged.log().as_bytes().to_vec();
        run(STAGE, vec![log.into(), id.as_bytes().to_vec().into(), body.into()]).await?;
    }
    if payment.end.commits() {
        transaction.commit().await?;
    } else {
        transaction.rollback().await?;
    }
    payment.end.is_over();
    database.close().await?;
    Ok(())
}
