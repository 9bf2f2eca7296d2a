//! diesel-async.

use audit_postgres::STAGE;
use compat_transactions::{Payment, Result};
use diesel::result::Error as DieselError;
use diesel::sql_query;
use diesel::sql_types::{Array, Text, Uuid};
use diesel_async::{AsyncConnection as _, AsyncPgConnection, RunQueryDsl as _};

pub(crate) async fn pay(payment: &Payment) -> Result<()> {
    let staged = payment.staged()?;
    let mut connection = AsyncPgConnection::establish(&payment.database).await?;
    let paid = connection.transaction(async |connection| {
        let insert = sql_query("INSERT INTO invoice VALUES ($1)");
        insert.bind::<Text, _>(&payment.invoice).execute(connection).await?;
        sql_query(STAGE)
            .bind::<Text, _>(staged.log().to_string())
            .bind::<Array<Uuid>, _>(staged.ids())
            .bind::<Array<Text>, _>(staged.bodies())
            .execute(connection)
            .await?;
        if payment.end.commits() { Ok(()) } else { Err(DieselError::RollbackTransaction) }
    });
    match paid.await {
        Err(DieselError::RollbackTransaction) => {}
        paid => paid?,
    }
    payment.end.is_over();
    Ok(())
}
