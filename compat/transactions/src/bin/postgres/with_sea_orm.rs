//! SeaORM.

use audit_postgres::STAGE;
use compat_transactions::{Payment, Result};
use sea_orm::{ConnectionTrait as _, Database, DbBackend, Statement, TransactionTrait as _, Value};

pub(crate) async fn pay(payment: &Payment) -> Result<()> {
    let staged = payment.staged()?;
    let database = Database::connect(&payment.database).await?;
    let transaction = database.begin().await?;
    let run = |sql: &str, values: Vec<Value>| {
        let statement = Statement::from_sql_and_values(DbBackend::Postgres, sql, values);
        transaction.execute_raw(statement)
    };
    run("INSERT INTO invoice VALUES ($1)", vec![(&*payment.invoice).into()]).await?;
    let bodies: Vec<_> = staged.bodies().into_iter().map(str::to_owned).collect();
    run(STAGE, vec![staged.log().to_string().into(), staged.ids().into(), bodies.into()]).await?;
    if payment.end.commits() {
        transaction.commit().await?;
    } else {
        transaction.rollback().await?;
    }
    payment.end.is_over();
    database.close().await?;
    Ok(())
}
