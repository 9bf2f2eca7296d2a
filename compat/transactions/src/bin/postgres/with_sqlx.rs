//! sqlx.

use audit_postgres::STAGE;
use compat_transactions::{Payment, Result};
use sqlx::postgres::PgPool;

pub(crate) async fn pay(payment: &Payment) -> Result<()> {
    let staged = payment.staged()?;
    let pool = PgPool::connect(&payment.database).await?;
    let mut transaction = pool.begin().await?;
    let insert = sqlx::query("INSERT INTO invoice VALUES ($1)").bind(&payment.invoice);
    insert.execute(&mut *transaction).await?;
    let stage = sqlx::query(STAGE).bind(staged.log().to_string());
    stage.bind(staged.ids()).bind(staged.bodies()).execute(&mut *transaction).await?;
    if payment.end.commits() {
        transaction.commit().await?;
    } else {
        transaction.rollback().await?;
    }
    payment.end.is_over();
    pool.close().await;
    Ok(())
}
