//! sqlx.

use audit_sqlite::STAGE_ALL;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool};

use compat_transactions::{Payment, Result};

pub(crate) async fn pay(payment: &Payment) -> Result<()> {
    let staged = payment.staged()?;
    let pool =
        SqlitePool::connect_with(SqliteConnectOptions::new().filename(&payment.database)).await?;
    let mut transaction = pool.begin().await?;
    let insert = sqlx::query("INSERT INTO invoice VALUES (?1)").bind(&payment.invoice);
    insert.execute(&mut *transaction).await?;
    sqlx::query(STAGE_ALL).bind(staged.to_json()).execute(&mut *transaction).await?;
    if payment.end.commits() {
        transaction.commit().await?;
    } else {
        transaction.rollback().await?;
    }
    payment.end.is_over();
    pool.close().await;
    Ok(())
}
