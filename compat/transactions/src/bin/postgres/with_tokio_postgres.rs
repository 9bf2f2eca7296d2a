//! tokio-postgres.

use audit_postgres::STAGE;
use compat_transactions::{Payment, Result};
use tokio_postgres::NoTls;

pub(crate) async fn pay(payment: &Payment) -> Result<()> {
    let staged = payment.staged()?;
    let (mut client, connection) = tokio_postgres::connect(&payment.database, NoTls).await?;
    tokio::spawn(connection);
    let transaction = client.transaction().await?;
    transaction.execute("INSERT INTO invoice VALUES ($1)", &[&payment.invoice]).await?;
    let log = staged.log().to_string();
    transaction.execute(STAGE, &[&log, &staged.ids(), &staged.bodies()]).await?;
    if payment.end.commits() {
        transaction.commit().await?;
    } else {
        transaction.rollback().await?;
    }
    payment.end.is_over();
    Ok(())
}
